//! The peer: nginx with nchan, one worker, its messages in memory.

use crate::server::{Client, wait_for};
use nix::sys::signal::{Signal, kill};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A running nginx; ended when dropped.
pub struct Nchan {
    child: Child,
    /// `127.0.0.1:port`
    pub address: String,
}

impl Nchan {
    /// Starts one in a folder of its own.
    pub fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let root = installed();
        let config = folder.join("nginx.conf");
        fs::write(&config, configuration(&root, folder, &address)).unwrap();
        let child = Command::new(root.join("usr/sbin/nginx"))
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&config)
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("nginx", || TcpStream::connect(&address).is_ok());
        // There is a channel once something was published.
        Client::connect(&address).post("publish", b"{}");
        Self { child, address }
    }

    /// Waits until the channel has so many readers.
    pub fn wait_readers(&self, readers: usize) {
        let wanted = format!("active subscribers: {readers}\r\n");
        wait_for("readers of nchan", || {
            let told = Client::connect(&self.address).get("publish");
            String::from_utf8_lossy(&told).contains(&wanted)
        });
    }
}

impl Drop for Nchan {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, Signal::SIGTERM).ok();
        self.child.wait().ok();
    }
}

/// Under which folder nginx and its module are: the system's, or the one that `make bench` made.
fn installed() -> PathBuf {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let unpacked = std::env::var_os("ABBADO_TEST_PROGRAMS").map_or_else(
        || Path::new(&home).join(".cache/abbado-test-programs"),
        PathBuf::from,
    );
    let roots = [unpacked.join("nginx"), PathBuf::from("/")];
    let found = roots.into_iter().find(|root| root.join(MODULE).exists());
    found.expect("nginx with nchan is missing; `make nchan` installs it")
}

const MODULE: &str = "usr/lib/nginx/modules/ngx_nchan_module.so";

/// Buffers are so large that nothing is written to a file and no message is lost.
fn configuration(root: &Path, folder: &Path, address: &str) -> String {
    let module = root.join(MODULE);
    let (module, folder) = (module.display(), folder.display());
    let user = if nix::unistd::geteuid().is_root() {
        "user root root;"
    } else {
        ""
    };
    format!(
        "load_module {module};
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_buffer_size 64k;
  client_body_in_single_buffer on;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  nchan_shared_memory_size 512m;
  server {{
    listen {address} backlog=2048;
    location = /api/publish {{
      nchan_publisher;
      nchan_channel_id bench;
      nchan_message_buffer_length 16384;
      nchan_message_timeout 5m;
    }}
    location = /api/events/stream {{
      nchan_subscriber eventsource;
      nchan_channel_id bench;
      nchan_subscriber_first_message newest;
    }}
  }}
}}
"
    )
}

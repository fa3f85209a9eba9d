//! The ways to a program in a terminal: ours, and those that it is compared with.

use crate::server::Server;
use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    time::Duration,
};
use tungstenite::{Bytes, Message, WebSocket};

/// A side that says nothing for so long is broken.
const PATIENCE: Duration = Duration::from_secs(60);
const COLS: u16 = 120;
const ROWS: u16 = 30;

/// One end of a program in a terminal.
pub trait Side {
    /// Types keys.
    fn keys(&mut self, keys: &str);

    /// Waits for what the program wrote next.
    fn next(&mut self) -> &[u8];

    /// Reads until this was written, and what came with it.
    fn until(&mut self, mark: &str) {
        let mark = mark.as_bytes();
        // The end of what came before, for a mark that came in two pieces.
        let mut tail = Vec::new();
        loop {
            let bytes = self.next();
            let begin = &bytes[..bytes.len().min(mark.len() - 1)];
            tail.extend_from_slice(begin);
            let found = |bytes| memchr::memmem::find(bytes, mark).is_some();
            if found(&tail) || found(bytes) {
                return;
            }
            if bytes.len() >= mark.len() {
                tail.clear();
                tail.extend_from_slice(&bytes[bytes.len() + 1 - mark.len()..]);
            } else {
                let surplus = tail.len().saturating_sub(mark.len() - 1);
                tail.drain(..surplus);
            }
        }
    }
}

/// A PTY of ours, read in pieces as large as they come.
pub struct Bare {
    child: Box<dyn Child + Send + Sync>,
    reader: Box<dyn Read + Send>,
    writer: Box<dyn Write + Send>,
    buffer: Vec<u8>,
}

impl Bare {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = CommandBuilder::from_argv(arguments.iter().map(Into::into).collect());
        command.env("TERM", "xterm-256color");
        Self::of(command)
    }

    fn of(command: CommandBuilder) -> Self {
        let size = PtySize {
            rows: ROWS,
            cols: COLS,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        Self {
            child,
            reader: pair.master.try_clone_reader().unwrap(),
            writer: pair.master.take_writer().unwrap(),
            buffer: vec![0; 64 * 1024],
        }
    }
}

impl Side for Bare {
    fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
    }

    fn next(&mut self) -> &[u8] {
        let count = self.reader.read(&mut self.buffer).unwrap();
        assert!(count > 0, "the program ended");
        &self.buffer[..count]
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// `tmux attach` in a PTY of ours.
pub struct Tmux {
    attached: Bare,
    // Dropped after the client.
    _server: TmuxServer,
}

/// A tmux server of our own, without the user's settings; ends with all its sessions.
pub struct TmuxServer {
    socket: PathBuf,
}

impl TmuxServer {
    pub fn new(folder: &Path, name: &str) -> Self {
        let socket = folder.join(name);
        Self { socket }
    }

    /// Makes a session that runs this.
    pub fn session(&self, arguments: &[&str]) {
        let size = ["-x", &COLS.to_string(), "-y", &ROWS.to_string()];
        let session = [&["new-session", "-d"], &size[..], arguments].concat();
        self.run(&session);
    }

    pub fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-f", "/dev/null", "-S"]).arg(&self.socket);
        command.env_remove("TMUX");
        let output = command.args(arguments).output();
        let output = output.expect("tmux is installed by `make bench`");
        assert!(output.status.success(), "tmux {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for TmuxServer {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

impl Tmux {
    pub fn start(folder: &Path, name: &str, arguments: &[&str]) -> Self {
        let server = TmuxServer::new(folder, name);
        server.session(arguments);
        // No line of its own: it would redraw its clock while we measure.
        server.run(&["set-option", "-g", "status", "off"]);
        let mut command = CommandBuilder::new("tmux");
        command.args(["-f", "/dev/null", "-S"]);
        command.arg(&server.socket);
        command.arg("attach");
        command.env("TERM", "xterm-256color");
        command.env_remove("TMUX");
        Self {
            attached: Bare::of(command),
            _server: server,
        }
    }
}

impl Side for Tmux {
    fn keys(&mut self, keys: &str) {
        self.attached.keys(keys);
    }

    fn next(&mut self) -> &[u8] {
        self.attached.next()
    }
}

/// A WebSocket, as a browser has one but quicker.
fn connect(address: &str, path: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    tungstenite::client(format!("ws://{address}{path}"), stream)
        .unwrap()
        .0
}

/// Our terminal of a run.
pub struct Ours {
    socket: WebSocket<TcpStream>,
    last: Bytes,
}

impl Ours {
    pub fn attach(server: &Server, run: &str) -> Self {
        let socket = connect(&server.address, &format!("/api/terminal?run_id={run}"));
        let last = Bytes::new();
        Self { socket, last }
    }
}

impl Side for Ours {
    fn keys(&mut self, keys: &str) {
        self.socket.send(Message::binary(keys.to_owned())).unwrap();
    }

    fn next(&mut self) -> &[u8] {
        // Pings are answered within `read`.
        loop {
            if let Message::Binary(bytes) = self.socket.read().unwrap() {
                self.last = bytes;
                return &self.last;
            }
        }
    }
}

/// Jupyter's terminado behind its own server.
pub struct Terminado {
    server: process::Child,
    socket: WebSocket<TcpStream>,
    last: String,
}

impl Terminado {
    pub fn start(arguments: &[&str]) -> Self {
        let home =
            || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/abbado-test-programs");
        let programs = std::env::var_os("ABBADO_TEST_PROGRAMS").map_or_else(home, PathBuf::from);
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/benches/system/peers/terminado_server.py"
        );
        let server = Command::new(programs.join("terminado/bin/python"))
            .arg(script)
            .args(arguments)
            .env("TERM", "xterm-256color")
            .stdout(Stdio::piped())
            .spawn();
        let mut server = server.expect("terminado is installed by `make bench`");
        let mut port = String::new();
        let stdout = server.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut port).unwrap();
        let mut socket = connect(&format!("127.0.0.1:{}", port.trim()), "/terminal");
        let size = json!(["set_size", ROWS, COLS]).to_string();
        socket.send(Message::text(size)).unwrap();
        let last = String::new();
        Self {
            server,
            socket,
            last,
        }
    }
}

impl Side for Terminado {
    fn keys(&mut self, keys: &str) {
        let text = json!(["stdin", keys]).to_string();
        self.socket.send(Message::text(text)).unwrap();
    }

    fn next(&mut self) -> &[u8] {
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else {
                continue;
            };
            // Also what it says first, which holds more than text.
            if let Ok(("stdout", written)) = serde_json::from_str::<(&str, String)>(&text) {
                self.last = written;
                return self.last.as_bytes();
            }
        }
    }
}

impl Drop for Terminado {
    fn drop(&mut self) {
        // Its end of the terminal closes with the socket, and the program gets a hang-up.
        match self.socket.close(None) {
            Ok(()) => while self.socket.read().is_ok() {},
            Err(error) => eprintln!("terminado: {error}"),
        }
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

//! Builds the server and shuts it down, in a fixed order.
//!
//! Start: lock the data folder → open the log → start the actors → resume live runs → listen →
//! write the address file. Down: take no more requests → wait for those under way, and for the
//! message under way → end streams → stop listening → let the writer finish and make the database
//! whole. Holders, and the CLIs in them, live on.

use crate::{
    config::Config,
    files, http,
    runtime::Runtime,
    store::{self, Location},
};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, Flock, FlockArg, fcntl},
    sys::resource::{Resource, getrlimit, setrlimit},
};
use std::{
    fs::File,
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

/// Most batches between the writer and the broadcaster; when full, the writer waits.
const BATCHES_MAX: usize = 64;
/// How long to wait for the lock: a child of a killed server holds it until its exec.
const LOCK_WAIT: Duration = Duration::from_secs(1);
/// Enough for 1,024 readers of streams, 256 live runs and their viewers.
const OPEN_FILES: u64 = 8192;
/// Longest shutdown, without the database.
const SHUTDOWN: Duration = Duration::from_secs(4);
/// Longest checkpoint of the database's WAL at shutdown.
const CLOSING: Duration = Duration::from_millis(800);

/// Lock that allows one server per data folder.
pub struct FolderLock(#[expect(dead_code, reason = "held for its drop")] Flock<File>);

impl FolderLock {
    /// Acquires the lock.
    ///
    /// # Errors
    /// One sentence when another server holds it.
    pub fn take(data_dir: &Path) -> Result<Self, String> {
        let path = data_dir.join("server.lock");
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true);
        let mut file = files::open_with(options.mode(0o600), &path)
            .map_err(|error| format!("{} cannot be opened: {error}", path.display()))?;
        let begun = Instant::now();
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => {
                    takes_record_locks(&lock).map_err(|error| no_locks(data_dir, error))?;
                    return Ok(Self(lock));
                }
                Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
                Err((_, error)) => return Err(no_locks(data_dir, error)),
            };
            if begun.elapsed() > LOCK_WAIT {
                return Err(format!(
                    "another abbado server uses the data folder {}",
                    data_dir.display()
                ));
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "nothing announces a lock that is free"
            )]
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether the file system supports record locks, which the database uses; SQLite would report a
/// missing support as a busy database.
fn takes_record_locks(file: &File) -> Result<(), Errno> {
    let lock = |kind| nix::libc::flock {
        l_type: kind,
        l_whence: nix::libc::SEEK_SET as _,
        l_start: 0,
        l_len: 1,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_SETLK(&lock(nix::libc::F_WRLCK as _))) {
        Ok(_) => fcntl(file, FcntlArg::F_SETLK(&lock(nix::libc::F_UNLCK as _))).map(drop),
        Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) => Ok(()),
        Err(error) => Err(error),
    }
}

fn no_locks(data_dir: &Path, error: Errno) -> String {
    format!(
        "the file system of the data folder {} does not support locks ({error}); choose a folder on a local disk with --data-dir",
        data_dir.display()
    )
}

/// Runs the server until SIGTERM, SIGINT, SIGHUP or `until`. `listening` is called with the
/// address.
///
/// # Errors
/// One sentence for the person who started it.
pub async fn serve(
    config: Config,
    listening: impl FnOnce(SocketAddr),
    until: impl Future<Output = ()>,
) -> Result<(), String> {
    let gate = http::GateConfig::new(config.bind, &config.allowed_hosts, config.token.clone())?;
    allow_open_files();
    let _lock = FolderLock::take(&config.data_dir)?;
    let listener = http::listen(config.bind)?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let (batches, committed) = mpsc::channel(BATCHES_MAX);
    let location = Location::of(&config.data_dir);
    let (writer, reader) = store::open(&location, batches).map_err(|error| error.to_string())?;
    let runtime = Runtime::start(config.clone(), writer, reader, committed)
        .map_err(|error| error.to_string())?;
    let reachable = reachable(address);
    let base_url = format!("http://{reachable}");
    runtime.shared.base_url.set(base_url).ok();
    announce(&config, reachable, socket_number(&listener));
    let live = runtime.recover().await.map_err(|error| error.to_string())?;
    log::info!(live; "abbado {} listens on {address}; resumed {live} live runs.", env!("CARGO_PKG_VERSION"));
    let server = http::server(runtime.clone(), gate, listener)?;
    let handle = server.handle();
    actix::spawn(server);
    // Before the address is known, so that no signal is missed.
    let (mut terminate, mut interrupt, mut hangup) = signals()?;
    listening(address);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = hung_up(&mut hangup) => {}
        () = until => {}
    }
    log::info!("Shutting down; runs continue in their holders.");
    let down = async {
        runtime.close_streams().await;
        runtime.drain().await;
        handle.stop(true).await;
    };
    let down = async { tokio::join!(down, runtime.shared.notifier.stop()) };
    if tokio::time::timeout(SHUTDOWN, down).await.is_err() {
        log::warn!("Some requests were still in progress at shutdown.");
    }
    let closed = tokio::time::timeout(CLOSING, runtime.shared.writer.close());
    if closed.await.is_err() {
        log::warn!("The database was still busy at shutdown; its WAL holds what is not in it.");
    }
    forget_server_file(&config);
    Ok(())
}

/// Raises the soft limit of open files, which is often 1,024. Children inherit it; it is low enough
/// for programs that try every descriptor up to it.
fn allow_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = soft.max(OPEN_FILES.min(hard));
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map(|()| wanted)
    });
    match raised {
        Ok(limit) if limit >= OPEN_FILES => {}
        Ok(limit) => {
            log::warn!(limit; "The limit of open files is {limit}; at least {OPEN_FILES} are recommended.");
        }
        Err(error) => log::warn!("Could not raise the limit of open files: {error}"),
    }
}

/// An address a program on this machine can use, for one that listens everywhere.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// The inode of a socket, which identifies it.
#[cfg(target_os = "linux")]
fn socket_number(listener: &std::net::TcpListener) -> Option<u64> {
    let status = nix::sys::stat::fstat(std::os::fd::AsFd::as_fd(listener));
    status.ok().map(|status| status.st_ino)
}

#[cfg(not(target_os = "linux"))]
fn socket_number(_: &std::net::TcpListener) -> Option<u64> {
    None
}

/// Time between two attempts to write the address file.
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(2);

/// Writes the address file, retrying on a full disk. Until then hooks do not find this server.
fn announce(config: &Config, address: SocketAddr, socket: Option<u64>) {
    let text = serde_json::json!({
        "addr": address.to_string(),
        "pid": std::process::id(),
        "socket": socket,
    });
    let (path, text) = (config.server_file(), text.to_string());
    let Err(error) = write_server_file(&path, &text) else {
        return;
    };
    log::error!(
        "Could not write {}, so hooks do not find this server: {error}.",
        path.display()
    );
    actix::spawn(async move {
        while write_server_file(&path, &text).is_err() {
            tokio::time::sleep(ANNOUNCE_AGAIN).await;
        }
        log::info!("Hooks find this server again.");
    });
}

/// Hook programs of CLIs older than this server learn its address here. Without space for another
/// file, the old one is overwritten.
fn write_server_file(path: &Path, text: &str) -> std::io::Result<()> {
    let fresh = path.with_extension("json.new");
    let written = files::make(&fresh).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        files::rename(&fresh, path)
    });
    written.or_else(|error| {
        drop(std::fs::remove_file(&fresh));
        let mut old = files::open_with(File::options().write(true), path)?;
        let len = usize::try_from(old.metadata()?.len()).unwrap_or_default();
        if len < text.len() {
            return Err(error);
        }
        // JSON may end in blanks.
        old.write_all(format!("{text:len$}").as_bytes())?;
        old.sync_all()
    })
}

fn forget_server_file(config: &Config) {
    if let Err(error) = std::fs::remove_file(config.server_file()) {
        log::debug!("Could not remove the address file: {error}.");
    }
}

/// SIGTERM, SIGINT, and SIGHUP, which is sent at the end of a terminal or login; none when that is
/// ignored, as under `nohup`.
fn signals() -> Result<(Signal, Signal, Option<Signal>), String> {
    let of = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
    let hangup = match ignores(nix::sys::signal::Signal::SIGHUP) {
        true => None,
        false => Some(of(SignalKind::hangup())?),
    };
    let (terminate, interrupt) = (of(SignalKind::terminate())?, of(SignalKind::interrupt())?);
    Ok((terminate, interrupt, hangup))
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether this process was started with a signal ignored; false where that is unknown.
fn ignores(signal: nix::sys::signal::Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal as i32 - 1) & 1 == 1)
}

//! What a server holds at a moment.

use crate::server::{Server, kib_of};
use std::{collections::BTreeMap, fs, os::unix::ffi::OsStrExt, path::Path};

/// One of the values of a sample.
pub struct Quantity {
    /// What it is.
    pub name: &'static str,
    /// Of its values.
    pub unit: &'static str,
    /// So much more is no growth.
    pub noise: f64,
}

const fn quantity(name: &'static str, unit: &'static str, noise: f64) -> Quantity {
    Quantity { name, unit, noise }
}

impl Quantity {
    /// Whether it is room on the disk.
    pub fn on_disk(&self) -> bool {
        self.name.starts_with("data folder") || self.name == "repository"
    }
}

/// In the order of a sample's values.
pub const QUANTITIES: [Quantity; 8] = [
    quantity("resident memory (RSS)", "MB", 1.0),
    quantity("proportional memory (PSS)", "MB", 1.0),
    quantity("open files", "", 8.0),
    quantity("threads", "", 4.0),
    quantity("processes below the server", "", 8.0),
    quantity("data folder without the database", "MB", 4.0),
    quantity("data folder with the database", "MB", 4.0),
    quantity("repository", "MB", 4.0),
];

/// All of them at one moment.
pub struct Sample {
    /// Since the beginning.
    pub minutes: f64,
    /// As [`QUANTITIES`] names them.
    pub values: [f64; QUANTITIES.len()],
}

/// Takes one.
pub fn take(server: &Server, repo: &Path, minutes: f64) -> Sample {
    let pid = server.pid();
    let mb = |bytes: f64| bytes / 1e6;
    let memory = |file, name| mb(kib_of(pid, file, name) * 1024.0);
    let listed = |folder: &str| {
        fs::read_dir(format!("/proc/{pid}/{folder}"))
            .unwrap()
            .count()
    };
    let data = server.folder.join("data");
    let database = ["abbado.db", "abbado.db-wal", "abbado.db-shm"];
    let database: u64 = database.iter().map(|name| bytes_of(&data.join(name))).sum();
    let all = bytes_of(&data);
    Sample {
        minutes,
        values: [
            memory("status", "VmRSS:"),
            memory("smaps_rollup", "Pss:"),
            listed("fd") as f64,
            listed("task") as f64,
            processes(server).len() as f64,
            mb(all.saturating_sub(database) as f64),
            mb(all as f64),
            mb(bytes_of(repo) as f64),
        ],
    }
}

/// How many files of each kind a server has open.
pub fn open_files(server: &Server) -> BTreeMap<String, usize> {
    let entries = fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .flatten();
    let mut kinds = BTreeMap::new();
    for target in entries.filter_map(|entry| fs::read_link(entry.path()).ok()) {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let kind = name.split(':').next().unwrap_or_default();
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    kinds
}

/// What a file takes of the disk, or a folder with all in it. What goes meanwhile takes nothing.
fn bytes_of(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(meta) = path.symlink_metadata() else {
        return 0;
    };
    let own = meta.blocks() * 512;
    let inside = match meta.is_dir() {
        true => fs::read_dir(path).into_iter().flatten().flatten(),
        false => return own,
    };
    own + inside.map(|entry| bytes_of(&entry.path())).sum::<u64>()
}

/// Everything that a server started, and what that started: it has the server's home. The server
/// itself is not among them.
pub fn processes(server: &Server) -> Vec<u32> {
    let home = [b"HOME=", server.folder.as_os_str().as_bytes()].concat();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ours = |pid: &u32| {
        // One that has ended has none.
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        *pid != server.pid()
            && environment
                .split(|byte| *byte == 0)
                .any(|line| line == home)
    };
    pids.filter(ours).collect()
}

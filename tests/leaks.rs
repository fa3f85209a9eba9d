//! Run last: checks that the tests left nothing behind.
//!
//! `make` gives all tests one folder for what is temporary and names it here in
//! `ABBADO_TESTS_FOLDER`: homes and data folders of test servers lie in it, so whatever they
//! started has it in its environment or its arguments. Our own binary is looked for by its path too:
//! a holder that cleared its environment would still be one.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too, may fail loudly")]

use std::{
    collections::HashSet,
    fs,
    os::unix::{ffi::OsStrExt, net::UnixListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What was left behind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Leaks {
    processes: Vec<String>,
    sockets: Vec<String>,
    mounts: Vec<String>,
    worktrees: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

fn mentions(bytes: &[u8], folder: &Path) -> bool {
    let name = folder.as_os_str().as_bytes();
    bytes.windows(name.len()).any(|part| part == name)
}

/// The parent of a process.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// This process and its parents, which know the folder and are not leaks.
fn ourselves() -> HashSet<u32> {
    let chain = std::iter::successors(Some(std::process::id()), |pid| parent(*pid));
    chain.take_while(|pid| *pid > 0).collect()
}

fn processes(folder: Option<&Path>, binary: &Path) -> Vec<String> {
    let ours = ourselves();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let others = pids.filter(|pid| !ours.contains(pid));
    others
        .filter_map(|pid| {
            let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            let link =
                |what: &str| fs::read_link(format!("/proc/{pid}/{what}")).unwrap_or_default();
            let line = read("cmdline");
            let known = folder.is_some_and(|folder| {
                mentions(&read("environ"), folder)
                    || mentions(&line, folder)
                    || link("cwd").starts_with(folder)
            });
            // A rebuilt binary shows as deleted.
            let exe = link("exe");
            let exe = exe.as_os_str().as_bytes();
            let is_binary =
                exe.strip_suffix(b" (deleted)").unwrap_or(exe) == binary.as_os_str().as_bytes();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (known || is_binary).then(|| format!("{pid} {line}"))
        })
        .collect()
}

/// Fields of a table of the kernel's that are paths below the folder.
fn below(table: &str, field: usize, folder: &Path) -> Vec<String> {
    let rows = table.lines();
    let paths = rows.filter_map(|row| row.split_ascii_whitespace().nth(field));
    let ours = paths.filter(|path| Path::new(path).starts_with(folder));
    ours.map(str::to_owned).collect()
}

fn worktrees(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            worktrees(&path, found);
        } else if entry.file_name() == ".git" {
            found.push(path);
        }
    }
}

fn leaks(folder: &Path) -> Leaks {
    let table = |path: &str| fs::read_to_string(path).unwrap();
    let mut found = Vec::new();
    worktrees(folder, &mut found);
    let folders = fs::read_dir(folder).unwrap().flatten();
    Leaks {
        processes: processes(Some(folder), Path::new(env!("CARGO_BIN_EXE_abbado"))),
        sockets: below(&table("/proc/net/unix"), 7, folder),
        mounts: below(&table("/proc/mounts"), 1, folder),
        worktrees: found,
        folders: folders.map(|entry| entry.path()).collect(),
    }
}

#[test]
fn nothing_is_left() {
    let Some(folder) = std::env::var_os("ABBADO_TESTS_FOLDER").map(PathBuf::from) else {
        let left = processes(None, Path::new(env!("CARGO_BIN_EXE_abbado")));
        println!(
            "without ABBADO_TESTS_FOLDER only processes are looked for: {} left",
            left.len()
        );
        assert_eq!(left, [""; 0]);
        return;
    };
    let left = leaks(&folder);
    println!(
        "left over: {} processes, {} sockets, {} mounts, {} worktrees, {} temporary files and folders",
        left.processes.len(),
        left.sockets.len(),
        left.mounts.len(),
        left.worktrees.len(),
        left.folders.len()
    );
    assert_eq!(left, Leaks::default());
}

/// The check can fail: it finds what is left on purpose.
#[test]
fn a_leak_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let sleeper = || {
        let mut command = Command::new("/bin/sleep");
        command.arg("1000").env_clear().stdin(Stdio::null());
        command
    };
    // Known by its environment, and by the folder it works in.
    let mut started = [
        sleeper().env("HOME", &path).spawn().unwrap(),
        sleeper().current_dir(&path).spawn().unwrap(),
    ];
    let listener = UnixListener::bind(path.join("x.sock")).unwrap();
    fs::create_dir(path.join("worktree")).unwrap();
    fs::write(path.join("worktree/.git"), "gitdir: /nowhere\n").unwrap();
    let found = leaks(&path);
    let pids: HashSet<String> = found
        .processes
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    let expected: HashSet<String> = started.iter().map(|child| child.id().to_string()).collect();
    for child in &mut started {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    drop(listener);
    assert!(expected.is_subset(&pids), "{found:#?}");
    assert_eq!(found.sockets, [path.join("x.sock").display().to_string()]);
    assert_eq!(found.worktrees, [path.join("worktree/.git")]);
    assert_eq!(found.folders.len(), 2, "{found:#?}");
    let mounts = format!(
        "tmpfs {0}/full tmpfs rw 0 0\ntmpfs {0}2 tmpfs rw 0 0\n",
        path.display()
    );
    assert_eq!(
        below(&mounts, 1, &path),
        [format!("{}/full", path.display())]
    );
    fs::remove_file(path.join("x.sock")).unwrap();
    fs::remove_dir_all(path.join("worktree")).unwrap();
    let after = leaks(&path);
    assert_eq!(
        (
            after.sockets.len(),
            after.worktrees.len(),
            after.folders.len()
        ),
        (0, 0, 0)
    );
    assert!(
        !after
            .processes
            .iter()
            .any(|line| expected.contains(line.split(' ').next().unwrap()))
    );
}

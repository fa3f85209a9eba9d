//! Conditions at the start of a server: a missing log, an unsuitable file system, missing
//! permissions.

use super::{Stayer, disk::Mount};
use crate::support::{PATIENCE, World, pause};
use nix::{sys::stat::Mode, unistd::mkfifo};
use std::{
    fs,
    os::unix::fs::{chown, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

fn refused(world: &World) -> String {
    refused_below(world, &[])
}

/// Why a server does not start, the words of a command line before it.
fn refused_below(world: &World, before: &[&str]) -> String {
    let server = env!("CARGO_BIN_EXE_abbado");
    let words = ["serve", "--bind", "127.0.0.1:0", "--data-dir"];
    let all = [before, &[server], &words].concat();
    let mut command = Command::new(all[0]);
    let command = command.args(&all[1..]).arg(world.data());
    let command = command.env("HOME", world.path("home")).stdin(Stdio::null());
    let pipes = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!(
                "it waits for something, or started: {:?}",
                child.wait_with_output()
            );
        }
        pause();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("abbado: "), "{said}");
    last.to_owned()
}

#[test]
fn a_log_that_is_gone_is_not_begun_anew_beside_its_runs() {
    let world = World::new();
    let server = world.serve();
    let run = Stayer::start(&world, &server);
    run.end();
    server.wait_status(&run.id, "completed");
    assert_eq!(server.terminate(), Some(0));
    let database = world.data().join("abbado.db");
    let kept = fs::read(&database).unwrap();
    fs::write(&database, "").unwrap();
    let said = refused(&world);
    assert!(said.contains("abbado.db is missing or empty"), "{said}");
    assert_eq!(
        fs::metadata(&database).unwrap().len(),
        0,
        "it is not touched"
    );
    fs::remove_file(&database).unwrap();
    assert_eq!(refused(&world), said);
    assert!(!database.exists());
    fs::write(&database, kept).unwrap();
    let server = world.serve();
    assert_eq!(server.view(&run.id)["status"], "completed");
}

#[test]
fn a_data_folder_that_is_another_users_or_no_folder_is_named() {
    let world = World::new();
    fs::write(world.data(), "a file").unwrap();
    let said = refused(&world);
    assert!(said.contains(world.data().to_str().unwrap()), "{said}");
    fs::remove_file(world.data()).unwrap();
    // Files that others left there are no matter.
    fs::create_dir_all(world.data().join("runs/lost+found")).unwrap();
    fs::create_dir_all(world.data().join("runs/not-a-run")).unwrap();
    fs::write(world.data().join(".DS_Store"), "x").unwrap();
    fs::write(world.data().join("server.json"), "{}").unwrap();
    world.serve().get("health").expect(200);
}

/// What stands there, how it is put there, and what is said of it.
type Case<'a> = (&'a str, &'a dyn Fn(&Path), &'a str);

#[test]
fn what_stands_in_the_place_of_a_file_of_the_server_is_named() {
    let fifo = |at: &Path| mkfifo(at, Mode::S_IRWXU).unwrap();
    let folder = |at: &Path| fs::create_dir(at).unwrap();
    let text = |at: &Path| fs::write(at, "x".repeat(10_000)).unwrap();
    let nowhere = |at: &Path| symlink("/nowhere", at).unwrap();
    let no_file = "it is not a regular file";
    let cases: [Case<'_>; 10] = [
        ("server.lock", &fifo, no_file),
        ("server.lock", &folder, no_file),
        ("abbado.db", &fifo, no_file),
        ("abbado.db", &folder, no_file),
        ("abbado.db", &text, "file is not a database"),
        ("abbado.db-wal", &folder, no_file),
        ("abbado.db-shm", &fifo, no_file),
        ("runs", &text, "is not a folder"),
        ("worktrees", &fifo, "is not a folder"),
        ("runs", &nowhere, "is a broken symbolic link"),
    ];
    for (name, put, why) in cases {
        let world = World::new();
        fs::create_dir(world.data()).unwrap();
        let at = world.data().join(name);
        put(&at);
        let said = refused(&world);
        let named = said.contains(at.to_str().unwrap()) && said.contains(why);
        assert!(named, "{name} {why}: {said}");
        assert!(at.symlink_metadata().is_ok(), "{name} is left alone");
    }
}

#[test]
fn folders_and_files_that_the_server_may_not_use_are_named() {
    let world = World::new();
    drop(world.serve());
    let read_only = Mount::read_only(&world.data());
    let said = refused(&world);
    let data = world.data().display().to_string();
    assert!(said.contains(&data) && said.contains("Read-only"), "{said}");
    drop(read_only);
    // As any other user than root, who may do everything.
    let without_rights = ["setpriv", "--bounding-set", "-all"];
    let paths: [PathBuf; 3] = [
        world.data(),
        world.data().join("runs"),
        world.data().join("abbado.db"),
    ];
    for path in paths {
        chown(&path, Some(12_345), Some(12_345)).unwrap();
        let said = refused_below(&world, &without_rights);
        let named = said.contains(path.to_str().unwrap()) && said.contains("denied");
        assert!(named, "{said}");
        assert!(!path.is_dir() || said.contains("12345"), "{said}");
        chown(&path, Some(0), Some(0)).unwrap();
    }
    world.serve().get("health").expect(200);
}

#[test]
fn a_file_system_without_locks_is_named() {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/no_locks.py");
    for kind in ["flock", "records"] {
        let world = World::new();
        let said = refused_below(&world, &["python3", program, kind]);
        let data = world.data().display().to_string();
        assert!(
            said.contains(&data) && said.contains("does not support locks"),
            "{said}"
        );
    }
}

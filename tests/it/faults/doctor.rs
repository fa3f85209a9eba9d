//! `abbado doctor` finds real orphans, says how to fix them, and its commands fix them.

use super::{Stayer, stayer};
use crate::support::{Server, World, lock_owner, wait_for};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

/// Programs of the machine, without CLIs that a developer may have.
const PATH: &str = "/usr/bin:/bin";

fn doctor_with(world: &World, path: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_abbado"))
        .args(["doctor", "--data-dir"])
        .arg(world.data())
        .env_clear()
        .env("PATH", path)
        .env("HOME", world.path("home"))
        .output()
        .unwrap()
}

/// All lines, and the problems among them. The exit code says whether there are any.
fn doctor(world: &World) -> (String, Vec<String>) {
    let output = doctor_with(world, PATH);
    let said = String::from_utf8(output.stdout).unwrap();
    let marked = |line: &&str| line.starts_with("ok    ") || line.starts_with("FIX   ");
    assert!(said.lines().all(|line| marked(&line)), "{said}");
    let troubles = said.lines().filter(|line| line.starts_with("FIX"));
    let troubles: Vec<String> = troubles.map(str::to_owned).collect();
    let code = i32::from(!troubles.is_empty());
    assert_eq!(output.status.code(), Some(code), "{said}");
    let last = String::from_utf8(output.stderr).unwrap();
    let counted = match troubles.len() {
        0 => String::new(),
        1 => "abbado: 1 problem to fix\n".to_owned(),
        many => format!("abbado: {many} problems to fix\n"),
    };
    assert_eq!(last, counted, "{said}");
    (said, troubles)
}

/// Runs the command in the line's backticks.
fn mend(trouble: &str) {
    let command = trouble.split('`').nth(1).unwrap();
    let status = Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(status.success(), "{command}");
}

fn healthy(world: &World) -> String {
    let (said, troubles) = doctor(world);
    assert_eq!(troubles, [""; 0], "{said}");
    said
}

fn named<'t>(troubles: &'t [String], text: &str) -> &'t str {
    let mut of = troubles.iter().filter(|line| line.contains(text));
    let line = of
        .next()
        .unwrap_or_else(|| panic!("'{text}' is not in {troubles:#?}"));
    assert!(of.next().is_none(), "'{text}' is twice in {troubles:#?}");
    line
}

#[test]
fn a_healthy_installation_needs_nothing() {
    let world = World::new();
    let said = healthy(&world);
    assert!(said.contains("no data folder yet"), "{said}");
    assert!(!world.data().exists(), "the doctor changes nothing");
    let server = world.serve();
    let run = Stayer::start(&world, &server);
    let said = healthy(&world);
    let id = &run.id;
    for line in [
        "ok    git version 2.".to_owned(),
        "ok    database is intact; 1 live runs".to_owned(),
        "ok    holders of runs: 1".to_owned(),
        format!("ok    disk used by run {id}: files "),
        "not installed (".to_owned(),
    ] {
        assert!(said.contains(&line), "'{line}' is not in {said}");
    }
    let used = said.lines().find(|line| line.contains(id)).unwrap();
    assert!(!used.contains(" 0 KiB"), "{used}");
    run.end();
    server.wait_status(id, "completed");
}

/// A database restored from a copy does not know a run that lives.
#[test]
fn holders_and_folders_of_no_run_are_found_and_mended() {
    let world = World::new();
    let server = world.serve();
    let agent = stayer(&world, &server);
    assert_eq!(server.terminate(), Some(0));
    let database = world.data().join("abbado.db");
    let copy = world.path("copy.db");
    fs::copy(&database, &copy).unwrap();
    let server = world.serve();
    let run = Stayer::of(&world, &server, &agent);
    server.kill();
    for suffix in ["-wal", "-shm"] {
        let name = format!("abbado.db{suffix}");
        drop(fs::remove_file(world.data().join(name)));
    }
    fs::copy(&copy, &database).unwrap();
    let holder = lock_owner(&run.run_dir).unwrap();
    let server = world.serve();
    let warned = format!("Found a holder without a run ({})", run.run_dir.display());
    wait_for("the server names it", || world.log().contains(&warned));
    let (said, troubles) = doctor(&world);
    assert_eq!(troubles.len(), 3, "{said}");
    let line = named(&troubles, &format!("holder {holder} without a run"));
    assert!(
        lock_owner(&run.run_dir).is_some(),
        "it is left alone until then"
    );
    mend(line);
    wait_for("the holder is gone", || lock_owner(&run.run_dir).is_none());
    wait_for("and its program", || !run_lives(&run.id));
    mend(named(&troubles, "files without a run"));
    mend(named(&troubles, "worktrees without a run"));
    assert!(!run.run_dir.exists() && !run.worktree.exists());
    healthy(&world);
    assert_eq!(server.terminate(), Some(0));
}

fn run_lives(id: &str) -> bool {
    let found = abbado::pty::process_tree::carrying(id.parse().unwrap());
    !found.unwrap().is_empty()
}

#[test]
fn what_was_removed_under_a_run_is_found() {
    let world = World::new();
    let server = world.serve();
    let agent = stayer(&world, &server);
    let [no_folder, unseen, no_worktree] = [(); 3].map(|()| Stayer::of(&world, &server, &agent));
    let holder = lock_owner(&no_folder.run_dir).unwrap();
    server.kill();
    for run in [&no_folder, &unseen] {
        fs::remove_dir_all(&run.run_dir).unwrap();
    }
    fs::remove_dir_all(&no_worktree.worktree).unwrap();
    let (said, troubles) = doctor(&world);
    assert_eq!(troubles.len(), 3, "{said}");
    named(&troubles, &format!("run {} (running)", no_worktree.id));
    mend(named(
        &troubles,
        &format!("holder {holder} whose folder no longer exists"),
    ));
    wait_for("its program is gone", || !run_lives(&no_folder.id));
    // The server finds out as well, and the way that the line names is open.
    let server = world.serve();
    for run in [&no_folder, &unseen] {
        server.wait_status(&run.id, "failed");
    }
    wait_for("and ends what nobody ended", || !run_lives(&unseen.id));
    wait_for("no holder is left", || {
        abbado::pty::holders(&world.data().join("runs"))
            .unwrap()
            .iter()
            .all(|holder| holder.run_dir == no_worktree.run_dir)
    });
    cancel_and_delete(&server, &no_worktree.id);
    healthy(&world);
}

fn cancel_and_delete(server: &Server, id: &str) {
    let reply = server.post_empty(&format!("runs/{id}/cancel"));
    assert!([200, 409].contains(&reply.status), "{reply:?}");
    server.delete(&format!("runs/{id}")).expect(204);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn permissions_and_programs_are_looked_at() {
    let world = World::new();
    assert_eq!(world.serve().terminate(), Some(0));
    let database = world.data().join("abbado.db");
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&database, 0o644);
    open(&world.data(), 0o755);
    let files = || {
        let names = fs::read_dir(world.data()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    let (said, troubles) = doctor(&world);
    assert_eq!(troubles.len(), 2, "{said}");
    assert_eq!(
        (mode(&world.data()), mode(&database), files()),
        (0o755, 0o644, before),
        "the doctor changes nothing"
    );
    mend(named(&troubles, "data folder"));
    mend(named(&troubles, "database"));
    assert_eq!((mode(&world.data()), mode(&database)), (0o700, 0o600));
    healthy(&world);

    let bin = world.path("bin");
    fs::create_dir(&bin).unwrap();
    for (name, script) in [
        ("git", "echo git version 2.29.9"),
        ("claude", "echo broken >&2; exit 1"),
        ("codex", "echo codex-cli 0.99.0"),
    ] {
        fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        open(&bin.join(name), 0o755);
    }
    let output = doctor_with(&world, bin.to_str().unwrap());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for line in [
        "FIX   git version 2.29.9 is too old: install version 2.30 or newer",
        "FIX   Claude Code: ",
        ": codex-cli 0.99.0 (",
    ] {
        assert!(said.contains(line), "'{line}' is not in {said}");
    }
}

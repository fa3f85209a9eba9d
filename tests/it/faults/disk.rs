//! A full disk, and a database that cannot be written.

use super::{Stayer, in_order, stayer, unavailable};
use crate::support::{PATIENCE, Server, World, git, pause, wait_for};
use serde_json::json;
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

/// A mount that goes with the test.
pub(super) struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path, arguments: &[&str]) -> Self {
        mount(arguments, at);
        Self(at.to_owned())
    }

    /// What is there, read-only.
    pub(super) fn read_only(at: &Path) -> Self {
        let made = Self::new(at, &["--bind", at.to_str().unwrap()]);
        mount(&["-o", "remount,ro,bind"], at);
        made
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a process of a test that fails may still be in it.
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(std::thread::panicking() || done.unwrap().success());
    }
}

fn mount(arguments: &[&str], at: &Path) {
    let mut command = Command::new("mount");
    let output = command.args(arguments).arg(at).output().unwrap();
    assert!(
        output.status.success(),
        "this test needs to mount a small file system (as root, say) and may not: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Writes until there is no room for a single byte.
fn fill(path: &Path) {
    let mut ballast = File::create(path).unwrap();
    for size in [64 * 1024, 1024, 1] {
        while ballast.write_all(&vec![0; size]).is_ok() {}
    }
}

/// Posts until the store refuses; gives the numbers that were acknowledged.
fn until_refused(run: &Stayer, server: &Server, from: u64, cause: &str) -> Vec<u64> {
    let mut stored = Vec::new();
    let begun = Instant::now();
    for number in from.. {
        let reply = run.hook(server, number, 100 * 1024);
        match reply.status {
            200 => stored.push(number),
            _ => {
                unavailable(&reply, cause);
                return stored;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "it is never full");
    }
    stored
}

#[test]
fn a_full_disk_is_said_loses_nothing_and_is_over_when_there_is_room() {
    let world = World::new();
    std::fs::create_dir(world.data()).unwrap();
    let _mount = Mount::new(
        &world.data(),
        &["-t", "tmpfs", "-o", "size=12m,mode=700", "none"],
    );
    let server = world.serve_with(&[("ABBADO_WAITS", "holder.write_exit=1000")]);
    let agent = stayer(&world, &server);
    let run = Stayer::of(&world, &server, &agent);
    let other = Stayer::of(&world, &server, &agent);
    let ballast = world.data().join("ballast");
    fill(&ballast);
    let stored = until_refused(&run, &server, 0, "disk is full");
    // Everything that writes says so; what reads goes on.
    for _ in 0..3 {
        let reply = run.hook(&server, 1_000_000, 100 * 1024);
        unavailable(&reply, "disk is full");
    }
    let body = json!({"name": "x".repeat(200), "setup_script": "x".repeat(500_000)});
    unavailable(&server.post("projects", &body), "disk is full");
    server.get("health").expect(200);
    assert_eq!(run.numbers(&server), stored);
    // A program ends meanwhile, which cannot be recorded and is not reported.
    other.end();
    wait_for("its end could not be stored", || {
        world
            .log()
            .contains(&format!("Could not store events of run {}", other.id))
    });
    assert_eq!(server.view(&other.id)["process"]["alive"], true);
    assert!(!other.run_dir.join("exit.json").exists());
    std::fs::remove_file(&ballast).unwrap();
    // Nobody asks for it: the server finds it out by itself.
    wait_for("there is room again", || {
        run.hook(&server, 2_000_000, 0).status == 200
    });
    server.wait_status(&other.id, "completed");
    // What was refused has been kept, and is there once although it came three times.
    let mut all = stored.clone();
    all.extend([stored.len() as u64, 1_000_000, 2_000_000]);
    // In the order in which they came, the last one behind those that were kept.
    let numbers = |server: &Server| run.numbers(server);
    wait_for("the hooks that were kept are recorded", || {
        numbers(&server) == all
    });
    for id in [&run.id, &other.id] {
        in_order(&server.events(id));
    }
    server.kill();
    let server = world.serve();
    assert_eq!(numbers(&server), all, "after a restart");
    run.end();
    server.wait_status(&run.id, "completed");
    drop(server);
}

/// A stop on a full disk is answered when the processes have ended, and recorded as soon as
/// possible.
#[test]
fn stopping_and_starting_need_no_disk() {
    let world = World::new();
    std::fs::create_dir(world.data()).unwrap();
    let _mount = Mount::new(
        &world.data(),
        &["-t", "tmpfs", "-o", "size=12m,mode=700", "none"],
    );
    let waits = [("ABBADO_WAITS", "holder.write_exit=1000")];
    let server = world.serve_with(&waits);
    let agent = stayer(&world, &server);
    let runs = [(); 4].map(|()| Stayer::of(&world, &server, &agent));
    let ballast = world.data().join("ballast");
    let stop = |server: &Server, run: &Stayer, word: &str| {
        let pid = server.view(&run.id)["process"]["pid"].as_u64().unwrap();
        let reply = server.post_empty(&format!("runs/{}/{word}", run.id));
        unavailable(&reply, "The run's processes were ended");
        // One that has ended and was not waited for yet is no process that works.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let alive = !stat.is_empty() && !stat.contains(") Z ");
        assert!(!alive, "{word}: answered while its process lives: {stat}");
    };
    let ended = &runs[3];
    std::fs::write(ended.worktree.join("work"), "kept").unwrap();
    server
        .post_empty(&format!("runs/{}/cancel", ended.id))
        .expect(200);
    fill(&ballast);
    until_refused(&runs[0], &server, 0, "disk is full");
    stop(&server, &runs[0], "cancel");
    stop(&server, &runs[1], "pause");
    // Nothing of a deletion is done that could not be recorded.
    let delete = || server.delete(&format!("runs/{}", ended.id));
    unavailable(&delete(), "disk is full");
    assert!(ended.worktree.exists() && ended.run_dir.exists());
    std::fs::remove_file(&ballast).unwrap();
    server.wait_status(&runs[0].id, "cancelled");
    server.wait_status(&runs[1].id, "paused");
    delete().expect(204);
    assert!(!ended.worktree.exists() && !ended.run_dir.exists());
    let kept = format!("refs/abbado/deleted/{}/checkpoint:work", ended.id);
    assert_eq!(git(&world.path("repo"), &["show", &kept]), "kept");
    // A server that starts on a full disk reads and stops.
    fill(&ballast);
    until_refused(&runs[2], &server, 1000, "disk is full");
    server.kill();
    let server = world.serve_with(&waits);
    assert_eq!(server.view(&runs[2].id)["process"]["alive"], true);
    assert_eq!(server.get("runs").expect(200).as_array().unwrap().len(), 3);
    stop(&server, &runs[2], "cancel");
    // Asked again, it is as it was.
    stop(&server, &runs[2], "cancel");
    // A server that is killed before it could record it is no matter.
    server.kill();
    let server = world.serve_with(&waits);
    std::fs::remove_file(&ballast).unwrap();
    server.wait_status(&runs[2].id, "cancelled");
    for run in &runs[..3] {
        in_order(&server.events(&run.id));
    }
}

/// The kernel refuses every write (a limit of the size of files stands for it: quotas and broken
/// disks do the same), and takes them again later.
#[test]
fn a_database_that_takes_no_writes_says_so_and_is_written_again_later() {
    let world = World::new();
    let mut command = Command::new("sh");
    // The signal that comes with the limit would end the server; a broken disk sends none.
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    command.arg(env!("CARGO_BIN_EXE_abbado"));
    let server = world.serve_by(command, "127.0.0.1:0", &[]);
    let run = Stayer::start(&world, &server);
    assert_eq!(run.hook(&server, 1, 0).status, 200);
    let limit = |bytes: &str| {
        let mut prlimit = Command::new("prlimit");
        prlimit.args(["--pid", &server.pid().to_string()]);
        let status = prlimit.arg(format!("--fsize={bytes}:")).status().unwrap();
        assert!(status.success(), "prlimit");
    };
    limit("0");
    unavailable(&run.hook(&server, 2, 0), "cannot be written");
    unavailable(
        &server.post("projects", &json!({"name": "p2"})),
        "cannot be written",
    );
    assert_eq!(run.numbers(&server), [1]);
    run.end();
    limit("unlimited");
    server.wait_status(&run.id, "completed");
    assert_eq!(run.hook(&server, 2, 0).status, 200);
    assert_eq!(run.numbers(&server), [1, 2]);
    in_order(&server.events(&run.id));
}

#[test]
fn a_read_only_database_is_named_at_start_and_by_the_doctor() {
    let world = World::new();
    let server = world.serve();
    assert_eq!(server.terminate(), Some(0));
    let database = world.data().join("abbado.db");
    let mount = Mount::read_only(&database);
    let run = |word: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_abbado"));
        command.arg(word).arg("--data-dir").arg(world.data());
        if word == "serve" {
            command.args(["--bind", "127.0.0.1:0"]);
        }
        let command = command.env("HOME", world.path("home")).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{word}: {output:?}");
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8(said).unwrap()
    };
    let said = run("serve");
    assert!(said.to_lowercase().contains("read-only"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let said = run("doctor");
    let mut troubles = said.lines().filter(|line| line.starts_with("FIX"));
    let line = troubles.next().unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("cannot be written"), "{said}");
    assert_eq!(troubles.next(), None, "{said}");
    drop(mount);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE && File::options().append(true).open(&database).is_err() {
        pause();
    }
    world.serve().get("health").expect(200);
}

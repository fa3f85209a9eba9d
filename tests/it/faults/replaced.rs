//! A run replaces a file that the server reads: a FIFO, a device, a socket, a loop of links, a
//! folder, a file of 100 GB without contents.

use super::{Stayer, in_order};
use crate::support::{PATIENCE, Server, World, text, wait_for};
use nix::{sys::stat::Mode, unistd::mkfifo};
use serde_json::json;
use std::{
    fs::{self, File},
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
    time::Instant,
};

const KINDS: [&str; 6] = ["fifo", "device", "socket", "loop", "folder", "sparse"];

/// Paths in the run's folder that somebody reads or writes while it works, and when it is
/// continued, or found again.
const OF_RUN: [&str; 14] = [
    "hook.token",
    "output.log",
    "output.base",
    "output.base.new",
    "exit.json",
    "exit.json.new",
    "screen.json",
    "screen.ansi",
    "screen.ansi.new",
    "holder.lock",
    "holder.log",
    "holder.sock.path",
    "setup.log",
    "spool/00000000000000000001-11111111-1111-4111-8111-111111111111.json",
];
/// Paths in the worktree that git, or we, read.
const OF_WORKTREE: [&str; 1] = ["README.md"];

fn put(kind: &str, at: &Path) {
    drop(fs::remove_file(at));
    match kind {
        "fifo" => mkfifo(at, Mode::S_IRWXU).unwrap(),
        "device" => symlink("/dev/zero", at).unwrap(),
        // The address of a socket is short.
        "socket" => {
            let short = tempfile::tempdir_in("/tmp").unwrap();
            drop(UnixListener::bind(short.path().join("s")).unwrap());
            let moved = std::process::Command::new("mv")
                .arg(short.path().join("s"))
                .arg(at)
                .status();
            assert!(moved.unwrap().success());
        }
        "loop" => symlink(at.file_name().unwrap(), at).unwrap(),
        "folder" => fs::create_dir(at).unwrap(),
        _ => File::create(at).unwrap().set_len(100 << 30).unwrap(),
    }
}

fn in_time<T>(what: &str, done: impl FnOnce() -> T) -> T {
    println!("{what}");
    let begun = Instant::now();
    let outcome = done();
    let took = begun.elapsed();
    assert!(took < PATIENCE, "{what} took {took:?}");
    outcome
}

fn hook(server: &Server, run: &Stayer, name: &str, transcript: Option<&Path>) -> u16 {
    let hook = json!({"hook_event_name": name, "session_id": "s", "transcript_path": transcript});
    let path = format!("runs/{}/hook", run.id);
    let headers = [("Content-Type", "application/json")];
    server.post_with(&path, &headers, &hook.to_string()).status
}

/// Each run has another kind of thing in the place of all its files.
#[test]
fn nothing_that_a_run_puts_in_the_place_of_a_file_is_waited_for() {
    let world = World::new();
    let server = world.serve();
    let stay = json!({"command": ["sh", "-c", super::STAY]});
    let agent = server.agent(
        &world,
        json!({"cli_name": "command", "provider_config": stay}),
    );
    let runs = KINDS.map(|kind| (kind, Stayer::of(&world, &server, &agent)));
    for (kind, run) in &runs {
        fs::create_dir_all(run.run_dir.join("spool")).unwrap();
        for name in OF_RUN {
            put(kind, &run.run_dir.join(name));
        }
        for name in OF_WORKTREE {
            put(kind, &run.worktree.join(name));
        }
        let what = |of: &str| format!("{of} beside a {kind}");
        let transcript = world.path(&format!("transcript-{kind}"));
        put(kind, &transcript);
        for name in ["SessionStart", "UserPromptSubmit", "Stop"] {
            let status = in_time(&what(name), || hook(&server, run, name, Some(&transcript)));
            assert_eq!(status, 200, "{kind} {name}");
        }
        for path in ["events", "logs", "changes", "diff-stats", "tasks"] {
            let reply = in_time(&what(path), || {
                server.get(&format!("runs/{}/{path}", run.id))
            });
            assert!(reply.status > 0, "{kind} {path}: {reply:?}");
        }
    }
    let (_, sparse) = runs.iter().find(|(kind, _)| *kind == "sparse").unwrap();
    let changes = server.get(&format!("runs/{}/changes", sparse.id));
    let left_out = &changes.expect(200)["left_out"];
    assert_eq!(left_out[0]["path"], "README.md", "{left_out}");
    in_time("health", || server.get("health").expect(200));
    let code = in_time("SIGTERM", || server.terminate());
    assert_eq!(code, Some(0));
    // Their holders live, and are found again by their sockets.
    let server = in_time("the start", || world.serve());
    for (kind, run) in &runs {
        let view = server.view(&run.id);
        assert_eq!(view["process"]["alive"], true, "{kind}: {view}");
        let path = format!("runs/{}/cancel", run.id);
        let view = in_time(&format!("cancel beside a {kind}"), || {
            server.post_empty(&path).expect(200)
        });
        assert_eq!(text(&view, "status"), "cancelled", "{kind}");
        in_order(&server.events(&run.id));
    }
    let sparse = format!("runs/{}", runs.last().unwrap().1.id);
    let asked = [
        ("commit", json!({"message": "all"})),
        ("revert", json!({})),
        ("delete", json!({})),
    ];
    for (word, body) in asked {
        let refused = in_time(word, || match word {
            "delete" => server.delete(&sparse),
            word => server.post(&format!("{sparse}/{word}"), &body),
        });
        assert_eq!(refused.status, 409, "{word}: {refused:?}");
        assert!(refused.text.contains("README.md"), "{word}: {refused:?}");
    }
    in_time("delete by force", || {
        server.delete(&format!("{sparse}?force=true")).expect(204)
    });
    wait_for("nothing of the runs lives", || {
        world.processes_beside(&server).is_empty()
    });
}

//! Failures of git: a locked index, a repository hook that hangs, a deleted worktree.

use super::in_order;
use crate::support::{PATIENCE, Server, World, git, pause, raw, text, wait_for};
use serde_json::json;
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

/// A run that has ended and left a file behind.
fn ended(world: &World, server: &Server) -> (String, PathBuf) {
    let config = json!({"command": ["sh", "-c", "echo new > new"]});
    let agent = server.agent(
        world,
        json!({"cli_name": "command", "provider_config": config}),
    );
    let run = server.run(&agent, "x");
    let view = server.wait(&run, "it has ended", |view| {
        view["status"] == "completed" && view["process"]["alive"] == false
    });
    (run, PathBuf::from(text(&view["repos"][0], "worktree")))
}

fn commit(server: &Server, run: &str) -> crate::support::Reply {
    server.post(&format!("runs/{run}/commit"), &json!({"message": "all"}))
}

#[test]
fn a_locked_index_refuses_a_commit_and_costs_nothing() {
    let world = World::new();
    let server = world.serve();
    let (run, worktree) = ended(&world, &server);
    let git_dir = git(&worktree, &["rev-parse", "--absolute-git-dir"]);
    let lock = Path::new(&git_dir).join("index.lock");
    // A git that is at work there, and waits for its input.
    let mut owner = Command::new("git")
        .args(["hash-object", "--stdin"])
        .current_dir(&worktree)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::fs::write(&lock, "").unwrap();
    let refused = commit(&server, &run);
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.text.contains("index.lock"), "{refused:?}");
    assert!(lock.exists(), "its owner lives");
    // To look needs no lock, and what is there is shown.
    let stats = server.get(&format!("runs/{run}/diff-stats")).expect(200);
    assert_eq!(stats["files_changed"], 1);
    // Its owner was killed: nothing holds the lock.
    owner.kill().unwrap();
    owner.wait().unwrap();
    commit(&server, &run).expect(200);
    assert!(!lock.exists(), "it is removed");
    assert_eq!(git(&worktree, &["show", "--format=", "--name-only"]), "new");
}

#[test]
fn a_hook_that_hangs_holds_up_its_own_commit_alone() {
    let world = World::new();
    let server = world.serve();
    let (run, worktree) = ended(&world, &server);
    let (other, _) = ended(&world, &server);
    let hook = world.path("repo/.git/hooks/pre-commit");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let script = format!(
        "#!/bin/sh\ncase $PWD in {}) touch {1}/hangs; while [ ! -e {1}/go ]; do sleep 0.05; done;; esac\n",
        worktree.display(),
        world.path("tmp").display()
    );
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| commit(&server, &run));
        wait_for("it hangs", || world.path("tmp/hangs").exists());
        server.get("health").expect(200);
        assert_eq!(server.view(&run)["status"], "completed");
        commit(&server, &other).expect(200);
        assert!(!hanging.is_finished(), "it hangs still");
        std::fs::write(world.path("tmp/go"), "").unwrap();
        hanging.join().unwrap().expect(200);
    });
    in_order(&server.events(&run));
}

#[test]
fn a_worktree_that_somebody_deleted_is_said_and_its_work_is_found() {
    let world = World::new();
    let server = world.serve();
    let config = json!({"command": ["sh", "-c", "echo new > new; sleep 1000"]});
    let agent = server.agent(
        &world,
        json!({"cli_name": "command", "provider_config": config}),
    );
    let run = server.run(&agent, "x");
    let view = server.wait_status(&run, "running");
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    wait_for("it has worked", || worktree.join("new").exists());
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    std::fs::remove_dir_all(&worktree).unwrap();
    // What it had done is in its last checkpoint.
    let changes = server.get(&format!("runs/{run}/changes")).expect(200);
    assert_eq!(
        changes["repos"][0]["files"][0]["path"], "new",
        "{changes:#}"
    );
    let refused = commit(&server, &run);
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.text.contains("no longer exists"), "{refused:?}");
    assert_eq!(server.view(&run)["status"], "cancelled");
    in_order(&server.events(&run));
    server.delete(&format!("runs/{run}")).expect(204);
    let glob = format!("--glob=refs/abbado/deleted/{run}");
    let kept = git(
        &world.path("repo"),
        &["log", "--format=%H", &glob, "--", "new"],
    );
    assert!(!kept.is_empty(), "its work is lost");
}

/// What a killed server had begun goes on without it: the next one ends that and begins anew.
#[test]
fn programs_that_a_killed_server_left_in_a_set_up_are_ended_before_the_next_one() {
    // Stands for a git that is not ready: it makes the same branch, again and again.
    left_in_a_set_up("while :; do git branch -f $BRANCH main; sleep 0.02; done");
}

#[test]
fn the_lock_of_a_git_that_a_killed_server_left_is_removed() {
    left_in_a_set_up(
        "git branch -f $BRANCH main; : > .git/refs/heads/$BRANCH.lock; while :; do sleep 1; done",
    );
}

fn left_in_a_set_up(script: &str) {
    let world = World::new();
    let server = world.serve_with(&[("ABBADO_FAULT", "set_up.before_worktrees:kill@1")]);
    let pid = world.path("tmp/left");
    // Fails when it finds what was to be ended before it.
    let command = format!("! kill -0 $(cat {})", pid.display());
    let config = json!({"command": ["sh", "-c", command]});
    let agent = server.agent(
        &world,
        json!({"cli_name": "command", "provider_config": config}),
    );
    // Nobody answers: the server is killed meanwhile.
    let body = json!({"agent_id": agent, "task": "x"}).to_string();
    let request = format!(
        "POST /api/runs HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    raw(&server.address, &request);
    let mut server = server;
    let begun = Instant::now();
    while !server.gone() {
        assert!(begun.elapsed() < PATIENCE, "it is killed");
        pause();
    }
    let runs = std::fs::read_dir(world.data().join("runs")).unwrap();
    let mut runs = runs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let run = runs.next().unwrap();
    let branch = format!("abbado/run-{}", &run[..8]);
    let mut left = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(world.path("repo"))
        .env("BRANCH", &branch)
        .env("ABBADO_RUN_ID", &run)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::fs::write(&pid, left.id().to_string()).unwrap();
    let reaper = std::thread::spawn(move || left.wait().unwrap());
    wait_for("it is at work", || {
        git(&world.path("repo"), &["branch", "--list", &branch]).contains(&branch)
    });
    let server = world.serve();
    server.wait_status(&run, "completed");
    assert!(!reaper.join().unwrap().success(), "it was ended");
    in_order(&server.events(&run));
}

//! Runs from POST to their end, with real git, a real PTY and real processes.

use crate::support::{Sse, World, git, text, wait_for};
use serde_json::json;
use std::path::PathBuf;

fn command(argv: &[&str]) -> serde_json::Value {
    json!({"cli_name": "command", "provider_config": {"command": argv}})
}

#[test]
fn a_command_runs_in_its_worktree_and_completes() {
    let world = World::new();
    let server = world.serve();
    let script = "printf '%s' \"$1\" > out.txt; pwd; git branch --show-current";
    let agent = server.agent(&world, command(&["sh", "-c", script, "x", "{task}"]));
    let run = server.run(&agent, "hello 'there'");
    let view = server.wait_status(&run, "completed");
    assert_eq!(view["process"]["exit_code"], 0);
    let worktree = PathBuf::from(view["repos"][0]["worktree"].as_str().unwrap());
    assert_eq!(
        std::fs::read_to_string(worktree.join("out.txt")).unwrap(),
        "hello 'there'"
    );
    let logs = server.get(&format!("runs/{run}/logs"));
    assert!(logs.text.contains(worktree.to_str().unwrap()), "{logs:?}");
    assert!(logs.text.contains(view["run_branch"].as_str().unwrap()));
    assert_eq!(
        server.types(&run)[..5],
        [
            "run.created",
            "worktree.created",
            "process.launching",
            "process.spawned",
            "run.started",
        ]
    );
    assert!(git(&world.path("repo"), &["status", "--porcelain"]).is_empty());
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    // Its actor is still awake, and has nothing left to wait for.
    assert_eq!(server.delete(&format!("runs/{run}")).status, 404);
    let late = json!({"hook_event_name": "Stop"});
    assert_eq!(server.post(&format!("runs/{run}/hook"), &late).status, 404);
    assert!(!worktree.exists());
    assert_eq!(
        git(&world.path("repo"), &["branch", "--list", "abbado/*"]),
        ""
    );
    // The work is kept: unmerged and uncommitted, under a hidden ref.
    let kept = git(
        &world.path("repo"),
        &["for-each-ref", "--format=%(refname)", "refs/abbado/deleted"],
    );
    let file = git(
        &world.path("repo"),
        &["show", &format!("{}:out.txt", kept.lines().next().unwrap())],
    );
    assert_eq!(file, "hello 'there'");
    assert_eq!(server.get(&format!("runs/{run}")).status, 404);
}

#[test]
fn a_failing_program_fails_the_run_and_says_how() {
    let world = World::new();
    let server = world.serve();
    let agent = server.agent(&world, command(&["sh", "-c", "echo no luck; exit 3"]));
    let view = server.wait_status(&server.run(&agent, "x"), "failed");
    assert!(
        text(&view, "reason").contains("exited with code 3"),
        "{view}"
    );
    let agent = server.agent(&world, command(&["no-such-program"]));
    let run = server.run(&agent, "x");
    let view = server.wait_status(&run, "failed");
    assert!(text(&view, "reason").contains("no-such-program"), "{view}");
}

#[test]
fn cancel_ends_the_whole_tree_and_delete_follows_at_once() {
    let world = World::new();
    let server = world.serve();
    let script = "(setsid sleep 987654 &) ; sleep 987654 & echo up; wait";
    let agent = server.agent(&world, command(&["sh", "-c", script]));
    let run = server.run(&agent, "x");
    wait_for("both sleepers run", || sleepers(&run) >= 2);
    assert_eq!(server.delete(&format!("runs/{run}")).status, 409);
    let view = server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(view["status"], "cancelled");
    assert_eq!(sleepers(&run), 0);
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
}

/// Living processes whose environment carries this run's id.
fn sleepers(run: &str) -> usize {
    let marker = format!("ABBADO_RUN_ID={run}");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let environments = entries.filter_map(|entry| std::fs::read(entry.path().join("environ")).ok());
    environments
        .filter(|env| env.split(|b| *b == 0).any(|v| v == marker.as_bytes()))
        .count()
}

#[test]
fn the_demo_agent_pauses_continues_and_is_paused_by_hand() {
    let world = World::new();
    let server = world.serve();
    let agent = server.agent(&world, json!({"cli_name": "demo"}));
    let run = server.run(&agent, "say hello");
    let view = server.wait_status(&run, "paused");
    assert!(view["session_id"].is_string());
    let tasks = server.get(&format!("runs/{run}/tasks")).expect(200);
    assert!(
        tasks
            .as_array()
            .unwrap()
            .iter()
            .all(|task| task["status"] == "completed"),
        "{tasks}"
    );
    let message = json!({"message": "and once more"});
    let view = server
        .post(&format!("runs/{run}/continue"), &message)
        .expect(200);
    assert_eq!(view["status"], "running");
    server.wait_status(&run, "paused");
    let view = server.post_empty(&format!("runs/{run}/pause")).expect(200);
    assert_eq!(
        (&view["status"], &view["process"]["alive"]),
        (&json!("paused"), &json!(false))
    );
    let view = server
        .post(&format!("runs/{run}/continue"), &message)
        .expect(200);
    assert_eq!(view["status"], "running");
    server.wait_status(&run, "paused");
    assert_eq!(
        server.post_empty(&format!("runs/{run}/cancel")).expect(200)["status"],
        "cancelled"
    );
    let said: Vec<_> = server
        .events(&run)
        .into_iter()
        .filter(|e| e["event_type"] == "user.message")
        .collect();
    assert_eq!(said.len(), 2, "{said:#?}");
    assert_eq!(said[0]["payload"]["delivered_by"], "typed");
    assert_eq!(said[1]["payload"]["delivered_by"], "resume");
}

#[test]
fn the_cli_outlives_a_killed_server_and_ends_normally() {
    let world = World::new();
    let server = world.serve();
    let script = "echo up; while [ ! -e go ]; do sleep 0.05; done; echo done";
    let agent = server.agent(&world, command(&["sh", "-c", script]));
    let run = server.run(&agent, "x");
    let view = server.wait(&run, "its process lives", |view| {
        view["process"]["alive"] == true
    });
    let pid = view["process"]["pid"].clone();
    let worktree = PathBuf::from(view["repos"][0]["worktree"].as_str().unwrap());
    server.kill();
    let server = world.serve();
    assert_eq!(server.view(&run)["process"]["pid"], pid);
    std::fs::write(worktree.join("go"), "").unwrap();
    server.wait_status(&run, "completed");
    assert_eq!(
        server
            .types(&run)
            .iter()
            .filter(|kind| *kind == "process.launching")
            .count(),
        1
    );
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn killed_around_the_launch_there_is_exactly_one_cli() {
    for point in [
        "launch.before_spawn",
        "launch.after_spawn",
        "set_up.after_worktrees",
    ] {
        let world = World::new();
        let fault = format!("{point}:kill@1");
        let mut server = world.serve_with(&[("ABBADO_FAULT", &fault)]);
        let count = world.path("count");
        let script = format!(
            "echo x >> {}; while [ ! -e go ]; do sleep 0.05; done",
            count.display()
        );
        let agent = server.agent(&world, command(&["sh", "-c", &script]));
        // The answer may be cut off by the end of the server: the run is looked for afterwards.
        let body = json!({"agent_id": agent, "task": "x"}).to_string();
        let head = format!("POST /api/runs HTTP/1.1\r\nHost: {}\r\n", server.address);
        let rest = format!(
            "Connection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        crate::support::raw(&server.address, &(head + &rest));
        let begun = std::time::Instant::now();
        while !server.gone() {
            assert!(
                begun.elapsed() < crate::support::PATIENCE,
                "{point} was not passed"
            );
            crate::support::pause();
        }
        let server = world.serve();
        let runs = server.get("runs").expect(200);
        let run = text(&runs[0], "id");
        let view = server.wait(&run, "its process lives", |view| {
            view["process"]["alive"] == true
        });
        let worktree = PathBuf::from(view["repos"][0]["worktree"].as_str().unwrap());
        std::fs::write(worktree.join("go"), "").unwrap();
        server.wait_status(&run, "completed");
        assert_eq!(std::fs::read_to_string(&count).unwrap(), "x\n", "{point}");
    }
}

#[test]
fn readers_see_every_event_once_across_kills() {
    let world = World::new();
    let mut server = world.serve();
    let agent = server.agent(
        &world,
        command(&["sh", "-c", "while [ ! -e go ]; do sleep 0.05; done"]),
    );
    let run = server.run(&agent, "x");
    let view = server.wait(&run, "its process lives", |view| {
        view["process"]["alive"] == true
    });
    let worktree = PathBuf::from(view["repos"][0]["worktree"].as_str().unwrap());
    let total = 3000;
    let address = std::sync::Arc::new(std::sync::Mutex::new(server.address.clone()));
    let readers: Vec<_> = (0..20)
        .map(|seed| {
            let (address, run) = (std::sync::Arc::clone(&address), run.clone());
            std::thread::spawn(move || read_with_disconnects(&address, &run, seed))
        })
        .collect();
    let mut acknowledged = 0;
    for number in 0..total {
        if number == total / 3 || number == 2 * total / 3 {
            server.kill();
            server = world.serve();
            *address.lock().unwrap() = server.address.clone();
        }
        let hook = json!({"hook_event_name": "Note", "number": number});
        assert_eq!(server.post(&format!("runs/{run}/hook"), &hook).status, 200);
        acknowledged += 1;
    }
    std::fs::write(worktree.join("go"), "").unwrap();
    server.wait_status(&run, "completed");
    let log: Vec<i64> = server
        .events(&run)
        .iter()
        .map(|event| event["id"].as_i64().unwrap())
        .collect();
    let numbers = server
        .types(&run)
        .iter()
        .filter(|kind| *kind == "hook.received")
        .count();
    assert_eq!(numbers, acknowledged);
    for reader in readers {
        let seen = reader.join().unwrap();
        let odd = seen.iter().zip(&log).find(|(a, b)| a != b);
        assert_eq!(
            (seen.len(), odd),
            (log.len(), None),
            "{:#?}",
            server.events(&run).last()
        );
    }
}

/// Reads until `run.completed`, going away at random; gives the ids in the order seen.
fn read_with_disconnects(address: &std::sync::Mutex<String>, run: &str, seed: u64) -> Vec<i64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut seen = Vec::new();
    let begun = std::time::Instant::now();
    loop {
        assert!(
            begun.elapsed() < crate::support::PATIENCE * 4,
            "reader {seed} saw {}",
            seen.len()
        );
        let at = address.lock().unwrap().clone();
        let last = seen.last().copied().unwrap_or(0);
        let Ok(mut stream) = Sse::open(&at, &format!("runs/{run}/events/stream"), last) else {
            crate::support::pause();
            continue;
        };
        for _ in 0..random.usize(1..200) {
            let Ok((id, event)) = stream.next() else {
                break;
            };
            seen.push(id);
            if event["event_type"] == "run.completed" {
                return seen;
            }
        }
    }
}

#[test]
fn two_runs_made_at_the_same_moment_both_get_their_worktree() {
    let world = World::new();
    let server = world.serve();
    let agent = server.agent(&world, command(&["true"]));
    for _ in 0..20 {
        let make = || server.run(&agent, "x");
        let both = std::thread::scope(|scope| {
            let (one, other) = (scope.spawn(make), scope.spawn(make));
            [one.join().unwrap(), other.join().unwrap()]
        });
        let worktrees = both.map(|run| {
            let view = server.wait_status(&run, "completed");
            text(&view["repos"][0], "worktree")
        });
        assert_ne!(worktrees[0], worktrees[1]);
        for worktree in worktrees {
            assert_eq!(
                git(&PathBuf::from(worktree), &["status", "--porcelain"]),
                ""
            );
        }
    }
    assert!(!world.log().contains(".lock"), "{}", world.log());
}

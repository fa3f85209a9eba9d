//! A worktree before its CLI starts, and before it goes: scripts, copied files, notes.

use crate::support::{Server, World, git, text, wait_for};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// An agent of a project with these settings, whose command does nothing.
fn agent(server: &Server, world: &World, project: &Value) -> String {
    let fields = json!({"cli_name": "command", "provider_config": {"command": ["true"]}});
    let agent = server.agent(world, fields);
    let projects = server.get("projects").expect(200);
    let id = text(&projects[0], "id");
    server.put(&format!("projects/{id}"), project).expect(200);
    agent
}

fn failure(server: &Server, run: &str) -> Value {
    let events = server.events(run);
    let failed = events
        .iter()
        .find(|event| event["event_type"] == "run.failed");
    failed.unwrap()["payload"].clone()
}

#[test]
fn scripts_run_in_the_worktree_and_their_output_is_in_the_runs_log() {
    let world = World::new();
    let repo = world.path("repo");
    fs::write(repo.join(".git/info/exclude"), ".env\n").unwrap();
    fs::write(repo.join(".env"), "KEY=1\n").unwrap();
    let server = world.serve();
    let project = json!({
        "setup_script": "echo set up for $ABBADO_RUN_ID; cat .env; echo x > made",
        "cleanup_script": format!("pwd > '{}'", world.path("cleaned").display()),
        "copy_files": [".env"],
    });
    let agent = agent(&server, &world, &project);
    let run = server.run(&agent, "x");
    let view = server.wait_status(&run, "completed");
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    assert!(worktree.join("made").exists());
    let logs = server.get(&format!("runs/{run}/logs")).text;
    let expected = format!("[abbado] set-up script in repo:\r\nset up for {run}\r\nKEY=1\r\n");
    assert_eq!(logs, expected);
    assert!(!repo.join("made").exists());
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    let cleaned = fs::read_to_string(world.path("cleaned")).unwrap();
    assert_eq!(cleaned.trim(), worktree.to_str().unwrap());
}

/// What is around a server, and what its children may not see.
const AROUND: [(&str, &str); 10] = [
    ("GIT_INDEX_FILE", "/nowhere/index"),
    ("GIT_WORK_TREE", "/nowhere"),
    ("GIT_AUTHOR_NAME", "Of The Parent"),
    ("TERM_PROGRAM", "tmux"),
    ("TMUX", "/tmp/tmux-0/default,1,0"),
    ("COLUMNS", "50"),
    ("CLAUDECODE", "1"),
    ("VSCODE_IPC_HOOK_CLI", "/tmp/x.sock"),
    ("npm_lifecycle_event", "start"),
    ("ABBADO_IDLE_MINUTES", "7"),
];
const LOGIN: [(&str, &str); 3] = [
    ("SSH_AUTH_SOCK", "/run/agent"),
    ("HTTPS_PROXY", "http://p:1"),
    ("LANG", "de_DE.ISO-8859-1"),
];

/// A variable in the output of `env -0`.
fn value<'a>(said: &'a str, name: &str) -> Option<&'a str> {
    let mut all = said.split('\0').filter_map(|line| line.split_once('='));
    all.find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

#[test]
fn children_have_the_environment_of_a_login_and_not_of_what_is_around_the_server() {
    let world = World::new();
    let (script, cli) = (world.path("script.env"), world.path("cli.env"));
    git(&world.path("home"), &["init", "-q", "other"]);
    let git_dir = world.path("home/other/.git");
    let mut env = [&AROUND[..], &LOGIN].concat();
    env.extend([("GIT_DIR", git_dir.to_str().unwrap()), ("TERM", "vt52")]);
    let server = world.serve_with(&env);
    let commands = format!(
        "env -0 > '{}'; touch f; git add f; git commit -qm mine",
        cli.display()
    );
    let fields = json!({"cli_name": "command", "provider_config": {
        "command": ["sh", "-c", commands],
        "env": {"GIT_AUTHOR_NAME": "Agent", "GIT_AUTHOR_EMAIL": "a@b.c",
                "GIT_COMMITTER_NAME": "Agent", "GIT_COMMITTER_EMAIL": "a@b.c"},
    }});
    let agent = server.agent(&world, fields);
    let projects = server.get("projects").expect(200);
    let id = text(&projects[0], "id");
    let set_up = format!(
        "env -0 > '{}'; (: </dev/tty) 2>/dev/null && echo there is a terminal; true",
        script.display()
    );
    let settings = json!({"setup_script": set_up});
    server.put(&format!("projects/{id}"), &settings).expect(200);
    let run = server.run(&agent, "x");
    let view = server.wait_status(&run, "completed");
    let branch = text(&view, "run_branch");
    let log = ["log", "-1", "--format=%s by %an", &branch];
    assert_eq!(git(&world.path("repo"), &log), "mine by Agent");
    let logs = server.get(&format!("runs/{run}/logs")).text;
    assert!(!logs.contains("there is a terminal"), "{logs}");
    for (file, term, locale) in [
        (&script, "dumb", None),
        (&cli, "xterm-256color", Some("C.UTF-8")),
    ] {
        let said = fs::read_to_string(file).unwrap();
        for (name, wanted) in LOGIN {
            assert_eq!(value(&said, name), Some(wanted), "{name}");
        }
        assert_eq!(value(&said, "TERM"), Some(term));
        assert_eq!(value(&said, "LC_CTYPE"), locale);
        for (name, unwanted) in AROUND {
            assert_ne!(value(&said, name), Some(unwanted), "{name}");
        }
        assert_eq!(value(&said, "GIT_DIR"), None);
    }
}

#[test]
fn a_set_up_that_fails_fails_the_run_with_its_words() {
    let world = World::new();
    let server = world.serve();
    let project = json!({
        "setup_script": "echo a line; echo no such toolchain >&2; exit 3",
        "cleanup_script": "exit 1",
    });
    let agent = agent(&server, &world, &project);
    let run = server.run(&agent, "x");
    let view = server.wait_status(&run, "failed");
    assert!(
        text(&view, "reason").contains("set-up script failed in repo"),
        "{view}"
    );
    let failed = failure(&server, &run);
    assert_eq!(failed["stage"], "setup");
    assert!(
        text(&failed, "detail").contains("no such toolchain"),
        "{failed}"
    );
    let logs = server.get(&format!("runs/{run}/logs")).text;
    assert!(logs.contains("a line\r\nno such toolchain\r\n"), "{logs:?}");
    // A clean-up that fails keeps no run.
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    assert_eq!(
        git(&world.path("repo"), &["worktree", "list"])
            .lines()
            .count(),
        1
    );
}

#[test]
fn a_set_up_can_be_cancelled() {
    let world = World::new();
    let server = world.serve();
    let mark = world.path("began");
    let script = format!("setsid sleep 100 & echo > '{}'; sleep 100", mark.display());
    let agent = agent(&server, &world, &json!({"setup_script": script}));
    let run = server.run(&agent, "x");
    wait_for("the script runs", || mark.exists());
    let view = server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(view["status"], "cancelled");
    let marker = format!("ABBADO_RUN_ID={run}");
    let left = fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|pair| pair == marker.as_bytes())
    });
    assert_eq!(left.count(), 0);
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
}

#[test]
fn what_a_fresh_clone_would_have_is_there_or_noted() {
    let world = World::new();
    let repo = world.path("repo");
    let inner = world.repository("inner");
    let url = inner.to_str().unwrap();
    let allow = ["-c", "protocol.file.allow=always"];
    git(
        &repo,
        &[&allow[..], &["submodule", "add", "-q", url, "here"]].concat(),
    );
    git(
        &repo,
        &[&allow[..], &["submodule", "add", "-q", url, "away"]].concat(),
    );
    fs::write(repo.join(".gitattributes"), "*.bin filter=lfs\n").unwrap();
    git(&repo, &["add", "-A"]);
    let name = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
    git(
        &repo,
        &[&name[..], &["commit", "-q", "-m", "more"]].concat(),
    );
    fs::remove_dir_all(repo.join(".git/modules/away")).unwrap();
    fs::remove_dir_all(repo.join("away")).unwrap();
    fs::rename(&inner, world.path("gone")).unwrap();
    let server = world.serve();
    let agent = agent(&server, &world, &json!({}));
    let run = server.run(&agent, "x");
    let view = server.wait_status(&run, "completed");
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    let readme = fs::read_to_string(worktree.join("here/README.md")).unwrap();
    assert_eq!(readme, "# scratch\n");
    let logs = server.get(&format!("runs/{run}/logs")).text;
    assert!(logs.contains("repo: Submodule away stays empty"), "{logs}");
    assert!(logs.contains("Git LFS is not set up"), "{logs}");
    fs::write(worktree.join("here/new"), "in the submodule\n").unwrap();
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    let all = git(&repo, &["log", "--all", "-p", "--format=%s"]);
    assert!(all.contains("+in the submodule"), "{all}");
    let said = world.doctor();
    assert!(
        said.contains(&format!("refs/abbado/deleted/{run} since 20")),
        "{said}"
    );
}

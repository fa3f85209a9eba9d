//! What an agent did: looked at, kept, shipped and undone, over HTTP.

use crate::support::{Reply, Server, World, git, text};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What the agent does: one file changed, one new, one ignored.
const DEED: &str = "echo more >> README.md; echo new > 'new file'; \
                    echo '*.ignored' > .gitignore; echo x > secret.ignored";

/// A run of a shell script that has ended, and its worktree.
fn ended(server: &Server, world: &World, script: &str) -> (String, PathBuf) {
    let fields = json!({
        "cli_name": "command", "provider_config": {"command": ["sh", "-c", script]},
    });
    let run = server.run(&server.agent(world, fields), "x");
    let view = server.wait(&run, "it has ended", |view| {
        view["status"] == "completed" && view["process"]["alive"] == false
    });
    (run, PathBuf::from(text(&view["repos"][0], "worktree")))
}

fn refused(reply: &Reply, status: u16, cause: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.kind, "text/plain; charset=utf-8", "{reply:?}");
    assert!(reply.text.contains(cause), "'{cause}' is not in {reply:?}");
}

/// HEAD, index, files and configuration of the user's checkout.
fn checkout(repo: &Path) -> (String, String, String, Vec<u8>) {
    (
        git(repo, &["rev-parse", "HEAD"]),
        git(repo, &["status", "--porcelain=v2", "--branch"]),
        git(repo, &["ls-files", "-s"]),
        std::fs::read(repo.join("README.md")).unwrap(),
    )
}

fn last_event(server: &Server, run: &str) -> (String, Value) {
    let events = server.events(run);
    let last = events.last().unwrap();
    (text(last, "event_type"), last["payload"].clone())
}

#[test]
fn changes_are_shown_and_committed() {
    let world = World::new();
    let server = world.serve();
    let users = checkout(&world.path("repo"));
    let (run, worktree) = ended(&server, &world, DEED);
    let stats = server.get(&format!("runs/{run}/diff-stats")).expect(200);
    let counts = json!({"files_changed": 3, "insertions": 3, "deletions": 0});
    assert_eq!(stats, counts);
    let changes = server.get(&format!("runs/{run}/changes")).expect(200);
    for key in ["files_changed", "insertions", "deletions"] {
        assert_eq!(changes[key], counts[key]);
    }
    let repo = &changes["repos"][0];
    assert_eq!(repo["repo_name"], "repo");
    assert_eq!(repo["base_commit"], users.0.as_str());
    let files = repo["files"].as_array().unwrap();
    let told: Vec<_> = files
        .iter()
        .map(|f| (text(f, "path"), text(f, "status")))
        .collect();
    let told: Vec<_> = told.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(
        told,
        [
            (".gitignore", "added"),
            ("README.md", "modified"),
            ("new file", "added")
        ]
    );
    assert_eq!(files[1]["old_content"], "# scratch\n");
    assert_eq!(files[1]["new_content"], "# scratch\nmore\n");
    assert!(text(&files[1], "diff").contains("@@ -1 +1,2 @@\n # scratch\n+more\n"));

    let commit = format!("runs/{run}/commit");
    refused(
        &server.post(&commit, &json!({"message": " "})),
        400,
        "message",
    );
    let answer = server
        .post(&commit, &json!({"message": "Add more"}))
        .expect(200);
    let made = text(&answer[0], "commit");
    assert_eq!(made, git(&worktree, &["rev-parse", "HEAD"]));
    assert_eq!(answer[0]["branch"], server.view(&run)["run_branch"]);
    let (kind, payload) = last_event(&server, &run);
    assert_eq!(
        (kind.as_str(), &payload["repos"][0]["commit"]),
        ("run.committed", &json!(made))
    );
    assert_eq!(
        server.get(&format!("runs/{run}/diff-stats")).expect(200),
        counts
    );
    refused(
        &server.post(&commit, &json!({"message": "again"})),
        400,
        "Nothing to commit",
    );
    assert_eq!(checkout(&world.path("repo")), users);
}

#[test]
fn a_commit_hook_may_refuse() {
    let world = World::new();
    let server = world.serve();
    let hook = world.path("repo/.git/hooks/pre-commit");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho no ticket named >&2\nexit 1\n").unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (run, _) = ended(&server, &world, DEED);
    let message = json!({"message": "Add more"});
    let reply = server.post(&format!("runs/{run}/commit"), &message);
    refused(&reply, 409, "no ticket named");
    let (kind, payload) = last_event(&server, &run);
    assert_eq!(kind, "run.committed");
    assert_eq!(payload["repos"][0]["commit"], Value::Null);
}

#[test]
fn a_push_goes_to_the_remote_and_an_acceptance_is_recorded() {
    let world = World::new();
    let server = world.serve();
    let (run, worktree) = ended(&server, &world, DEED);
    let push = format!("runs/{run}/push");
    refused(&server.post_empty(&push), 409, "remote");
    let (repo, bare) = (world.path("repo"), world.path("bare.git"));
    git(&repo, &["init", "-q", "--bare", bare.to_str().unwrap()]);
    git(&repo, &["remote", "add", "origin", bare.to_str().unwrap()]);
    server
        .post(
            &format!("runs/{run}/commit"),
            &json!({"message": "Add more"}),
        )
        .expect(200);
    let answer = server.post_empty(&push).expect(200);
    assert_eq!(
        (&answer[0]["pushed"], &answer[0]["error"]),
        (&json!(true), &Value::Null)
    );
    let branch = text(&server.view(&run), "run_branch");
    let tip = git(&worktree, &["rev-parse", "HEAD"]);
    assert_eq!(git(&bare, &["rev-parse", &branch]), tip);
    server.post_empty(&format!("runs/{run}/accept")).expect(200);
    let types = server.types(&run);
    assert_eq!(
        types[types.len() - 3..],
        ["run.pushed", "run.pushed", "run.accepted"]
    );
    // Somebody else was there first.
    git(
        &worktree,
        &[
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@t",
            "commit",
            "-q",
            "--amend",
            "-m",
            "x",
        ],
    );
    refused(&server.post_empty(&push), 502, "rejected");
    let (kind, payload) = last_event(&server, &run);
    assert_eq!(
        (kind.as_str(), &payload["repos"][0]["pushed"]),
        ("run.pushed", &json!(false))
    );
}

#[test]
fn what_was_reverted_comes_back() {
    let world = World::new();
    let server = world.serve();
    let users = checkout(&world.path("repo"));
    let (run, worktree) = ended(&server, &world, DEED);
    server
        .post(
            &format!("runs/{run}/commit"),
            &json!({"message": "Add more"}),
        )
        .expect(200);
    let tip = git(&worktree, &["rev-parse", "HEAD"]);
    std::fs::write(worktree.join("open"), "not committed\n").unwrap();
    server.post_empty(&format!("runs/{run}/revert")).expect(200);
    assert_eq!(git(&worktree, &["rev-parse", "HEAD"]), users.0);
    assert!(!worktree.join("open").exists() && !worktree.join("new file").exists());
    // An ignored file is nobody's work: it stays.
    assert!(worktree.join("secret.ignored").exists());
    let types = server.types(&run);
    assert_eq!(
        types[types.len() - 2..],
        ["run.checkpointed", "run.reverted"]
    );
    let list = server.get(&format!("runs/{run}/checkpoints")).expect(200);
    let kept = list.as_array().unwrap().last().unwrap();
    assert_eq!(kept["reason"], "revert");
    let commit = text(&kept["repos"][0], "commit");
    git(&worktree, &["merge-base", "--is-ancestor", &tip, &commit]);

    let restore =
        |number: &Value| server.post_empty(&format!("runs/{run}/checkpoints/{number}/restore"));
    refused(&restore(&json!(99)), 404, "checkpoint 99");
    restore(&kept["number"]).expect(200);
    let open = std::fs::read_to_string(worktree.join("open")).unwrap();
    assert_eq!(open, "not committed\n");
    assert!(worktree.join("new file").exists());
    let (kind, payload) = last_event(&server, &run);
    assert_eq!(
        (kind.as_str(), &payload["number"]),
        ("run.restored", &kept["number"])
    );
    assert_eq!(checkout(&world.path("repo")), users);
}

#[test]
fn nothing_is_replaced_under_a_working_agent() {
    let world = World::new();
    let server = world.serve();
    let fields = json!({"cli_name": "command", "provider_config": {"command": ["sleep", "100"]}});
    let run = server.run(&server.agent(&world, fields), "x");
    server.wait_status(&run, "running");
    refused(
        &server.post_empty(&format!("runs/{run}/revert")),
        409,
        "running",
    );
    refused(
        &server.post_empty(&format!("runs/{run}/checkpoints/1/restore")),
        409,
        "running",
    );
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    refused(
        &server.post_empty(&format!("runs/{run}/checkpoints/1/restore")),
        404,
        "checkpoint 1",
    );
}

#[test]
fn a_branch_gets_another_name_everywhere() {
    let world = World::new();
    let server = world.serve();
    let (run, worktree) = ended(&server, &world, DEED);
    let rename =
        |name: &str| server.post(&format!("runs/{run}/rename-branch"), &json!({"name": name}));
    refused(&rename("no..name"), 400, "branch name");
    refused(&rename("main"), 409, "already exists");
    let view = rename("more").expect(200);
    assert_eq!(
        (&view["run_branch"], &view["repos"][0]["branch"]),
        (&json!("more"), &json!("more"))
    );
    assert_eq!(git(&worktree, &["branch", "--show-current"]), "more");
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    let branches = git(
        &world.path("repo"),
        &["branch", "--format=%(refname:short)"],
    );
    assert_eq!(branches, "main");
    // The work itself is kept.
    let kept = git(
        &world.path("repo"),
        &["for-each-ref", "--format=%(refname)", "refs/abbado/deleted"],
    );
    assert!(kept.contains(&run), "{kept}");
}

#[test]
fn ten_thousand_changed_files_cost_the_server_little() {
    let world = World::new();
    let server = world.serve();
    let script = "python3 -c \"import os\nfor d in range(100):\n os.mkdir(f'd{d}')\n \
                  for f in range(100): open(f'd{d}/f{f}', 'w').write(f'line of {d} {f}\\n' * 80)\"";
    let (run, _) = ended(&server, &world, script);
    let resident = |server: &Server| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let before = resident(&server);
    let body = server.bytes(&format!("runs/{run}/changes"));
    assert!(body.len() > 20_000_000, "{}", body.len());
    let changes: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(changes["files_changed"], 10_000);
    assert_eq!(changes["insertions"], 800_000);
    let grown = resident(&server) - before;
    assert!(
        grown < 16 * 1024,
        "the server grew by {grown} KiB for {} bytes",
        body.len()
    );
}

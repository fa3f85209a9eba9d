//! Filters of a repository's own configuration, over HTTP, with the real git-crypt.

use crate::support::{GIT_CONFIG, Reply, Server, World, git, text};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What git-crypt writes before what it encrypted.
const ENCRYPTED: &[u8] = b"\0GITCRYPT\0";

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", GIT_CONFIG)
        .output()
        .unwrap_or_else(|error| {
            panic!("{program} is needed (`make filters` installs it): {error}")
        });
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output.stdout
}

/// Makes git-crypt encrypt `*.key` in a repository, and commits one.
fn encrypt(repo: &Path) {
    run(repo, "git-crypt", &["init"]);
    let rule = "*.key filter=git-crypt diff=git-crypt\n";
    fs::write(repo.join(".gitattributes"), rule).unwrap();
    fs::write(repo.join("old.key"), "an old secret\n").unwrap();
    git(repo, &["add", "-A"]);
    let who = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
    git(repo, &[&who[..], &["commit", "-q", "-m", "keys"]].concat());
}

fn commit(server: &Server, run: &str) -> Reply {
    server.post(&format!("runs/{run}/commit"), &json!({"message": "keys"}))
}

#[track_caller]
fn refused(reply: &Reply, because: &str) {
    assert_eq!(reply.status, 409, "{reply:?}");
    for part in ["git-crypt", "trusted_filters", because] {
        assert!(reply.text.contains(part), "'{part}' is not in {reply:?}");
    }
}

fn changed_paths(server: &Server, run: &str) -> Vec<String> {
    let changes = server.get(&format!("runs/{run}/changes")).expect(200);
    let files = changes["repos"][0]["files"].as_array().unwrap();
    files.iter().map(|file| text(file, "path")).collect()
}

#[test]
fn secrets_are_committed_encrypted_or_not_at_all() {
    let world = World::new();
    let repo = world.path("repo");
    encrypt(&repo);
    let server = world.serve();
    let agent = server.agent(&world, json!({"cli_name": "demo"}));
    let run_id = server.run(&agent, "say hello");
    let view = server.wait_status(&run_id, "paused");
    let (tree, branch) = (
        PathBuf::from(text(&view["repos"][0], "worktree")),
        text(&view, "run_branch"),
    );
    let blob = |path: &str| run(&repo, "git", &["show", &format!("{branch}:{path}")]);
    // Nothing ran that the repository names; what is written anew with the same bytes is no change.
    let stored = fs::read(tree.join("old.key")).unwrap();
    assert!(stored.starts_with(ENCRYPTED), "{stored:?}");
    fs::remove_file(tree.join("old.key")).unwrap();
    fs::write(tree.join("old.key"), &stored).unwrap();
    fs::write(tree.join("new.key"), "a new secret\n").unwrap();
    refused(&commit(&server, &run_id), "not allowed to run");
    let tip = git(&repo, &["rev-parse", &branch]);
    assert_eq!(tip, git(&repo, &["rev-parse", "main"]));

    let project = format!("projects/{}", text(&view, "project_id"));
    let allowed = server.put(&project, &json!({"trusted_filters": ["git-crypt"]}));
    assert_eq!(allowed.expect(200)["trusted_filters"], json!(["git-crypt"]));
    let paths = changed_paths(&server, &run_id);
    assert!(paths.contains(&"new.key".to_owned()), "{paths:?}");
    assert!(!paths.contains(&"old.key".to_owned()), "{paths:?}");
    let count = server.get(&format!("runs/{run_id}/diff-stats")).expect(200);
    assert_eq!(count["files_changed"], paths.len());

    // The agent continues with files that it can read.
    let went_on = server.post(
        &format!("runs/{run_id}/continue"),
        &json!({"message": "on"}),
    );
    went_on.expect(200);
    assert_eq!(
        fs::read_to_string(tree.join("old.key")).unwrap(),
        "an old secret\n"
    );
    server.wait_status(&run_id, "paused");
    commit(&server, &run_id).expect(200);
    assert!(blob("new.key").starts_with(ENCRYPTED));
    assert_eq!(blob("old.key"), stored);
    assert_eq!(changed_paths(&server, &run_id).len(), paths.len());

    // Other command lines were never allowed, until they are sent again.
    let driver = "filter.git-crypt.clean";
    let clean = git(&repo, &["config", driver]);
    git(&repo, &["config", driver, "cat"]);
    fs::write(tree.join("new.key"), "a newer secret\n").unwrap();
    refused(&commit(&server, &run_id), "has changed");
    git(&repo, &["config", driver, &format!("{clean} ")]);
    refused(&commit(&server, &run_id), "has changed");
    let again: Value = json!({"trusted_filters": ["git-crypt"]});
    server.put(&project, &again).expect(200);
    commit(&server, &run_id).expect(200);
    let newer = blob("new.key");
    assert!(newer.starts_with(ENCRYPTED), "{newer:?}");
    // Who no longer has the project has allowed nothing.
    fs::write(tree.join("new.key"), "the newest secret\n").unwrap();
    let reply = server.post_empty(&format!("runs/{run_id}/cancel"));
    assert!([200, 409].contains(&reply.status), "{reply:?}");
    server.delete(&project).expect(204);
    refused(&commit(&server, &run_id), "not allowed to run");
}

//! The branches of a project over HTTP.

use crate::support::{Reply, Server, World, git, text};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const WHO: [&str; 4] = ["-c", "user.name=t", "-c", "user.email=t@localhost"];

fn refused(reply: &Reply, status: u16, cause: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.kind, "text/plain; charset=utf-8", "{reply:?}");
    assert!(reply.text.contains(cause), "'{cause}' is not in {reply:?}");
}

fn commit(folder: &Path, file: &str, contents: &str) -> String {
    std::fs::write(folder.join(file), contents).unwrap();
    git(folder, &["add", "-A"]);
    git(folder, &[&WHO[..], &["commit", "-q", "-m", file]].concat());
    git(folder, &["rev-parse", "HEAD"])
}

/// A run that has ended with one commit of its own: its project, branch and worktree.
fn worked(server: &Server, world: &World, file: &str) -> (String, String, String, PathBuf) {
    let fields = json!({"cli_name": "command", "provider_config": {"command": ["true"]}});
    let run = server.run(&server.agent(world, fields), "x");
    let view = server.wait(&run, "it has ended", |view| {
        view["status"] == "completed" && view["process"]["alive"] == false
    });
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    commit(&worktree, file, "by the run\n");
    (
        text(&view, "project_id"),
        run,
        text(&view, "run_branch"),
        worktree,
    )
}

fn find<'v>(list: &'v Value, name: &str) -> &'v Value {
    let mut all = list.as_array().unwrap().iter();
    all.find(|branch| branch["name"] == name).unwrap()
}

#[test]
fn branches_are_listed_with_their_runs() {
    let world = World::new();
    let server = world.serve();
    let (project, run, branch, worktree) = worked(&server, &world, "work");
    let repo = world.path("repo");
    commit(&repo, "meanwhile", "x\n");
    let list = server
        .get(&format!("projects/{project}/branches"))
        .expect(200);
    assert_eq!(list.as_array().unwrap().len(), 2);
    let main = find(&list, "main");
    assert_eq!(
        (&main["is_default"], &main["is_head"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        (&main["base"], &main["unpushed"]),
        (&Value::Null, &Value::Null)
    );
    let mine = find(&list, &branch);
    assert_eq!((&mine["ahead"], &mine["behind"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&mine["run_id"], &mine["base"]),
        (&json!(run), &json!("main"))
    );
    assert_eq!(mine["worktree"], worktree.to_str().unwrap());
    assert_eq!(mine["subject"], "work");
    let nil = "00000000-0000-4000-8000-000000000000";
    refused(
        &server.get(&format!("projects/{nil}/branches")),
        404,
        "project",
    );
}

#[test]
fn a_merge_updates_a_clean_checkout_and_refuses_a_dirty_one() {
    let world = World::new();
    let server = world.serve();
    let (project, _, branch, _) = worked(&server, &world, "work");
    let repo = world.path("repo");
    let merge = format!("projects/{project}/branches/merge?branch={branch}");
    std::fs::write(repo.join("README.md"), "not committed\n").unwrap();
    let before = git(&repo, &["rev-parse", "HEAD"]);
    refused(&server.post_empty(&merge), 409, "checked out");
    assert_eq!(git(&repo, &["rev-parse", "HEAD"]), before);
    let kept = std::fs::read_to_string(repo.join("README.md")).unwrap();
    assert_eq!(kept, "not committed\n");
    git(&repo, &["checkout", "-q", "README.md"]);
    let merged = server.post_empty(&merge).expect(200);
    assert_eq!(
        (&merged["into"], &merged["fast_forward"]),
        (&json!("main"), &json!(true))
    );
    assert_eq!(
        git(&repo, &["rev-parse", "HEAD"]),
        merged["commit"].as_str().unwrap()
    );
    assert!(repo.join("work").exists());
    refused(
        &server.post_empty(&format!("{merge}&into=nowhere")),
        404,
        "nowhere",
    );
    refused(
        &server.post_empty(&format!(
            "projects/{project}/branches/merge?branch=refs/heads/main"
        )),
        400,
        "branch name",
    );
    refused(
        &server.post_empty(&format!("projects/{project}/branches/merge")),
        400,
        "branch",
    );
}

#[test]
fn conflicts_are_named_and_change_nothing() {
    let world = World::new();
    let server = world.serve();
    let (project, _, branch, worktree) = worked(&server, &world, "both");
    let repo = world.path("repo");
    let mine = commit(&repo, "both", "by a person\n");
    let theirs = git(&worktree, &["rev-parse", "HEAD"]);
    for what in ["merge", "rebase"] {
        let path = format!("projects/{project}/branches/{what}?branch={branch}");
        refused(&server.post_empty(&path), 409, "both");
        assert_eq!(git(&repo, &["rev-parse", "HEAD"]), mine);
        assert_eq!(git(&worktree, &["rev-parse", "HEAD"]), theirs);
        assert!(git(&repo, &["status", "--porcelain"]).is_empty());
    }
}

#[test]
fn a_rebase_moves_the_runs_branch_and_its_worktree() {
    let world = World::new();
    let server = world.serve();
    let (project, _, branch, worktree) = worked(&server, &world, "work");
    let repo = world.path("repo");
    let onto = commit(&repo, "meanwhile", "x\n");
    let path = format!("projects/{project}/branches/rebase?branch={branch}");
    let rebased = server.post_empty(&path).expect(200);
    assert_eq!(rebased["onto"], "main");
    let tip = git(&worktree, &["rev-parse", "HEAD"]);
    assert_eq!(rebased["commit"], tip.as_str());
    assert_eq!(git(&worktree, &["rev-parse", "HEAD~"]), onto);
    assert!(worktree.join("meanwhile").exists() && worktree.join("work").exists());
    assert!(git(&worktree, &["status", "--porcelain"]).is_empty());
}

#[test]
fn a_rebase_is_recorded_in_one_commit_with_its_answer() {
    let world = World::new();
    let server = world.serve();
    let (project, run, branch, worktree) = worked(&server, &world, "work");
    let repo = world.path("repo");
    commit(&repo, "meanwhile", "x\n");
    assert_eq!(server.terminate(), Some(0));
    // The first commit of this server is the one of the rebase, and its caller gets no answer.
    let mut server = world.serve_with(&[("ABBADO_FAULT", "run.after_commit:kill@1")]);
    let path = format!("projects/{project}/branches/rebase?branch={branch}");
    let request = format!(
        "POST /api/{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Idempotency-Key: k\r\nContent-Length: 0\r\n\r\n",
        server.address
    );
    assert_eq!(crate::support::raw(&server.address, &request), "");
    while !server.gone() {
        crate::support::pause();
    }
    let tip = git(&worktree, &["rev-parse", "HEAD"]);
    // A second rebase would move the branch onto this.
    commit(&repo, "later", "x\n");
    let server = world.serve();
    let again = server.post_with(&path, &[("Idempotency-Key", "k")], "");
    assert_eq!(again.expect(200)["commit"], tip.as_str());
    assert_eq!(git(&worktree, &["rev-parse", "HEAD"]), tip);
    let types = server.types(&run);
    let rebased = types.iter().filter(|kind| *kind == "run.rebased");
    assert_eq!(rebased.count(), 1, "{types:?}");
}

#[test]
fn a_project_without_a_repo_is_named() {
    let world = World::new();
    let server = world.serve();
    let project = server
        .post("projects", &json!({"name": "empty"}))
        .expect(201);
    let project = text(&project, "id");
    let agent = json!({"project_id": project, "name": "a", "cli_name": "command",
                       "provider_config": {"command": ["true"]}});
    let agent = text(&server.post("agents", &agent).expect(201), "id");
    let run = server.post("runs", &json!({"agent_id": agent, "task": "x"}));
    refused(&run, 409, "Project 'empty' has no repo yet; add one first.");
    let merged = server.post_empty(&format!("projects/{project}/branches/merge?branch=x"));
    refused(
        &merged,
        409,
        "Project 'empty' has no repo yet; add one first.",
    );
}

#[test]
fn a_branch_is_deleted_only_when_nothing_is_lost() {
    let world = World::new();
    let server = world.serve();
    let (project, _, branch, _) = worked(&server, &world, "work");
    let repo = world.path("repo");
    let path = |name: &str| format!("projects/{project}/branches?branch={name}");
    refused(&server.delete(&path(&branch)), 409, "checked out");
    refused(&server.delete(&path("main")), 409, "main");
    git(&repo, &["branch", "old"]);
    assert_eq!(server.delete(&path("old")).status, 204);
    refused(&server.delete(&path("old")), 404, "old");
    let tip = git(&repo, &["rev-parse", &branch]);
    git(&repo, &["branch", "unmerged", &branch]);
    refused(&server.delete(&path("unmerged")), 409, "not merged");
    let forced = format!("{}&force=true", path("unmerged"));
    assert_eq!(server.delete(&forced).status, 204);
    let kept = format!("refs/abbado/deleted-branches/unmerged/{tip}");
    assert_eq!(git(&repo, &["rev-parse", &kept]), tip);
}

//! Repositories and data folders that have moved, and rebases of a run's branch.

use crate::support::{Server, World, git, text};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// A run that has ended and left `work.txt` uncommitted, and its view.
fn ended(server: &Server, world: &World) -> (String, Value) {
    let script = "echo precious > work.txt";
    let fields = json!({
        "cli_name": "command", "provider_config": {"command": ["sh", "-c", script]},
    });
    let run = server.run(&server.agent(world, fields), "x");
    let view = server.wait(&run, "it has ended", |view| {
        view["status"] == "completed" && view["process"]["alive"] == false
    });
    (run, view)
}

fn files(server: &Server, run: &str) -> Vec<String> {
    let changes = server.get(&format!("runs/{run}/changes")).expect(200);
    let files = changes["repos"][0]["files"].as_array().unwrap();
    files.iter().map(|file| text(file, "path")).collect()
}

#[test]
fn worktrees_move_along_with_the_data_folder() {
    let world = World::new();
    let server = world.serve();
    let (run, _) = ended(&server, &world);
    assert_eq!(files(&server, &run), ["work.txt"]);
    assert_eq!(server.terminate(), Some(0));
    // The repository stays where it is.
    let other = World::new();
    fs::rename(world.data(), other.data()).unwrap();
    let server = other.serve();
    let view = server.view(&run);
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    assert!(worktree.starts_with(other.data()), "{view:#}");
    assert_eq!(files(&server, &run), ["work.txt"]);
    let message = json!({"message": "m"});
    server
        .post(&format!("runs/{run}/commit"), &message)
        .expect(200);
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    assert!(!worktree.exists());
}

#[test]
fn a_run_is_deleted_whatever_became_of_its_repository() {
    let world = World::new();
    let server = world.serve();
    let repo = world.path("repo");
    // Bare: all is kept and removed as ever.
    let (run, view) = ended(&server, &world);
    git(&repo, &["config", "core.bare", "true"]);
    assert_eq!(files(&server, &run), ["work.txt"]);
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    assert!(!PathBuf::from(text(&view["repos"][0], "worktree")).exists());
    let kept = format!("refs/abbado/deleted/{run}/checkpoint:work.txt");
    assert_eq!(git(&repo, &["show", &kept]), "precious");
    git(&repo, &["config", "core.bare", "false"]);
    // Gone: the worktree is left, since nothing else has its work.
    let (run, view) = ended(&server, &world);
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    fs::rename(&repo, world.path("away")).unwrap();
    let project = text(&view, "project_id");
    let sentence = format!(
        "Repo 'repo': {} is not a usable git repository: the folder does not exist.",
        repo.display()
    );
    let agent = text(&view, "agent_id");
    let new = json!({"agent_id": agent, "task": "x"});
    for reply in [
        server.get(&format!("runs/{run}/changes")),
        server.get(&format!("runs/{run}/diff-stats")),
        server.post(&format!("runs/{run}/commit"), &json!({"message": "m"})),
        server.post_empty(&format!("runs/{run}/revert")),
        server.get(&format!("projects/{project}/branches")),
        server.get(&format!("projects/{project}/branches/pr-status")),
        server.post_empty(&format!("projects/{project}/branches/rebase?branch=x")),
        server.delete(&format!("projects/{project}/branches?branch=x")),
        server.post("runs", &new),
    ] {
        assert_eq!(
            (reply.status, reply.text.as_str()),
            (409, &*sentence),
            "{reply:?}"
        );
    }
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    assert_eq!(
        fs::read_to_string(worktree.join("work.txt")).unwrap(),
        "precious\n"
    );
}

#[test]
fn a_rebase_moves_the_runs_base_commit() {
    let world = World::new();
    let server = world.serve();
    let repo = world.path("repo");
    let (run, view) = ended(&server, &world);
    let message = json!({"message": "mine"});
    server
        .post(&format!("runs/{run}/commit"), &message)
        .expect(200);
    fs::write(repo.join("theirs"), "x\n").unwrap();
    git(&repo, &["add", "-A"]);
    let who = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
    git(
        &repo,
        &[&who[..], &["commit", "-q", "-m", "theirs"]].concat(),
    );
    let main = git(&repo, &["rev-parse", "main"]);
    let branch = text(&view, "run_branch");
    let project = text(&view, "project_id");
    let url = format!("projects/{project}/branches/rebase?branch={branch}");
    let rebased = server.post_empty(&url).expect(200);
    assert_eq!(rebased["base_commit"], main.as_str());
    assert_eq!(server.view(&run)["repos"][0]["base_commit"], main.as_str());
    assert_eq!(files(&server, &run), ["work.txt"]);
    let last = server.events(&run).pop().unwrap();
    assert_eq!(text(&last, "event_type"), "run.rebased");
    assert_eq!(last["payload"]["repos"][0]["base_commit"], main.as_str());
    server.post_empty(&format!("runs/{run}/revert")).expect(200);
    assert_eq!(git(&repo, &["rev-parse", &branch]), main);
}

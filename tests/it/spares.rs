//! Spare worktrees: runs take them, settings remove them, and no kill leaves one behind.

use crate::support::{PATIENCE, Server, World, git, pause, raw, text, wait_for};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// An agent whose program does nothing; gives the project too.
fn agent(server: &Server, world: &World) -> (String, String) {
    let fields = json!({"cli_name": "command", "provider_config": {"command": ["true"]}});
    let agent = server.agent(world, fields);
    let projects = server.get("projects").expect(200);
    (agent, text(&projects[0], "id"))
}

fn ask_for(server: &Server, project: &str, wanted: bool) -> Value {
    let change = json!({"spare_worktrees": wanted});
    server
        .put(&format!("projects/{project}"), &change)
        .expect(200)
}

fn ready(server: &Server) -> bool {
    let metrics = server.get("metrics").text;
    metrics
        .lines()
        .any(|line| line == "abbado_spare_worktrees 1")
}

/// Folders of spare worktrees.
fn spares(world: &World) -> Vec<PathBuf> {
    let items = fs::read_dir(world.data().join("spares"));
    let items = items.into_iter().flatten().flatten();
    items.map(|item| item.path()).collect()
}

/// The worktrees that the repository knows.
fn worktrees(world: &World) -> BTreeSet<PathBuf> {
    let listed = git(&world.path("repo"), &["worktree", "list", "--porcelain"]);
    let paths = listed
        .lines()
        .filter_map(|line| line.strip_prefix("worktree "));
    paths.map(PathBuf::from).collect()
}

fn folder(view: &Value) -> PathBuf {
    PathBuf::from(text(&view["repos"][0], "worktree"))
}

/// A kept file's inode: that of the spare's, when the run took it.
fn inode(worktree: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(worktree.join("README.md")).unwrap().ino()
}

#[test]
fn a_run_takes_the_spare_and_another_is_made() {
    let world = World::new();
    let server = world.serve();
    let (agent, project) = agent(&server, &world);
    let shown = server.get(&format!("projects/{project}")).expect(200);
    assert_eq!(shown["spare_worktrees"], false);
    assert_eq!(ask_for(&server, &project, true)["spare_worktrees"], true);
    wait_for("a spare is ready", || ready(&server));
    let [spare] = &spares(&world)[..] else {
        panic!()
    };
    let kept = inode(&spare.join("repo"));
    let run = server.run(&agent, "x");
    let view = server.wait_status(&run, "completed");
    let worktree = folder(&view);
    assert_eq!(inode(&worktree), kept, "it is the spare");
    assert_eq!(git(&worktree, &["status", "--porcelain", "--ignored"]), "");
    let branch = git(&worktree, &["symbolic-ref", "--short", "HEAD"]);
    assert_eq!(branch, text(&view, "run_branch"));
    wait_for("another is ready", || {
        ready(&server) && spares(&world).iter().all(|at| at != spare)
    });
    assert_eq!(worktrees(&world).len(), 3);
    let said = world.doctor();
    assert!(said.contains("ok    spare worktrees: 1 "), "{said}");
    server.delete(&format!("runs/{run}")).expect(204);
    assert!(!worktree.exists());
    // The base moves; the run begins from where it is now.
    fs::write(world.path("repo/new"), "new\n").unwrap();
    git(&world.path("repo"), &["add", "-A"]);
    let who = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
    git(
        &world.path("repo"),
        &[&who[..], &["commit", "-q", "-m", "new"]].concat(),
    );
    let [spare] = &spares(&world)[..] else {
        panic!()
    };
    let kept = inode(&spare.join("repo"));
    let run = server.run(&agent, "x");
    let worktree = folder(&server.wait_status(&run, "completed"));
    assert_eq!(inode(&worktree), kept, "it is the spare");
    assert_eq!(fs::read_to_string(worktree.join("new")).unwrap(), "new\n");
    assert_eq!(git(&worktree, &["status", "--porcelain", "--ignored"]), "");
}

#[test]
fn what_is_not_wanted_is_removed() {
    let world = World::new();
    let server = world.serve();
    let (_, project) = agent(&server, &world);
    ask_for(&server, &project, true);
    wait_for("a spare is ready", || ready(&server));
    ask_for(&server, &project, false);
    wait_for("it is gone", || spares(&world).is_empty());
    assert_eq!(worktrees(&world).len(), 1);
    ask_for(&server, &project, true);
    wait_for("a spare is ready", || ready(&server));
    let shown = server.get(&format!("projects/{project}")).expect(200);
    let repo = text(&shown["repos"][0], "id");
    server
        .delete(&format!("projects/{project}/repos/{repo}"))
        .expect(204);
    wait_for("it is gone", || spares(&world).is_empty());
    assert_eq!(worktrees(&world).len(), 1);
    let wrong = json!({"spare_worktrees": "yes"});
    assert_eq!(
        server.put(&format!("projects/{project}"), &wrong).status,
        400
    );
}

fn killed(mut server: Server) {
    let begun = Instant::now();
    while !server.gone() {
        assert!(begun.elapsed() < PATIENCE, "the server lives");
        pause();
    }
}

/// Posts and needs no answer: the server is killed meanwhile.
fn post(server: &Server, method: &str, path: &str, body: &Value) {
    let body = body.to_string();
    let request = format!(
        "{method} /api/{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    raw(&server.address, &request);
}

/// After a kill at a point of its making the next server makes another, and one alone.
#[test]
fn killed_while_a_spare_is_made_nothing_is_left() {
    for point in ["spare.registered", "spare.made"] {
        let world = World::new();
        let server = world.serve_with(&[("ABBADO_FAULT", &format!("{point}:kill@1"))]);
        let (_, project) = agent(&server, &world);
        let path = format!("projects/{project}");
        post(&server, "PUT", &path, &json!({"spare_worktrees": true}));
        killed(server);
        let left = spares(&world);
        assert_eq!(left.len(), 1, "{point}");
        let server = world.serve();
        wait_for("a spare is ready", || ready(&server));
        let now = spares(&world);
        assert!(now.len() == 1 && now != left, "{point}: {now:?}");
        assert_eq!(worktrees(&world).len(), 2, "{point}");
        server.kill();
    }
}

/// After a kill at a point of its way to a run the run has a worktree like any other.
#[test]
fn killed_while_a_run_takes_the_spare_the_run_goes_on_and_nothing_is_left() {
    for point in [
        "spare.pointed",
        "spare.moved",
        "spare.branched",
        "set_up.after_worktrees",
    ] {
        let world = World::new();
        let server = world.serve_with(&[("ABBADO_FAULT", &format!("{point}:kill@1"))]);
        let (agent, project) = agent(&server, &world);
        ask_for(&server, &project, true);
        wait_for("a spare is ready", || ready(&server));
        let left = spares(&world);
        post(
            &server,
            "POST",
            "runs",
            &json!({"agent_id": agent, "task": "x"}),
        );
        killed(server);
        let server = world.serve();
        let runs = server.get("runs").expect(200);
        assert_eq!(runs.as_array().unwrap().len(), 1, "{point}");
        let run = text(&runs[0], "id");
        let view = server.wait_status(&run, "completed");
        let worktree = folder(&view);
        assert_eq!(
            git(&worktree, &["status", "--porcelain", "--ignored"]),
            "",
            "{point}"
        );
        let branch = git(&worktree, &["symbolic-ref", "--short", "HEAD"]);
        assert_eq!(branch, text(&view, "run_branch"), "{point}");
        wait_for("another is ready", || {
            ready(&server) && spares(&world).iter().all(|at| !left.contains(at))
        });
        assert_eq!(worktrees(&world).len(), 3, "{point}");
        assert!(!git(&world.path("repo"), &["worktree", "list"]).contains("prunable"));
        server.delete(&format!("runs/{run}")).expect(204);
        ask_for(&server, &project, false);
        wait_for("it is gone", || spares(&world).is_empty());
        assert_eq!(
            worktrees(&world),
            BTreeSet::from([world.path("repo")]),
            "{point}"
        );
        let branches = git(
            &world.path("repo"),
            &["branch", "--format=%(refname:short)"],
        );
        assert_eq!(branches, "main", "{point}");
        assert_eq!(server.terminate(), Some(0));
    }
}

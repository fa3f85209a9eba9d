//! What a history must not leave: processes, worktrees, refs, locks, folders.

use crate::support::{Server, World, git, lock_owner, text, wait_for};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The disk fits what the server says, and nobody runs but the server.
pub fn while_it_runs(world: &World, server: &Server) {
    let runs = server.get("runs").expect(200);
    let runs = runs.as_array().unwrap();
    let ids: BTreeSet<String> = runs.iter().map(|run| text(run, "id")).collect();
    // What a kill left of a deleted one is taken away beside the first requests.
    let folders = world.data().join("runs");
    wait_for("the run folders are those of the runs", || {
        names(&folders) == ids
    });
    assert_eq!(
        names(&world.data().join("worktrees")),
        ids,
        "worktree folders"
    );
    let mut worktrees = BTreeSet::from([world.path("repo").display().to_string()]);
    let mut branches = BTreeSet::from(["main".to_owned()]);
    for run in runs {
        let at = text(&run["repos"][0], "worktree");
        assert!(Path::new(&at).join(".git").is_file(), "{at}");
        worktrees.insert(at);
        branches.insert(text(run, "run_branch"));
    }
    let repo = world.path("repo");
    let listed = git(&repo, &["worktree", "list", "--porcelain"]);
    let listed = listed
        .lines()
        .filter_map(|line| line.strip_prefix("worktree "));
    assert_eq!(
        listed.map(str::to_owned).collect::<BTreeSet<_>>(),
        worktrees
    );
    let refs = |under: &str| -> BTreeSet<String> {
        let listed = git(&repo, &["for-each-ref", "--format=%(refname)", under]);
        let names = listed.lines().filter_map(|name| name.strip_prefix(under));
        names.map(str::to_owned).collect()
    };
    assert_eq!(refs("refs/heads/"), branches);
    for name in refs("refs/abbado/checkpoints/") {
        let (run, _) = name.split_once('/').unwrap();
        assert!(ids.contains(run), "a checkpoint of no run: {name}");
    }
    // What was in the worktree of a deleted run is kept.
    let gone: BTreeSet<String> = refs("refs/abbado/deleted/")
        .iter()
        .map(|name| name.split_once('/').unwrap().0.to_owned())
        .collect();
    for run in &gone {
        let glob = format!("--glob=refs/abbado/deleted/{run}");
        let kept = git(&repo, &["log", "--format=%H", &glob, "--", "last.txt"]);
        assert!(!kept.is_empty(), "the last work of run {run} is lost");
    }
    if runs.len() == 1 {
        assert_eq!(gone.len(), 1, "what the deleted run left: {gone:?}");
    }
    for id in &ids {
        let folder = world.data().join("runs").join(id);
        wait_for("the holder has gone", || lock_owner(&folder).is_none());
    }
    wait_for("only the server is left", || {
        world.processes_beside(server).is_empty()
    });
}

/// No process, socket or lock is left once the server has gone.
pub fn after_it(world: &World) {
    assert_eq!(world.processes(), []);
    let mut left = Vec::new();
    files(world.folder.path(), &mut left);
    let bad = |path: &&PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let in_git = path.components().any(|part| part.as_os_str() == ".git");
        name == "holder.sock" || name.ends_with(".new") || (in_git && name.ends_with(".lock"))
    };
    let bad: Vec<_> = left.iter().filter(bad).collect();
    assert!(bad.is_empty(), "{bad:?}");
}

//! What a run's changes are compared with, after branches took in each other's commits.

use super::support::{BRANCH, World, commit_all, git, write};
use crate::{domain::run::event::WorktreeAt, git::own_base};
use std::path::{Path, PathBuf};

fn tip(repo: &Path, revision: &str) -> String {
    git(repo, &["rev-parse", revision]).trim().to_owned()
}

/// A run with a commit of its own, and three commits of others on `main` since it began.
struct Run {
    _world: World,
    repo: PathBuf,
    at: WorktreeAt,
    base: String,
}

impl Run {
    fn new(own_commit: bool) -> Self {
        let world = World::new();
        let (repo, at) = world.worktree();
        let base = tip(&repo, "main");
        if own_commit {
            write(&at.worktree, "mine", "mine\n");
            commit_all(&at.worktree, "mine");
        }
        for number in ["1", "2", "3"] {
            write(&repo, &format!("theirs{number}"), number);
            commit_all(&repo, "theirs");
        }
        Self {
            _world: world,
            repo,
            at,
            base,
        }
    }

    fn own_base(&self) -> String {
        let source = Some("main");
        own_base(&self.at, &self.repo, &self.base, source).unwrap()
    }
}

#[test]
fn what_the_run_takes_in_from_its_source_is_not_its_own() {
    let takes: [&[&str]; 3] = [
        &["rebase", "-q", "main"],
        &["merge", "-q", "--no-edit", "main"],
        &["merge", "-q", "--no-ff", "--no-edit", "main~1"],
    ];
    for take in takes {
        let run = Run::new(true);
        assert_eq!(run.own_base(), run.base, "before {take:?}");
        git(&run.at.worktree, take);
        let meet = git(&run.repo, &["merge-base", "main", BRANCH]);
        assert_eq!(run.own_base(), meet.trim(), "{take:?}");
        assert_ne!(run.own_base(), run.base, "{take:?}");
    }
    // Without a commit of its own the branch is where the other is.
    for take in [
        &["rebase", "-q", "main"][..],
        &["merge", "-q", "--ff-only", "main"],
    ] {
        let run = Run::new(false);
        git(&run.at.worktree, take);
        assert_eq!(run.own_base(), tip(&run.repo, "main"), "{take:?}");
    }
}

#[test]
fn what_the_source_takes_in_from_the_run_stays_its_own() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let base = tip(&repo, "main");
    write(&at.worktree, "mine", "mine\n");
    commit_all(&at.worktree, "mine");
    let own = || own_base(&at, &repo, &base, None).unwrap();
    git(&repo, &["merge", "-q", "--ff-only", BRANCH]);
    assert_eq!(own(), base);
    write(&at.worktree, "more", "more\n");
    commit_all(&at.worktree, "more");
    assert_eq!(own(), base);
    git(&repo, &["merge", "-q", "--no-ff", "--no-edit", BRANCH]);
    assert_eq!(own(), base);
}

#[test]
fn a_base_that_was_rewritten_away_is_stood_for() {
    let run = Run::new(true);
    let source = Some("main");
    let gone = "0123456789012345678901234567890123456789";
    let own = own_base(&run.at, &run.repo, gone, source).unwrap();
    assert_eq!(own, run.base);
    // The user amended the commit that the run began with, and the agent followed.
    git(&run.repo, &["reset", "-q", "--hard", &run.base]);
    git(&run.repo, &["commit", "-q", "--amend", "-m", "reworded"]);
    git(
        &run.at.worktree,
        &["rebase", "-q", "--onto", "main", &run.base],
    );
    assert_eq!(run.own_base(), tip(&run.repo, "main"));
    // No common history: all of it is the run's.
    git(&run.at.worktree, &["switch", "-q", "--orphan", "pages"]);
    write(&run.at.worktree, "index.html", "x");
    commit_all(&run.at.worktree, "site");
    assert_eq!(run.own_base(), run.base);
    assert!(own_base(&run.at, &run.repo, gone, source).is_err());
}

#[test]
fn a_source_that_only_its_remote_has_moved_counts() {
    let run = Run::new(true);
    let theirs = tip(&run.repo, "main");
    git(&run.repo, &["remote", "add", "up", "/nowhere"]);
    git(&run.repo, &["update-ref", "refs/remotes/up/main", "main"]);
    git(&run.repo, &["reset", "-q", "--hard", &run.base]);
    git(&run.at.worktree, &["rebase", "-q", "up/main"]);
    assert_eq!(run.own_base(), theirs);
}

//! Spare worktrees: the same as fresh ones, or not used.

use super::{
    random_trees::{read_tree, tree, write_tree},
    support::{World, commit_all, git, write},
};
use crate::{
    domain::RunId,
    git::{
        GitError, RepoLocks, Spare, SpareSpec, WorktreeSpec, add_worktrees, forget_spares,
        make_spare, remove_spare,
    },
};
use git2::Repository;
use proptest::{prelude::*, test_runner::RngSeed};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use uuid::Uuid;

const GO_ON: &dyn Fn() -> bool = &|| false;

fn spec(world: &World, repo: &Path) -> SpareSpec {
    let id = RunId(Uuid::from_u128(5));
    SpareSpec {
        id,
        name: repo.file_name().unwrap().to_str().unwrap().to_owned(),
        repo_path: repo.to_owned(),
        base_commit: git(repo, &["rev-parse", "HEAD"]).trim().to_owned(),
        folder: world.data().join("spares").join(id.to_string()),
    }
}

fn made(world: &World, repo: &Path) -> Option<Arc<Spare>> {
    let made = make_spare(&spec(world, repo), &RepoLocks::default(), GO_ON).unwrap();
    made.map(Arc::new)
}

/// The worktree of a run that was given a spare, and whether it took it.
fn taken(world: &World, repo: &Path, spare: &Arc<Spare>) -> (PathBuf, bool) {
    let spec = WorktreeSpec {
        spare: Some(Arc::clone(spare)),
        ..world.spec(repo)
    };
    let added = add_worktrees(&[spec], &RepoLocks::default(), GO_ON).unwrap();
    let left = spare.folder().join(repo.file_name().unwrap());
    let took = !left.exists();
    remove_spare(spare.folder(), &RepoLocks::default()).unwrap();
    assert!(!spare.folder().exists());
    (added[0].at.worktree.clone(), took)
}

/// What git says of a worktree, its name and moments aside.
fn facts(repo: &Path, worktree: &Path) -> Vec<String> {
    let mut facts: Vec<String> = [
        &["status", "--porcelain", "--ignored", "--branch"][..],
        &["ls-files", "--stage", "-v"],
        &["rev-parse", "HEAD", "HEAD^{tree}"],
        &["symbolic-ref", "HEAD"],
        &["config", "--list", "--show-scope"],
        &["fsck", "--no-dangling"],
        &["for-each-ref", "refs/heads"],
        &["log", "-g", "--format=%H %gs", "abbado/run-a1b2c3d4"],
        &["diff-files", "--name-only"],
    ]
    .iter()
    .map(|arguments| git(worktree, arguments))
    .collect();
    let listed = git(repo, &["worktree", "list", "--porcelain"]);
    facts.push(listed);
    facts.push(git(
        repo,
        &["worktree", "prune", "--dry-run", "--expire=now", "-v"],
    ));
    facts
}

fn remove(world: &World, repo: &Path) {
    let at = super::support::at(world, repo);
    assert!(crate::git::remove(&at, repo, &world.data()).unwrap());
    assert!(crate::git::delete_branch(repo, &at.branch).unwrap());
}

#[test]
fn a_spare_is_taken_and_is_as_a_fresh_worktree() {
    let world = World::new();
    let repo = world.repo("api");
    write(&repo, ".gitattributes", "*.txt eol=crlf\n");
    let base = commit_all(&repo, "attributes");
    let spare = made(&world, &repo).unwrap();
    assert_eq!(spare.base_commit(), base);
    let (worktree, took) = taken(&world, &repo, &spare);
    assert!(took);
    let with = (facts(&repo, &worktree), read_tree(&worktree));
    remove(&world, &repo);
    add_worktrees(&[world.spec(&repo)], &RepoLocks::default(), GO_ON).unwrap();
    let fresh = (facts(&repo, &worktree), read_tree(&worktree));
    assert_eq!(with, fresh);
}

#[test]
fn a_spare_that_somebody_touched_is_not_used() {
    let world = World::new();
    let repo = world.repo("api");
    type Touch = fn(&Path);
    let touches: [Touch; 5] = [
        |at| write(at, "a.txt", "two\n"),
        |at| write(at, "new", ""),
        |at| write(at, "x.ignored", ""),
        |at| fs::remove_file(at.join("dir/b.txt")).unwrap(),
        |at| fs::create_dir(at.join("empty")).unwrap(),
    ];
    for touch in touches {
        let spare = made(&world, &repo).unwrap();
        touch(&spare.folder().join("api"));
        let (worktree, took) = taken(&world, &repo, &spare);
        assert!(!took);
        assert_eq!(git(&worktree, &["status", "--porcelain", "--ignored"]), "");
        remove(&world, &repo);
    }
}

#[test]
fn a_spare_does_not_outlive_what_it_was_made_with() {
    let world = World::new();
    let repo = world.repo("api");
    type Change = fn(&World, &Path);
    let changes: [Change; 4] = [
        |_, repo| drop(git(repo, &["config", "core.autocrlf", "true"])),
        |_, repo| write(repo, ".git/info/attributes", "*.txt eol=crlf\n"),
        |world, _| {
            write(
                &world.path("home"),
                ".config/git/attributes",
                "*.txt eol=crlf\n",
            );
        },
        |_, repo| {
            write(repo, ".gitattributes", "*.txt eol=crlf\n");
            commit_all(repo, "attributes");
        },
    ];
    for change in changes {
        let spare = made(&world, &repo).unwrap();
        change(&world, &repo);
        let (worktree, _) = taken(&world, &repo, &spare);
        let text = fs::read_to_string(worktree.join("a.txt")).unwrap();
        assert_eq!(text, "one\r\n");
        assert_eq!(git(&worktree, &["status", "--porcelain"]), "");
        remove(&world, &repo);
        // What the next one is made with.
        drop(fs::remove_file(repo.join(".git/info/attributes")));
        drop(fs::remove_dir_all(world.path("home/.config/git")));
        git(&repo, &["config", "core.autocrlf", "false"]);
    }
}

#[test]
fn repositories_that_need_more_than_a_checkout_get_none() {
    let world = World::new();
    let lfs = world.repo("lfs");
    write(&lfs, "dir/.gitattributes", "*.bin filter=lfs\n");
    commit_all(&lfs, "filter");
    assert!(made(&world, &lfs).is_none());
    let sparse = world.repo("sparse");
    git(&sparse, &["sparse-checkout", "set", "dir"]);
    assert!(made(&world, &sparse).is_none());
    let outer = world.repo("outer");
    let inner = world.repo("inner");
    let add = ["-c", "protocol.file.allow=always", "submodule", "add", "-q"];
    git(
        &outer,
        &[&add[..], &[inner.to_str().unwrap(), "in"]].concat(),
    );
    commit_all(&outer, "submodule");
    assert!(made(&world, &outer).is_none());
    let global = world.repo("global");
    write(&global, ".git/info/attributes", "*.bin filter=x\n");
    assert!(made(&world, &global).is_none());
    for repo in [lfs, sparse, outer, global] {
        assert_eq!(git(&repo, &["worktree", "list"]).lines().count(), 1);
    }
    assert!(
        !world
            .data()
            .join("spares")
            .join(RunId(Uuid::from_u128(5)).to_string())
            .exists()
    );
}

#[test]
fn a_spare_that_is_not_wanted_leaves_nothing() {
    let world = World::new();
    let repo = world.repo("api");
    let spare = made(&world, &repo).unwrap();
    git(&repo, &["worktree", "prune", "--expire=now"]);
    assert_eq!(git(&repo, &["worktree", "list"]).lines().count(), 2);
    // Whatever became of its files.
    fs::remove_dir_all(spare.folder().join("api")).unwrap();
    remove_spare(spare.folder(), &RepoLocks::default()).unwrap();
    assert_eq!(git(&repo, &["worktree", "list"]).lines().count(), 1);
    assert!(!spare.folder().exists());
    // Somebody took the folder away: the record goes all the same.
    let spare = made(&world, &repo).unwrap();
    fs::remove_dir_all(spare.folder()).unwrap();
    forget_spares(&repo, &world.data().join("spares"), &RepoLocks::default()).unwrap();
    assert_eq!(git(&repo, &["worktree", "list"]).lines().count(), 1);
    // One that is cancelled is removed.
    let cancelled = make_spare(&spec(&world, &repo), &RepoLocks::default(), &|| true);
    cancelled.unwrap_err();
    assert!(!spare.folder().exists());
    assert_eq!(git(&repo, &["worktree", "list"]).lines().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16, rng_seed: RngSeed::Fixed(20_261_128), failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The base moved since: what comes is what the commit holds.
    #[test]
    fn a_spare_of_any_commit_becomes_any_other(first in tree(), second in tree()) {
        let world = World::new();
        let repo = world.repo("api");
        write_tree(&repo, &first);
        git(&repo, &["add", "-A"]);
        git(&repo, &["commit", "-q", "--allow-empty", "-m", "first"]);
        let spare = made(&world, &repo).unwrap();
        write_tree(&repo, &second);
        git(&repo, &["add", "-A"]);
        git(&repo, &["commit", "-q", "--allow-empty", "-m", "second"]);
        let (worktree, took) = taken(&world, &repo, &spare);
        prop_assert!(took);
        prop_assert_eq!(read_tree(&worktree), read_tree(&repo));
        prop_assert_eq!(git(&worktree, &["status", "--porcelain", "--ignored"]), "");
    }
}

#[test]
fn a_commit_of_endless_folders_is_given_up() {
    let world = World::new();
    let repo = world.repo("api");
    let opened = Repository::open(&repo).unwrap();
    // Ten folders in each folder, nine deep, in nine objects.
    let empty = opened.treebuilder(None).unwrap().write().unwrap();
    let tree = (0..9).fold(empty, |below, _| {
        let mut tree = opened.treebuilder(None).unwrap();
        for name in "abcdefghij".chars() {
            tree.insert(name.to_string(), below, 0o040_000).unwrap();
        }
        tree.write().unwrap()
    });
    let commit = git(&repo, &["commit-tree", "-m", "many", &tree.to_string()]);
    let endless = SpareSpec {
        base_commit: commit.trim().to_owned(),
        ..spec(&world, &repo)
    };
    let outcome = make_spare(&endless, &RepoLocks::default(), GO_ON);
    assert!(
        matches!(outcome, Err(GitError::TooMuch { .. })),
        "{outcome:?}"
    );
}

//! Other names, and work that is taken back.

use super::{
    random_trees::{read_tree, tree, write_tree},
    support::{BRANCH, RUN, World, commit_all, git, write},
};
use crate::git::{
    GitError, add_all, rename_branch, rename_everywhere, restore, revert, take_always,
};
use proptest::{prelude::*, test_runner::RngSeed};
use std::{fs, path::Path};

fn tip(repo: &Path, branch: &str) -> String {
    git(repo, &["rev-parse", branch]).trim().to_owned()
}

#[test]
fn a_checked_out_branch_is_renamed_where_it_stands() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "work", "x\n");
    let work = commit_all(&at.worktree, "work");
    write(&at.worktree, "open", "y\n");
    rename_branch(&repo, BRANCH, "login-redirect").unwrap();
    assert_eq!(tip(&repo, "login-redirect"), work);
    assert_eq!(
        git(&at.worktree, &["branch", "--show-current"]).trim(),
        "login-redirect"
    );
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "?? open\n");
}

#[test]
fn all_are_renamed_or_none() {
    let world = World::new();
    let repos = ["a", "b", "c"].map(|name| world.repo(name));
    let specs = repos.each_ref().map(|repo| world.spec(repo));
    add_all(&specs, &|| false).unwrap();
    git(&repos[2], &["branch", "taken"]);
    let named = |from| {
        ["a", "b", "c"]
            .into_iter()
            .zip(&repos)
            .map(move |(name, repo)| (name, repo.as_path(), from))
    };
    let all: Vec<_> = named(BRANCH).collect();
    let (name, error) = rename_everywhere(&all, "taken").unwrap_err();
    assert_eq!(name, "c");
    assert!(matches!(error, GitError::BranchTaken { .. }), "{error}");
    for (repo, branch) in [
        (&repos[0], BRANCH),
        (&repos[1], BRANCH),
        (&repos[2], BRANCH),
    ] {
        tip(repo, branch);
    }
    let (_, error) = rename_everywhere(&all, "no..name").unwrap_err();
    assert!(matches!(error, GitError::InvalidName { .. }), "{error}");
    let nowhere: Vec<_> = named("nowhere").collect();
    let (_, error) = rename_everywhere(&nowhere, "new").unwrap_err();
    assert!(matches!(error, GitError::UnknownRevision { .. }), "{error}");
    rename_everywhere(&all, "new").unwrap();
    for repo in &repos {
        tip(repo, "new");
    }
}

#[test]
fn nothing_is_taken_back_that_is_not_kept() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let base = tip(&repo, "main");
    write(&at.worktree, "work", "x\n");
    let kept = take_always(&at, &repo, RUN, 1, "revert").unwrap();
    write(&at.worktree, "work", "y\n");
    let refused = revert(&at, &repo, &base, &kept);
    assert!(matches!(refused, Err(GitError::ChangedMeanwhile { .. })));
    assert_eq!(fs::read_to_string(at.worktree.join("work")).unwrap(), "y\n");
    // A commit that the checkpoint does not know, of the very same files.
    write(&at.worktree, "work", "x\n");
    commit_all(&at.worktree, "work");
    let refused = revert(&at, &repo, &base, &kept);
    assert!(matches!(refused, Err(GitError::ChangedMeanwhile { .. })));
    let kept = take_always(&at, &repo, RUN, 2, "revert").unwrap();
    drop(revert(&at, &repo, &base, &kept).unwrap());
    assert!(!at.worktree.join("work").exists());
}

fn config() -> ProptestConfig {
    let mut config = ProptestConfig::with_cases(12);
    if std::env::var_os("ABBADO_PROVE").is_some() {
        config.cases = 120;
    } else {
        config.rng_seed = RngSeed::Fixed(5);
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_taken_back_is_the_base_and_comes_back_whole(
        base in tree(), work in tree(), more in tree(),
    ) {
        let world = World::new();
        let (repo, at) = world.worktree();
        let users = (read_tree(&repo), git(&repo, &["status", "--porcelain=v2", "--branch"]));
        let root = &at.worktree;
        write_tree(root, &base);
        git(root, &["add", "-A"]);
        git(root, &["commit", "-q", "--allow-empty", "-m", "base"]);
        let first = tip(root, "HEAD");
        let of_base = read_tree(root);
        write_tree(root, &work);
        git(root, &["add", "-A"]);
        git(root, &["commit", "-q", "--allow-empty", "-m", "work"]);
        let worked = tip(root, "HEAD");
        write_tree(root, &more);
        fs::write(root.join("kept.ignored"), "stays").unwrap();
        let last = read_tree(root);

        let kept = take_always(&at, &repo, RUN, 1, "revert").unwrap();
        drop(revert(&at, &repo, &first, &kept).unwrap());
        let mut reverted = read_tree(root);
        prop_assert!(reverted.remove(Path::new("kept.ignored")).is_some());
        prop_assert_eq!(reverted, of_base);
        prop_assert_eq!(tip(&repo, BRANCH), first);
        prop_assert_eq!(git(root, &["status", "--porcelain"]), "");
        // The commits too are within reach.
        let checkpoint = format!("refs/abbado/checkpoints/{RUN}/1");
        git(&repo, &["merge-base", "--is-ancestor", &worked, &checkpoint]);
        restore(&at, &repo, &kept.commit).unwrap();
        prop_assert_eq!(read_tree(root), last);
        let now = (read_tree(&repo), git(&repo, &["status", "--porcelain=v2", "--branch"]));
        prop_assert_eq!(now, users);
    }
}

//! Branches that users delete.

use super::{
    merging::{all_refs, seen},
    support::{BRANCH, World, at_next_ref, commit_all, git, refs, write},
};
use crate::git::{GitError, delete_user_branch};
use std::fs;

#[test]
fn a_merged_branch_goes_with_its_settings() {
    let world = World::new();
    let repo = world.repo("api");
    git(&repo, &["branch", "done"]);
    git(&repo, &["config", "branch.done.remote", "origin"]);
    git(&repo, &["config", "branch.done2.remote", "origin"]);
    delete_user_branch(&repo, "done", false).unwrap();
    assert_eq!(refs(&repo), ["refs/heads/main"]);
    let config = fs::read_to_string(repo.join(".git/config")).unwrap();
    assert!(
        config.contains("done2") && !config.contains("\"done\""),
        "{config}"
    );
    let before = seen(&repo);
    git(&repo, &["branch", "plain"]);
    delete_user_branch(&repo, "plain", true).unwrap();
    assert_eq!(
        (refs(&repo), seen(&repo)),
        (vec!["refs/heads/main".to_owned()], before)
    );
}

#[test]
fn an_unmerged_branch_goes_by_force_and_is_kept() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "new", "x");
    let tip = commit_all(&at.worktree, "work");
    git(&at.worktree, &["checkout", "-q", "--detach", "main"]);
    let refs_before = all_refs(&repo);
    let outcome = delete_user_branch(&repo, BRANCH, false);
    assert!(
        matches!(&outcome, Err(GitError::NotMerged { into, .. }) if into == "main"),
        "{outcome:?}"
    );
    assert_eq!(all_refs(&repo), refs_before);
    delete_user_branch(&repo, BRANCH, true).unwrap();
    let kept = format!("refs/abbado/deleted-branches/{BRANCH}/{tip}");
    assert_eq!(refs(&repo), [kept.as_str(), "refs/heads/main"]);
    git(&repo, &["gc", "-q", "--prune=now"]);
    assert_eq!(git(&repo, &["rev-parse", &kept]).trim(), tip);
}

#[test]
fn a_branch_in_use_stays() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let refs = all_refs(&repo);
    let outcome = delete_user_branch(&repo, BRANCH, true);
    assert!(
        matches!(&outcome, Err(GitError::CheckedOut { checkout, .. }) if *checkout == at.worktree),
        "{outcome:?}"
    );
    let outcome = delete_user_branch(&repo, "main", true);
    assert!(
        matches!(&outcome, Err(GitError::CheckedOut { .. })),
        "{outcome:?}"
    );
    git(&repo, &["checkout", "-q", "--detach"]);
    let outcome = delete_user_branch(&repo, "main", true);
    assert!(
        matches!(&outcome, Err(GitError::DefaultBranch { .. })),
        "{outcome:?}"
    );
    let outcome = delete_user_branch(&repo, "none", true);
    assert!(
        matches!(&outcome, Err(GitError::UnknownRevision { .. })),
        "{outcome:?}"
    );
    for name in ["refs/heads/main", "-D", ""] {
        let outcome = delete_user_branch(&repo, name, true);
        assert!(
            matches!(&outcome, Err(GitError::InvalidName { .. })),
            "{outcome:?}"
        );
    }
    assert_eq!(all_refs(&repo), refs);
}

#[test]
fn a_branch_that_moved_meanwhile_stays() {
    let world = World::new();
    let repo = world.repo("api");
    git(&repo, &["branch", "work"]);
    let elsewhere = git(
        &repo,
        &["commit-tree", "-m", "x", "-p", "main", "main^{tree}"],
    );
    let (folder, to) = (repo.clone(), elsewhere.clone());
    at_next_ref(move || {
        git(&folder, &["update-ref", "refs/heads/work", to.trim()]);
    });
    let outcome = delete_user_branch(&repo, "work", false);
    assert!(
        matches!(&outcome, Err(GitError::BranchMoved { .. })),
        "{outcome:?}"
    );
    assert_eq!(git(&repo, &["rev-parse", "work"]), elsewhere);
}

#[test]
fn of_a_symbolic_branch_only_the_name_goes() {
    let world = World::new();
    let repo = world.repo("api");
    git(&repo, &["branch", "work"]);
    git(
        &repo,
        &["symbolic-ref", "refs/heads/alias", "refs/heads/work"],
    );
    delete_user_branch(&repo, "alias", false).unwrap();
    assert_eq!(refs(&repo), ["refs/heads/main", "refs/heads/work"]);
}

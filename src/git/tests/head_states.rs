//! Worktrees whose HEAD the agent moved.

use super::support::{BRANCH, RUN, World, commit_all, git, write};
use crate::{
    domain::run::event::{CheckpointAt, WorktreeAt},
    git::{
        ChangesOf, GitError, Operation, UnderWay, changes, check, commit, rename_branch,
        restore_in_place, revert, take_always,
    },
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

fn tip(repo: &Path, revision: &str) -> String {
    git(repo, &["rev-parse", revision]).trim().to_owned()
}

fn kept(at: &WorktreeAt, repo: &Path) -> CheckpointAt {
    take_always(at, repo, RUN, 1, "revert").unwrap()
}

/// A `git` of the agent, which may stop at a conflict.
fn may_stop(folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=T", "-c", "user.email=t@localhost"]);
    git.args(["-c", "core.editor=true"]).args(arguments);
    git.current_dir(folder).envs(super::hermetic_environment());
    git.output().unwrap();
}

/// A worktree in the middle of an operation that conflicts in `a.txt`; the other side is `other`.
fn conflicting(world: &World, how: &[&str]) -> (PathBuf, WorktreeAt) {
    let (repo, at) = world.worktree();
    git(&repo, &["switch", "-q", "-c", "other"]);
    write(&repo, "a.txt", "theirs\n");
    commit_all(&repo, "theirs");
    git(&repo, &["switch", "-q", "main"]);
    write(&at.worktree, "a.txt", "mine\n");
    commit_all(&at.worktree, "mine");
    may_stop(&at.worktree, how);
    (repo, at)
}

#[test]
fn a_commit_goes_to_a_branch_of_the_runs_own_making_and_names_it() {
    let world = World::new();
    let (repo, at) = world.worktree();
    git(&at.worktree, &["switch", "-q", "-c", "feature"]);
    write(&at.worktree, "new", "x");
    let made = commit(&at, &repo, "m").unwrap().unwrap();
    assert_eq!(made.branch, "feature");
    assert_eq!(tip(&repo, "feature"), made.commit);
    assert_eq!(tip(&repo, BRANCH), tip(&repo, "main"));
    assert_eq!(check(Operation::Push, &at, &repo).unwrap(), "feature");
}

#[test]
fn a_branch_that_the_agent_renamed_is_followed() {
    let world = World::new();
    let (repo, at) = world.worktree();
    git(&at.worktree, &["branch", "-m", "login"]);
    write(&at.worktree, "new", "x");
    let made = commit(&at, &repo, "m").unwrap().unwrap();
    assert_eq!(made.branch, "login");
    let from = check(Operation::Rename, &at, &repo).unwrap();
    assert_eq!(from, "login");
    rename_branch(&repo, &from, "better").unwrap();
    assert_eq!(tip(&repo, "better"), made.commit);
}

#[test]
fn an_orphan_branch_shows_its_changes_and_takes_a_commit() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let base = tip(&repo, "main");
    git(&at.worktree, &["switch", "-q", "--orphan", "pages"]);
    write(&at.worktree, "index.html", "<html>\n");
    let of = ChangesOf {
        at: &at,
        repo_path: &repo,
        base_commit: &base,
        checkpoint: None,
    };
    let mut paths = Vec::new();
    let changed = changes(of, &mut |file| {
        paths.push(String::from_utf8(file.path).unwrap());
        Ok(())
    });
    assert!(changed.unwrap().uncommitted);
    assert_eq!(paths, [".gitignore", "a.txt", "dir/b.txt", "index.html"]);
    assert!(matches!(
        check(Operation::Push, &at, &repo),
        Err(GitError::NotOnBranch { .. })
    ));
    let made = commit(&at, &repo, "site").unwrap().unwrap();
    assert_eq!(
        (made.branch.as_str(), tip(&repo, "pages")),
        ("pages", made.commit)
    );
    // Back on the run's branch; the orphan is unchanged.
    let kept = kept(&at, &repo);
    drop(revert(&at, &repo, &base, &kept).unwrap());
    assert_eq!(
        git(&at.worktree, &["status", "--porcelain=v2", "--branch"])
            .lines()
            .nth(1),
        Some(&*format!("# branch.head {BRANCH}"))
    );
    assert_eq!(
        git(&repo, &["ls-tree", "--name-only", "pages"]),
        "index.html\n"
    );
}

#[test]
fn a_detached_head_takes_neither_commit_nor_push() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let base = tip(&repo, "main");
    git(&at.worktree, &["checkout", "-q", "--detach"]);
    write(&at.worktree, "new", "x");
    let by_agent = commit_all(&at.worktree, "by the agent");
    write(&at.worktree, "newer", "y");
    let error = commit(&at, &repo, "m").unwrap_err();
    assert!(matches!(error, GitError::NotOnBranch { .. }), "{error}");
    assert_eq!(tip(&at.worktree, "HEAD"), by_agent);
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "?? newer\n");
    let error = check(Operation::Push, &at, &repo).unwrap_err();
    assert!(error.to_string().contains("detached HEAD"), "{error}");
    // After a revert it is on the run's branch, and the commit is saved.
    let kept = kept(&at, &repo);
    drop(revert(&at, &repo, &base, &kept).unwrap());
    assert_eq!(
        git(&at.worktree, &["branch", "--show-current"]).trim(),
        BRANCH
    );
    git(
        &repo,
        &["merge-base", "--is-ancestor", &by_agent, &kept.commit],
    );
}

#[test]
fn a_users_branch_is_not_moved() {
    let world = World::new();
    let (repo, _) = (world.repo("api"), ());
    git(&repo, &["switch", "-q", "-c", "develop"]);
    write(&repo, "dev", "user's\n");
    let develop = commit_all(&repo, "user's");
    git(&repo, &["switch", "-q", "main"]);
    let base = tip(&repo, "main");
    let at = crate::git::add_all(&[world.spec(&repo)], &|| false).unwrap();
    let at = at.into_iter().next().unwrap();
    write(&at.worktree, "own", "run's\n");
    let own = commit_all(&at.worktree, "run's");
    git(&at.worktree, &["switch", "-q", "develop"]);
    write(&at.worktree, "a.txt", "changed\n");
    let error = commit(&at, &repo, "m").unwrap_err();
    assert!(error.to_string().contains("'develop'"), "{error}");
    assert!(check(Operation::Push, &at, &repo).is_err());
    let kept = kept(&at, &repo);
    let replaced = revert(&at, &repo, &base, &kept).unwrap();
    let now = |name| tip(&repo, name);
    assert_eq!((now("develop"), now(BRANCH)), (develop.clone(), base));
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "");
    // The run's own commit, which HEAD did not have, is saved too; and all of it can be restored.
    git(&repo, &["merge-base", "--is-ancestor", &own, &kept.commit]);
    replaced.undo().unwrap();
    assert_eq!((now("develop"), now(BRANCH)), (develop, own));
    assert_eq!(
        git(&at.worktree, &["branch", "--show-current"]),
        "develop\n"
    );
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), " M a.txt\n");
}

#[test]
fn conflicts_that_nobody_resolved_are_not_committed() {
    let world = World::new();
    let (repo, at) = conflicting(&world, &["merge", "other"]);
    let refused = |at| match commit(at, &repo, "m").unwrap_err() {
        GitError::Unresolved { paths } => paths,
        error => panic!("{error}"),
    };
    let before = git(&at.worktree, &["status", "--porcelain"]);
    assert_eq!(refused(&at), ["a.txt"]);
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), before);
    // Staged with the markers in it.
    git(&at.worktree, &["add", "-A"]);
    assert_eq!(refused(&at), ["a.txt"]);
    // Edited, and not staged.
    git(&at.worktree, &["checkout", "-q", "--merge", "a.txt"]);
    write(&at.worktree, "a.txt", "mine and theirs\n");
    let made = commit(&at, &repo, "m").unwrap().unwrap();
    let parents = git(&repo, &["rev-list", "--parents", "-n1", &made.commit]);
    assert_eq!(parents.split_whitespace().count(), 3);
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "");
}

#[test]
fn a_merge_resolved_to_our_side_is_committed() {
    let world = World::new();
    let (repo, at) = conflicting(&world, &["merge", "other"]);
    git(&at.worktree, &["checkout", "-q", "--ours", "a.txt"]);
    // A merge could have left a binary file like this: only staging it shows that it is resolved.
    assert!(matches!(
        commit(&at, &repo, "m"),
        Err(GitError::Unresolved { .. })
    ));
    git(&at.worktree, &["add", "a.txt"]);
    let made = commit(&at, &repo, "m").unwrap().unwrap();
    assert_eq!(tip(&repo, "HEAD^{tree}"), tip(&repo, "main^{tree}"));
    assert_eq!(
        tip(&repo, &format!("{}^2", made.commit)),
        tip(&repo, "other")
    );
    assert_eq!(commit(&at, &repo, "again").unwrap(), None);
}

#[test]
fn a_revert_ends_what_was_under_way_or_brings_it_back() {
    let ways: [(&[&str], UnderWay, &str); 5] = [
        (&["merge", "other"], UnderWay::Merge, "MERGE_HEAD"),
        (
            &["cherry-pick", "other"],
            UnderWay::CherryPick,
            "CHERRY_PICK_HEAD",
        ),
        (&["rebase", "other"], UnderWay::Rebase, "rebase-merge"),
        (
            &["rebase", "--apply", "other"],
            UnderWay::Rebase,
            "rebase-apply",
        ),
        (
            &["bisect", "start", "HEAD", "main~0"],
            UnderWay::Bisect,
            "BISECT_START",
        ),
    ];
    for (how, what, sign) in ways {
        let world = World::new();
        let (repo, at) = conflicting(&world, how);
        let base = tip(&repo, "main");
        let admin = PathBuf::from(git(&at.worktree, &["rev-parse", "--absolute-git-dir"]).trim());
        let status = || git(&at.worktree, &["status"]);
        let files = || fs::read_to_string(at.worktree.join("a.txt")).unwrap();
        let (before, text, own) = (status(), files(), tip(&repo, BRANCH));
        assert!(admin.join(sign).exists(), "{how:?}: {before}");
        let kept = kept(&at, &repo);
        let replaced = revert(&at, &repo, &base, &kept).unwrap();
        assert!(!admin.join(sign).exists(), "{how:?}");
        let after = status();
        assert!(
            after.contains("nothing to commit, working tree clean"),
            "{after}"
        );
        assert!(after.contains(&format!("On branch {BRANCH}")), "{after}");
        assert!(after.lines().count() == 2, "{how:?}: {after}");
        assert_eq!(tip(&repo, BRANCH), base);
        git(&repo, &["merge-base", "--is-ancestor", &own, &kept.commit]);
        replaced.undo().unwrap();
        assert_eq!(
            (status(), files(), tip(&repo, BRANCH)),
            (before, text, own),
            "{how:?}"
        );
        let waits = !matches!(what, UnderWay::Merge | UnderWay::CherryPick);
        let refused = check(Operation::Restore, &at, &repo);
        assert_eq!(
            waits,
            matches!(refused, Err(GitError::UnderWay { what: it, .. }) if it == what),
            "{how:?}"
        );
        let refused = check(Operation::Commit, &at, &repo);
        assert_eq!(
            waits,
            matches!(refused, Err(GitError::UnderWay { what: it, .. }) if it == what),
            "{how:?}"
        );
        drop(fs::remove_dir_all(admin.join("index.lock")));
    }
}

#[test]
fn a_restore_ends_a_merge() {
    let world = World::new();
    let (repo, at) = conflicting(&world, &["merge", "other"]);
    let before = kept(&at, &repo);
    let own = tip(&repo, BRANCH);
    drop(restore_in_place(&at, &repo, &own, &before).unwrap());
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "");
    assert!(!git(&at.worktree, &["status"]).contains("merg"));
    // The other side is saved with the checkpoint.
    let parents = git(&repo, &["rev-list", "--parents", "-n1", &before.commit]);
    assert!(parents.contains(&tip(&repo, "other")), "{parents}");
}

#[test]
fn a_revert_that_a_lock_stops_changes_nothing() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let base = tip(&repo, "main");
    write(&at.worktree, "work", "x\n");
    let own = commit_all(&at.worktree, "work");
    write(&at.worktree, "more", "y\n");
    let admin = PathBuf::from(git(&at.worktree, &["rev-parse", "--absolute-git-dir"]).trim());
    let of_branch = repo.join(format!(".git/refs/heads/{BRANCH}.lock"));
    for lock in [admin.join("index.lock"), of_branch] {
        // A running git of somebody's, at work there.
        let file = File::create(&lock).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        let long_ago = now - Duration::from_secs(60);
        file.set_modified(long_ago).unwrap();
        drop(file);
        let mut living = Command::new("git");
        living
            .args(["cat-file", "--batch"])
            .current_dir(&at.worktree);
        let mut living = living.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let kept = kept(&at, &repo);
        let error = revert(&at, &repo, &base, &kept).unwrap_err();
        assert!(matches!(error, GitError::Locked { .. }), "{error}");
        assert_eq!(tip(&repo, BRANCH), own);
        assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "?? more\n");
        living.kill().unwrap();
        living.wait().unwrap();
        // Now it is left behind, and is removed.
        drop(revert(&at, &repo, &base, &kept).unwrap());
        assert_eq!((tip(&repo, BRANCH), lock.exists()), (base.clone(), false));
        git(&at.worktree, &["reset", "-q", "--hard", &own]);
        write(&at.worktree, "more", "y\n");
    }
}

#[test]
fn what_was_only_staged_is_kept_too() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "draft", "only in the index\n");
    write(&at.worktree, "a.txt", "first\n");
    git(&at.worktree, &["add", "-A"]);
    fs::remove_file(at.worktree.join("draft")).unwrap();
    write(&at.worktree, "a.txt", "second\n");
    let kept = kept(&at, &repo);
    let index = format!("refs/abbado/checkpoints/{RUN}/1-index");
    let shown = |path| git(&repo, &["show", &format!("{index}:{path}")]);
    assert_eq!(
        (shown("draft").as_str(), shown("a.txt").as_str()),
        ("only in the index\n", "first\n")
    );
    assert_eq!(
        git(&repo, &["show", &format!("{}:a.txt", kept.commit)]),
        "second\n"
    );
    // Nothing is stored when the index has no more than the files.
    git(&at.worktree, &["add", "-A"]);
    take_always(&at, &repo, RUN, 2, "revert").unwrap();
    assert!(
        !super::support::refs(&repo)
            .iter()
            .any(|name| name.ends_with("2-index"))
    );
}

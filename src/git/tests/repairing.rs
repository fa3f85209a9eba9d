//! Worktrees whose record was lost or damaged, worktrees inside worktrees, and what git silently
//! skips.

use super::support::{RUN, World, commit_all, git, refs, write};
use crate::{
    domain::run::event::WorktreeAt,
    git::{
        ChangesOf, GitError, changes, commit, diff_stats, is_in_place, keep_nested, remove,
        restore, take_always,
    },
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// Has `git worktree prune` take the record, while the worktree is elsewhere.
fn prune(repo: &Path, at: &WorktreeAt) {
    let away = at.worktree.with_extension("away");
    fs::rename(&at.worktree, &away).unwrap();
    git(repo, &["worktree", "prune", "--expire=now"]);
    fs::rename(&away, &at.worktree).unwrap();
    assert!(!repo.join(".git/worktrees/api").exists());
}

#[test]
fn a_record_that_was_pruned_is_made_again() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "a.txt", "changed\n");
    write(&at.worktree, "new", "new\n");
    prune(&repo, &at);
    assert!(is_in_place(&at, &repo));
    let status = git(&at.worktree, &["status", "--porcelain", "--branch"]);
    assert_eq!(status, format!("## {}\n M a.txt\n?? new\n", at.branch));
    let made = commit(&at, &repo, "m").unwrap().unwrap();
    assert_eq!(
        git(&repo, &["show", &format!("{}:new", made.commit)]),
        "new\n"
    );
    assert!(remove(&at, &repo, &world.data()).unwrap());
}

#[test]
fn a_record_is_not_made_again_where_the_branch_is_elsewhere_or_gone() {
    let world = World::new();
    let (repo, at) = world.worktree();
    prune(&repo, &at);
    git(&repo, &["switch", "-q", &at.branch]);
    assert!(!is_in_place(&at, &repo), "the user has the branch");
    git(&repo, &["switch", "-q", "main"]);
    git(&repo, &["branch", "-q", "-D", &at.branch]);
    assert!(!is_in_place(&at, &repo), "there is no branch");
    // What the file says has to be of this repository.
    git(&repo, &["branch", "-q", &at.branch]);
    let elsewhere = world.path("elsewhere/.git/worktrees/api");
    fs::create_dir_all(elsewhere.parent().unwrap()).unwrap();
    let own = fs::read(at.worktree.join(".git")).unwrap();
    let foreign = format!("gitdir: {}\n", elsewhere.display());
    fs::write(at.worktree.join(".git"), foreign).unwrap();
    assert!(!is_in_place(&at, &repo));
    assert!(!elsewhere.exists() && !repo.join(".git/worktrees").exists());
    fs::write(at.worktree.join(".git"), own).unwrap();
    assert!(is_in_place(&at, &repo));
}

#[test]
fn a_head_that_a_power_cut_emptied_is_the_runs_branch_again() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "new", "new\n");
    let head = repo.join(".git/worktrees/api/HEAD");
    for damaged in ["", "\0\0\0\0", "garbage\n"] {
        fs::write(&head, damaged).unwrap();
        take_always(&at, &repo, RUN, 1, "stop").unwrap();
        let now = fs::read_to_string(&head).unwrap();
        assert_eq!(
            now,
            format!("ref: refs/heads/{}\n", at.branch),
            "{damaged:?}"
        );
    }
    git(&at.worktree, &["checkout", "-q", "--detach"]);
    let detached = fs::read(&head).unwrap();
    take_always(&at, &repo, RUN, 2, "stop").unwrap();
    assert_eq!(fs::read(&head).unwrap(), detached, "it is whole");
}

#[test]
fn worktrees_inside_a_worktree_are_kept_also_where_git_ignores_them() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, ".gitignore", "agents/\n");
    let add = ["worktree", "add", "-q"];
    let inner = |name: &str| at.worktree.join("agents").join(name);
    git(
        &at.worktree,
        &[&add[..], &["-b", "one", "agents/one"]].concat(),
    );
    write(&inner("one"), "work", "not committed\n");
    git(
        &at.worktree,
        &[&add[..], &["--detach", "agents/two"]].concat(),
    );
    write(&inner("two"), "alone", "on no branch\n");
    let alone = commit_all(&inner("two"), "alone");
    git(
        &at.worktree,
        &[&add[..], &["-b", "three", "agents/three"]].concat(),
    );
    write(&inner("three"), "c", "on a branch\n");
    commit_all(&inner("three"), "c");
    git(&at.worktree, &["worktree", "lock", "agents/three"]);

    assert_eq!(keep_nested(&at, &repo, RUN).unwrap(), []);
    assert!(remove(&at, &repo, &world.data()).unwrap());
    assert!(
        !repo
            .join(".git/worktrees")
            .read_dir()
            .is_ok_and(|mut all| all.next().is_some())
    );
    let under = format!("refs/abbado/deleted/{RUN}/nested/");
    let kept: Vec<_> = refs(&repo)
        .into_iter()
        .filter(|it| it.starts_with(&under))
        .collect();
    // The third has nothing that its branch has not.
    assert_eq!(kept.len(), 2, "{kept:?}");
    let shown: Vec<_> = kept
        .iter()
        .map(|it| git(&repo, &["show", "--format=%P", it]))
        .collect();
    assert!(
        shown.iter().any(|it| it.contains("+not committed")),
        "{shown:?}"
    );
    assert!(shown.iter().any(|it| it.starts_with(&alone)), "{shown:?}");
    git(&repo, &["branch", "-q", "-D", "three"]);
}

#[test]
fn a_restore_brings_back_what_lies_outside_of_a_sparse_checkout() {
    for sparse in [
        &["--cone"][..],
        &["--cone", "--sparse-index"],
        &["--no-cone"],
    ] {
        let world = World::new();
        let (repo, at) = world.worktree();
        write(&at.worktree, "other/c.txt", "three\n");
        write(&at.worktree, "other/deep/d.txt", "four\n");
        commit_all(&at.worktree, "more");
        let set = [&["sparse-checkout", "set"][..], sparse, &["dir"]].concat();
        git(&at.worktree, &set);
        assert!(!at.worktree.join("other").exists());
        write(&at.worktree, "dir/b.txt", "inside\n");
        write(&at.worktree, "other/new", "outside and new\n");
        write(&at.worktree, "other/c.txt", "outside and changed\n");
        let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
        let status = || git(&at.worktree, &["status", "--porcelain", "-uall"]);
        let before = status();
        fs::remove_dir_all(at.worktree.join("other")).unwrap();
        git(&at.worktree, &["sparse-checkout", "reapply"]);
        restore(&at, &repo, &kept.commit).unwrap();
        assert_eq!(status(), before, "{sparse:?}");
        let read = |path| fs::read_to_string(at.worktree.join(path)).unwrap();
        assert_eq!(read("other/new"), "outside and new\n");
        assert_eq!(read("other/c.txt"), "outside and changed\n");
        assert!(
            !at.worktree.join("other/deep").exists(),
            "{sparse:?} stays sparse"
        );
    }
}

#[test]
fn names_that_git_refuses_are_kept_or_named() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let base = git(&repo, &["rev-parse", "HEAD"]).trim().to_owned();
    for (path, contents) in [
        ("git~1", "one\n"),
        ("sub/GIT~1", "two\n"),
        ("sub/.git. ", "three\n"),
    ] {
        write(&at.worktree, path, contents);
    }
    write(&at.worktree, ".GIT/config", "no place for it\n");
    let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
    let left_out: Vec<_> = kept
        .left_out
        .iter()
        .map(|left| left.path.as_str())
        .collect();
    assert_eq!(left_out, [".GIT/config"]);
    let of = ChangesOf {
        at: &at,
        repo_path: &repo,
        base_commit: &base,
        checkpoint: None,
    };
    let mut shown = Vec::new();
    let changed = changes(of, &mut |file| {
        shown.push(String::from_utf8_lossy(&file.path).into_owned());
        Ok(())
    });
    let total = changed.unwrap().total;
    assert_eq!(shown, ["git~1", "sub/.git. ", "sub/GIT~1"]);
    assert_eq!(diff_stats(of).unwrap(), total);
    fs::remove_file(at.worktree.join("git~1")).unwrap();
    fs::remove_dir_all(at.worktree.join("sub")).unwrap();
    restore(&at, &repo, &kept.commit).unwrap();
    let read = |path| fs::read_to_string(at.worktree.join(path)).unwrap();
    assert_eq!(
        (read("git~1"), read("sub/GIT~1")),
        ("one\n".into(), "two\n".into())
    );
    // A commit goes to other machines.
    let refused = commit(&at, &repo, "m").unwrap_err();
    assert!(
        matches!(&refused, GitError::CommitRefused { said } if said.contains("invalid path")),
        "{refused}"
    );
}

#[test]
fn hooks_do_not_learn_where_the_worktree_is_and_may_go_elsewhere() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let hook = repo.join(".git/hooks/post-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let seen = world.path("seen");
    let script = format!(
        "#!/bin/sh\necho \"${{GIT_WORK_TREE-none}} $PWD\" > '{}'\ngit switch -q -c elsewhere\n\
         git -c core.hooksPath=/dev/null commit -q --allow-empty -m theirs\n",
        seen.display()
    );
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    git(&repo, &["config", "user.name", "U"]);
    git(&repo, &["config", "user.email", "u@localhost"]);
    write(&at.worktree, "dir/b.txt", "changed\n");
    let made = commit(&at, &repo, "m").unwrap().unwrap();
    let tip = git(
        &repo,
        &["rev-parse", &format!("refs/heads/{}", made.branch)],
    );
    assert_eq!(
        (made.branch, made.commit.as_str()),
        (at.branch.clone(), tip.trim())
    );
    let seen = fs::read_to_string(seen).unwrap();
    assert_eq!(seen, format!("none {}\n", at.worktree.display()));
}

#[test]
fn line_endings_that_the_user_has_git_refuse_are_refused_in_a_commit_only() {
    let world = World::new();
    let (repo, at) = world.worktree();
    git(&repo, &["config", "core.autocrlf", "input"]);
    git(&repo, &["config", "core.safecrlf", "true"]);
    write(&at.worktree, "mixed", "a\r\nb\n");
    let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
    assert_eq!(kept.left_out, []);
    let refused = commit(&at, &repo, "m").unwrap_err();
    assert!(
        matches!(&refused, GitError::CommitRefused { said } if said.contains("CRLF")),
        "{refused}"
    );
}

#[test]
fn a_branch_whose_name_is_no_utf8_costs_nothing_but_its_name() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "first", "1\n");
    let own = commit_all(&at.worktree, "first");
    let mut switch = std::process::Command::new("sh");
    let script = "git switch -q -c \"$(printf 'caf\\351')\"";
    switch.args(["-c", script]).current_dir(&at.worktree);
    assert!(switch.status().unwrap().success());
    write(&at.worktree, "second", "2\n");
    commit_all(&at.worktree, "second");
    write(&at.worktree, "third", "3\n");
    let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
    let files = git(&repo, &["ls-tree", "-r", "--name-only", &kept.commit]);
    assert_eq!(
        files,
        ".gitignore\na.txt\ndir/b.txt\nfirst\nsecond\nthird\n"
    );
    let refused = commit(&at, &repo, "m").unwrap_err();
    assert!(matches!(refused, GitError::NotOnBranch { .. }), "{refused}");
    let base = git(&repo, &["rev-parse", "main"]).trim().to_owned();
    drop(crate::git::revert(&at, &repo, &base, &kept).unwrap());
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "");
    let parents = git(&repo, &["show", "-s", "--format=%P", &kept.commit]);
    assert!(parents.contains(&own), "{parents}");
    // Nor does one that is no branch.
    git(&at.worktree, &["symbolic-ref", "HEAD", "refs/notes/x"]);
    take_always(&at, &repo, RUN, 2, "stop").unwrap();
}

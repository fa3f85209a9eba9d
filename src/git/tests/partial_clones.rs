//! Partial clones.

use super::{
    merging::all_refs,
    support::{BRANCH, RUN, World, commit_all, git, write},
};
use crate::{
    domain::run::event::WorktreeAt,
    git::{
        ChangesOf, ErrorKind, GitError, add_all, branches, changes, diff_stats, fill_submodules,
        merge, rebase, restore, revert, take,
    },
};
use std::{fs, path::PathBuf};

/// Both kinds of partial clones.
const FILTERS: [&str; 2] = ["--filter=blob:none", "--filter=tree:0"];

/// A clone whose `other` and `up` have contents that were not fetched, and a run of its `main` with
/// a commit. All three changed other lines of `a.txt`.
fn diverged(world: &World, filter: &str) -> (PathBuf, WorktreeAt) {
    let source = world.repo("source");
    let lines = |changed: u32| {
        let line = |n: u32| match n == changed {
            true => format!("changed {n}\n"),
            false => format!("{n}\n"),
        };
        (0..40).map(line).collect::<String>()
    };
    write(&source, "a.txt", lines(99));
    write(&source, "same/deep/c.txt", "c\n".repeat(30));
    commit_all(&source, "second");
    git(&source, &["config", "uploadpack.allowFilter", "true"]);
    git(
        &source,
        &["config", "uploadpack.allowAnySHA1InWant", "true"],
    );
    let url = format!("file://{}", source.display());
    let repos = world.path("repos");
    git(&repos, &["clone", "-q", filter, &url, "clone"]);
    let clone = repos.join("clone");
    let at = add_all(&[world.spec(&clone)], &|| false).unwrap().remove(0);
    write(&at.worktree, "a.txt", lines(39));
    commit_all(&at.worktree, "of the run");
    git(&source, &["switch", "-q", "-c", "other"]);
    write(&source, "a.txt", lines(1));
    git(&source, &["mv", "same/deep/c.txt", "moved.txt"]);
    commit_all(&source, "other");
    git(&source, &["switch", "-q", "-c", "up", "main"]);
    write(&source, "a.txt", lines(20));
    write(&source, "up.txt", "up\n");
    commit_all(&source, "up");
    git(&clone, &["fetch", "-q"]);
    for branch in ["other", "up"] {
        git(
            &clone,
            &["branch", "-q", branch, &format!("origin/{branch}")],
        );
    }
    (clone, at)
}

#[test]
fn merge_and_rebase_fetch_what_is_not_here() {
    for filter in FILTERS {
        let world = World::new();
        let (clone, at) = diverged(&world, filter);
        let merged = merge(&clone, "other", Some("up")).unwrap();
        let text = git(&clone, &["show", &format!("{}:a.txt", merged.commit)]);
        assert!(
            text.contains("changed 1\n") && text.contains("changed 20\n"),
            "{filter}: {text}"
        );
        rebase(&clone, BRANCH, Some("up")).unwrap();
        let text = fs::read_to_string(at.worktree.join("a.txt")).unwrap();
        for line in ["changed 1\n", "changed 20\n", "changed 39\n"] {
            assert!(text.contains(line), "{filter}: {text}");
        }
        assert!(at.worktree.join("moved.txt").exists());
        let forward = merge(&clone, "up", None).unwrap();
        assert!(forward.fast_forward);
        assert!(clone.join("up.txt").exists());
    }
}

#[test]
fn changes_of_files_that_are_not_here_are_fetched_once() {
    for filter in FILTERS {
        let world = World::new();
        let (clone, at) = diverged(&world, filter);
        let base = git(&clone, &["rev-parse", "other"]).trim().to_owned();
        let of = ChangesOf {
            at: &at,
            repo_path: &clone,
            base_commit: &base,
            checkpoint: None,
        };
        let mut olds = Vec::new();
        changes(of, &mut |file| {
            olds.push(file.old_content.unwrap_or_default());
            Ok(())
        })
        .unwrap();
        assert!(olds.iter().any(|old| old.starts_with(b"0\nchanged 1\n")));
        // What was fetched stays: the remote is not needed again.
        fs::rename(world.path("repos/source"), world.path("repos/away")).unwrap();
        assert!(changes(of, &mut |_| Ok(())).is_ok(), "{filter}");
        assert_eq!(diff_stats(of).unwrap().files_changed, olds.len() as u64);
    }
}

#[test]
fn a_remote_that_is_away_is_named_and_nothing_changes() {
    for filter in FILTERS {
        let world = World::new();
        let (clone, at) = diverged(&world, filter);
        fs::rename(world.path("repos/source"), world.path("repos/away")).unwrap();
        let before = all_refs(&clone);
        let base = git(&clone, &["rev-parse", "other"]).trim().to_owned();
        let of = ChangesOf {
            at: &at,
            repo_path: &clone,
            base_commit: &base,
            checkpoint: None,
        };
        let errors = [
            changes(of, &mut |_| Ok(())).unwrap_err(),
            diff_stats(of).unwrap_err(),
            merge(&clone, "other", Some("up")).unwrap_err(),
            rebase(&clone, BRANCH, Some("up")).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Conflict);
            let GitError::NotFetched { remote, said } = &error else {
                panic!("{filter}: {error}");
            };
            assert_eq!(remote, "origin");
            assert!(said.contains("could not fetch"), "{said}");
            assert!(said.contains("repos/source"), "{said}");
        }
        assert_eq!(all_refs(&clone), before);
        assert_eq!(branches(&clone).unwrap().len(), 4);
        fs::rename(world.path("repos/away"), world.path("repos/source")).unwrap();
        // The fix that the error suggests.
        git(
            &clone,
            &["fetch", "-q", "--refetch", "--no-filter", "origin"],
        );
        fs::rename(world.path("repos/source"), world.path("repos/away")).unwrap();
        merge(&clone, "other", Some("up")).unwrap();
    }
}

#[test]
fn a_run_of_what_is_here_needs_no_remote() {
    for filter in FILTERS {
        let world = World::new();
        let (clone, at) = diverged(&world, filter);
        fs::rename(world.path("repos/source"), world.path("repos/away")).unwrap();
        write(&at.worktree, "new.txt", "new\n");
        fs::remove_file(at.worktree.join("same/deep/c.txt")).unwrap();
        let kept = take(&at, &clone, RUN, 1, "test", None).unwrap().unwrap();
        fs::remove_file(at.worktree.join("new.txt")).unwrap();
        restore(&at, &clone, &kept.commit).unwrap();
        assert!(at.worktree.join("new.txt").exists());
        assert!(!at.worktree.join("same/deep/c.txt").exists());
        let base = git(&clone, &["rev-parse", "main"]).trim().to_owned();
        let kept = take(&at, &clone, RUN, 2, "test", None).unwrap().unwrap();
        drop(revert(&at, &clone, &base, &kept).unwrap());
        assert!(at.worktree.join("same/deep/c.txt").exists());
        assert!(!at.worktree.join("new.txt").exists());
    }
}

#[test]
fn a_run_of_a_commit_that_is_not_here_fetches_it_or_says_so() {
    for filter in FILTERS {
        let world = World::new();
        let (clone, at) = diverged(&world, filter);
        let mut spec = world.spec(&clone);
        spec.branch = "abbado/run-2".into();
        spec.base_commit = git(&clone, &["rev-parse", "up"]).trim().to_owned();
        spec.path = world.path("data/runs/2/worktrees/clone");
        let made = add_all(&[spec], &|| false).unwrap().remove(0);
        assert!(made.worktree.join("up.txt").exists());
        fs::rename(world.path("repos/source"), world.path("repos/away")).unwrap();
        let mut spec = world.spec(&clone);
        spec.branch = "abbado/run-3".into();
        spec.base_commit = git(&clone, &["rev-parse", "other"]).trim().to_owned();
        spec.path = world.path("data/runs/3/worktrees/clone");
        let before = all_refs(&clone);
        let error = add_all(&[spec.clone()], &|| false).unwrap_err();
        assert!(matches!(error, GitError::NotFetched { .. }), "{error}");
        assert!(!spec.path.exists());
        assert_eq!(all_refs(&clone), before);
        assert!(at.worktree.exists());
    }
}

#[test]
fn settings_of_the_clone_that_are_not_used_are_named() {
    let world = World::new();
    let (clone, _) = diverged(&world, "--filter=blob:none");
    fs::rename(world.path("repos/source"), world.path("repos/away")).unwrap();
    git(&clone, &["config", "core.sshCommand", "my-ssh"]);
    let error = merge(&clone, "other", Some("up")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("git config --global core.sshcommand"),
        "{error}"
    );
}

#[test]
fn submodules_that_are_partial_clones_are_filled_from_their_remote() {
    let world = World::new();
    let (inner, outer) = (world.repo("inner"), world.repo("outer"));
    git(&inner, &["config", "uploadpack.allowFilter", "true"]);
    git(&inner, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let allow = ["-c", "protocol.file.allow=always"];
    let url = format!("file://{}", inner.display());
    git(
        &outer,
        &[&allow[..], &["submodule", "add", "-q", &url, "sub"]].concat(),
    );
    commit_all(&outer, "with a submodule");
    git(&outer, &["submodule", "deinit", "-q", "-f", "sub"]);
    fs::remove_dir_all(outer.join(".git/modules/sub")).unwrap();
    let update = ["submodule", "update", "-q", "--init", "--filter=blob:none"];
    git(&outer, &[&allow[..], &update].concat());
    // A newer commit of it, of which nothing but the commit and its folders is here.
    write(&inner, "a.txt", "newer\n");
    let newer = commit_all(&inner, "newer");
    git(&outer.join("sub"), &[&allow[..], &["fetch", "-q"]].concat());
    let entry = format!("160000,{newer},sub");
    git(&outer, &["update-index", "--cacheinfo", &entry]);
    git(&outer, &["commit", "-q", "-m", "newer"]);
    git(
        &world.path("home"),
        &["config", "--global", "protocol.file.allow", "always"],
    );
    let at = add_all(&[world.spec(&outer)], &|| false).unwrap().remove(0);
    assert_eq!(
        fill_submodules(&at, &outer, &|| false).unwrap(),
        Vec::<String>::new()
    );
    let text = fs::read_to_string(at.worktree.join("sub/a.txt")).unwrap();
    assert_eq!(text, "newer\n");
}

use super::support::{BRANCH, RUN, World, commit_all, git, write};
use crate::git::{GitError, add_all, restore, take, take_always};
use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::{Duration, SystemTime},
};

#[test]
fn a_checkpoint_holds_everything_but_ignored_files() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let tree = &at.worktree;
    write(tree, "a.txt", "changed");
    write(tree, "new/empty", "");
    write(tree, "run.sh", "#!/bin/sh");
    fs::set_permissions(tree.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("nowhere", tree.join("link")).unwrap();
    write(tree, "x.ignored", "not in it");
    fs::remove_file(tree.join("dir/b.txt")).unwrap();
    let head = git(tree, &["rev-parse", "HEAD"]);
    let kept = take(&at, &repo, RUN, 3, "pause", None).unwrap().unwrap();
    let named = format!("refs/abbado/checkpoints/{RUN}/3");
    assert_eq!(git(&repo, &["rev-parse", &named]).trim(), kept.commit);
    assert_eq!(git(&repo, &["rev-parse", &format!("{named}^")]), head);
    assert_eq!(
        git(&repo, &["rev-parse", &format!("{named}^{{tree}}")]).trim(),
        kept.tree
    );
    let listed = git(
        &repo,
        &[
            "ls-tree",
            "-r",
            "--format=%(objectmode) %(path)",
            &kept.commit,
        ],
    );
    let expected =
        "100644 .gitignore\n100644 a.txt\n120000 link\n100644 new/empty\n100755 run.sh\n";
    assert_eq!(listed, expected);
    let said = git(
        &repo,
        &["log", "-1", "--format=%an <%ae> %cn <%ce> %s", &kept.commit],
    );
    let who = "abbado <abbado@localhost>";
    assert_eq!(
        said.trim(),
        format!("{who} {who} abbado checkpoint 3: pause")
    );
    assert_eq!((kept.repo_id, kept.repo_name.as_str()), (at.repo_id, "api"));
}

#[test]
fn equal_contents_are_kept_once() {
    let world = World::new();
    let (repo, at) = world.worktree();
    assert_eq!(take(&at, &repo, RUN, 1, "stop", None).unwrap(), None);
    write(&at.worktree, "new", "x");
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    assert_eq!(
        take(&at, &repo, RUN, 2, "stop", Some(&kept.tree)).unwrap(),
        None
    );
    let again = take_always(&at, &repo, RUN, 2, "revert").unwrap();
    assert_eq!(again.tree, kept.tree);
    fs::remove_file(at.worktree.join("new")).unwrap();
    assert!(
        take(&at, &repo, RUN, 3, "stop", Some(&kept.tree))
            .unwrap()
            .is_some()
    );
}

#[test]
fn commits_of_a_detached_head_are_kept_though_nothing_changed() {
    let world = World::new();
    let (repo, at) = world.worktree();
    git(&at.worktree, &["checkout", "-q", "--detach"]);
    assert_eq!(take(&at, &repo, RUN, 1, "stop", None).unwrap(), None);
    write(&at.worktree, "new", "x");
    let tip = commit_all(&at.worktree, "nowhere");
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    assert_eq!(
        git(&repo, &["rev-parse", &format!("{}^", kept.commit)]).trim(),
        tip
    );
    assert_eq!(
        take(&at, &repo, RUN, 2, "stop", Some(&kept.tree)).unwrap(),
        None
    );
    restore(&at, &repo, &kept.commit).unwrap();
}

#[test]
fn a_checkpoint_shows_nowhere() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "a.txt", "staged");
    git(&at.worktree, &["add", "a.txt"]);
    write(&at.worktree, "a.txt", "and changed");
    write(&at.worktree, "dir/b.txt", "changed");
    write(&at.worktree, "new", "x");
    write(&repo, "mine", "the user's own");
    let index = repo.join(".git/worktrees/api/index");
    let state = || {
        let status = [
            "--no-optional-locks",
            "status",
            "--porcelain=v2",
            "--branch",
        ];
        (
            git(&at.worktree, &status),
            git(&repo, &status),
            fs::read(&index).unwrap(),
            fs::read(repo.join(".git/index")).unwrap(),
            git(&repo, &["for-each-ref", "refs/heads"]),
            fs::read_dir(index.parent().unwrap()).unwrap().count(),
        )
    };
    let before = state();
    take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    assert_eq!(state(), before);
}

#[test]
fn a_locked_a_missing_and_a_broken_index_are_no_obstacle() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let index = repo.join(".git/worktrees/api/index");
    // Tracked and ignored: lost if the index were built from the folder alone.
    write(&at.worktree, "tracked.ignored", "x");
    git(&at.worktree, &["add", "-f", "tracked.ignored"]);
    commit_all(&at.worktree, "tracked");
    write(&at.worktree, "tracked.ignored", "changed");
    fs::write(index.with_extension("lock"), "").unwrap();
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    fs::remove_file(&index).unwrap();
    assert_eq!(
        take_always(&at, &repo, RUN, 2, "stop").unwrap().tree,
        kept.tree
    );
    fs::write(&index, "garbage").unwrap();
    assert_eq!(
        take_always(&at, &repo, RUN, 3, "stop").unwrap().tree,
        kept.tree
    );
    fs::remove_file(&index).unwrap();
    nix::unistd::mkfifo(&index, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let piped = take_always(&at, &repo, RUN, 4, "stop").unwrap();
    assert_eq!(piped.tree, kept.tree);
    fs::remove_file(&index).unwrap();
    fs::create_dir(&index).unwrap();
    let in_folder = take_always(&at, &repo, RUN, 5, "stop").unwrap();
    assert_eq!(in_folder.tree, kept.tree);
    write(&at.worktree, "a.txt", "other");
    restore(&at, &repo, &kept.commit).unwrap();
    assert_eq!(
        fs::read_to_string(at.worktree.join("a.txt")).unwrap(),
        "one\n"
    );
    assert!(
        index.with_extension("lock").exists(),
        "another's lock is another's"
    );
    let status = git(
        &at.worktree,
        &["--no-optional-locks", "status", "--porcelain"],
    );
    assert_eq!(status, " M tracked.ignored\n");
}

#[test]
fn files_that_git_was_told_to_overlook_are_kept() {
    let world = World::new();
    let (repo, at) = world.worktree();
    git(
        &at.worktree,
        &["update-index", "--assume-unchanged", "a.txt"],
    );
    git(
        &at.worktree,
        &["update-index", "--skip-worktree", "dir/b.txt"],
    );
    write(&at.worktree, "a.txt", "hidden 1");
    write(&at.worktree, "dir/b.txt", "hidden 2");
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    assert_eq!(
        git(&repo, &["show", &format!("{}:a.txt", kept.commit)]),
        "hidden 1"
    );
    assert_eq!(
        git(&repo, &["show", &format!("{}:dir/b.txt", kept.commit)]),
        "hidden 2"
    );
}

#[test]
fn an_edit_in_the_moment_of_the_index_is_seen() {
    let world = World::new();
    let (repo, at) = world.worktree();
    git(&repo, &["config", "core.trustctime", "false"]);
    // File, index and edit have one time, and the size is the same: only the time of the index
    // itself makes git read the contents.
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let touch = |path: &Path| File::open(path).unwrap().set_modified(moment).unwrap();
    let file = at.worktree.join("a.txt");
    fs::write(&file, "before").unwrap();
    touch(&file);
    git(&at.worktree, &["add", "a.txt"]);
    touch(&repo.join(".git/worktrees/api/index"));
    fs::write(&file, "edited").unwrap();
    touch(&file);
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    assert_eq!(
        git(&repo, &["show", &format!("{}:a.txt", kept.commit)]),
        "edited"
    );
}

#[test]
fn nested_repositories_are_not_entered() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let nested = at.worktree.join("nested");
    git(&at.worktree, &["init", "-q", "nested"]);
    write(&nested, "inner", "x");
    let inner = commit_all(&nested, "inner");
    git(&at.worktree, &["init", "-q", "bare-of-commits"]);
    write(&at.worktree, "bare-of-commits/file", "x");
    write(&at.worktree, "zzz", "after it");
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    let listed = git(&repo, &["ls-tree", "-r", &kept.commit]);
    assert!(
        listed.contains(&format!("160000 commit {inner}\tnested")),
        "{listed}"
    );
    assert!(listed.contains("\tzzz"), "{listed}");
    let base = git(&repo, &["rev-parse", "main"]);
    restore(&at, &repo, base.trim()).unwrap();
    assert!(nested.join("inner").exists() && at.worktree.join("bare-of-commits/file").exists());
    assert!(!at.worktree.join("zzz").exists());
    restore(&at, &repo, &kept.commit).unwrap();
    assert!(at.worktree.join("zzz").exists());
}

#[test]
fn a_conflict_is_kept_as_it_stands() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "a.txt", "ours\n");
    commit_all(&at.worktree, "ours");
    write(&repo, "a.txt", "theirs\n");
    commit_all(&repo, "theirs");
    let merge = std::panic::catch_unwind(|| git(&at.worktree, &["merge", "-q", "main"]));
    assert!(merge.is_err());
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    assert!(git(&repo, &["show", &format!("{}:a.txt", kept.commit)]).contains("<<<<<<<"));
    assert!(git(&at.worktree, &["status", "--porcelain"]).contains("UU a.txt"));
}

#[test]
fn ignored_files_outlive_a_restore_to_a_time_before_they_were_ignored() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let base = git(&repo, &["rev-parse", "main"]).trim().to_owned();
    write(&at.worktree, ".gitignore", "*.ignored\n.env\n");
    write(&at.worktree, ".env", "secret");
    write(&at.worktree, "x.ignored", "kept");
    write(&at.worktree, "untracked", "goes");
    restore(&at, &repo, &base).unwrap();
    assert_eq!(
        fs::read_to_string(at.worktree.join(".env")).unwrap(),
        "secret"
    );
    assert_eq!(
        fs::read_to_string(at.worktree.join("x.ignored")).unwrap(),
        "kept"
    );
    assert!(!at.worktree.join("untracked").exists());
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "?? .env\n");
}

#[test]
fn a_restore_sets_files_and_index_but_no_branch() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "a.txt", "at the checkpoint");
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    write(&at.worktree, "later", "x");
    let tip = commit_all(&at.worktree, "later");
    write(&at.worktree, "staged", "x");
    git(&at.worktree, &["add", "staged"]);
    restore(&at, &repo, &kept.commit).unwrap();
    assert_eq!(git(&repo, &["rev-parse", BRANCH]).trim(), tip);
    assert_eq!(
        fs::read_to_string(at.worktree.join("a.txt")).unwrap(),
        "at the checkpoint"
    );
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), " D later\n");
}

#[test]
fn what_is_gone_is_said() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let outcome = restore(&at, &repo, &"1".repeat(40));
    assert!(
        matches!(outcome, Err(GitError::UnknownRevision { .. })),
        "{outcome:?}"
    );
    fs::remove_dir_all(&at.worktree).unwrap();
    let outcome = take(&at, &repo, RUN, 1, "stop", None);
    assert!(
        matches!(outcome, Err(GitError::WorktreeGone { .. })),
        "{outcome:?}"
    );
}

#[test]
fn submodules_are_kept_as_commits_however_they_changed() {
    let world = World::new();
    let repo = world.repo("api");
    // Names with a special meaning in a pathspec.
    for name in ["moved", "gone", ":(glob)*", "emptied", "file", "-x"] {
        let nested = repo.join(name);
        write(&nested, "inner", "inner\n");
        git(&nested, &["init", "-q"]);
        commit_all(&nested, "inner");
    }
    let base = commit_all(&repo, "nested");
    let at = add_all(&[world.spec(&repo)], &|| false).unwrap().remove(0);
    let root = &at.worktree;
    let mut tips = Vec::new();
    for name in ["moved", ":(glob)*", "-x"] {
        let (from, to) = (repo.join(name), root.join(name));
        git(
            &world.path("repos"),
            &[
                "clone",
                "-q",
                "--",
                &from.display().to_string(),
                &to.display().to_string(),
            ],
        );
        git(&to, &["commit", "-q", "--allow-empty", "-m", "further"]);
        write(&to, "not-committed", "its own\n");
        tips.push(git(&to, &["rev-parse", "HEAD"]).trim().to_owned());
    }
    fs::remove_dir(root.join("gone")).unwrap();
    fs::remove_dir(root.join("file")).unwrap();
    write(root, "file", "a file now\n");
    write(root, "a.txt", "changed\n");
    write(root, "new", "new\n");
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    let compare = [
        "diff-tree",
        "-r",
        "--no-renames",
        "--name-status",
        &base,
        &kept.commit,
    ];
    let changed = git(&repo, &compare);
    let expected = "M\t-x\nM\t:(glob)*\nM\ta.txt\nT\tfile\nD\tgone\nM\tmoved\nA\tnew\n";
    assert_eq!(changed, expected);
    for (name, tip) in ["moved", ":(glob)*", "-x"].iter().zip(tips) {
        let entry = git(&repo, &["rev-parse", &format!("{}:{name}", kept.commit)]);
        assert_eq!(entry.trim(), tip, "{name}");
    }
}

//! Rebases.

use super::{
    histories::{Planned, config, edited, edits, import, some_files},
    merging::{all_refs, seen},
    support::{BRANCH, World, at_next_ref, commit_all, git, write},
};
use crate::git::{GitError, rebase};
use proptest::prelude::*;
use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::Command,
};

fn rev(repo: &Path, revision: &str) -> String {
    git(repo, &["rev-parse", revision]).trim().to_owned()
}

#[test]
fn commits_keep_their_authors_and_the_worktree_goes_along() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let by = ["--author=Ann <ann@localhost>", "--date=1600000000 +0530"];
    for (name, message) in [("one", "first\n\nwith a body"), ("two", "second")] {
        write(&at.worktree, name, name);
        git(&at.worktree, &["add", "-A"]);
        git(&at.worktree, &["commit", "-q", "-m", message, by[0], by[1]]);
    }
    git(
        &at.worktree,
        &["commit", "-q", "--allow-empty", "-m", "empty on purpose"],
    );
    let former = rev(&repo, BRANCH);
    write(&repo, "a.txt", "ours\n");
    commit_all(&repo, "ours");
    write(&at.worktree, "mine.ignored", "mine");
    let before = seen(&repo);
    let done = rebase(&repo, BRANCH, None).unwrap();
    assert_eq!(
        (done.onto.as_str(), &done.commit),
        ("main", &rev(&repo, BRANCH))
    );
    let range = format!("main..{BRANCH}");
    let format = "--format=%an %ae %ad %cn [%B]";
    let log = git(&repo, &["log", "--date=raw", "--reverse", format, &range]);
    assert_eq!(
        log,
        "Ann ann@localhost 1600000000 +0530 abbado [first\n\nwith a body\n]\n\
         Ann ann@localhost 1600000000 +0530 abbado [second\n]\n"
            .to_owned()
            + &git(
                &repo,
                &[
                    "log",
                    "--date=raw",
                    "-1",
                    "--format=T t@localhost %ad abbado [%B]",
                    &former
                ]
            )
    );
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "");
    assert_eq!(
        fs::read_to_string(at.worktree.join("a.txt")).unwrap(),
        "ours\n"
    );
    assert_eq!(
        fs::read_to_string(at.worktree.join("mine.ignored")).unwrap(),
        "mine"
    );
    assert_eq!(seen(&repo), before);
    let kept = format!("refs/abbado/rebased/{BRANCH}/{former}");
    assert_eq!(rev(&repo, &kept), former);
    git(&repo, &["fsck", "--strict"]);
    // A second time there is nothing to do.
    let refs = all_refs(&repo);
    assert_eq!(rebase(&repo, BRANCH, None).unwrap(), done);
    assert_eq!(all_refs(&repo), refs);
}

#[test]
fn what_the_other_side_has_is_left_out() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "picked", "1\n");
    let picked = commit_all(&at.worktree, "picked");
    write(&at.worktree, "own", "1\n");
    commit_all(&at.worktree, "own");
    // Otherwise it would be the very same commit.
    write(&repo, "ours", "1\n");
    commit_all(&repo, "ours");
    git(&repo, &["cherry-pick", &picked]);
    // Changed again since: only the comparison of changes tells that it is there.
    write(&repo, "picked", "2\n");
    commit_all(&repo, "later");
    rebase(&repo, BRANCH, None).unwrap();
    let log = git(&repo, &["log", "--format=%s", &format!("main..{BRANCH}")]);
    assert_eq!(log, "own\n");
    // A branch that is behind goes forward; nothing is lost, yet its tip is kept.
    git(&repo, &["branch", "old", "main~2"]);
    assert_eq!(
        rebase(&repo, "old", None).unwrap().commit,
        rev(&repo, "main")
    );
}

#[test]
fn merges_are_left_out() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&repo, "ours", "1");
    commit_all(&repo, "ours");
    write(&at.worktree, "own", "1");
    commit_all(&at.worktree, "own");
    git(&at.worktree, &["merge", "-q", "--no-edit", "main"]);
    write(&at.worktree, "more", "1");
    commit_all(&at.worktree, "more");
    write(&repo, "ours", "2");
    commit_all(&repo, "ours again");
    rebase(&repo, BRANCH, None).unwrap();
    let log = git(&repo, &["log", "--format=%s", &format!("main..{BRANCH}")]);
    assert_eq!(log, "more\nown\n");
    assert_eq!(
        git(&repo, &["diff", "--name-only", "main", BRANCH]),
        "more\nown\n"
    );
}

#[test]
fn a_conflict_or_a_dirty_worktree_changes_nothing() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "fine", "1");
    commit_all(&at.worktree, "fine");
    let clean = rev(&repo, BRANCH);
    write(&at.worktree, "a.txt", "theirs\n");
    commit_all(&at.worktree, "conflicts");
    write(&repo, "a.txt", "ours\n");
    write(&repo, "more", "of ours");
    commit_all(&repo, "ours");
    let state = || (seen(&repo), seen(&at.worktree), all_refs(&repo));
    let before = state();
    let outcome = rebase(&repo, BRANCH, None);
    assert!(
        matches!(&outcome, Err(GitError::Conflict { paths }) if paths == &["a.txt"]),
        "{outcome:?}"
    );
    assert_eq!(state(), before);
    git(&at.worktree, &["reset", "-q", "--hard", &clean]);
    write(&at.worktree, "more", "untracked");
    let before = state();
    let outcome = rebase(&repo, BRANCH, None);
    assert!(
        matches!(&outcome, Err(GitError::TargetDirty { checkout, reason, .. })
            if *checkout == at.worktree && reason.contains("'more'")),
        "{outcome:?}"
    );
    assert_eq!(state(), before);
}

#[test]
fn a_branch_that_is_being_rebased_by_hand_is_left_alone() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "a.txt", "theirs\n");
    commit_all(&at.worktree, "theirs");
    write(&repo, "a.txt", "ours\n");
    commit_all(&repo, "ours");
    let status = Command::new("git")
        .current_dir(&at.worktree)
        .args([
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@localhost",
            "rebase",
            "-q",
            "main",
        ])
        .output()
        .unwrap();
    assert!(!status.status.success());
    write(&repo, "a.txt", "one\n");
    commit_all(&repo, "back");
    let before = (seen(&at.worktree), all_refs(&repo));
    let outcome = rebase(&repo, BRANCH, None);
    assert!(
        matches!(&outcome, Err(GitError::TargetDirty { reason, .. }) if reason.contains("in progress")),
        "{outcome:?}"
    );
    assert_eq!((seen(&at.worktree), all_refs(&repo)), before);
}

#[test]
fn a_branch_that_moved_meanwhile_stays_where_it_went() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "new", "1");
    commit_all(&at.worktree, "work");
    write(&repo, "a.txt", "ours\n");
    commit_all(&repo, "ours");
    let elsewhere = git(
        &repo,
        &[
            "commit-tree",
            "-m",
            "x",
            "-p",
            BRANCH,
            &format!("{BRANCH}^{{tree}}"),
        ],
    );
    let reference = format!("refs/heads/{BRANCH}");
    let (folder, to) = (repo.clone(), elsewhere.clone());
    at_next_ref(move || {
        git(&folder, &["update-ref", &reference, to.trim()]);
    });
    let outcome = rebase(&repo, BRANCH, None);
    assert!(
        matches!(&outcome, Err(GitError::BranchMoved { .. })),
        "{outcome:?}"
    );
    assert_eq!(rev(&repo, BRANCH), elsewhere.trim());
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "");
    assert_eq!(
        fs::read_to_string(at.worktree.join("a.txt")).unwrap(),
        "one\n"
    );
}

/// What `git rebase` makes of it in a clone: the tree, or `None` on a conflict.
fn expected(world: &World, repo: &Path) -> Option<String> {
    let clone = world.path("repos/clone");
    git(
        repo,
        &[
            "clone",
            "-q",
            "--no-hardlinks",
            ".",
            clone.to_str().unwrap(),
        ],
    );
    git(&clone, &["checkout", "-q", "-f", "theirs"]);
    let output = Command::new("git")
        .current_dir(&clone)
        .args(["-c", "user.name=T", "-c", "user.email=t@localhost"])
        .args([
            "-c",
            "merge.directoryRenames=false",
            "rebase",
            "-q",
            "origin/main",
        ])
        .output()
        .unwrap();
    output.status.success().then(|| rev(&clone, "HEAD^{tree}"))
}

fn imported(
    world: &World,
    ours: &[Vec<super::histories::Edit>],
    theirs: &[Vec<super::histories::Edit>],
) -> PathBuf {
    let repo = world.path("repos/generated");
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    let base = some_files();
    let mut commits = vec![Planned {
        parents: Vec::new(),
        files: base.clone(),
        at: 1_700_000_000,
    }];
    let mut tips = Vec::new();
    for side in [ours, theirs] {
        let (mut files, mut last) = (base.clone(), 0);
        for edits in side {
            files = edited(&files, edits);
            commits.push(Planned {
                parents: vec![last],
                files: files.clone(),
                at: 1_700_000_000 + i64::try_from(commits.len()).unwrap(),
            });
            last = commits.len() - 1;
        }
        tips.push(last);
    }
    let branches = [
        ("main".into(), tips[0]),
        ("theirs".into(), tips[1]),
        ("former".into(), tips[1]),
    ];
    import(&repo, &commits, &branches);
    git(&repo, &["symbolic-ref", "HEAD", "refs/heads/unborn"]);
    repo
}

proptest! {
    #![proptest_config(config(30, 500))]

    #[test]
    fn a_rebase_is_the_one_that_git_makes(
        ours in prop::collection::vec(edits(), 0..3),
        theirs in prop::collection::vec(edits(), 0..4),
    ) {
        let world = World::new();
        let repo = imported(&world, &ours, &theirs);
        git(&repo, &["symbolic-ref", "HEAD", "refs/heads/main"]);
        git(&repo, &["reset", "-q", "--hard"]);
        let expected = expected(&world, &repo);
        let before = (seen(&repo), all_refs(&repo));
        match rebase(&repo, "theirs", None) {
            Ok(done) => {
                let tree = rev(&repo, &format!("{}^{{tree}}", done.commit));
                prop_assert_eq!(Some(tree), expected);
                prop_assert_eq!(seen(&repo), before.0);
                git(&repo, &["merge-base", "--is-ancestor", "main", "theirs"]);
            }
            Err(GitError::Conflict { paths }) => {
                prop_assert!(expected.is_none(), "{:?}", paths);
                prop_assert_eq!((seen(&repo), all_refs(&repo)), before);
            }
            Err(error) => prop_assert!(false, "{error:?}"),
        }
    }
}

#[test]
fn commits_in_other_encodings_keep_their_bytes() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "new", "x");
    git(&at.worktree, &["add", "-A"]);
    let message = world.path("message");
    fs::write(&message, b"Gr\xf6\xdfe\n\n\n\xfcber alles\n\n# kept").unwrap();
    let committed = Command::new("git")
        .current_dir(&at.worktree)
        .args([
            "-c",
            "i18n.commitEncoding=ISO-8859-1",
            "commit",
            "-q",
            "--cleanup=verbatim",
            "-F",
        ])
        .arg(&message)
        .envs(super::hermetic_environment())
        .env("GIT_AUTHOR_NAME", std::ffi::OsStr::from_bytes(b"J\xfcrgen"))
        .envs([
            ("GIT_AUTHOR_EMAIL", "j@localhost"),
            ("GIT_AUTHOR_DATE", "1600000000 -0330"),
        ])
        .envs([
            ("GIT_COMMITTER_NAME", "T"),
            ("GIT_COMMITTER_EMAIL", "t@localhost"),
        ])
        .status();
    assert!(committed.unwrap().success());
    write(&repo, "a.txt", "ours\n");
    commit_all(&repo, "ours");
    let kept = |revision: &str| {
        let raw = Command::new("git")
            .current_dir(&repo)
            .args(["cat-file", "commit", revision])
            .output();
        let raw = raw.unwrap().stdout;
        let skip = |line: &&[u8]| {
            let other = [&b"tree "[..], b"parent ", b"committer "];
            !other.iter().any(|name| line.starts_with(name))
        };
        let lines: Vec<_> = raw.split(|byte| *byte == b'\n').filter(skip).collect();
        lines.join(&b'\n')
    };
    let before = kept(BRANCH);
    assert!(before.starts_with(
        b"author J\xfcrgen <j@localhost> 1600000000 -0330\nencoding ISO-8859-1\n\nGr"
    ));
    rebase(&repo, BRANCH, None).unwrap();
    assert_eq!(kept(BRANCH), before);
    assert_eq!(rev(&repo, &format!("{BRANCH}^")), rev(&repo, "main"));
    git(&repo, &["fsck", "--strict"]);
}

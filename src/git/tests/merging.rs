//! Merges, and what happens to the checkouts of the target.

use super::{
    histories::{Edit, Files, Planned, config, edited, edits, import, some_files},
    support::{BRANCH, World, at_next_ref, commit_all, git, write},
};
use crate::{
    domain::run::event::WorktreeAt,
    git::{GitError, merge},
};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::mpsc,
};

/// All that a user sees of a checkout: files, HEAD, index, configuration.
pub(super) fn seen(repo: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![repo.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = item.path();
            if path == repo.join(".git") {
                for name in ["HEAD", "index", "config", "ORIG_HEAD", "logs/HEAD"] {
                    let file = path.join(name);
                    found.insert(file.clone(), fs::read(&file).unwrap_or_default());
                }
            } else if item.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// All refs with their commits, hidden ones included.
pub(super) fn all_refs(repo: &Path) -> String {
    git(repo, &["for-each-ref", "--format=%(refname) %(objectname)"])
}

/// A worktree with one commit of its own, and one more on main; the checkout is on `other`.
fn diverged(world: &World) -> (PathBuf, WorktreeAt) {
    let (repo, at) = world.worktree();
    write(&at.worktree, "dir/b.txt", "theirs\n");
    write(&at.worktree, "added", "new\n");
    commit_all(&at.worktree, "theirs");
    write(&repo, "a.txt", "ours\n");
    commit_all(&repo, "ours");
    (repo, at)
}

fn reason(outcome: Result<crate::git::Merged, GitError>) -> String {
    match outcome {
        Err(GitError::TargetDirty { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_target_that_is_nowhere_checked_out_moves_alone() {
    let world = World::new();
    let (repo, _) = diverged(&world);
    git(&repo, &["config", "user.name", "The User"]);
    git(&repo, &["config", "user.email", "user@localhost"]);
    git(&repo, &["checkout", "-q", "-b", "other"]);
    write(&repo, "a.txt", "not committed\n");
    write(&repo, "added", "untracked\n");
    let before = seen(&repo);
    let done = merge(&repo, BRANCH, None).unwrap();
    assert_eq!((done.into.as_str(), done.fast_forward), ("main", false));
    assert_eq!(git(&repo, &["rev-parse", "main"]).trim(), done.commit);
    let parents = git(&repo, &["log", "-1", "--format=%P|%an|%ae|%cn|%s", "main"]);
    let tips = git(&repo, &["rev-parse", "main^1", BRANCH]).replace('\n', " ");
    assert_eq!(
        parents.trim(),
        format!(
            "{}|The User|user@localhost|The User|Merge branch '{BRANCH}' into main",
            tips.trim()
        )
    );
    assert_eq!(git(&repo, &["show", "main:a.txt"]), "ours\n");
    assert_eq!(git(&repo, &["show", "main:added"]), "new\n");
    assert_eq!(seen(&repo), before);
    git(&repo, &["fsck", "--strict"]);
}

#[test]
fn without_a_configured_user_abbado_merges() {
    let world = World::new();
    let (repo, _) = diverged(&world);
    merge(&repo, BRANCH, None).unwrap();
    let author = git(&repo, &["log", "-1", "--format=%an <%ae>", "main"]);
    assert_eq!(author.trim(), "abbado <abbado@localhost>");
    let entry = git(&repo, &["log", "-1", "-g", "--format=%gn %gs", "main"]);
    assert_eq!(entry.trim(), format!("abbado abbado: merge {BRANCH}"));
}

#[test]
fn a_clean_checkout_of_the_target_goes_along() {
    let world = World::new();
    let (repo, _) = diverged(&world);
    write(&repo, "mine.ignored", "mine");
    write(&repo, "notes", "untracked");
    // The same contents with another time count as clean.
    write(&repo, "dir/b.txt", "two\n");
    let done = merge(&repo, BRANCH, None).unwrap();
    assert_eq!(git(&repo, &["status", "--porcelain"]), "?? notes\n");
    assert_eq!(git(&repo, &["rev-parse", "HEAD"]).trim(), done.commit);
    assert_eq!(git(&repo, &["branch", "--show-current"]), "main\n");
    assert_eq!(
        fs::read_to_string(repo.join("dir/b.txt")).unwrap(),
        "theirs\n"
    );
    assert_eq!(
        fs::read_to_string(repo.join("mine.ignored")).unwrap(),
        "mine"
    );
    let left: Vec<_> = fs::read_dir(repo.join(".git"))
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("abbado") || name.ends_with(".lock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_target_in_a_worktree_goes_along_there_only() {
    let world = World::new();
    let (repo, at) = diverged(&world);
    let before = seen(&repo);
    let done = merge(&repo, "main", Some(BRANCH)).unwrap();
    assert_eq!(done.into, BRANCH);
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "");
    assert_eq!(
        git(&at.worktree, &["rev-parse", "HEAD"]).trim(),
        done.commit
    );
    assert_eq!(
        fs::read_to_string(at.worktree.join("a.txt")).unwrap(),
        "ours\n"
    );
    assert_eq!(seen(&repo), before);
}

#[test]
fn a_merge_that_needs_no_commit() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let main = git(&repo, &["rev-parse", "main"]);
    let nothing = merge(&repo, BRANCH, None).unwrap();
    assert_eq!(
        (nothing.commit.as_str(), nothing.fast_forward),
        (main.trim(), true)
    );
    write(&at.worktree, "new", "x");
    let tip = commit_all(&at.worktree, "work");
    let forward = merge(&repo, BRANCH, None).unwrap();
    assert_eq!((forward.commit, forward.fast_forward), (tip.clone(), true));
    assert!(repo.join("new").exists());
    let (before, refs) = (seen(&repo), all_refs(&repo));
    let again = merge(&repo, BRANCH, None).unwrap();
    assert_eq!((again.commit, again.fast_forward), (tip, true));
    assert_eq!((seen(&repo), all_refs(&repo)), (before, refs));
}

#[test]
fn a_conflict_changes_nothing_and_names_the_paths() {
    let world = World::new();
    let (repo, at) = diverged(&world);
    for (folder, text) in [(&at.worktree, "theirs"), (&repo, "ours")] {
        write(folder, "dir/b.txt", format!("both {text}\n"));
        write(folder, "z", format!("{text}\n"));
        commit_all(folder, "both");
    }
    let (before, refs) = (seen(&repo), all_refs(&repo));
    let objects = git(&repo, &["count-objects", "-v"]);
    let error = merge(&repo, BRANCH, None).unwrap_err();
    assert_eq!(error.to_string(), "conflicts in dir/b.txt, z");
    assert!(
        matches!(&error, GitError::Conflict { paths } if paths == &["dir/b.txt", "z"]),
        "{error:?}"
    );
    assert_eq!((seen(&repo), all_refs(&repo)), (before, refs));
    assert_eq!(git(&repo, &["count-objects", "-v"]), objects);
}

#[test]
fn a_dirty_target_is_refused_untouched() {
    let world = World::new();
    let (repo, _) = diverged(&world);
    type Dirt = (&'static str, fn(&Path));
    let dirt: [Dirt; 10] = [
        ("uncommitted", |repo| write(repo, "a.txt", "edited\n")),
        ("uncommitted", |repo| {
            write(repo, "staged", "x");
            git(repo, &["add", "staged"]);
        }),
        ("uncommitted", |repo| {
            fs::remove_file(repo.join("a.txt")).unwrap();
        }),
        ("'added' is in the way", |repo| write(repo, "added", "mine")),
        ("'added/deep/x' is in the way", |repo| {
            write(repo, "added/deep/x", "mine");
        }),
        ("'added' is in the way", |repo| {
            write(repo, ".git/info/exclude", "added\n");
            write(repo, "added", "mine and ignored");
        }),
        ("ignores changes to 'dir/b.txt'", |repo| {
            git(repo, &["update-index", "--assume-unchanged", "dir/b.txt"]);
            write(repo, "dir/b.txt", "hidden\n");
        }),
        ("ignores changes to 'dir/b.txt'", |repo| {
            git(repo, &["update-index", "--skip-worktree", "dir/b.txt"]);
            write(repo, "dir/b.txt", "hidden\n");
        }),
        ("in progress", |repo| write(repo, ".git/MERGE_HEAD", "x")),
        ("index.lock", |repo| write(repo, ".git/index.lock", "")),
    ];
    let first = git(&repo, &["rev-parse", "main"]);
    for (expected, make) in dirt {
        make(&repo);
        let (before, refs) = (seen(&repo), all_refs(&repo));
        let why = reason(merge(&repo, BRANCH, None));
        assert!(why.contains(expected), "{why}");
        assert_eq!(all_refs(&repo), refs, "{expected}");
        assert_eq!(seen(&repo), before, "{expected}");
        for name in ["MERGE_HEAD", "index.lock", "info/exclude"] {
            drop(fs::remove_file(repo.join(".git").join(name)));
        }
        git(
            &repo,
            &["update-index", "--no-assume-unchanged", "dir/b.txt"],
        );
        git(&repo, &["update-index", "--no-skip-worktree", "dir/b.txt"]);
        git(&repo, &["reset", "-q", "--hard", first.trim()]);
        git(&repo, &["clean", "-q", "-fdx"]);
    }
    merge(&repo, BRANCH, None).unwrap();
}

#[test]
fn a_file_in_the_place_of_a_folder_is_in_the_way() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "x/y/z", "new");
    commit_all(&at.worktree, "work");
    write(&repo, "x", "a file");
    let (before, refs) = (seen(&repo), all_refs(&repo));
    let why = reason(merge(&repo, BRANCH, None));
    assert_eq!(why, "the untracked 'x' is in the way");
    assert_eq!((seen(&repo), all_refs(&repo)), (before, refs));
    // A folder that becomes a file, with something of the user's in it.
    fs::remove_file(repo.join("x")).unwrap();
    fs::remove_dir_all(at.worktree.join("dir")).unwrap();
    write(&at.worktree, "dir", "a file now");
    commit_all(&at.worktree, "more");
    write(&repo, "dir/mine.ignored", "mine");
    let why = reason(merge(&repo, BRANCH, None));
    assert_eq!(why, "the untracked 'dir/mine.ignored' is in the way");
    fs::remove_file(repo.join("dir/mine.ignored")).unwrap();
    merge(&repo, BRANCH, None).unwrap();
    assert_eq!(fs::read_to_string(repo.join("dir")).unwrap(), "a file now");
}

#[test]
fn what_an_agent_put_in_the_place_of_its_worktree_is_left_alone() {
    let world = World::new();
    let (repo, at) = diverged(&world);
    let home = world.path("home/elsewhere");
    fs::rename(&at.worktree, &home).unwrap();
    std::os::unix::fs::symlink(&home, &at.worktree).unwrap();
    let (before, refs) = (seen(&home), all_refs(&repo));
    let why = reason(merge(&repo, "main", Some(BRANCH)));
    assert_eq!(why, "its folder does not exist");
    assert_eq!((seen(&home), all_refs(&repo)), (before, refs));
    fs::remove_file(&at.worktree).unwrap();
    merge(&repo, "main", Some(BRANCH)).unwrap();
}

#[test]
fn names_that_lead_nowhere() {
    let world = World::new();
    let (repo, _) = diverged(&world);
    for (branch, into) in [("none", None), (BRANCH, Some("none"))] {
        let outcome = merge(&repo, branch, into);
        assert!(
            matches!(&outcome, Err(GitError::UnknownRevision { revision, .. }) if revision == "none"),
            "{outcome:?}"
        );
    }
    let full = format!("refs/heads/{BRANCH}");
    for (branch, into) in [
        (full.as_str(), None),
        ("-x", None),
        (BRANCH, Some("refs/heads/main")),
    ] {
        let outcome = merge(&repo, branch, into);
        assert!(
            matches!(&outcome, Err(GitError::InvalidName { .. })),
            "{outcome:?}"
        );
    }
    git(&repo, &["checkout", "-q", "--orphan", "island"]);
    commit_all(&repo, "other root");
    let outcome = merge(&repo, "island", None);
    assert!(
        matches!(&outcome, Err(GitError::Unrelated { .. })),
        "{outcome:?}"
    );
}

#[test]
fn a_symbolic_branch_stands_for_the_one_it_names() {
    let world = World::new();
    let (repo, _) = diverged(&world);
    git(
        &repo,
        &["symbolic-ref", "refs/heads/alias", "refs/heads/main"],
    );
    let done = merge(&repo, BRANCH, Some("alias")).unwrap();
    assert_eq!(done.into, "main");
    assert_eq!(
        git(&repo, &["symbolic-ref", "refs/heads/alias"]),
        "refs/heads/main\n"
    );
    assert_eq!(git(&repo, &["status", "--porcelain"]), "");
}

#[test]
fn a_target_that_moved_meanwhile_stays_where_it_went() {
    let world = World::new();
    let (repo, _) = diverged(&world);
    for checked_out in [true, false] {
        if !checked_out {
            git(&repo, &["checkout", "-q", "-b", "other"]);
        }
        let before = seen(&repo);
        let elsewhere = git(
            &repo,
            &["commit-tree", "-m", "x", "-p", "main", "main^{tree}"],
        );
        let elsewhere = elsewhere.trim();
        let (moved, refs) = mpsc::channel();
        let (folder, to) = (repo.clone(), elsewhere.to_owned());
        at_next_ref(move || {
            let update = ["update-ref", "--no-deref", "refs/heads/main", &to];
            git(&folder, &update);
            moved.send(all_refs(&folder)).unwrap();
        });
        let outcome = merge(&repo, BRANCH, Some("main"));
        let expected = refs.recv().unwrap();
        assert!(
            matches!(&outcome, Err(GitError::BranchMoved { branch }) if branch == "main"),
            "{outcome:?}"
        );
        assert_eq!(all_refs(&repo), expected);
        // The files are unchanged; what the index knows of their times is not the user's.
        let files = |seen: BTreeMap<PathBuf, Vec<u8>>| -> Vec<_> {
            seen.into_iter()
                .filter(|(path, _)| !path.ends_with("index") && !path.ends_with("logs/HEAD"))
                .collect()
        };
        assert_eq!(files(seen(&repo)), files(before));
        assert_eq!(git(&repo, &["status", "--porcelain"]), "");
    }
}

#[test]
fn an_update_that_fails_half_way_is_put_back() {
    let world = World::new();
    let repo = world.repo("api");
    // The user's own filter: writes `bad` contents never, and passes all other.
    let script = world.path("home/filter");
    write(
        &world.path("home"),
        "filter",
        "#!/bin/sh\nx=$(cat; echo .)\ncase $x in bad*) exit 1;; esac\nprintf %s \"${x%.}\"\n",
    );
    git(&repo, &["update-index", "--chmod=-x", "a.txt"]);
    std::process::Command::new("chmod")
        .arg("+x")
        .arg(&script)
        .status()
        .unwrap();
    write(
        &world.path("home"),
        ".gitconfig",
        format!(
            "[filter \"x\"]\n\tclean = cat\n\tsmudge = {}\n\trequired = true\n",
            script.display()
        ),
    );
    write(&repo, ".gitattributes", "*.x filter=x\n");
    write(&repo, "m.x", "good\n");
    write(&repo, "replaced", "a file\n");
    write(&repo, "removed", "also\n");
    commit_all(&repo, "filtered");
    git(&repo, &["checkout", "-q", "-b", "theirs"]);
    write(&repo, "m.x", "bad\n");
    write(&repo, "a.txt", "theirs\n");
    write(&repo, "new/deep/file", "new\n");
    write(&repo, "zz", "new\n");
    fs::remove_file(repo.join("replaced")).unwrap();
    write(&repo, "replaced/by", "a folder\n");
    fs::remove_file(repo.join("removed")).unwrap();
    commit_all(&repo, "theirs");
    drop(fs::remove_file(repo.join("m.x")));
    git(&repo, &["checkout", "-q", "-f", "main"]);
    write(&repo, "mine", "untracked");
    let before = seen(&repo);
    let refs = all_refs(&repo);
    for _ in 0..2 {
        let outcome = merge(&repo, "theirs", None);
        assert!(
            matches!(&outcome, Err(GitError::Failed { .. })),
            "{outcome:?}"
        );
        assert_eq!(all_refs(&repo), refs);
        assert_eq!(git(&repo, &["status", "--porcelain"]), "?? mine\n");
        let mut now = seen(&repo);
        let index = repo.join(".git/index");
        now.insert(index.clone(), before[&index].clone());
        assert_eq!(now, before);
        assert!(!repo.join("new").exists(), "no folder is left");
    }
}

/// Two sides of a history: edits of one base, or, crossed, of what each side had merged of the
/// other before, so that there are two bases.
fn imported(world: &World, base: &Files, ours: &[Edit], theirs: &[Edit], crossed: bool) -> PathBuf {
    let repo = world.path("repos/generated");
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    let mut commits: Vec<Planned> = Vec::new();
    let mut add = |parents: &[usize], files: &Files| {
        commits.push(Planned {
            parents: parents.to_vec(),
            files: files.clone(),
            at: 1_700_000_000 + i64::try_from(commits.len()).unwrap(),
        });
        commits.len() - 1
    };
    let root = add(&[], base);
    let (mut below, mut starts) = (base.clone(), (root, root));
    if crossed {
        let (half, other) = (ours.len() / 2, theirs.len() / 2);
        let one = add(&[root], &edited(base, &ours[..half]));
        let two = add(&[root], &edited(base, &theirs[..other]));
        below = edited(&edited(base, &ours[..half]), &theirs[..other]);
        starts = (add(&[one, two], &below), add(&[two, one], &below));
    }
    let main = add(&[starts.0], &edited(&below, ours));
    let theirs = add(&[starts.1], &edited(&below, theirs));
    import(
        &repo,
        &commits,
        &[("main".into(), main), ("theirs".into(), theirs)],
    );
    git(&repo, &["symbolic-ref", "HEAD", "refs/heads/unborn"]);
    repo
}

fn has(repo: &Path, side: &str, path: &str) -> bool {
    !git(repo, &["ls-tree", side, "--", path]).is_empty()
}

/// What `git merge` would make: the tree, or the paths in conflict.
fn expected(repo: &Path) -> Result<String, Vec<String>> {
    let output = std::process::Command::new("git")
        .current_dir(repo)
        .args([
            "-c",
            "merge.directoryRenames=false",
            "merge-tree",
            "--write-tree",
        ])
        .args(["--name-only", "--no-messages", "-z", "main", "theirs"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let mut parts = said
        .split('\0')
        .filter(|part| !part.is_empty())
        .map(str::to_owned);
    let tree = parts.next().unwrap();
    match output.status.code() {
        Some(0) => Ok(tree),
        // For a file that both sides renamed, git names the old path too, which neither side has.
        Some(1) => Err(parts
            .filter(|path| has(repo, "main", path) || has(repo, "theirs", path))
            .collect()),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(config(40, 1_000))]

    #[test]
    fn a_merge_is_the_one_that_git_makes(
        ours in edits(), theirs in edits(), crossed in any::<bool>(),
    ) {
        let world = World::new();
        let base = some_files();
        let repo = imported(&world, &base, &ours, &theirs, crossed);
        let expected = expected(&repo);
        let refs = all_refs(&repo);
        match merge(&repo, "theirs", Some("main")) {
            Ok(done) => {
                let tree = git(&repo, &["rev-parse", &format!("{}^{{tree}}", done.commit)]);
                prop_assert_eq!(Ok(tree.trim().to_owned()), expected);
                git(&repo, &["fsck", "--strict", "--connectivity-only"]);
            }
            Err(GitError::Conflict { .. }) if expected.is_ok() => {
                // Only a refusal is accepted: of two bases that conflict over a renamed file, libgit2
                // makes a base that is stricter than git's.
                let renamed = |edits: &[Edit]| edits.iter().any(|at| matches!(at, Edit::Rename(..)));
                prop_assert!(crossed && renamed(&ours) && renamed(&theirs), "git merges it");
                prop_assert_eq!(all_refs(&repo), refs);
            }
            Err(GitError::Conflict { paths }) => {
                let expected = expected.unwrap_err();
                let (named, more): (Vec<_>, Vec<_>) =
                    paths.into_iter().partition(|path| expected.contains(path));
                prop_assert_eq!(named, expected);
                // Only of a renamed file the former name may be added.
                let renamed = |edit: &Edit| matches!(edit, Edit::Rename(..));
                prop_assert!(more.is_empty() || ours.iter().chain(&theirs).any(renamed), "{more:?}");
                for path in more {
                    prop_assert!(base.contains_key(&path), "{path}");
                    prop_assert!(!(has(&repo, "main", &path) && has(&repo, "theirs", &path)));
                }
                prop_assert_eq!(all_refs(&repo), refs);
            }
            Err(error) => prop_assert!(false, "{error:?}"),
        }
    }
}

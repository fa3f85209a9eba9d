//! What a run changed, compared with the output of the user's own git.

use super::{
    hostile::{commit_attributes, set_traps},
    random_trees::{read_tree, tree, write_tree},
    support::{RUN, World, commit_all, git, write},
};
use crate::{
    domain::run::event::WorktreeAt,
    git::{
        ChangesOf, DiffStats, FileChange, FileStatus, GitError, changes, diff_stats, remove,
        take_always,
    },
};
use proptest::{prelude::*, test_runner::RngSeed};
use std::{
    fs,
    io::Write,
    os::unix::{
        ffi::OsStringExt,
        fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Lines added and deleted; none of a binary file.
type Counts = (Option<u64>, Option<u64>);

/// A worktree and its base commit.
struct Case {
    world: World,
    repo: PathBuf,
    at: WorktreeAt,
    base: String,
}

impl Case {
    fn new() -> Self {
        let world = World::new();
        let (repo, at) = world.worktree();
        let base = head(&at.worktree);
        Self {
            world,
            repo,
            at,
            base,
        }
    }

    fn root(&self) -> &Path {
        &self.at.worktree
    }

    /// Makes the present state the base.
    fn begins_here(&mut self) {
        self.base = commit_all(self.root(), "base");
    }

    fn of<'a>(&'a self, checkpoint: Option<&'a str>) -> ChangesOf<'a> {
        ChangesOf {
            at: &self.at,
            repo_path: &self.repo,
            base_commit: &self.base,
            checkpoint,
        }
    }

    fn changes(&self) -> (Vec<FileChange>, DiffStats) {
        self.changes_of(self.of(None))
    }

    fn changes_of(&self, of: ChangesOf<'_>) -> (Vec<FileChange>, DiffStats) {
        let mut files = Vec::new();
        let stats = changes(of, &mut |file| {
            files.push(file);
            Ok(())
        });
        let stats = stats.unwrap().total;
        assert_eq!(diff_stats(of).unwrap(), stats);
        (files, stats)
    }

    /// The only changed file.
    fn one(&self) -> FileChange {
        let (files, _) = self.changes();
        assert_eq!(files.len(), 1, "{files:#?}");
        files.into_iter().next().unwrap()
    }

    /// `git diff --numstat -M` of the user, with untracked files: (insertions, deletions) a file,
    /// none for binary ones. Marks untracked files in the worktree's index.
    fn numstat(&self) -> Vec<Counts> {
        git(self.root(), &["add", "-A", "-N"]);
        let told = git(self.root(), &["diff", "--numstat", "-M", "-z", &self.base]);
        let mut fields = told.split('\0');
        let mut counts = Vec::new();
        while let Some(head) = fields.next().filter(|head| !head.is_empty()) {
            let words: Vec<_> = head.splitn(3, '\t').collect();
            if words[2].is_empty() {
                fields.next();
                fields.next();
            }
            counts.push((words[0].parse().ok(), words[1].parse().ok()));
        }
        counts
    }

    /// The base with all patches applied, in a folder of its own. They are applied in an index:
    /// in a worktree git refuses its own patch where a link that leads to itself became a folder.
    fn applied(&self, files: &[FileChange]) -> PathBuf {
        let other = self.world.path("applied");
        git(
            &self.repo,
            &[
                "worktree",
                "add",
                "-q",
                "--no-checkout",
                "--detach",
                other.to_str().unwrap(),
                &self.base,
            ],
        );
        git(&other, &["read-tree", "HEAD"]);
        let mut apply = Command::new("git")
            .current_dir(&other)
            .args([
                "apply",
                "--cached",
                "--whitespace=nowarn",
                "--allow-empty",
                "-",
            ])
            .envs(super::hermetic_environment())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = apply.stdin.take().unwrap();
        for file in files {
            stdin.write_all(&file.diff).unwrap();
        }
        drop(stdin);
        assert!(apply.wait().unwrap().success(), "{files:#?}");
        git(&other, &["checkout-index", "-a"]);
        other
    }
}

fn head(folder: &Path) -> String {
    git(folder, &["rev-parse", "HEAD"]).trim().to_owned()
}

fn name(file: &FileChange) -> String {
    String::from_utf8_lossy(&file.path).into_owned()
}

fn config() -> ProptestConfig {
    let mut config = ProptestConfig::with_cases(20);
    if std::env::var_os("ABBADO_PROVE").is_some() {
        config.cases = 200;
    } else {
        config.rng_seed = RngSeed::Fixed(3);
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn counts_are_gits_and_patches_make_the_worktree(
        base in tree(), present in tree(), commit_between in any::<bool>(),
    ) {
        let mut case = Case::new();
        write_tree(case.root(), &base);
        git(case.root(), &["add", "-A"]);
        git(case.root(), &["commit", "-q", "--allow-empty", "-m", "base"]);
        case.base = head(case.root());
        write_tree(case.root(), &present);
        if commit_between {
            git(case.root(), &["add", "-A"]);
            git(case.root(), &["commit", "-q", "--allow-empty", "-m", "between"]);
        }
        let index = fs::read(case.repo.join(".git/worktrees/api/index")).unwrap();
        let (files, stats) = case.changes();
        prop_assert_eq!(fs::read(case.repo.join(".git/worktrees/api/index")).unwrap(), index);
        let mine: Vec<_> = files
            .iter()
            .map(|file| {
                let count = |lines| (!file.binary).then_some(lines);
                (count(file.insertions), count(file.deletions))
            })
            .collect();
        let theirs = case.numstat();
        prop_assert_eq!(&mine, &theirs);
        prop_assert_eq!(stats.files_changed as usize, theirs.len());
        let sum = |pick: fn(&Counts) -> Option<u64>| -> u64 {
            theirs.iter().filter_map(pick).sum()
        };
        prop_assert_eq!(stats.insertions, sum(|counts| counts.0));
        prop_assert_eq!(stats.deletions, sum(|counts| counts.1));
        // `git apply` refuses git's own patch where a link was renamed and became a folder.
        let below = |path: &[u8], folder: &[u8]| {
            path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
        };
        let renamed: Vec<_> = files.iter().filter_map(|file| file.old_path.as_ref()).collect();
        let beyond = files.iter().any(|file| renamed.iter().any(|old| below(&file.path, old)));
        if !beyond {
            let applied = case.applied(&files);
            prop_assert_eq!(read_tree(&applied), read_tree(case.root()));
        }
    }
}

const STORY: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

#[test]
fn a_rename_is_one_file_also_when_it_was_edited() {
    let mut case = Case::new();
    write(case.root(), "old name", STORY);
    case.begins_here();
    fs::rename(case.root().join("old name"), case.root().join("new")).unwrap();
    let file = case.one();
    assert_eq!(
        (name(&file), file.status),
        ("new".into(), FileStatus::Renamed)
    );
    assert_eq!(file.old_path.as_deref(), Some(&b"old name"[..]));
    assert_eq!((file.insertions, file.deletions), (0, 0));
    write(case.root(), "new", STORY.replace("two", "2"));
    let file = case.one();
    assert_eq!(file.status, FileStatus::Renamed);
    assert_eq!((file.insertions, file.deletions), (1, 1));
    assert_eq!(file.old_content.as_deref(), Some(STORY.as_bytes()));
    assert!(file.new_content.unwrap().starts_with(b"one\n2\n"));
}

#[test]
fn a_copy_is_a_new_file() {
    let mut case = Case::new();
    write(case.root(), "a", STORY);
    case.begins_here();
    write(case.root(), "b", STORY);
    write(case.root(), "a", STORY.replace("two", "2"));
    let (files, _) = case.changes();
    let told: Vec<_> = files.iter().map(|file| (name(file), file.status)).collect();
    assert_eq!(
        told,
        [
            ("a".into(), FileStatus::Modified),
            ("b".into(), FileStatus::Added)
        ]
    );
}

#[test]
fn modes_links_and_kinds() {
    let mut case = Case::new();
    write(case.root(), "run.sh", "#!/bin/sh\n");
    write(case.root(), "kind", "text\n");
    case.begins_here();
    let runs = fs::Permissions::from_mode(0o755);
    fs::set_permissions(case.root().join("run.sh"), runs).unwrap();
    let file = case.one();
    assert_eq!((file.status, file.insertions), (FileStatus::Modified, 0));
    let diff = String::from_utf8(file.diff).unwrap();
    assert!(
        diff.contains("old mode 100644\nnew mode 100755\n"),
        "{diff}"
    );
    case.begins_here();
    fs::remove_file(case.root().join("kind")).unwrap();
    symlink("/etc/passwd", case.root().join("kind")).unwrap();
    let file = case.one();
    assert_eq!(file.status, FileStatus::Modified);
    // The link, and nothing of its target.
    assert_eq!(file.new_content.as_deref(), Some(&b"/etc/passwd"[..]));
    case.begins_here();
    fs::remove_file(case.root().join("kind")).unwrap();
    write(case.root(), "kind/below", "text\n");
    let (files, _) = case.changes();
    let told: Vec<_> = files.iter().map(|file| (name(file), file.status)).collect();
    assert_eq!(
        told,
        [
            ("kind".into(), FileStatus::Deleted),
            ("kind/below".into(), FileStatus::Added)
        ]
    );
}

#[test]
fn a_link_to_itself_becomes_a_folder() {
    let mut case = Case::new();
    symlink("circle", case.root().join("circle")).unwrap();
    case.begins_here();
    fs::remove_file(case.root().join("circle")).unwrap();
    write(case.root(), "circle/below", "text\n");
    let (files, _) = case.changes();
    assert_eq!(files.len(), 2, "{files:#?}");
    assert_eq!(read_tree(&case.applied(&files)), read_tree(case.root()));
}

#[test]
fn what_is_no_text_is_told_as_such() {
    let case = Case::new();
    write(case.root(), "image", b"\x89PNG\x00\x01\x02".repeat(40));
    let file = case.one();
    assert!(file.binary && !file.truncated);
    assert_eq!((file.insertions, &file.new_content), (0, &None));
    assert!(
        file.diff
            .windows(16)
            .any(|text| text == b"GIT binary patch")
    );
}

#[test]
fn over_a_mebibyte_only_the_counts_are_told() {
    let case = Case::new();
    write(case.root(), "b large", "line\n".repeat(300_000));
    write(case.root(), "a", "small\n");
    write(case.root(), "c", "small too\n");
    write(case.root(), "d large", b"\0".repeat(2_000_000));
    let (files, stats) = case.changes();
    let names: Vec<_> = files.iter().map(name).collect();
    assert_eq!(names, ["a", "b large", "c", "d large"]);
    let truncated: Vec<_> = files.iter().map(|file| file.truncated).collect();
    assert_eq!(truncated, [false, true, false, true]);
    assert_eq!(files[1].insertions, 300_000);
    assert!(files[1].diff.is_empty() && files[1].new_content.is_none());
    assert_eq!(files[2].new_content.as_deref(), Some(&b"small too\n"[..]));
    assert_eq!(stats.insertions, 300_002);
}

#[test]
fn many_large_files_too() {
    let case = Case::new();
    for number in 0..25 {
        let text = format!("{number}\n{}", "a longer line of text\n".repeat(48_000));
        write(case.root(), &format!("large{number:03}"), text);
    }
    write(case.root(), "small", "x\n");
    write(case.root(), "z.bin", b"\0\x01");
    let (files, _) = case.changes();
    assert_eq!(files.len(), 27);
    assert!(
        files[..25]
            .iter()
            .all(|file| file.truncated && file.diff.is_empty())
    );
    assert_eq!(files[25].new_content.as_deref(), Some(&b"x\n"[..]));
    assert!(files[26].binary);
}

#[test]
fn line_ends_are_those_of_git() {
    let mut case = Case::new();
    write(case.root(), "dos", "a\r\nb\r\n");
    case.begins_here();
    write(case.root(), "dos", "a\r\nB\r\n");
    let file = case.one();
    assert_eq!((file.insertions, file.deletions), (1, 1));
    assert_eq!(file.new_content.as_deref(), Some(&b"a\r\nB\r\n"[..]));
    write(case.root(), "dos", "a\r\nb\r\n");
    write(case.root(), ".gitattributes", "*.txt text eol=crlf\n");
    write(case.root(), "eol.txt", "one\r\ntwo\r\n");
    let (files, _) = case.changes();
    // Stored with line feeds, as a commit would.
    assert_eq!(files[1].new_content.as_deref(), Some(&b"one\ntwo\n"[..]));
    assert_eq!(case.numstat(), [(Some(1), Some(0)), (Some(2), Some(0))]);
}

#[test]
fn odd_names_come_as_they_are() {
    let case = Case::new();
    let names: [&[u8]; 7] = [
        b"-rf",
        b":(exclude)x",
        b"caf\xc3\xa9",
        b"not-utf8-\xff",
        b"quote\"tab\tnew\nline",
        b" lead",
        b"back\\slash",
    ];
    for name in names {
        let path = std::ffi::OsString::from_vec(name.to_vec());
        fs::write(case.root().join(path), "x\n").unwrap();
    }
    let (files, _) = case.changes();
    let mut wanted: Vec<_> = names.map(<[u8]>::to_vec).into();
    wanted.sort();
    assert_eq!(
        files
            .iter()
            .map(|file| file.path.clone())
            .collect::<Vec<_>>(),
        wanted
    );
    assert_eq!(read_tree(&case.applied(&files)), read_tree(case.root()));
}

#[test]
fn a_submodule_is_its_commit() {
    let case = Case::new();
    let inner = case.world.repo("inner");
    let url = inner.to_str().unwrap();
    let allow = "protocol.file.allow=always";
    git(
        case.root(),
        &["-c", allow, "submodule", "add", "-q", url, "sub"],
    );
    let (files, _) = case.changes();
    let sub = files.iter().find(|file| file.path == b"sub").unwrap();
    let diff = String::from_utf8_lossy(&sub.diff).into_owned();
    assert!(
        diff.contains(&format!("+Subproject commit {}", head(&inner))),
        "{diff}"
    );
    assert_eq!((sub.status, &sub.new_content), (FileStatus::Added, &None));
}

/// `git add` would look into a nested repository, which has a configuration of its own.
#[test]
fn nothing_that_a_nested_repository_names_is_run() {
    let case = Case::new();
    let nested = case.root().join("nested");
    write(&nested, "file.p", "contents\n");
    git(&nested, &["init", "-q"]);
    commit_attributes(&nested);
    git(case.root(), &["add", "nested"]);
    git(case.root(), &["commit", "-q", "-m", "with nested"]);
    let names = set_traps(&case.world, &nested);
    // The same size, so that git has to read it.
    write(&nested, "file.p", "contents PLAIN\n");
    assert_eq!(case.changes().0.len(), 1);
    take_always(&case.at, &case.repo, RUN, 1, "stop").unwrap();
    for name in &names {
        assert!(!case.world.mark(name).exists(), "{name} ran");
    }
    git(case.root(), &["status"]);
    assert!(names.iter().any(|name| case.world.mark(name).exists()));
}

#[test]
fn a_look_leaves_nothing_behind() {
    let case = Case::new();
    write(case.root(), "a.txt", "changed\n");
    write(case.root(), "new", "new\n");
    let files = || -> Vec<_> {
        let found = walkdir(&case.repo.join(".git"));
        found
            .into_iter()
            .filter(|path| !path.ends_with("index"))
            .collect()
    };
    let before = files();
    assert_eq!(case.changes().0.len(), 2);
    assert_eq!(files(), before);
}

fn walkdir(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        match path.is_dir() && !path.is_symlink() {
            true => found.extend(walkdir(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn ignored_files_are_no_changes() {
    let case = Case::new();
    write(case.root(), "secret.ignored", "x\n");
    assert_eq!(case.changes(), (Vec::new(), DiffStats::default()));
}

#[test]
fn a_worktree_that_is_gone_left_its_checkpoint_or_its_branch() {
    let case = Case::new();
    write(case.root(), "committed", "x\n");
    commit_all(case.root(), "work");
    write(case.root(), "kept", "y\n");
    let there = case.changes();
    let kept = take_always(&case.at, &case.repo, RUN, 1, "stop").unwrap();
    assert!(remove(&case.at, &case.repo, &case.world.data()).unwrap());
    assert_eq!(case.changes_of(case.of(Some(&kept.commit))), there);
    let (files, _) = case.changes();
    assert_eq!(files.iter().map(name).collect::<Vec<_>>(), ["committed"]);
    let gone = "0".repeat(39) + "1";
    assert_eq!(case.changes_of(case.of(Some(&gone))).0.len(), 1);
}

#[test]
fn nothing_that_the_repository_names_is_run() {
    let mut case = Case::new();
    write(case.root(), "a.x", "one\n");
    case.begins_here();
    let script = |name: &str| case.world.marking_script(name).to_str().unwrap().to_owned();
    for (key, name) in [
        ("core.fsmonitor", "fsmonitor"),
        ("filter.f.clean", "clean"),
        ("filter.f.smudge", "smudge"),
        ("diff.d.textconv", "textconv"),
        ("diff.d.command", "command"),
        ("diff.external", "external"),
    ] {
        git(&case.repo, &["config", key, &script(name)]);
    }
    let hooks = case.world.path("hooks");
    fs::create_dir(&hooks).unwrap();
    fs::copy(script("hook"), hooks.join("post-index-change")).unwrap();
    git(
        &case.repo,
        &["config", "core.hooksPath", hooks.to_str().unwrap()],
    );
    write(case.root(), ".gitattributes", "*.x filter=f diff=d\n");
    write(case.root(), "a.x", "two\n");
    let (files, _) = case.changes();
    assert_eq!(files.len(), 2);
    for name in [
        "fsmonitor",
        "clean",
        "smudge",
        "textconv",
        "command",
        "external",
        "hook",
    ] {
        assert!(!case.world.mark(name).exists(), "{name} was run");
    }
}

#[test]
fn ten_thousand_files_come_one_by_one() {
    let case = Case::new();
    for number in 0..10_000 {
        let text = format!("file {number}\n").repeat(60);
        write(case.root(), &format!("d{}/f{number}", number / 100), text);
    }
    let (mut count, mut last) = (0, Vec::new());
    let stats = changes(case.of(None), &mut |file| {
        assert!(file.path > last && !file.diff.is_empty());
        (count, last) = (count + 1, file.path);
        Ok(())
    });
    assert_eq!((count, stats.unwrap().total.insertions), (10_000, 600_000));
    // An error of the receiver ends git.
    let mut told = 0;
    let stopped = changes(case.of(None), &mut |_| {
        told += 1;
        if told < 5 {
            Ok(())
        } else {
            Err(GitError::Cancelled)
        }
    });
    assert!(matches!(stopped, Err(GitError::Cancelled)) && told == 5);
}

#[test]
fn what_no_commit_has_is_told() {
    let case = Case::new();
    let uncommitted = || changes(case.of(None), &mut |_| Ok(())).unwrap().uncommitted;
    assert!(!uncommitted());
    write(case.root(), "new", "1\n");
    assert!(uncommitted(), "untracked");
    git(case.root(), &["add", "new"]);
    assert!(uncommitted(), "staged");
    git(case.root(), &["commit", "-q", "-m", "new"]);
    assert!(!uncommitted(), "changed since the base, and committed");
    write(case.root(), "new", "2\n");
    assert!(uncommitted(), "changed again");
}

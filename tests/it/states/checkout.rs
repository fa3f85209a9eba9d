//! One repository of a run with the run's worktree, as plain git and the file system see them.

use super::git_of_test::{commit_at, commit_of, git, shell, try_git};
use crate::support::{World, text};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::FileTypeExt,
    },
    path::{Path, PathBuf},
};

/// What belongs to an operation of git's that waits.
const UNDER_WAY: [&str; 7] = [
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "BISECT_START",
    "rebase-merge",
    "rebase-apply",
    "sequencer",
];

/// All that an operation that is refused must leave alone.
#[derive(Debug, PartialEq)]
pub struct Snapshot {
    refs: String,
    head: String,
    index: String,
    under_way: Vec<&'static str>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Snapshot {
    /// Whether HEAD and all branches are as they were.
    pub fn is_at(&self, other: &Self) -> bool {
        self.head == other.head && self.refs == other.refs
    }

    /// Whether HEAD is on this branch, and nothing waits.
    pub fn is_on(&self, branch: &str) -> bool {
        self.head.trim() == format!("ref: refs/heads/{branch}") && self.under_way.is_empty()
    }
}

/// Totals as `diff-stats` has them.
pub type Totals = (u64, u64, u64);

pub fn totals(value: &Value) -> Totals {
    let number = |name: &str| value[name].as_u64().unwrap();
    (
        number("files_changed"),
        number("insertions"),
        number("deletions"),
    )
}

pub struct Checkout {
    pub name: String,
    pub repo: PathBuf,
    pub remote: PathBuf,
    pub base: String,
    pub worktree: PathBuf,
    pub admin: PathBuf,
    /// Branches of the user.
    users: Vec<(String, String)>,
    /// Contents that stood there when an operation could have dropped them, by either id.
    stood: Vec<(PathBuf, Vec<String>)>,
}

impl Checkout {
    /// A repository with branches that do not agree, and an empty remote.
    pub fn make(world: &World, name: &str, attributes: &str) -> Self {
        let (repo, remote) = (world.path(name), world.path(&format!("{name}-remote")));
        fs::create_dir_all(repo.join("dir")).unwrap();
        for (path, contents) in [
            ("a.txt", "one\ntwo\nthree\n"),
            ("b.txt", "$Id$\nb\n"),
            ("dir/c.txt", "c\n"),
            (".gitignore", "*.ignored\nbuild/*\n!build/keep\n.agents/\n"),
            (".gitattributes", attributes),
        ] {
            fs::write(repo.join(path), contents).unwrap();
        }
        let remote_path = remote.to_str().unwrap();
        git(&repo, &["init", "-q", "--bare", remote_path]);
        // What attributes say comes last: a filter that does not run would stop the set-up.
        let begin = "git init -q -b main; git add -A; git commit -qm begin; \
                     git switch -q -c develop; echo dev > dev.txt; git add -A; git commit -qm dev; \
                     git switch -q -c other main; echo theirs > a.txt; git commit -qam theirs; \
                     git switch -q main; git remote add origin";
        shell(&repo, &format!("{begin} '{remote_path}'"));
        Self {
            name: name.to_owned(),
            base: git(&repo, &["rev-parse", "main"]),
            repo,
            remote,
            worktree: PathBuf::new(),
            admin: PathBuf::new(),
            users: Vec::new(),
            stood: Vec::new(),
        }
    }

    /// The run has begun.
    pub fn begun(&mut self, view: &Value) {
        let repos = view["repos"].as_array().unwrap();
        let own = repos.iter().find(|repo| repo["name"] == self.name.as_str());
        self.worktree = PathBuf::from(text(own.unwrap(), "worktree"));
        let admin = git(&self.worktree, &["rev-parse", "--absolute-git-dir"]);
        self.admin = admin.into();
    }

    /// The agent is done.
    pub fn note_branches(&mut self) {
        let users = ["main", "develop", "other"];
        let tip = |name: &str| (name.to_owned(), git(&self.repo, &["rev-parse", name]));
        self.users = users.map(tip).to_vec();
    }

    /// A branch of the user that was moved.
    pub fn moved_branch(&self) -> Option<String> {
        self.users.iter().find_map(|(name, tip)| {
            let now = commit_at(&self.repo, &format!("refs/heads/{name}"));
            let moved = now.as_ref() != Some(tip);
            moved.then(|| format!("the user's branch {name} was moved from {tip} to {now:?}"))
        })
    }

    pub fn snapshot(&self) -> Snapshot {
        let there = |name: &&str| self.admin.join(name).exists();
        Snapshot {
            refs: git(&self.repo, &["for-each-ref", "refs/heads", "refs/tags"]),
            head: fs::read_to_string(self.admin.join("HEAD")).unwrap(),
            index: git(&self.worktree, &["ls-files", "-s", "-v"]),
            under_way: UNDER_WAY.into_iter().filter(there).collect(),
            files: files(&self.worktree, false),
        }
    }

    /// Paths that git would keep.
    fn listed(&self) -> BTreeSet<PathBuf> {
        let listed = [
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ];
        let listed = try_git(&self.worktree, &listed, None).stdout;
        let paths = listed.split(|byte| *byte == 0);
        paths
            .map(|path| PathBuf::from(OsString::from_vec(path.to_vec())))
            .collect()
    }

    /// Takes down what git would keep of the worktree.
    pub fn remember(&mut self, snapshot: &Snapshot) {
        let listed = self.listed();
        let there = snapshot.files.iter();
        let there: Vec<_> = there.filter(|(path, _)| listed.contains(*path)).collect();
        for (path, contents) in there {
            if contents.as_slice() != STRANGE {
                let ids = ids(&self.worktree.join(path), contents);
                self.stood.push((path.clone(), ids));
            }
        }
    }

    /// Takes down what stands in repositories and worktrees inside of it.
    pub fn remember_nested(&mut self) {
        let outer = files(&self.worktree, false);
        for (path, contents) in files(&self.worktree, true) {
            if !outer.contains_key(&path) {
                let ids = ids(&self.worktree.join(&path), &contents);
                self.stood.push((path, ids));
            }
        }
    }

    /// Something that has no contents to keep, where git does not ignore it.
    pub fn is_strange(&self) -> bool {
        let all = files(&self.worktree, false).into_iter();
        let mut strange = all.filter(|(_, contents)| contents.as_slice() == STRANGE);
        strange.any(|(path, _)| {
            let path = path.to_str().unwrap();
            !try_git(&self.worktree, &["check-ignore", "-q", path], None)
                .status
                .success()
        })
    }

    /// What is within reach of no ref: of all that stood there, and of these commits.
    pub fn lost(&self, commits: &[Option<String>]) -> Option<String> {
        let listed = git(&self.repo, &["rev-list", "--objects", "--all"]);
        let reached: BTreeSet<&str> = listed.lines().map(|line| &line[..40]).collect();
        for (path, ids) in &self.stood {
            if !ids.iter().any(|id| reached.contains(id.as_str())) {
                return Some(format!("contents of {} are lost", path.display()));
            }
        }
        let mut commits = commits.iter().flatten();
        let lost = commits.find(|commit| !reached.contains(commit.as_str()));
        lost.map(|commit| format!("the commit {commit} is lost"))
    }

    /// The worktree, staged by plain git in an index of its own: its tree, when git can.
    pub fn staged(&self) -> Option<(PathBuf, String)> {
        let index = self.admin.join("index-of-the-test");
        drop(fs::remove_file(&index));
        if self.admin.join("index").exists() {
            fs::copy(self.admin.join("index"), &index).unwrap();
        }
        let git = |args: &[&str]| commit_of(&try_git(&self.worktree, args, Some(&index)));
        git(&["add", "-A", "--sparse"])?;
        let tree = git(&["write-tree"])?;
        Some((index, tree))
    }

    /// The totals of its changes, when git can tell them.
    pub fn expected(&self) -> Option<Totals> {
        let (index, _) = self.staged()?;
        let base = match commit_at(&self.worktree, "HEAD") {
            Some(_) => commit_of(&try_git(
                &self.worktree,
                &["merge-base", "HEAD", "main"],
                None,
            )),
            None => None,
        };
        let base = base.unwrap_or_else(|| self.base.clone());
        let diff = [
            "diff",
            "--cached",
            "-M",
            "--numstat",
            "--no-ext-diff",
            &base,
        ];
        let output = try_git(&self.worktree, &diff, Some(&index));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut sum = (0, 0, 0);
        for line in said.lines() {
            let mut words = line.split('\t').map(|word| word.parse().unwrap_or(0));
            sum.0 += 1;
            sum.1 += words.next().unwrap_or(0);
            sum.2 += words.next().unwrap_or(0);
        }
        Some(sum)
    }
}

/// The ids of contents as they lie there, and as git would store them.
fn ids(path: &Path, contents: &[u8]) -> Vec<String> {
    let plain = git2::Oid::hash_object(git2::ObjectType::Blob, contents).unwrap();
    let mut ids = vec![plain.to_string()];
    if !path.is_symlink() {
        let arguments = [
            "hash-object".as_ref(),
            "--".as_ref(),
            path.file_name().unwrap(),
        ];
        ids.extend(commit_of(&try_git(
            path.parent().unwrap(),
            &arguments,
            None,
        )));
    }
    ids
}

/// Stands for the contents of a pipe or socket.
const STRANGE: &[u8] = b"\0strange";

/// All files and links below a folder, those of repositories inside it on demand.
fn files(root: &Path, nested: bool) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap().flatten() {
            let (path, kind) = (item.path(), item.file_type().unwrap());
            if item.file_name() == ".git" {
                continue;
            }
            let contents = if kind.is_dir() {
                if nested || !path.join(".git").exists() {
                    folders.push(path);
                }
                continue;
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                target.as_os_str().as_bytes().to_vec()
            } else if kind.is_fifo() || kind.is_socket() {
                STRANGE.to_vec()
            } else {
                fs::read(&path).unwrap()
            };
            found.insert(path.strip_prefix(root).unwrap().to_owned(), contents);
        }
    }
    found
}

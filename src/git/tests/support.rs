//! A small world: a home, a data folder and repositories, with a git that sees nothing else.

use crate::{
    domain::{
        RepoId, RunId,
        run::event::{CheckpointAt, WorktreeAt},
    },
    git::{GitError, Wish, WorktreeSpec, add_all, checkpoint, checkpoint_always},
};
use std::{
    cell::RefCell,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use uuid::Uuid;

thread_local! {
    /// The home of the test on this thread. A test is one thread, and `git` is started from it,
    /// so that tests side by side do not share one (the process environment would be shared).
    static HOME: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
    /// What happens right before the next branch moves or is deleted on this thread.
    static AT_NEXT_REF: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// Called by the room right before it moves or deletes a branch.
pub(in crate::git) fn before_ref() {
    if let Some(work) = AT_NEXT_REF.take() {
        work();
    }
}

/// Does `work` right before the next branch moves or is deleted on this thread.
pub(super) fn at_next_ref(work: impl FnOnce() + 'static) {
    AT_NEXT_REF.set(Some(Box::new(work)));
}

/// What every `git` that the room starts sees in addition, under test.
pub(in crate::git) fn hermetic_environment() -> Vec<(&'static str, PathBuf)> {
    let home = HOME
        .with_borrow(Clone::clone)
        .unwrap_or_else(|| PathBuf::from("/nonexistent"));
    vec![
        ("XDG_CONFIG_HOME", home.join(".config")),
        ("HOME", home),
        (
            "GIT_CONFIG_SYSTEM",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gitconfig"),
        ),
    ]
}

pub(super) const RUN: RunId = RunId(Uuid::from_u128(0xa1b2_c3d4));
pub(super) const BRANCH: &str = "abbado/run-a1b2c3d4";

pub(super) struct World {
    pub root: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let root = TempDir::new().unwrap();
        let world = Self { root };
        for folder in ["home", "data", "repos"] {
            fs::create_dir(world.path(folder)).unwrap();
        }
        HOME.set(Some(world.path("home")));
        world
    }

    /// A path below the world, links resolved.
    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(below)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A repository with one commit: `a.txt`, `dir/b.txt`, and `.gitignore` of `*.ignored`.
    pub(super) fn repo(&self, name: &str) -> PathBuf {
        let repo = self.path("repos").join(name);
        fs::create_dir_all(repo.join("dir")).unwrap();
        git(&repo, &["init", "-q", "-b", "main"]);
        fs::write(repo.join("a.txt"), "one\n").unwrap();
        fs::write(repo.join("dir/b.txt"), "two\n").unwrap();
        fs::write(repo.join(".gitignore"), "*.ignored\n").unwrap();
        commit_all(&repo, "first");
        repo
    }

    pub(super) fn spec(&self, repo: &Path) -> WorktreeSpec {
        let name = repo.file_name().unwrap().to_str().unwrap().to_owned();
        WorktreeSpec {
            run_id: RunId(Uuid::from_u128(8)),
            repo_id: RepoId(Uuid::from_u128(7)),
            path: self.data().join("runs/1/worktrees").join(&name),
            spare: None,
            name,
            repo_path: repo.to_owned(),
            branch: BRANCH.to_owned(),
            base_commit: git(repo, &["rev-parse", "HEAD"]).trim().to_owned(),
        }
    }

    /// A repository and a worktree of it.
    pub(super) fn worktree(&self) -> (PathBuf, WorktreeAt) {
        let repo = self.repo("api");
        let made = add_all(&[self.spec(&repo)], &|| false).unwrap();
        (repo, made.into_iter().next().unwrap())
    }

    /// A script that leaves a mark when it runs, and passes its input on.
    pub(super) fn marking_script(&self, name: &str) -> PathBuf {
        let script = self.path(&format!("home/{name}"));
        let mark = self.mark(name);
        fs::write(
            &script,
            format!("#!/bin/sh\necho ran >> '{}'\ncat\n", mark.display()),
        )
        .unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        script
    }

    pub(super) fn mark(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.mark"))
    }
}

/// Where a run of this repository has its worktree.
pub(super) fn at(world: &World, repo: &Path) -> WorktreeAt {
    let spec = world.spec(repo);
    WorktreeAt {
        repo_id: spec.repo_id,
        name: spec.name,
        worktree: spec.path,
        branch: spec.branch,
    }
}

/// Runs a git of the user's, and returns its output.
#[track_caller]
pub(super) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=T", "-c", "user.email=t@localhost"])
        .args(arguments)
        .envs(hermetic_environment())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "git {arguments:?} in {folder:?}\n{out}\n{err}"
    );
    out.into_owned()
}

pub(super) fn commit_all(folder: &Path, message: &str) -> String {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", message]);
    git(folder, &["rev-parse", "HEAD"]).trim().to_owned()
}

pub(super) fn write(folder: &Path, path: &str, contents: impl AsRef<[u8]>) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

pub(super) fn refs(repo: &Path) -> Vec<String> {
    git(repo, &["for-each-ref", "--format=%(refname)"])
        .lines()
        .map(str::to_owned)
        .collect()
}

pub(super) fn records(repo: &Path) -> usize {
    fs::read_dir(repo.join(".git/worktrees")).map_or(0, Iterator::count)
}

/// A checkpoint of a run that began with what is HEAD there now.
pub(in crate::git) fn take(
    at: &WorktreeAt,
    repo_path: &Path,
    run_id: RunId,
    number: u32,
    reason: &str,
    previous_tree: Option<&str>,
) -> Result<Option<CheckpointAt>, GitError> {
    let previous = previous_tree.map(|tree| CheckpointAt {
        repo_id: at.repo_id,
        repo_name: at.name.clone(),
        commit: String::new(),
        tree: tree.to_owned(),
        exact: None,
        left_out: Vec::new(),
    });
    let base_commit = head(at);
    let wish = Wish {
        at,
        repo_path,
        run_id,
        number,
        reason,
        base_commit: &base_commit,
        previous: previous.as_ref(),
    };
    checkpoint(wish)
}

/// The same, also when nothing changed.
pub(in crate::git) fn take_always(
    at: &WorktreeAt,
    repo_path: &Path,
    run_id: RunId,
    number: u32,
    reason: &str,
) -> Result<CheckpointAt, GitError> {
    let base_commit = head(at);
    checkpoint_always(Wish {
        at,
        repo_path,
        run_id,
        number,
        reason,
        base_commit: &base_commit,
        previous: None,
    })
}

/// Read with no git that a trap could have: some tests look whether anything runs.
fn head(at: &WorktreeAt) -> String {
    let found = git2::Repository::open(&at.worktree);
    let head = found.and_then(|repository| repository.head()?.peel_to_commit().map(|it| it.id()));
    head.map_or_else(|_| "0".repeat(40), |id| id.to_string())
}

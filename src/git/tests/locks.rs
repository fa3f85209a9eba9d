//! Git's locks: which are removed, and which are left alone.

use super::support::{BRANCH, RUN, World, git, refs, write};
use crate::{
    domain::run::event::WorktreeAt,
    git::{GitError, commit, delete_branch, remove, rename_branch, revert, take_always},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A process that is ended with its owner.
struct Living(Child);

impl Living {
    /// Nothing of the command is kept here, such as a file that it was given.
    fn new(mut command: Command) -> Self {
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }

    /// A git that waits for its input.
    fn git(folder: &Path) -> Command {
        let mut git = Command::new("git");
        git.args(["hash-object", "--stdin"]).current_dir(folder);
        git.stdin(Stdio::piped());
        git
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

struct Case {
    world: World,
    repo: PathBuf,
    at: WorktreeAt,
    admin: PathBuf,
}

impl Case {
    /// A worktree with something to commit.
    fn new() -> Self {
        let world = World::new();
        let (repo, at) = world.worktree();
        write(&at.worktree, "new", "work");
        let admin = repo.join(".git/worktrees/api");
        Self {
            world,
            repo,
            at,
            admin,
        }
    }

    fn commit(&self) -> Result<(), GitError> {
        commit(&self.at, &self.repo, "all").map(drop)
    }

    /// The commit is refused because of the lock, and works without its owner.
    fn is_held_by(&self, lock: &Path, owner: Command) {
        let owner = Living::new(owner);
        let refused = self.commit().unwrap_err();
        let GitError::Locked { lock: named, .. } = &refused else {
            panic!("{refused}");
        };
        assert_eq!(named, lock);
        assert!(lock.exists());
        drop(owner);
        self.commit().unwrap();
        assert!(!lock.exists());
    }
}

/// A lock of this age.
fn lock(path: &Path, age: Duration) -> File {
    let file = File::create(path).unwrap();
    let now = file.metadata().unwrap().modified().unwrap();
    file.set_modified(now - age).unwrap();
    file
}

const OLD: Duration = Duration::from_secs(60);

#[test]
fn whoever_has_a_lock_open_holds_it_whatever_its_name() {
    let case = Case::new();
    let path = case.admin.join("index.lock");
    let open = lock(&path, OLD);
    let mut owner = Command::new("sleep");
    owner.arg("1000").current_dir("/").stdin(open);
    case.is_held_by(&path, owner);
}

#[test]
fn a_git_holds_what_it_was_sent_to_from_elsewhere() {
    let case = Case::new();
    let path = case.admin.join("index.lock");
    drop(lock(&path, OLD));
    let mut owner = Living::git(&case.world.path("home"));
    owner.env("GIT_DIR", &case.admin);
    case.is_held_by(&path, owner);
}

#[test]
fn a_git_in_the_users_checkout_holds_branches_and_no_index_of_a_worktree() {
    let case = Case::new();
    let reader = Living::new(Living::git(&case.repo));
    let path = case.admin.join("index.lock");
    drop(lock(&path, OLD));
    case.commit().unwrap();
    assert!(!path.exists());
    drop(reader);
    write(&case.at.worktree, "more", "work");
    let path = case.repo.join(format!(".git/refs/heads/{BRANCH}.lock"));
    drop(lock(&path, OLD));
    case.is_held_by(&path, Living::git(&case.repo));
}

#[test]
fn a_lock_that_is_young_is_never_removed() {
    let case = Case::new();
    let path = case.admin.join("index.lock");
    let file = lock(&path, Duration::ZERO);
    // Its time is from before the clock was set back.
    let now = file.metadata().unwrap().modified().unwrap();
    file.set_modified(now + Duration::from_secs(3600)).unwrap();
    drop(file);
    assert!(matches!(case.commit(), Err(GitError::Locked { .. })));
    assert!(path.exists());
}

#[test]
fn locks_that_a_run_does_not_need_are_left_and_named_by_what_needs_them() {
    let case = Case::new();
    let Case {
        world, repo, at, ..
    } = &case;
    let locks = ["packed-refs", "shallow", "config", "index"];
    let locks = locks.map(|name| repo.join(format!(".git/{name}.lock")));
    let of_refs = &locks[0];
    git(repo, &["pack-refs", "--all"]);
    let base = git(repo, &["rev-parse", "HEAD"]).trim().to_owned();
    for path in &locks {
        drop(lock(path, OLD));
    }
    case.commit().unwrap();
    let kept = take_always(at, repo, RUN, 1, "revert").unwrap();
    drop(revert(at, repo, &base, &kept).unwrap());
    let named = |refused: GitError| {
        let said = refused.to_string();
        assert!(said.contains("packed-refs.lock"), "{said}");
        assert_eq!(refused.kind(), crate::git::ErrorKind::Conflict, "{said}");
    };
    named(rename_branch(repo, BRANCH, "other").unwrap_err());
    assert!(remove(at, repo, &world.data()).unwrap());
    named(delete_branch(repo, BRANCH).unwrap_err());
    assert!(locks.iter().all(|path| path.exists()));
    fs::remove_file(of_refs).unwrap();
    assert!(delete_branch(repo, BRANCH).unwrap());
    for path in &locks[1..] {
        assert!(path.exists(), "{}", path.display());
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_rename_that_a_locked_configuration_stops_is_not_half_done() {
    let case = Case::new();
    let path = case.repo.join(".git/config.lock");
    drop(lock(&path, OLD));
    let refused = rename_branch(&case.repo, BRANCH, "other").unwrap_err();
    assert!(matches!(refused, GitError::Refused { .. }), "{refused}");
    assert!(!refs(&case.repo).contains(&"refs/heads/other".to_owned()));
    case.commit().unwrap();
    fs::remove_file(path).unwrap();
    rename_branch(&case.repo, BRANCH, "other").unwrap();
}

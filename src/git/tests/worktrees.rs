use super::support::{BRANCH, World, commit_all, git, records, refs, write};
use crate::git::{
    GitError, RepoLocks, WorktreeSpec, add_all, delete_branch, is_in_place, records::find, remove,
    repair_worktree, unlock_branch,
};
use std::{cell::Cell, fs, os::unix::fs::symlink, time::Duration};

const GO_ON: &dyn Fn() -> bool = &|| false;

#[test]
fn one_worktree_is_made_on_its_branch() {
    let world = World::new();
    let (repo, at) = world.worktree();
    assert_eq!(at.branch, BRANCH);
    assert_eq!(
        git(&at.worktree, &["branch", "--show-current"]).trim(),
        BRANCH
    );
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "");
    assert_eq!(
        fs::read_to_string(at.worktree.join("dir/b.txt")).unwrap(),
        "two\n"
    );
    assert_eq!(git(&repo, &["status", "--porcelain"]), "");
}

#[test]
fn three_worktrees_are_made_and_removed() {
    let world = World::new();
    let repos = ["api", "web", "docs"].map(|name| world.repo(name));
    let specs = repos.each_ref().map(|repo| world.spec(repo));
    let made = add_all(&specs, GO_ON).unwrap();
    assert_eq!(made.len(), 3);
    for (at, repo) in made.iter().zip(&repos) {
        assert!(at.worktree.join("a.txt").is_file());
        assert!(remove(at, repo, &world.data()).unwrap());
        assert!(!at.worktree.exists());
        assert_eq!(records(repo), 0);
        assert!(delete_branch(repo, BRANCH).unwrap());
        assert!(
            !delete_branch(repo, BRANCH).unwrap(),
            "there is none any more"
        );
    }
}

#[test]
fn all_or_none() {
    let world = World::new();
    let repos = ["api", "web", "docs"].map(|name| world.repo(name));
    let mut specs = repos.each_ref().map(|repo| world.spec(repo));
    specs[2].base_commit = "1".repeat(40);
    let outcome = add_all(&specs, GO_ON);
    assert!(
        matches!(&outcome, Err(GitError::UnknownRevision { repo, .. }) if *repo == repos[2]),
        "{outcome:?}"
    );
    for (spec, repo) in specs.iter().zip(&repos) {
        assert!(!spec.path.exists());
        assert_eq!(
            (records(repo), refs(repo)),
            (0, vec!["refs/heads/main".to_owned()])
        );
    }
}

#[test]
fn a_cancelled_attempt_leaves_nothing() {
    let world = World::new();
    let repos = ["api", "web"].map(|name| world.repo(name));
    let specs = repos.each_ref().map(|repo| world.spec(repo));
    for asked_before in [0, 1, 2, 3] {
        let asked = Cell::new(0);
        let cancelled = || asked.replace(asked.get() + 1) >= asked_before;
        let outcome = add_all(&specs, &cancelled);
        assert!(
            matches!(outcome, Err(GitError::Cancelled)),
            "{asked_before}: {outcome:?}"
        );
        for (spec, repo) in specs.iter().zip(&repos) {
            assert!(!spec.path.exists());
            assert_eq!(
                (records(repo), refs(repo)),
                (0, vec!["refs/heads/main".to_owned()])
            );
        }
    }
}

#[test]
fn an_attempt_that_is_cancelled_at_any_moment_is_in_nobodys_way() {
    let world = World::new();
    let repo = world.repo("api");
    let specs = [world.spec(&repo)];
    for quarters in 0..60 {
        let asked = Cell::new(0);
        let cancelled = || {
            let before = asked.replace(asked.get() + 1);
            if before == 1 {
                // The checkout was started just now.
                std::thread::park_timeout(Duration::from_micros(250) * quarters);
            }
            before == 1
        };
        let outcome = add_all(&specs, &cancelled);
        assert!(
            matches!(outcome, Err(GitError::Cancelled)),
            "{quarters}: {outcome:?}"
        );
        assert_eq!((records(&repo), refs(&repo).len()), (0, 1));
    }
    add_all(&specs, GO_ON).unwrap();
}

#[test]
fn a_branch_in_the_way_is_named() {
    let world = World::new();
    let repo = world.repo("api");
    git(&repo, &["branch", "abbado"]);
    let outcome = add_all(&[world.spec(&repo)], GO_ON);
    assert!(
        matches!(&outcome, Err(GitError::BranchInTheWay { branch, .. }) if branch == "abbado"),
        "{outcome:?}"
    );
}

#[test]
fn a_branch_checked_out_elsewhere_is_taken_and_stays() {
    let world = World::new();
    let repo = world.repo("api");
    git(&repo, &["checkout", "-q", "-b", BRANCH]);
    let outcome = add_all(&[world.spec(&repo)], GO_ON);
    assert!(
        matches!(outcome, Err(GitError::BranchTaken { .. })),
        "{outcome:?}"
    );
    assert!(refs(&repo).contains(&format!("refs/heads/{BRANCH}")));
    assert!(!delete_branch(&repo, BRANCH).unwrap());
}

#[test]
fn a_half_made_attempt_is_redone() {
    let world = World::new();
    let (repo, at) = world.worktree();
    // As after a kill in the middle of the check-out, with something of a set-up script.
    fs::remove_file(at.worktree.join("a.txt")).unwrap();
    write(&at.worktree, "node_modules/x", "half");
    write(&repo, ".git/worktrees/api/index.lock", "");
    let again = add_all(&[world.spec(&repo)], GO_ON).unwrap();
    assert_eq!(again, std::slice::from_ref(&at));
    assert_eq!(
        git(&at.worktree, &["status", "--porcelain", "--ignored"]),
        ""
    );
    assert_eq!(records(&repo), 1);
}

#[test]
fn a_lock_that_a_killed_git_left_on_the_branch_is_removed() {
    let world = World::new();
    let repo = world.repo("api");
    git(&repo, &["branch", BRANCH]);
    let lock = format!(".git/refs/heads/{BRANCH}.lock");
    write(&repo, &lock, "");
    let locked = add_all(&[world.spec(&repo)], GO_ON);
    assert!(
        matches!(&locked, Err(GitError::Failed { stderr, .. }) if stderr.contains(".lock")),
        "{locked:?}: else this test shows nothing"
    );
    unlock_branch(&repo, BRANCH, &RepoLocks::default()).unwrap();
    add_all(&[world.spec(&repo)], GO_ON).unwrap();
    unlock_branch(&repo, BRANCH, &RepoLocks::default()).unwrap();
    let hostile = unlock_branch(&repo, "../../x", &RepoLocks::default());
    assert!(
        matches!(hostile, Err(GitError::InvalidName { .. })),
        "{hostile:?}"
    );
}

#[test]
fn a_branch_alone_from_an_earlier_attempt_is_used() {
    let world = World::new();
    let repo = world.repo("api");
    git(&repo, &["branch", BRANCH]);
    let made = add_all(&[world.spec(&repo)], GO_ON).unwrap();
    assert_eq!(git(&made[0].worktree, &["status", "--porcelain"]), "");
}

#[test]
fn a_run_goes_on_on_its_branch_after_the_folder_went() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "new.txt", "work");
    let tip = commit_all(&at.worktree, "work");
    fs::remove_dir_all(&at.worktree).unwrap();
    let spec = WorktreeSpec {
        base_commit: git(&repo, &["rev-parse", "main"]).trim().into(),
        ..world.spec(&repo)
    };
    add_all(std::slice::from_ref(&spec), GO_ON).unwrap();
    assert_eq!(git(&at.worktree, &["rev-parse", "HEAD"]).trim(), tip);
    assert!(at.worktree.join("new.txt").is_file());
    // And a failure beside it does not take the branch away.
    remove(&at, &repo, &world.data()).unwrap();
    let other = WorktreeSpec {
        base_commit: "1".repeat(40),
        ..world.spec(&world.repo("web"))
    };
    add_all(&[spec, other], GO_ON).unwrap_err();
    assert_eq!(git(&repo, &["rev-parse", BRANCH]).trim(), tip);
}

#[test]
fn a_foreign_folder_in_the_way_stays() {
    let world = World::new();
    let repo = world.repo("api");
    let spec = world.spec(&repo);
    write(&spec.path, "precious", "x");
    let outcome = add_all(std::slice::from_ref(&spec), GO_ON);
    assert!(
        matches!(outcome, Err(GitError::FolderInTheWay { .. })),
        "{outcome:?}"
    );
    assert!(spec.path.join("precious").exists());
}

#[test]
fn a_removal_leaves_alone_what_is_not_ours() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let data = world.data();
    // Outside the data folder.
    assert!(!remove(&at, &repo, &world.path("home")).unwrap());
    assert!(!remove(&at, &repo, &at.worktree).unwrap());
    // Of another repository.
    let web = world.repo("web");
    assert!(!remove(&at, &web, &data).unwrap());
    // A plain folder, and a copy of a worktree.
    let mut other = at.clone();
    other.worktree = data.join("plain");
    write(&other.worktree, "x", "x");
    assert!(!remove(&other, &repo, &data).unwrap());
    fs::copy(at.worktree.join(".git"), other.worktree.join(".git")).unwrap();
    assert!(!remove(&other, &repo, &data).unwrap());
    assert!(other.worktree.join("x").exists());
    // Replaced by a link, also further up.
    fs::rename(&at.worktree, world.path("home/moved")).unwrap();
    symlink(world.path("home/moved"), &at.worktree).unwrap();
    assert!(!remove(&at, &repo, &data).unwrap());
    fs::remove_file(&at.worktree).unwrap();
    let folder = at.worktree.parent().unwrap();
    fs::remove_dir(folder).unwrap();
    fs::rename(world.path("home/moved"), world.path("home/api")).unwrap();
    symlink(world.path("home"), folder).unwrap();
    assert!(!remove(&at, &repo, &data).unwrap());
    assert!(world.path("home/api/a.txt").exists());
    assert_eq!(records(&repo), 1);
}

#[test]
fn a_worktree_without_its_dot_git_stays() {
    let world = World::new();
    let (repo, at) = world.worktree();
    fs::remove_file(at.worktree.join(".git")).unwrap();
    assert!(!remove(&at, &repo, &world.data()).unwrap());
    assert!(at.worktree.join("a.txt").exists());
}

#[test]
fn a_folder_that_went_loses_its_record_and_no_other() {
    let world = World::new();
    let (repo, at) = world.worktree();
    git(&repo, &["worktree", "add", "-q", "../gone"]);
    fs::remove_dir_all(world.path("repos/gone")).unwrap();
    fs::remove_dir_all(&at.worktree).unwrap();
    assert!(remove(&at, &repo, &world.data()).unwrap());
    assert_eq!(records(&repo), 1, "the user's own stale record is theirs");
    assert!(remove(&at, &repo, &world.data()).unwrap(), "gone is gone");
}

#[test]
fn a_pruned_locked_or_dirty_worktree_is_removed() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "dirty", "x");
    git(&repo, &["worktree", "lock", at.worktree.to_str().unwrap()]);
    assert!(remove(&at, &repo, &world.data()).unwrap());
    add_all(&[world.spec(&repo)], GO_ON).unwrap();
    fs::remove_dir_all(repo.join(".git/worktrees/api")).unwrap();
    assert!(remove(&at, &repo, &world.data()).unwrap());
    assert!(!at.worktree.exists());
}

#[test]
fn a_worktree_that_names_anothers_record_is_found_by_its_own() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let other = world.path("other");
    let other = other.to_str().unwrap();
    git(&repo, &["worktree", "add", "-q", "--detach", other]);
    let common_dir = repo.join(".git").canonicalize().unwrap();
    let record = || find(&common_dir, &at.worktree).unwrap().unwrap().admin;
    let own = record();
    let dot_git = at.worktree.join(".git");
    let theirs = common_dir.join("worktrees/other");
    fs::write(&dot_git, format!("gitdir: {}\n", theirs.display())).unwrap();
    assert_eq!(record(), own);
    // A record is a folder of this repository, whatever a link there leads to.
    let linked = common_dir.join("worktrees/linked");
    symlink(&own, &linked).unwrap();
    fs::write(&dot_git, format!("gitdir: {}\n", linked.display())).unwrap();
    assert_eq!(record(), own);
    // Nobody writes into a pipe that an agent left there.
    fs::remove_file(&dot_git).unwrap();
    nix::unistd::mkfifo(&dot_git, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(record(), own);
}

#[test]
fn only_the_folder_that_the_record_names_is_in_place() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let folder = &at.worktree;
    assert!(is_in_place(&at, &repo));
    fs::rename(folder.join(".git"), world.path("git-file")).unwrap();
    assert!(is_in_place(&at, &repo), "the record alone says whose it is");
    git(folder, &["init", "-q"]);
    assert!(!is_in_place(&at, &repo), "another repository");
    fs::rename(folder, world.path("elsewhere")).unwrap();
    assert!(!is_in_place(&at, &repo), "nothing");
    symlink(world.path("elsewhere"), folder).unwrap();
    assert!(!is_in_place(&at, &repo), "a link");
    fs::remove_file(folder).unwrap();
    fs::write(folder, "x").unwrap();
    assert!(!is_in_place(&at, &repo), "a file");
    assert!(!remove(&at, &repo, &world.data()).unwrap());
    assert_eq!(fs::read_to_string(folder).unwrap(), "x");
    fs::rename(&repo, world.path("moved")).unwrap();
    assert!(!is_in_place(&at, &repo), "no repository");
}

#[test]
fn a_worktree_that_moved_is_repaired_and_a_copy_is_not() {
    let world = World::new();
    let (repo, mut at) = world.worktree();
    write(&at.worktree, "work", "x\n");
    let former = at.worktree.clone();
    let copy = world.path("copy");
    let mut copied = std::process::Command::new("cp");
    copied.arg("-r").args([&former, &copy]);
    assert!(copied.status().unwrap().success());
    assert!(!repair_worktree(&repo, &copy).unwrap());
    at.worktree = world.path("data/moved");
    fs::rename(&former, &at.worktree).unwrap();
    assert!(!is_in_place(&at, &repo));
    assert!(repair_worktree(&repo, &at.worktree).unwrap());
    assert!(is_in_place(&at, &repo));
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "?? work\n");
    let listed = git(&repo, &["worktree", "list", "--porcelain"]);
    assert!(listed.contains(at.worktree.to_str().unwrap()), "{listed}");
    assert!(!listed.contains("prunable"), "{listed}");
    // A repository that became bare still keeps what its runs did.
    git(&repo, &["config", "core.bare", "true"]);
    assert!(repair_worktree(&repo, &at.worktree).unwrap());
    assert!(crate::git::commit(&at, &repo, "m").unwrap().is_some());
    assert!(remove(&at, &repo, &world.data()).unwrap());
}

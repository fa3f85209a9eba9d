use super::support::{World, git, write};
use crate::git::{COPY_FILES_MAX, Copied, GitError, copy_files};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

fn globs(list: &[&str]) -> Vec<String> {
    list.iter().map(|glob| (*glob).to_owned()).collect()
}

#[test]
fn ignored_files_are_copied_by_glob() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&repo, ".git/info/exclude", ".env\nconf/\n");
    write(&repo, ".env.local", "not ignored");
    write(&repo, ".env", "S=1");
    write(&repo, "sub/.env", "S=2");
    write(&repo, "conf/deep/x.json", "{}");
    write(&repo, "other.txt", "untracked");
    symlink("/etc/hostname", repo.join("link.ignored")).unwrap();
    fs::set_permissions(repo.join(".env"), fs::Permissions::from_mode(0o600)).unwrap();
    let copied = copy_files(
        &repo,
        &at.worktree,
        &globs(&[".env*", "/conf/", "*.ignored"]),
    )
    .unwrap();
    assert_eq!(copied.files, 3);
    assert_eq!(copied.not_ignored, [Path::new(".env.local")]);
    assert!(!at.worktree.join(".env.local").exists());
    assert_eq!(fs::read_to_string(at.worktree.join(".env")).unwrap(), "S=1");
    let mode = fs::metadata(at.worktree.join(".env"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(at.worktree.join("conf/deep/x.json").is_file());
    assert_eq!(
        fs::read_link(at.worktree.join("link.ignored"))
            .unwrap()
            .to_str(),
        Some("/etc/hostname")
    );
    assert!(!at.worktree.join("sub").exists());
    assert!(!at.worktree.join("other.txt").exists());
    assert_eq!(
        copy_files(&repo, &at.worktree, &globs(&["**/.env"]))
            .unwrap()
            .files,
        1
    );
}

#[test]
fn what_the_worktree_does_not_ignore_is_not_copied() {
    let world = World::new();
    let (repo, at) = world.worktree();
    // The user has ignored it only since the run's branch was created.
    write(&repo, ".gitignore", "*.ignored\n/secrets/\n");
    write(&repo, "secrets/key", "S");
    write(&repo, "x.ignored", "ignored in both");
    let copied = copy_files(&repo, &at.worktree, &globs(&["secrets", "x.ignored"])).unwrap();
    assert_eq!(copied.files, 1);
    assert_eq!(copied.not_ignored, [Path::new("secrets/key")]);
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "");
}

#[test]
fn nothing_is_replaced_and_no_link_is_followed() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&repo, "x.ignored", "theirs");
    write(&at.worktree, "x.ignored", "ours");
    write(&repo, "out/y.ignored", "secret");
    symlink(world.path("home"), at.worktree.join("out")).unwrap();
    git(&repo, &["init", "-q", "nested"]);
    write(&repo, "nested/z.ignored", "z");
    let copied = copy_files(&repo, &at.worktree, &globs(&["**"])).unwrap();
    assert_eq!(copied, Copied::default());
    assert_eq!(
        fs::read_to_string(at.worktree.join("x.ignored")).unwrap(),
        "ours"
    );
    assert!(!world.path("home/y.ignored").exists());
}

#[test]
fn a_bad_glob_and_too_many_files_are_refused() {
    let world = World::new();
    let (repo, at) = world.worktree();
    for bad in ["a[", "", "/", "{a"] {
        let outcome = copy_files(&repo, &at.worktree, &globs(&[bad]));
        assert!(
            matches!(outcome, Err(GitError::InvalidName { .. })),
            "{bad}: {outcome:?}"
        );
    }
    fs::create_dir(repo.join("many")).unwrap();
    for number in 0..=COPY_FILES_MAX {
        fs::write(repo.join(format!("many/{number}.ignored")), "").unwrap();
    }
    let outcome = copy_files(&repo, &at.worktree, &globs(&["many"]));
    assert!(
        matches!(outcome, Err(GitError::TooMuch { .. })),
        "{outcome:?}"
    );
    assert!(!at.worktree.join("many").exists());
    let sparse = fs::File::create(repo.join("big.ignored")).unwrap();
    sparse.set_len(2 << 30).unwrap();
    let outcome = copy_files(&repo, &at.worktree, &globs(&["big.ignored"]));
    assert!(
        matches!(outcome, Err(GitError::TooMuch { .. })),
        "{outcome:?}"
    );
}

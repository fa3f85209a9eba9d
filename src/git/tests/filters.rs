//! Filters that a repository's own configuration defines: off, refused where they are needed, and
//! allowed by name.

use super::support::{World, at, commit_all, git, write};
use crate::git::{
    ChangesOf, GitError, add_all, changes, check_push, commit, diff_stats, fill_in_stored,
    filter_drivers, take_always, trusted::trust_in,
};
use std::{fs, path::Path, process::Command};

fn allow(repo: &Path, names: &[&str]) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let drivers = filter_drivers(repo, &names).unwrap();
    trust_in(&repo.join(".git").canonicalize().unwrap(), drivers);
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, GitError>, because: &str) {
    match outcome {
        Err(GitError::FilterOff { filter, path, why }) => {
            // Both are of that filter; the one that was not edited may look edited to git, which
            // compares what another filter makes of it.
            assert_eq!(filter, "crypt");
            assert!(["a.key", "b.key"].contains(&path.as_str()), "{path}");
            assert!(why.contains(because), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_whose_filter_is_off_is_neither_committed_nor_pushed_until_the_filter_is_allowed() {
    let world = World::new();
    let repo = world.repo("api");
    git(&repo, &["config", "filter.crypt.clean", "base64"]);
    git(&repo, &["config", "filter.crypt.smudge", "base64 -d"]);
    git(&repo, &["config", "filter.crypt.required", "true"]);
    write(&repo, ".gitattributes", "*.key filter=crypt\n");
    write(&repo, "a.key", "old secret\n");
    let base = commit_all(&repo, "crypt");
    let at = add_all(&[world.spec(&repo)], &|| false).unwrap().remove(0);
    let read = |name: &str| fs::read_to_string(at.worktree.join(name)).unwrap();
    assert_ne!(read("a.key"), "old secret\n", "nothing ran");
    // What needs no filter is committed.
    write(&at.worktree, "plain", "work\n");
    commit(&at, &repo, "plain").unwrap().unwrap();
    write(&at.worktree, "b.key", "new secret\n");
    refused(commit(&at, &repo, "m"), "not allowed to run");
    let tip = git(&at.worktree, &["rev-parse", "HEAD"]);
    assert!(git(&at.worktree, &["status", "--porcelain"]).contains("?? b.key\n"));
    let show = |path: &str| git(&repo, &["show", &format!("{}:{path}", at.branch)]);

    allow(&repo, &["crypt"]);
    // As some time later: the times of the file match the index, so it is not read.
    let earlier = std::time::UNIX_EPOCH + std::time::Duration::from_secs(60);
    let file = fs::File::options()
        .write(true)
        .open(at.worktree.join("a.key"));
    file.unwrap().set_modified(earlier).unwrap();
    let unfiltered = ["-c", "filter.crypt.clean=cat"];
    let refresh = ["update-index", "--refresh"];
    git(&at.worktree, &[&unfiltered[..], &refresh].concat());
    commit(&at, &repo, "m").unwrap().unwrap();
    assert_ne!(git(&at.worktree, &["rev-parse", "HEAD"]), tip);
    assert_eq!(show("b.key"), "bmV3IHNlY3JldAo=\n");
    // Checked out before the filter was allowed: the filter is not applied to it again.
    assert_eq!(show("a.key"), "b2xkIHNlY3JldAo=\n");
    assert_eq!(read("a.key"), "old secret\n");
    check_push(&repo, Some(&at), &at.branch, &base).unwrap();
    let kept = take_always(&at, &repo, super::support::RUN, 1, "stop").unwrap();
    assert_eq!(kept.exact, None);

    // Another command by that name was never allowed.
    git(&repo, &["config", "filter.crypt.clean", "cat"]);
    write(&at.worktree, "b.key", "newer secret\n");
    refused(commit(&at, &repo, "m"), "has changed");
    refused(
        check_push(&repo, Some(&at), &at.branch, &base),
        "has changed",
    );
    allow(&repo, &["crypt"]);
    commit(&at, &repo, "m").unwrap().unwrap();

    // A filter without a definition.
    allow(&repo, &[]);
    git(&repo, &["config", "--remove-section", "filter.crypt"]);
    write(&at.worktree, "b.key", "newest secret\n");
    refused(commit(&at, &repo, "m"), "not configured");
    allow(&repo, &["crypt"]);
    commit(&at, &repo, "m").unwrap().unwrap();
}

#[test]
fn files_from_before_their_filter_was_allowed_are_unchanged_until_they_are_checked_out_again() {
    let world = World::new();
    let repo = world.repo("api");
    git(&repo, &["config", "filter.crypt.clean", "base64"]);
    git(&repo, &["config", "filter.crypt.smudge", "base64 -d"]);
    write(&repo, ".gitattributes", "*.key filter=crypt\n");
    for name in ["a.key", "b.key", "c.key"] {
        write(&repo, name, format!("secret of {name}\n"));
    }
    let base = commit_all(&repo, "crypt");
    let at = add_all(&[world.spec(&repo)], &|| false).unwrap().remove(0);
    let read = |name: &str| fs::read_to_string(at.worktree.join(name)).unwrap();
    // Rewritten with the same bytes: git reads it again.
    let stored = read("a.key");
    fs::remove_file(at.worktree.join("a.key")).unwrap();
    write(&at.worktree, "a.key", &stored);
    write(&at.worktree, "c.key", "changed\n");

    allow(&repo, &["crypt"]);
    let of = ChangesOf {
        at: &at,
        repo_path: &repo,
        base_commit: &base,
        checkpoint: None,
    };
    let mut shown = Vec::new();
    let changed = changes(of, &mut |file| {
        let content = file.new_content.unwrap_or_default();
        shown.push(String::from_utf8([file.path, content].concat()).unwrap());
        Ok(())
    });
    assert!(changed.unwrap().uncommitted);
    assert_eq!(shown, ["c.keyY2hhbmdlZAo=\n"]);
    assert_eq!(diff_stats(of).unwrap().files_changed, 1);
    let kept = take_always(&at, &repo, super::support::RUN, 1, "stop").unwrap();
    let of_kept = git(&repo, &["show", &format!("{}:a.key", kept.commit)]);
    assert_eq!(of_kept, stored);

    fill_in_stored(&at, &repo).unwrap();
    assert_eq!(read("a.key"), "secret of a.key\n");
    assert_eq!(read("b.key"), "secret of b.key\n");
    assert_eq!(read("c.key"), "changed\n");
    assert_eq!(diff_stats(of).unwrap().files_changed, 1);
    // An older checkpoint has the older bytes.
    crate::git::restore(&at, &repo, &kept.commit).unwrap();
    assert_eq!(read("a.key"), stored);
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .envs(super::hermetic_environment())
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed (`make test` installs it): {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    output.stdout
}

#[test]
fn git_crypt_encrypts_what_is_committed_from_a_worktree() {
    let world = World::new();
    let repo = world.repo("api");
    run(&repo, "git-crypt", &["init"]);
    write(
        &repo,
        ".gitattributes",
        "*.key filter=git-crypt diff=git-crypt\n",
    );
    write(&repo, "a.key", "old secret\n");
    commit_all(&repo, "crypt");
    let spec = world.spec(&repo);
    allow(&repo, &["git-crypt"]);
    let at = add_all(&[spec], &|| false).unwrap().remove(0);
    assert_eq!(
        fs::read_to_string(at.worktree.join("a.key")).unwrap(),
        "old secret\n"
    );
    write(&at.worktree, "b.key", "new secret\n");
    let kept = take_always(&at, &repo, super::support::RUN, 1, "stop").unwrap();
    assert_eq!((kept.exact, kept.left_out), (None, vec![]));
    commit(&at, &repo, "m").unwrap().unwrap();
    let blob = run(&repo, "git", &["show", &format!("{}:b.key", at.branch)]);
    assert!(blob.starts_with(b"\0GITCRYPT\0"), "{blob:?}");
}

#[test]
fn git_lfs_of_the_repository_alone_stores_pointers_once_it_is_allowed() {
    let world = World::new();
    let repo = world.repo("api");
    run(&repo, "git", &["lfs", "install", "--local", "--skip-repo"]);
    write(
        &repo,
        ".gitattributes",
        "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    );
    let contents: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    write(&repo, "a.bin", &contents);
    commit_all(&repo, "lfs");
    let spec = world.spec(&repo);
    let at = at(&world, &repo);
    allow(&repo, &["lfs"]);
    add_all(&[spec], &|| false).unwrap();
    assert_eq!(fs::read(at.worktree.join("a.bin")).unwrap(), contents);
    write(&at.worktree, "b.bin", &contents[4..]);
    let kept = take_always(&at, &repo, super::support::RUN, 1, "stop").unwrap();
    assert_eq!(kept.exact, None);
    commit(&at, &repo, "m").unwrap().unwrap();
    let blob = run(&repo, "git", &["show", &format!("{}:b.bin", at.branch)]);
    assert!(
        blob.starts_with(b"version https://git-lfs"),
        "{} bytes",
        blob.len()
    );
    fs::remove_file(at.worktree.join("b.bin")).unwrap();
    crate::git::restore(&at, &repo, &kept.commit).unwrap();
    assert_eq!(fs::read(at.worktree.join("b.bin")).unwrap(), &contents[4..]);
}

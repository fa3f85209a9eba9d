//! Commits and pushes that somebody asked for.

use super::support::{World, commit_all, git, write};
use crate::{
    domain::run::event::WorktreeAt,
    git::{GitError, Pushed, commit, commit::commit_within, push, push::push_within, remote_of},
};
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Writes a hook of the repository.
fn hook(repo: &Path, name: &str, script: &str) {
    let path = repo.join(".git/hooks").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn last(at: &WorktreeAt, format: &str) -> String {
    let format = format!("--format={format}");
    git(&at.worktree, &["log", "-1", &format]).trim().to_owned()
}

#[test]
fn everything_but_ignored_files_is_committed() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let users = git(&repo, &["status", "--porcelain=v2", "--branch"]);
    write(&at.worktree, "new/file", "x\n");
    write(&at.worktree, "a.txt", "changed\n");
    write(&at.worktree, "secret.ignored", "x\n");
    fs::remove_file(at.worktree.join("dir/b.txt")).unwrap();
    let message = "-m looks like a flag\n\n# and this like a comment\nÄ\n";
    let made = commit(&at, &repo, message).unwrap().unwrap().commit;
    assert_eq!(made, last(&at, "%H"));
    assert_eq!(last(&at, "%B"), message.trim());
    assert_eq!(
        last(&at, "%an <%ae>|%cn"),
        "abbado <abbado@localhost>|abbado"
    );
    let status = git(&at.worktree, &["status", "--porcelain", "--ignored"]);
    assert_eq!(status, "!! secret.ignored\n");
    assert_eq!(commit(&at, &repo, "again").unwrap(), None);
    assert_eq!(last(&at, "%H"), made);
    assert_eq!(git(&repo, &["status", "--porcelain=v2", "--branch"]), users);
}

#[test]
fn the_author_is_the_configured_user() {
    let world = World::new();
    let (repo, at) = world.worktree();
    git(&repo, &["config", "user.name", "Somebody"]);
    write(&at.worktree, "a.txt", "changed\n");
    commit(&at, &repo, "m").unwrap().unwrap();
    assert_eq!(last(&at, "%an <%ae>"), "Somebody <abbado@localhost>");
}

#[test]
fn hooks_run_and_may_refuse() {
    let world = World::new();
    let (repo, at) = world.worktree();
    hook(
        &repo,
        "pre-commit",
        "echo no ticket >&2; echo second >&2; exit 1",
    );
    write(&at.worktree, "a.txt", "changed\n");
    let before = last(&at, "%H");
    let error = commit(&at, &repo, "m").unwrap_err();
    assert!(matches!(&error, GitError::CommitRefused { said } if said == "no ticket\nsecond"));
    assert_eq!(last(&at, "%H"), before);
    assert_eq!(
        fs::read_to_string(at.worktree.join("a.txt")).unwrap(),
        "changed\n"
    );
    hook(&repo, "pre-commit", "exit 0");
    hook(&repo, "commit-msg", "echo 'Ticket: 7' >> \"$1\"");
    commit(&at, &repo, "m").unwrap().unwrap();
    assert_eq!(last(&at, "%B"), "m\nTicket: 7");
}

#[test]
fn a_hook_that_hangs_is_ended() {
    let world = World::new();
    let (repo, at) = world.worktree();
    hook(&repo, "pre-commit", "sleep 1000");
    write(&at.worktree, "a.txt", "changed\n");
    let error = commit_within(&at, &repo, "m", Duration::from_millis(300)).unwrap_err();
    assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
}

#[test]
fn filters_of_the_repository_do_not_run_in_a_commit() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let script = world.marking_script("clean");
    git(
        &repo,
        &["config", "filter.f.clean", script.to_str().unwrap()],
    );
    write(&at.worktree, ".gitattributes", "* filter=f\n");
    commit(&at, &repo, "m").unwrap().unwrap();
    assert!(!world.mark("clean").exists());
}

/// A bare repository, made the remote of another.
fn remote(world: &World, repo: &Path, name: &str) -> PathBuf {
    let bare = world.path("repos").join(format!("{name}.git"));
    git(repo, &["init", "-q", "--bare", bare.to_str().unwrap()]);
    git(repo, &["remote", "add", name, bare.to_str().unwrap()]);
    bare
}

fn work(at: &WorktreeAt) -> String {
    write(&at.worktree, "work", "x\n");
    commit_all(&at.worktree, "work")
}

fn refused(pushed: &Pushed, cause: &str) {
    let said = pushed.error.as_deref().unwrap_or("it went through");
    assert!(said.contains(cause), "{said}");
}

#[test]
fn a_push_arrives_and_is_followed() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let none = push(&repo, "api", &at.branch);
    assert!(matches!(none, Err(GitError::NoRemote { name }) if name == "api"));
    let bare = remote(&world, &repo, "origin");
    remote(&world, &repo, "other");
    let tip = work(&at);
    let pushed = push(&repo, "api", &at.branch).unwrap();
    assert_eq!(pushed.error, None);
    assert_eq!(pushed.remote_url, bare.to_str().unwrap());
    assert_eq!(git(&bare, &["rev-parse", &at.branch]).trim(), tip);
    let upstream = git(&at.worktree, &["rev-parse", "--abbrev-ref", "@{upstream}"]);
    assert_eq!(upstream.trim(), format!("origin/{}", at.branch));
    // Nothing new is no failure.
    assert_eq!(push(&repo, "api", &at.branch).unwrap().error, None);
}

#[test]
fn the_only_remote_will_do() {
    let world = World::new();
    let (repo, at) = world.worktree();
    remote(&world, &repo, "somewhere");
    assert_eq!(
        remote_of(&repo, "api", &at.branch).unwrap().name,
        "somewhere"
    );
    remote(&world, &repo, "elsewhere");
    assert!(matches!(
        remote_of(&repo, "api", &at.branch),
        Err(GitError::NoRemote { .. })
    ));
}

#[test]
fn a_push_is_refused_with_the_reason() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let bare = remote(&world, &repo, "origin");
    hook(&bare.join(".git/.."), "pre-receive", "");
    let pre_receive = bare.join("hooks/pre-receive");
    fs::write(&pre_receive, "#!/bin/sh\necho policy says no >&2\nexit 1\n").unwrap();
    fs::set_permissions(&pre_receive, fs::Permissions::from_mode(0o755)).unwrap();
    work(&at);
    refused(&push(&repo, "api", &at.branch).unwrap(), "policy says no");
    fs::remove_file(&pre_receive).unwrap();
    assert_eq!(push(&repo, "api", &at.branch).unwrap().error, None);
    // Others were faster.
    git(&at.worktree, &["commit", "-q", "--amend", "-m", "other"]);
    refused(&push(&repo, "api", &at.branch).unwrap(), "rejected");
    hook(&repo, "pre-push", "echo not today >&2; exit 1");
    refused(&push(&repo, "api", &at.branch).unwrap(), "not today");
}

#[test]
fn a_remote_that_never_answers_is_given_up_and_its_password_is_never_shown() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let url = format!("http://user:secret@{address}/api.git");
    git(&repo, &["remote", "add", "origin", &url]);
    work(&at);
    let pushed = push_within(&repo, "api", &at.branch, Duration::from_millis(500)).unwrap();
    refused(&pushed, "took longer");
    assert_eq!(pushed.remote_url, format!("http://{address}/api.git"));
    assert!(!format!("{pushed:?}").contains("secret"));
    drop(silent);
    let pushed = push(&repo, "api", &at.branch).unwrap();
    refused(&pushed, "unable to access");
    assert!(!format!("{pushed:?}").contains("secret"));
}

//! Commits and pushes that somebody asked for.

use super::support::{World, commit_all, git, write};
use crate::{
    domain::run::event::WorktreeAt,
    git::{
        ErrorKind, GitError, Pushed, commit, commit::commit_within, merge, push, push::push_within,
        remotes_of,
    },
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
fn author_and_committer_are_who_git_takes_them_for() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let config = "[author]\n\tname = Ann\n\temail = ann@x\n[committer]\n\tname = Carl\n";
    write(&world.path("home"), ".gitconfig", config);
    write(&at.worktree, "a.txt", "changed\n");
    commit(&at, &repo, "m").unwrap().unwrap();
    let who = "%an <%ae> %cn <%ce>";
    let first = "Ann <ann@x> Carl <abbado@localhost>";
    assert_eq!(last(&at, who), first);
    // A merge that we make ourselves has them too.
    write(&repo, "b.txt", "x\n");
    commit_all(&repo, "other");
    merge(&repo, &at.branch, Some("main")).unwrap();
    let merged = git(&repo, &["log", "-1", &format!("--format={who} %p"), "main"]);
    assert!(merged.starts_with(&format!("{first} ")), "{merged}");
    assert_eq!(
        merged.trim_start_matches(first).split_whitespace().count(),
        2
    );
}

#[test]
fn a_signature_by_a_program_of_the_repository_alone_is_refused_with_its_name() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let program = world.marking_script("signs");
    for (key, value) in [
        ("gpg.program", program.to_str().unwrap()),
        ("commit.gpgSign", "true"),
        ("user.signingKey", "ABC"),
    ] {
        git(&repo, &["config", key, value]);
    }
    write(&at.worktree, "a.txt", "changed\n");
    let error = commit(&at, &repo, "m").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let said = error.to_string();
    assert!(said.contains("git config --global gpg.program"), "{said}");
    assert!(!world.mark("signs").exists());
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
    let outcome = commit(&at, &repo, "m");
    assert!(
        matches!(outcome, Err(GitError::FilterOff { .. })),
        "{outcome:?}"
    );
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
    let none = push(&repo, Some(&at), "api", &at.branch);
    assert!(matches!(none, Err(GitError::NoRemote { name }) if name == "api"));
    let bare = remote(&world, &repo, "origin");
    remote(&world, &repo, "other");
    let tip = work(&at);
    let pushed = push(&repo, Some(&at), "api", &at.branch).unwrap();
    assert_eq!(pushed.error, None);
    assert_eq!(pushed.remote_url, bare.to_str().unwrap());
    assert_eq!(git(&bare, &["rev-parse", &at.branch]).trim(), tip);
    let upstream = git(&at.worktree, &["rev-parse", "--abbrev-ref", "@{upstream}"]);
    assert_eq!(upstream.trim(), format!("origin/{}", at.branch));
    // Nothing new is no failure.
    assert_eq!(
        push(&repo, Some(&at), "api", &at.branch).unwrap().error,
        None
    );
}

#[test]
fn the_only_remote_will_do_and_several_need_a_default() {
    let world = World::new();
    let (repo, at) = world.worktree();
    remote(&world, &repo, "somewhere");
    let only = remotes_of(&repo, Some(&at), "api", &at.branch).unwrap();
    assert_eq!(only.push.name, "somewhere");
    remote(&world, &repo, "elsewhere");
    let several = push(&repo, Some(&at), "api", &at.branch).unwrap_err();
    let said = several.to_string();
    assert!(said.contains("somewhere, elsewhere"), "{said}");
    assert_eq!(several.kind(), ErrorKind::Conflict);
    // The user's own configuration counts too.
    write(
        &world.path("home"),
        ".gitconfig",
        "[remote]\n\tpushDefault = elsewhere\n",
    );
    let pushed = push(&repo, Some(&at), "api", &at.branch).unwrap();
    assert_eq!((pushed.remote.as_str(), pushed.error), ("elsewhere", None));
}

#[test]
fn a_branch_that_follows_the_default_branch_is_not_pushed_into_it() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let bare = remote(&world, &repo, "origin");
    git(&repo, &["push", "-q", "origin", "main"]);
    git(&repo, &["remote", "set-head", "origin", "main"]);
    git(&repo, &["config", "push.default", "upstream"]);
    git(&at.worktree, &["branch", "-q", "-u", "origin/main"]);
    let tip = work(&at);
    let error = push(&repo, Some(&at), "api", &at.branch).unwrap_err();
    assert!(matches!(error, GitError::PushesElsewhere { .. }), "{error}");
    git(&repo, &["push", "-q", "origin", "main:topic"]);
    git(&repo, &["fetch", "-q"]);
    git(&at.worktree, &["branch", "-q", "-u", "origin/topic"]);
    let pushed = push(&repo, Some(&at), "api", &at.branch).unwrap();
    assert_eq!(
        (pushed.remote_branch.as_str(), pushed.error),
        ("topic", None)
    );
    assert_eq!(git(&bare, &["rev-parse", "topic"]).trim(), tip);
    let follows = git(&at.worktree, &["rev-parse", "--abbrev-ref", "@{upstream}"]);
    assert_eq!(follows.trim(), "origin/topic", "what it follows stays");
}

#[test]
fn hooks_of_a_push_see_the_worktree_and_what_they_leave_running_is_not_waited_for() {
    let world = World::new();
    let (repo, at) = world.worktree();
    remote(&world, &repo, "origin");
    let tip = work(&at);
    let seen = world.path("seen");
    let script = format!(
        "sleep 3600 & pwd > {0}; git symbolic-ref --short HEAD >> {0}; git rev-parse HEAD >> {0}; \
         test -f work && echo $! >> {0}",
        seen.display()
    );
    // In a folder that the user's configuration names.
    let hooks = world.path("home/hooks");
    fs::create_dir_all(hooks.join(".git/hooks")).unwrap();
    hook(&hooks, "pre-push", &script);
    let path = hooks.join(".git/hooks");
    git(&repo, &["config", "core.hooksPath", path.to_str().unwrap()]);
    assert_eq!(
        push(&repo, Some(&at), "api", &at.branch).unwrap().error,
        None
    );
    let seen = fs::read_to_string(seen).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(
        lines[..3],
        [at.worktree.to_str().unwrap(), &at.branch, &tip]
    );
    // It lives still: nobody waited for it.
    let left = nix::unistd::Pid::from_raw(lines[3].parse().unwrap());
    nix::sys::signal::kill(left, nix::sys::signal::Signal::SIGKILL).unwrap();
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
    refused(
        &push(&repo, Some(&at), "api", &at.branch).unwrap(),
        "policy says no",
    );
    fs::remove_file(&pre_receive).unwrap();
    assert_eq!(
        push(&repo, Some(&at), "api", &at.branch).unwrap().error,
        None
    );
    // Others were faster, and a hook has a lot to say.
    git(&at.worktree, &["commit", "-q", "--amend", "-m", "other"]);
    hook(
        &repo,
        "pre-push",
        "for n in $(seq 9999); do echo lint $n; echo ok >&2; done",
    );
    let pushed = push(&repo, Some(&at), "api", &at.branch).unwrap();
    refused(&pushed, "! [rejected]");
    refused(&pushed, "non-fast-forward");
    hook(&repo, "pre-push", "echo not today >&2; exit 1");
    refused(
        &push(&repo, Some(&at), "api", &at.branch).unwrap(),
        "not today",
    );
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
    let pushed = push_within(
        &repo,
        Some(&at),
        "api",
        &at.branch,
        Duration::from_millis(500),
    )
    .unwrap();
    refused(&pushed, "took longer");
    assert_eq!(pushed.remote_url, format!("http://{address}/api.git"));
    assert!(!format!("{pushed:?}").contains("secret"));
    drop(silent);
    let pushed = push(&repo, Some(&at), "api", &at.branch).unwrap();
    refused(&pushed, "unable to access");
    assert!(!format!("{pushed:?}").contains("secret"));
}

#[test]
fn a_branch_that_we_rebased_replaces_what_we_pushed_and_nothing_else() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let remote = world.path("remote.git");
    git(&repo, &["init", "-q", "--bare", remote.to_str().unwrap()]);
    git(
        &repo,
        &["remote", "add", "origin", remote.to_str().unwrap()],
    );
    let push = || push(&repo, Some(&at), "api", &at.branch).unwrap().error;
    write(&at.worktree, "mine", "x\n");
    commit(&at, &repo, "mine").unwrap().unwrap();
    assert_eq!(push(), None);
    let rebase = |name: &str| {
        write(&repo, name, "x\n");
        git(&repo, &["add", "-A"]);
        git(&repo, &["commit", "-q", "-m", name]);
        crate::git::rebase(&repo, &at.branch, None).unwrap().commit
    };
    let there = || git(&remote, &["rev-parse", &at.branch]);
    let rebased = rebase("theirs");
    assert_eq!(push(), None);
    assert_eq!(there().trim(), rebased);
    // Somebody pushed there since: that stays.
    let tree = format!("{rebased}^{{tree}}");
    let foreign = git(&remote, &["commit-tree", "-m", "x", "-p", &rebased, &tree]);
    let reference = format!("refs/heads/{}", at.branch);
    git(&remote, &["update-ref", &reference, foreign.trim()]);
    rebase("more");
    assert!(push().is_some());
    assert_eq!(there(), foreign);
    // And so does what the user rewrote by hand.
    git(&remote, &["update-ref", &reference, &rebased]);
    git(&at.worktree, &["commit", "-q", "--amend", "-m", "again"]);
    for kept in super::support::refs(&repo) {
        if kept.starts_with("refs/abbado/rebased/") {
            git(&repo, &["update-ref", "-d", &kept]);
        }
    }
    assert!(push().is_some());
}

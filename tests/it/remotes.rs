//! Pushes to a remote over HTTP that wants to know who asks: right answers, no prompt, no hang.

use crate::{
    forge::fake::file,
    support::{Reply, Server, World, git, listening, text},
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command},
};

const USER: &str = "tester";
const PASSWORD: &str = "s3cret-of-the-remote";

/// `git http-backend` behind basic auth, on loopback, with the repository `bare.git`.
struct Remote {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Remote {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bare = folder.path().join("bare.git");
        git(
            folder.path(),
            &["init", "-q", "--bare", "-b", "main", "bare.git"],
        );
        git(&bare, &["config", "http.receivepack", "true"]);
        let mut command = Command::new("python3");
        command
            .arg(file("git_http_server.py"))
            .arg("--root")
            .arg(folder.path())
            .args(["--user", USER, "--password", PASSWORD, "--log"])
            .arg(folder.path().join("log"));
        let (child, port) = listening(command);
        Self {
            child,
            folder,
            port,
        }
    }

    fn bare(&self) -> PathBuf {
        self.folder.path().join("bare.git")
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/bare.git", self.port)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes a helper that knows a password the user's own.
fn helper(world: &World, password: &str) {
    let path = world.path("home/helper");
    script(
        &path,
        &format!("[ \"$1\" = get ] && echo username={USER} && echo password={password}"),
    );
    let config = format!("[credential]\n\thelper = {}\n", path.display());
    fs::write(world.path("home/.gitconfig"), config).unwrap();
}

/// A run with a commit of its own, in a repository with that remote.
fn committed(server: &Server, world: &World, remote: &Remote) -> (String, PathBuf) {
    git(
        &world.path("repo"),
        &["remote", "add", "origin", &remote.url()],
    );
    let command = ["sh", "-c", "echo more >> README.md"];
    let fields = json!({"cli_name": "command", "provider_config": {"command": command}});
    let run = server.run(&server.agent(world, fields), "x");
    let view = server.wait(&run, "it has ended", |view| {
        view["status"] == "completed" && view["process"]["alive"] == false
    });
    let message = json!({"message": "More"});
    server
        .post(&format!("runs/{run}/commit"), &message)
        .expect(200);
    (run, PathBuf::from(text(&view["repos"][0], "worktree")))
}

fn refused(reply: &Reply, cause: &str) {
    assert_eq!(reply.status, 502, "{reply:?}");
    assert!(reply.text.contains(cause), "'{cause}' is not in {reply:?}");
    assert!(!reply.text.contains(PASSWORD), "{reply:?}");
}

#[test]
fn a_push_over_http_uses_the_users_credential_helper() {
    let (world, remote) = (World::new(), Remote::start());
    helper(&world, PASSWORD);
    let server = world.serve();
    let (run, worktree) = committed(&server, &world, &remote);
    let push = format!("runs/{run}/push");
    let hook = remote.bare().join("hooks/pre-receive");
    script(&hook, "echo policy says no >&2; exit 1");
    refused(&server.post_empty(&push), "policy says no");
    fs::remove_file(hook).unwrap();
    let answer = server.post_empty(&push).expect(200);
    assert_eq!(answer[0]["pushed"], true, "{answer}");
    let branch = text(&server.view(&run), "run_branch");
    let tip = git(&worktree, &["rev-parse", "HEAD"]);
    assert_eq!(git(&remote.bare(), &["rev-parse", &branch]), tip);
    // Others were faster.
    let name = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
    let amend = ["commit", "-q", "--amend", "-m", "other"];
    git(&worktree, &[&name[..], &amend[..]].concat());
    refused(&server.post_empty(&push), "rejected");
    assert_eq!(git(&remote.bare(), &["rev-parse", &branch]), tip);
    let told: Vec<Value> = server.events(&run);
    assert!(!format!("{told:?}{}", world.log()).contains(PASSWORD));
}

#[test]
fn without_a_password_a_push_is_refused_and_nobody_is_asked() {
    let (world, remote) = (World::new(), Remote::start());
    let server = world.serve();
    let (run, _) = committed(&server, &world, &remote);
    let push = format!("runs/{run}/push");
    refused(&server.post_empty(&push), "could not read Username");
    // A helper that only the repository names is never started.
    let (mark, evil) = (world.path("mark"), world.path("evil"));
    script(&evil, &format!("echo ran > {}", mark.display()));
    let evil = evil.to_str().unwrap();
    git(&world.path("repo"), &["config", "credential.helper", evil]);
    refused(&server.post_empty(&push), "could not read Username");
    assert!(!mark.exists());
    helper(&world, "wrong");
    refused(&server.post_empty(&push), "Authentication failed");
    assert!(remote.log().lines().all(|line| line.starts_with("401 ")));
    assert!(!mark.exists());
    helper(&world, PASSWORD);
    server.post_empty(&push).expect(200);
}

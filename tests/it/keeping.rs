//! No work in a worktree is lost whatever people do with the run, and the user's checkout is
//! unchanged: random sequences of edits and operations, over HTTP.

use crate::support::{Reply, Server, World, git, text};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Orders that are tried, each of so many steps.
const ORDERS: u64 = 3;
const ORDERS_PROVE: u64 = 30;
const STEPS: usize = 10;

/// Seed of the first order; the others follow.
const SEED: u64 = 20_261_124;

/// Every byte of the user's checkout that abbado could touch: HEAD, index, configuration, files.
fn checkout(repo: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let own = ["HEAD", "index", "config"].map(|name| repo.join(".git").join(name));
    let mut found: Vec<_> = own.to_vec();
    let mut folders = vec![repo.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap().flatten() {
            if item.file_name() == ".git" {
                continue;
            }
            match item.file_type().unwrap().is_dir() {
                true => folders.push(item.path()),
                false => found.push(item.path()),
            }
        }
    }
    found.sort();
    let bytes = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    found.into_iter().map(bytes).collect()
}

/// Ids of all contents that git tracks, or would track, in a worktree.
fn contents(worktree: &Path) -> BTreeSet<String> {
    let listed = git(
        worktree,
        &["ls-files", "--cached", "--others", "--exclude-standard"],
    );
    let there = listed.lines().filter(|path| worktree.join(path).is_file());
    let there: BTreeSet<_> = there.collect();
    let mut hash = Command::new("git");
    hash.current_dir(worktree)
        .arg("hash-object")
        .arg("--")
        .args(there);
    let output = hash.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    let ids = String::from_utf8(output.stdout).unwrap();
    ids.lines().map(str::to_owned).collect()
}

fn reachable(repo: &Path) -> BTreeSet<String> {
    let listed = git(repo, &["rev-list", "--objects", "--all"]);
    let ids = listed.lines().map(|line| line[..40].to_owned());
    ids.collect()
}

/// One run, and what has to be kept of it.
struct Order<'a> {
    server: &'a Server,
    repo: PathBuf,
    run: String,
    worktree: PathBuf,
    random: fastrand::Rng,
    /// Contents that stood there when an operation could have dropped them.
    stood: BTreeSet<String>,
    /// What was done, for the one who reads a failure.
    done: Vec<String>,
}

impl Order<'_> {
    /// Does a step, and looks whether all is still there.
    fn step(&mut self) {
        match self.random.u32(0..12) {
            0..=3 => self.edit(),
            4 => self.by_agent(&["commit", "-q", "-a", "--allow-empty", "-m", "by the agent"]),
            5 => self.ask("commit", &json!({"message": "by the user"}), &[200, 400]),
            6 | 7 => self.ask("revert", &json!(null), &[200]),
            8 | 9 => self.restore(),
            10 => self.ask("pause", &json!(null), &[200, 409]),
            _ => {
                self.ask("continue", &json!({"message": "go on"}), &[200]);
                self.server.wait_status(&self.run, "paused");
            }
        }
    }

    fn edit(&mut self) {
        self.done.push("edit".into());
        for _ in 0..self.random.usize(1..6) {
            let names = [
                "a",
                "b",
                "dir/a",
                "dir/deep/b",
                "README.md",
                "new name",
                "dir2",
            ];
            let path = self.worktree.join(names[self.random.usize(0..names.len())]);
            if self.random.u32(0..4) == 0 {
                // Also a whole folder.
                drop(fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)));
                continue;
            }
            if path.is_dir() || fs::create_dir_all(path.parent().unwrap()).is_err() {
                continue;
            }
            let text = format!("{}\n", self.random.u64(..)).repeat(self.random.usize(0..50));
            fs::write(path, text).unwrap();
        }
        if self.random.bool() {
            self.by_agent(&["add", "-A"]);
        }
    }

    fn by_agent(&mut self, arguments: &[&str]) {
        self.done.push(format!("git {arguments:?}"));
        let name = ["-c", "user.name=a", "-c", "user.email=a@localhost"];
        git(&self.worktree, &[&name, arguments].concat());
    }

    fn restore(&mut self) {
        let list = self.server.get(&format!("runs/{}/checkpoints", self.run));
        let list = list.expect(200);
        let list = list.as_array().unwrap();
        if !list.is_empty() {
            let number = &list[self.random.usize(0..list.len())]["number"];
            self.ask(
                &format!("checkpoints/{number}/restore"),
                &json!(null),
                &[200],
            );
        }
    }

    /// An operation, of which one of these answers is expected.
    fn ask(&mut self, operation: &str, body: &serde_json::Value, expected: &[u16]) {
        // What the agent itself writes over in its turn is the agent's doing.
        if operation != "continue" {
            self.stood.extend(contents(&self.worktree));
        }
        let reply = match body.is_null() {
            true => self
                .server
                .post_empty(&format!("runs/{}/{operation}", self.run)),
            false => self
                .server
                .post(&format!("runs/{}/{operation}", self.run), body),
        };
        self.done.push(format!("{operation}: {}", reply.status));
        assert!(
            expected.contains(&reply.status),
            "{reply:?} after {:?}",
            self.done
        );
        self.check();
    }

    fn check(&self) {
        let kept = reachable(&self.repo);
        let mut lost = self.stood.difference(&kept);
        // Refused or not needed: what stands there is not lost.
        let there = match self.worktree.exists() {
            true => contents(&self.worktree),
            false => BTreeSet::new(),
        };
        let lost: Vec<_> = lost.by_ref().filter(|id| !there.contains(*id)).collect();
        assert!(lost.is_empty(), "{lost:?} lost after {:#?}", self.done);
    }
}

#[test]
fn whatever_is_done_with_a_run_no_content_is_lost() {
    let orders = match std::env::var_os("ABBADO_PROVE") {
        Some(_) => ORDERS_PROVE,
        None => ORDERS,
    };
    let world = World::new();
    let repo = world.path("repo");
    // The user is at work too.
    fs::write(repo.join("README.md"), "changed by the user\n").unwrap();
    fs::write(repo.join("staged"), "staged by the user\n").unwrap();
    git(&repo, &["add", "staged"]);
    fs::write(repo.join("untracked"), "not yet known to git\n").unwrap();
    let server = world.serve();
    let agent = server.agent(&world, json!({"cli_name": "demo"}));
    let before = checkout(&repo);
    for seed in SEED..SEED + orders {
        let run = server.run(&agent, "say hello");
        let view = server.wait_status(&run, "paused");
        let mut order = Order {
            server: &server,
            repo: repo.clone(),
            worktree: PathBuf::from(text(&view["repos"][0], "worktree")),
            run,
            random: fastrand::Rng::with_seed(seed),
            stood: BTreeSet::new(),
            done: vec![format!("seed {seed}")],
        };
        (0..STEPS).for_each(|_| order.step());
        order.stood.extend(contents(&order.worktree));
        let run = &order.run;
        let reply = server.post_empty(&format!("runs/{run}/cancel"));
        assert!([200, 409].contains(&reply.status), "{reply:?}");
        assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
        assert!(!order.worktree.exists());
        git(&repo, &["gc", "-q", "--prune=now"]);
        order.check();
        assert!(order.stood.len() > 3, "{:?}", order.done);
        assert_eq!(checkout(&repo), before, "{:?}", order.done);
    }
}

/// What the refusal says in the API and shows in the page: a line for each path, and the way to go on.
#[track_caller]
fn refused(reply: &Reply) {
    assert_eq!(reply.status, 409, "{reply:?}");
    assert_eq!(reply.code.as_deref(), Some("work_not_kept"), "{reply:?}");
    let lines: Vec<_> = reply.text.lines().collect();
    let [first, path, last] = lines[..] else {
        panic!("{reply:?}");
    };
    assert!(first.ends_with("cannot be saved:"), "{first}");
    assert!(
        path.starts_with("- repo: 'README.md' (it is a pipe"),
        "{path}"
    );
    assert!(last.contains("?force=true"), "{last}");
}

#[test]
fn what_cannot_be_kept_is_named_and_nothing_is_dropped_unless_forced() {
    let world = World::new();
    let repo = world.path("repo");
    let server = world.serve();
    let agent = server.agent(&world, json!({"cli_name": "demo"}));
    let run = server.run(&agent, "say hello");
    let view = server.wait_status(&run, "paused");
    let tree = PathBuf::from(text(&view["repos"][0], "worktree"));
    fs::remove_file(tree.join("README.md")).unwrap();
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o644);
    nix::unistd::mkfifo(&tree.join("README.md"), mode).unwrap();
    fs::write(tree.join("work"), "precious\n").unwrap();
    let changes = server.get(&format!("runs/{run}/changes")).expect(200);
    let files = changes["repos"][0]["files"].as_array().unwrap();
    assert!(files.iter().any(|file| file["path"] == "work"), "{files:?}");
    let left_out = &changes["left_out"][0];
    assert_eq!(
        (&left_out["repo_name"], &left_out["path"]),
        (&json!("repo"), &json!("README.md"))
    );
    let reply = server.post_empty(&format!("runs/{run}/cancel"));
    assert_eq!(reply.status, 200, "{reply:?}");
    let list = server.get(&format!("runs/{run}/checkpoints")).expect(200);
    let last = list.as_array().unwrap().last().unwrap();
    assert_eq!(last["left_out"][0]["path"], "README.md", "{list}");
    let restore = format!("checkpoints/{}/restore", last["number"]);
    for operation in ["revert", &restore] {
        let reply = server.post_empty(&format!("runs/{run}/{operation}"));
        refused(&reply);
    }
    refused(&server.delete(&format!("runs/{run}")));
    assert_eq!(fs::read_to_string(tree.join("work")).unwrap(), "precious\n");
    let forced = server.post_empty(&format!("runs/{run}/revert?force=true"));
    let reverted = forced.expect(200);
    assert_eq!(
        (&reverted["left_out"][0]["path"], &reverted["id"]),
        (&json!("README.md"), &json!(run))
    );
    assert!(!tree.join("work").exists());
    let restored = server.post_empty(&format!("runs/{run}/{restore}"));
    assert_eq!(restored.expect(200)["left_out"], json!([]));
    assert!(tree.join("work").exists());
    drop(fs::remove_file(tree.join("README.md")));
    // Somebody locked the worktree, and a power cut left a branch without contents.
    git(
        &repo,
        &["worktree", "lock", "--reason=mine", tree.to_str().unwrap()],
    );
    let reply = server.delete(&format!("runs/{run}"));
    assert_eq!(reply.status, 409, "{reply:?}");
    assert!(reply.text.contains("locked (mine)"), "{reply:?}");
    git(&repo, &["worktree", "unlock", tree.to_str().unwrap()]);
    let branch = repo.join(".git/refs/heads").join(text(&view, "run_branch"));
    fs::write(branch, [0; 41]).unwrap();
    let reply = server.delete(&format!("runs/{run}"));
    assert_eq!(reply.status, 409, "{reply:?}");
    assert!(
        tree.exists() && reply.text.contains("corrupted"),
        "{reply:?}"
    );
    nix::unistd::mkfifo(&tree.join("README.md"), mode).unwrap();
    assert_eq!(server.delete(&format!("runs/{run}?force=true")).status, 204);
    assert!(!tree.exists());
    let kept = git(
        &repo,
        &["log", "--all", "-p", "--root", "-m", "--format=%s"],
    );
    assert!(kept.contains("precious"));
}

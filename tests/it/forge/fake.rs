//! The stand-in for GitHub and GitLab, a clock that stands still, and remotes of both.

use crate::support::listening;
use abbado::{
    domain::Time,
    forge::{Forge, ForgeConfig, Forges, PrStatuses, Remote},
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

pub const TOKEN: &str = "tok-5ecret-0f-the-u5er";
/// Where the clock stands at first, seconds since 1970.
pub const BEGIN: i64 = 1_800_000_000;

/// A test runs for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    GitHub,
    GitLab,
}

pub const BOTH: [Kind; 2] = [Kind::GitHub, Kind::GitLab];

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHub => "o/r",
            Self::GitLab => "group/sub/r",
        }
    }

    pub fn remote(self) -> Remote {
        self.remote_named(self.name())
    }

    pub fn remote_named(self, name: &str) -> Remote {
        let host = match self {
            Self::GitHub => "github.com",
            Self::GitLab => "gitlab.com",
        };
        let owner = if name.contains('/') { "" } else { "x/" };
        Remote::parse(&format!("git@{host}:{owner}{name}.git")).unwrap()
    }

    pub fn variable(self) -> &'static str {
        match self {
            Self::GitHub => "GITHUB_TOKEN",
            Self::GitLab => "GITLAB_TOKEN",
        }
    }
}

/// A forge on loopback with the repository of its kind.
pub struct Fake {
    child: Child,
    pub folder: tempfile::TempDir,
    pub kind: Kind,
    pub url: String,
    seconds: Arc<AtomicI64>,
}

impl Fake {
    pub fn start(kind: Kind) -> Self {
        Self::start_with(kind, &[])
    }

    pub fn start_with(kind: Kind, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("python3");
        command
            .arg(file("forge_server.py"))
            .args(["--token", TOKEN, "--log"])
            .arg(folder.path().join("log"))
            .args(more);
        let (child, port) = listening(command);
        let fake = Self {
            child,
            folder,
            kind,
            url: format!("http://127.0.0.1:{port}"),
            seconds: Arc::new(AtomicI64::new(BEGIN)),
        };
        if more.is_empty() {
            fake.post(
                "repository",
                &json!({"name": kind.name(), "default_branch": "main"}),
            );
            fake.post("budget", &json!({"reset": BEGIN + 3600}));
        }
        fake
    }

    pub fn post(&self, what: &str, body: &Value) -> Value {
        let url = format!("{}/_/{what}", self.url);
        ureq::post(&url)
            .send_json(body)
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap()
    }

    /// What the next answers are instead.
    pub fn next(&self, answers: &Value) {
        self.post("next", answers);
    }

    /// Somebody opened a pull request from `head`.
    pub fn pull(&self, head: &str, more: &Value) {
        let mut pull = json!({"repository": self.kind.name(), "head": head});
        pull.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.post("pull", &pull);
    }

    /// Requests left in its budget.
    pub fn remaining(&self) -> i64 {
        self.post("look", &json!({}))["budget"]["remaining"]
            .as_i64()
            .unwrap()
    }

    pub fn move_clock(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// With the right token in the environment.
    pub fn config(&self) -> ForgeConfig {
        self.config_with(&[(self.kind.variable(), TOKEN)])
    }

    pub fn config_with(&self, environment: &[(&str, &str)]) -> ForgeConfig {
        let pairs = environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let seconds = self.seconds.clone();
        let clock = move || Time::from_timestamp(seconds.load(Ordering::SeqCst), 0).unwrap();
        let mut config = ForgeConfig::new(pairs.collect(), clock);
        match self.kind {
            Kind::GitHub => config.github_api = Some(self.url.clone()),
            Kind::GitLab => config.gitlab_api = Some(format!("{}/api/v4", self.url)),
        }
        config
    }

    pub fn forge(&self) -> Forge {
        self.forge_with(self.config())
    }

    pub fn forge_with(&self, config: ForgeConfig) -> Forge {
        Forges::new(config).for_remote(&self.kind.remote()).unwrap()
    }

    /// Requests so far.
    pub fn requests(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Method and status of each request so far.
    pub fn calls(&self) -> Vec<(String, u64)> {
        let requests = self.requests().into_iter();
        let call = |r: Value| {
            (
                r["method"].as_str().unwrap().to_owned(),
                r["status"].as_u64().unwrap(),
            )
        };
        requests.map(call).collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/programs")
        .join(name)
}

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn numbers(statuses: &PrStatuses) -> Vec<u64> {
    statuses.statuses.iter().map(|pr| pr.number).collect()
}

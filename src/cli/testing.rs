//! A launch for tests: a run folder, a working folder and an agent, all in a temporary folder.

use super::{LaunchContext, LaunchPlan};
use crate::domain::{Agent, AgentId, ProjectId, RepoId, RunId, Time, run::event::WorktreeAt};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Id of the session of every test launch.
pub(super) const SESSION: &str = "11111111-2222-4333-8444-555555555555";

pub(super) struct Launch {
    root: tempfile::TempDir,
    pub(super) agent: Agent,
    pub(super) task: String,
    run_dir: PathBuf,
    cwd: PathBuf,
    resume: Option<String>,
    worktrees: Vec<WorktreeAt>,
    env: Vec<(String, String)>,
    abbado: PathBuf,
}

impl Launch {
    pub(super) fn new(cli_name: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let run_dir = root
            .path()
            .join("data/runs/00000000-0000-0000-0000-000000000001");
        let cwd = root.path().join("work tree");
        std::fs::create_dir_all(&run_dir).unwrap();
        std::fs::create_dir_all(&cwd).unwrap();
        let abbado = root.path().join("abbado");
        let at = Time::from_timestamp_millis(0).unwrap();
        let agent = Agent {
            id: AgentId(Uuid::nil()),
            project_id: ProjectId(Uuid::nil()),
            name: "a".into(),
            cli_name: cli_name.into(),
            model: None,
            instructions: String::new(),
            allowed_tools: crate::domain::agent::ALLOWED_TOOLS_DEFAULT.into(),
            max_turns: 100,
            provider_config: Map::new(),
            role: "builder".into(),
            created_at: at,
            updated_at: at,
        };
        let env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let task = "do it".to_owned();
        let launch = Self {
            root,
            agent,
            task,
            run_dir,
            cwd,
            resume: None,
            worktrees: Vec::new(),
            env,
            abbado,
        };
        launch.program(&launch.abbado);
        launch
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// Gives the run folder another name.
    pub(super) fn rename_run_dir(&mut self, name: &str) {
        let to = self.root().join(name);
        std::fs::rename(&self.run_dir, &to).unwrap();
        self.run_dir = to;
    }

    pub(super) fn cwd(&self) -> &Path {
        &self.cwd
    }

    pub(super) fn resume(&mut self, session: &str) {
        self.resume = Some(session.to_owned());
    }

    /// Adds a worktree of that name below the working folder.
    pub(super) fn worktree(&mut self, name: &str) {
        self.worktrees.push(WorktreeAt {
            repo_id: RepoId(Uuid::nil()),
            name: name.to_owned(),
            worktree: self.cwd.join(name),
            branch: "abbado/run-00000000".to_owned(),
        });
    }

    pub(super) fn server_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
        let all = self
            .env
            .drain(..)
            .map(|(name, value)| (name.into(), value.into()));
        let text = |value: std::ffi::OsString| value.into_string().unwrap();
        let passed = crate::domain::environment::inherited(all.collect::<Vec<_>>());
        self.env = passed
            .into_iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect();
    }

    pub(super) fn config(&mut self, json: &str) {
        let Ok(Value::Object(map)) = serde_json::from_str(json) else {
            panic!("no object: {json}")
        };
        self.agent.provider_config = map;
    }

    /// Makes an executable file there.
    pub(super) fn program(&self, at: &Path) {
        std::fs::write(at, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(super) fn context(&self) -> LaunchContext<'_> {
        LaunchContext {
            agent: &self.agent,
            run_id: RunId(Uuid::from_u128(1)),
            run_dir: &self.run_dir,
            cwd: &self.cwd,
            worktrees: &self.worktrees,
            task: &self.task,
            task_file: None,
            resume: self.resume.as_deref(),
            new_session_id: SESSION.parse().unwrap(),
            base_url: "http://127.0.0.1:3000",
            abbado: &self.abbado,
            server_env: &self.env,
        }
    }

    /// The plan of the agent's own adapter.
    pub(super) fn plan(&self) -> Result<LaunchPlan, super::CliError> {
        super::adapter(&self.agent.cli_name)
            .unwrap()
            .plan(&self.context())
    }

    /// Arguments of a plan, with the temporary folder written as `ROOT`.
    pub(super) fn argv(&self) -> Vec<String> {
        let root = self.root.path().to_str().unwrap();
        self.plan()
            .unwrap()
            .argv
            .iter()
            .map(|item| item.replace(root, "ROOT"))
            .collect()
    }
}

pub(super) fn names<'a>(env: &'a BTreeMap<String, String>, prefix: &str) -> Vec<&'a str> {
    env.keys()
        .map(String::as_str)
        .filter(|name| name.starts_with(prefix))
        .collect()
}

/// A recorded file of a real CLI.
pub(super) fn fixture(cli: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(cli)
        .join(name)
}

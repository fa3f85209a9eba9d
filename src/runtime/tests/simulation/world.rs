//! What lies outside of the server and outlives it: holders with their CLIs, and the spool.

use crate::{
    domain::{
        Agent, AgentId, ProjectId, RepoId, RunId, Time,
        project::SetUp,
        run::{command::NewRun, event::RepoBase},
    },
    pty::ExitReport,
    runtime::{jobs::holder::Seen, run::spool},
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// The process that owns a run's terminal.
#[derive(Debug, Clone)]
pub struct Holder {
    pub attempt: u32,
    /// The CLI still runs.
    pub is_alive: bool,
}

/// One run's part of the world.
#[derive(Debug, Default)]
pub struct Place {
    pub holder: Option<Holder>,
    recorded_attempt: Option<u32>,
    report: Option<ExitReport>,
    /// What was typed and is not submitted yet.
    pub typed: Vec<String>,
    /// Prompts that the CLI was started with.
    pub given: Vec<String>,
    pub turn: u32,
}

pub enum Launched {
    Ready,
    /// An earlier holder is there, or the attempt was used.
    Refused,
}

#[derive(Debug)]
pub struct World {
    data_dir: PathBuf,
    pub places: BTreeMap<RunId, Place>,
    /// Numbers for what must be unique.
    count: u32,
}

impl World {
    pub fn new(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            places: BTreeMap::new(),
            count: 0,
        }
    }

    pub fn number(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    pub fn run_dir(&self, run_id: RunId) -> PathBuf {
        self.data_dir.join("runs").join(run_id.to_string())
    }

    pub fn place(&mut self, run_id: RunId) -> &mut Place {
        self.places.entry(run_id).or_default()
    }

    pub fn launch(&mut self, run_id: RunId, attempt: u32, prompt: &str) -> Launched {
        let place = self.place(run_id);
        if place.holder.is_some() || place.recorded_attempt.unwrap_or(0) >= attempt {
            return Launched::Refused;
        }
        place.recorded_attempt = Some(attempt);
        place.report = None;
        place.given = vec![prompt.to_owned()];
        place.typed.clear();
        place.holder = Some(Holder {
            attempt,
            is_alive: true,
        });
        Launched::Ready
    }

    /// The CLI ends; its holder has written that down.
    pub fn end(&mut self, run_id: RunId, code: Option<i32>) {
        let place = self.place(run_id);
        if let Some(holder) = place.holder.as_mut().filter(|holder| holder.is_alive) {
            holder.is_alive = false;
            place.report = Some(ExitReport {
                attempt: holder.attempt,
                pid: 100 + holder.attempt,
                code,
                signal: code.is_none().then(|| "SIGTERM".to_owned()),
                because: None,
            });
        }
    }

    /// The holder is gone with everything, and leaves no word.
    pub fn vanish(&mut self, run_id: RunId) {
        let place = self.place(run_id);
        if place.holder.take_if(|holder| holder.is_alive).is_some() {
            place.report = None;
        }
    }

    /// The holder hears that its exit is recorded.
    pub fn acknowledge(&mut self, run_id: RunId) {
        self.place(run_id).holder.take_if(|holder| !holder.is_alive);
    }

    pub fn probe(&mut self, run_id: RunId) -> (Seen, Option<ExitReport>) {
        let place = self.place(run_id);
        let seen = match (&place.holder, &place.report) {
            (Some(holder), _) => Seen::Live(holder.attempt),
            (None, Some(report)) => Seen::Exited(report.attempt),
            (None, None) => Seen::Gone(place.recorded_attempt),
        };
        (seen, place.report.clone())
    }

    /// What `abbado hook` does with a payload that the server did not take.
    pub fn keep(&mut self, run_id: RunId, delivery: Uuid, payload: &Value) {
        let folder = spool::folder(&self.run_dir(run_id));
        fs::create_dir_all(&folder).unwrap();
        let name = format!("{:020}-{delivery}.json", self.number());
        fs::write(folder.join(name), payload.to_string()).unwrap();
    }

    pub fn has_spooled(&self, run_id: RunId) -> bool {
        !spool::is_empty(&self.run_dir(run_id))
    }

    /// A hook as the CLI of the run may send it now; `odd` ones fit nothing.
    pub fn hook(&mut self, run_id: RunId, rng: &mut fastrand::Rng) -> Value {
        const ODD: [&str; 6] = [
            "Stop",
            "StopFailure",
            "SessionEnd",
            "Notification",
            "Interrupt",
            "SessionStart",
        ];
        let number = self.number();
        let place = self.place(run_id);
        let attempt = place.holder.as_ref().map_or(0, |holder| holder.attempt);
        let prompt = place.typed.pop().or_else(|| place.given.pop());
        let (name, prompt) = match prompt {
            Some(prompt) => ("UserPromptSubmit", Some(prompt)),
            None => match rng.u8(0..10) {
                0..3 => ("PreToolUse", None),
                3..5 => ("PostToolUse", None),
                5..7 => ("Stop", None),
                7 => ("UserPromptSubmit", Some(format!("by hand {number}"))),
                _ => (*rng.choice(&ODD).unwrap(), None),
            },
        };
        if name == "UserPromptSubmit" {
            place.turn += 1;
        }
        let turn = place.turn.saturating_sub(u32::from(rng.u8(0..8) == 0));
        let session = if rng.u8(0..10) == 0 { attempt + 1 } else { 1 };
        json!({
            "hook_event_name": name, "prompt": prompt, "number": number,
            "session_id": format!("s{session}"),
            "prompt_id": (rng.u8(0..5) > 0).then(|| format!("t{turn}")),
            "notification_type": "permission_prompt", "message": "may I?",
            "tool_name": "Bash", "tool_use_id": format!("u{}", number / 2),
            "tool_input": {"command": "x".repeat(if rng.u8(0..12) == 0 { 9000 } else { 5 })},
        })
    }
}

/// What runs are made of.
pub fn new_run(headless: bool) -> NewRun {
    let at = Time::from_timestamp_millis(0).unwrap();
    let mut provider_config = Map::new();
    provider_config.insert("env".into(), json!({"KEY": "s3cret"}));
    if headless {
        provider_config.insert("mode".into(), json!("headless"));
    }
    NewRun {
        task: "make it work".into(),
        source_branch: "HEAD".into(),
        run_branch: "abbado/run-00000000".into(),
        project_id: ProjectId(Uuid::from_u128(2)),
        agent_id: AgentId(Uuid::from_u128(3)),
        parent_run_id: None,
        notify: false,
        agent: Agent {
            id: AgentId(Uuid::from_u128(3)),
            project_id: ProjectId(Uuid::from_u128(2)),
            name: "builder".into(),
            cli_name: "claude-code".into(),
            model: None,
            instructions: String::new(),
            allowed_tools: "Read".into(),
            max_turns: 3,
            provider_config,
            role: "builder".into(),
            created_at: at,
            updated_at: at,
        },
        repos: vec![RepoBase {
            repo_id: RepoId(Uuid::from_u128(4)),
            name: "api".into(),
            repo_path: "/home/dev/api".into(),
            base_commit: "0".repeat(40),
            source: None,
        }],
        set_up: SetUp::default(),
    }
}

//! The state of a run: the fold of its events and nothing else.

use super::{
    approval::Approvals,
    callers::{Callers, Nested},
    event::{CheckpointAt, ExitedBy, Missing, RunCreated, StopBy, WorktreeAt},
    outbox::Outbox,
    tasks::TaskList,
    usage::Usage,
};
use crate::domain::{AgentMode, RunId, Time, time};
use serde::Serialize;
use std::{path::PathBuf, time::Duration};
use utoipa::ToSchema;

pub use super::status::Status;

pub(super) const PREPARING: &str = "preparing worktrees";
/// Kind of the attention for a CLI that lives and sent no hook.
pub(crate) const NO_HOOK: &str = "no_hook";

/// The CLI is silent.
#[derive(Debug, Clone, PartialEq)]
pub struct Quiet {
    /// What is missing.
    pub missing: Missing,
    /// For how long, when it was detected.
    pub lasted: Duration,
    /// Since when.
    pub since: Time,
}

/// A person is needed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = AttentionView)]
pub struct Attention {
    /// `permission_prompt`, `idle_prompt`, …
    pub kind: String,
    /// A sentence.
    pub message: String,
    /// Since when.
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Time,
}

/// Whether there is work to ship, according to the run's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WorkView)]
pub enum Changed {
    /// Nothing differs from where the run began.
    #[serde(rename = "none")]
    Nothing,
    /// Something does, and is not shipped.
    #[serde(rename = "changed")]
    Unshipped,
    /// All of it was pushed, offered by pull request, or accepted, and nothing changed since.
    #[serde(rename = "shipped")]
    Shipped,
}

/// The evidence for the status.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ActivityView)]
pub struct Activity {
    /// As in "tool Bash".
    pub what: String,
    /// Since when.
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Time,
}

/// The CLI's process.
#[derive(Debug, Clone, PartialEq)]
pub enum Process {
    /// Never started, or a launch that failed.
    None,
    /// A launch is recorded; its outcome is not known yet.
    Launching,
    /// It runs.
    Alive {
        /// Its id.
        pid: u32,
    },
    /// It ended.
    Exited {
        /// The id it had.
        pid: Option<u32>,
        /// Its code.
        code: Option<i32>,
        /// Why it ended.
        by: ExitedBy,
    },
}

/// How the CLI's process was suspended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Name of the signal, when known.
    pub signal: Option<String>,
    /// When.
    pub since: Time,
}

/// The CLI's own session.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Where the CLI records it.
    pub transcript_path: Option<PathBuf>,
    /// It ended (in this process).
    pub ended: bool,
    /// The processes that reported it in this launch: the CLI, then its parents.
    pub callers: Callers,
}

/// A run, as its events say.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its creation.
    pub created: Box<RunCreated>,
    /// Time of creation.
    pub created_at: Time,
    /// When its last event was written.
    pub updated_at: Time,
    /// Sequence of its last event.
    pub last_sequence: u64,
    /// Where it stands.
    pub status: Status,
    /// Why it failed or paused.
    pub reason: Option<String>,
    /// A person is needed.
    pub attention: Option<Attention>,
    /// The last evidence for the status; see [`Run::activity`].
    pub(super) activity: Activity,
    /// The CLI is silent.
    pub quiet: Option<Quiet>,
    /// When the CLI last sent something.
    pub heard_at: Time,
    /// The last launch sent a hook.
    pub hook_heard: bool,
    /// When the last process began.
    pub spawned_at: Time,
    /// The CLI's process.
    pub process: Process,
    /// The process is suspended.
    pub stopped: Option<Stopped>,
    /// When the process started, or was last resumed.
    pub runs_since: Time,
    /// Where the process's output begins in the output log, in bytes.
    pub output_offset: u64,
    /// Number of the last launch; 0 before the first.
    pub attempt: u32,
    /// A launch is wanted: set-up is under way, or a lingering process ends first.
    pub launch_wanted: bool,
    /// The end of the process was requested.
    pub stop: Option<StopBy>,
    /// Its last failure was one of worktree, set-up or launch.
    pub failed_before_start: bool,
    /// The CLI's session; the last one when it changed.
    pub session: Option<Session>,
    /// All session ids seen, so that a late hook of an old session starts no new one.
    pub sessions_seen: Vec<String>,
    /// CLIs that the agent started.
    pub nested: Nested,
    /// How far the transcripts of earlier sessions were read, for a CLI that goes back to one.
    pub transcripts_left: Vec<(String, u64)>,
    /// Model that answered last.
    pub model: Option<String>,
    /// Totals.
    pub usage: Usage,
    /// Turns from prompt to stop.
    pub num_turns: u32,
    /// The current turn, by the CLI's id.
    pub turn: Option<String>,
    /// The last turns that ended, by the CLI's id, oldest first: their late hooks change nothing.
    pub turns_ended: Vec<String>,
    /// Texts that the server gave to the CLI and whose prompt hook has not arrived yet.
    pub prompts_expected: Vec<String>,
    /// The message that the next launch resumes the session with.
    pub resume_with: Option<String>,
    /// Messages recorded since the last totals, so that reading a transcript again duplicates none.
    pub messages_recent: Vec<(Option<String>, u64)>,
    /// What the CLI asks of a person.
    pub approvals: Approvals,
    /// Messages of people on their way to the CLI.
    pub outbox: Outbox,
    /// Branch of the run.
    pub run_branch: String,
    /// Whether people are notified.
    pub notify: bool,
    /// Worktrees that exist.
    pub worktrees: Vec<WorktreeAt>,
    /// The agent's task list.
    pub tasks: TaskList,
    /// Number of the last checkpoint; 0 before the first.
    pub checkpoint_number: u32,
    /// What the last checkpoint holds.
    pub checkpoint: Vec<CheckpointAt>,
    /// What there is to ship.
    pub changed: Changed,
    /// It was deleted.
    pub deleted: bool,
}

impl Run {
    /// The run after its first event.
    #[must_use]
    pub fn create(id: RunId, created: &RunCreated, at: Time) -> Self {
        Self {
            id,
            created: Box::new(created.clone()),
            created_at: at,
            updated_at: at,
            last_sequence: 1,
            status: Status::Queued,
            reason: None,
            attention: None,
            activity: Activity {
                what: PREPARING.into(),
                since: at,
            },
            quiet: None,
            heard_at: at,
            hook_heard: false,
            spawned_at: at,
            process: Process::None,
            stopped: None,
            runs_since: at,
            output_offset: 0,
            attempt: 0,
            launch_wanted: true,
            stop: None,
            failed_before_start: false,
            session: None,
            sessions_seen: Vec::new(),
            nested: Nested::default(),
            transcripts_left: Vec::new(),
            model: created.agent.model.clone(),
            usage: Usage::default(),
            num_turns: 0,
            turn: None,
            turns_ended: Vec::new(),
            prompts_expected: vec![created.task.clone()],
            resume_with: None,
            approvals: Approvals::default(),
            outbox: Outbox::default(),
            messages_recent: Vec::new(),
            run_branch: created.run_branch.clone(),
            notify: created.notify,
            worktrees: Vec::new(),
            tasks: TaskList::default(),
            checkpoint_number: 0,
            checkpoint: Vec::new(),
            changed: Changed::Nothing,
            deleted: false,
        }
    }

    /// True while the agent works, or is about to.
    #[must_use]
    pub const fn is_at_work(&self) -> bool {
        matches!(self.status, Status::Queued | Status::Running)
    }

    /// True unless it completed, failed or was cancelled.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(
            self.status,
            Status::Queued | Status::Running | Status::Paused
        )
    }

    /// True while a CLI runs, or may run because a launch is recorded.
    #[must_use]
    pub const fn has_process(&self) -> bool {
        matches!(self.process, Process::Launching | Process::Alive { .. })
    }

    /// The id of the CLI's process, while it lives.
    #[must_use]
    pub const fn pid(&self) -> Option<u32> {
        match self.process {
            Process::Alive { pid } => Some(pid),
            Process::None | Process::Launching | Process::Exited { .. } => None,
        }
    }

    /// True while a process is alive or about to be.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.launch_wanted || self.has_process()
    }

    /// True when it failed before its CLI started, so that it can be retried.
    #[must_use]
    pub fn never_started(&self) -> bool {
        self.status == Status::Failed && self.failed_before_start && self.session.is_none()
    }

    /// True while worktrees are prepared for a launch. Not while an old process still ends.
    #[must_use]
    pub const fn is_setting_up(&self) -> bool {
        self.launch_wanted && !self.has_process()
    }

    /// True while something outside is pending that a restart must take up again.
    #[must_use]
    pub const fn needs_recovery(&self) -> bool {
        self.is_live() || self.stop.is_some()
    }

    /// True while facts of the CLI may change the state: its process lives, its end was not
    /// requested, and it is not being replaced (as a lingering one that a resume waits for).
    #[must_use]
    pub const fn facts_move(&self) -> bool {
        self.has_process() && self.stop.is_none() && !self.launch_wanted
    }

    /// True when the CLI waits at a live prompt of an open session. A headless one reads nothing.
    #[must_use]
    pub fn takes_typing(&self) -> bool {
        matches!(self.process, Process::Alive { .. })
            && matches!(self.status, Status::Paused | Status::Failed)
            && self.created.agent.mode() == AgentMode::Interactive
            && self.session.as_ref().is_some_and(|session| !session.ended)
    }

    /// True while a question is open in the CLI's terminal: what is typed there would answer it.
    #[must_use]
    pub fn asks_a_person(&self) -> bool {
        let kind = self.attention.as_ref().map(|it| it.kind.as_str());
        kind.is_some_and(|kind| !matches!(kind, "idle_prompt" | NO_HOOK))
    }

    /// The CLI's session id.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.id.as_str())
    }
}

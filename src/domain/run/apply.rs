//! Folds events into a run. This may not fail and does nothing else.

use super::{
    command::Usage,
    event::{
        CompletedBy, CostSource, DeliveredBy, Event, HookReceived, MessageBy, PausedBy,
        ProcessExited, RunCreated, RunPaused, RunResult, RunStarted, SessionInit, Stage, ToolCall,
        UserMessage,
    },
    state::{Activity, Attention, Process, Run, Session, Status},
    tasks::TaskList,
};
use crate::domain::{RunId, Time};
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

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
                what: "preparing worktrees".into(),
                since: at,
            },
            process: Process::None,
            attempt: 0,
            launch_wanted: true,
            stop: None,
            session: None,
            sessions_seen: Vec::new(),
            model: created.agent.model.clone(),
            usage: Usage::default(),
            num_turns: 0,
            turn: None,
            turn_ended: None,
            prompts_expected: vec![created.task.clone()],
            resume_with: None,
            messages_recent: Vec::new(),
            run_branch: created.run_branch.clone(),
            notify: created.notify,
            worktrees: Vec::new(),
            tasks: TaskList::default(),
            task_updates_open: Vec::new(),
            checkpoint_number: 0,
            checkpoint: Vec::new(),
            deleted: false,
        }
    }

    /// Folds a whole log, oldest first; nothing when it does not begin with `run.created`.
    #[must_use]
    pub fn fold<'e>(
        id: RunId,
        events: impl IntoIterator<Item = (&'e Event, Time)>,
    ) -> Option<Self> {
        let mut events = events.into_iter();
        let (Event::RunCreated(created), at) = events.next()? else {
            return None;
        };
        let mut run = Self::create(id, created, at);
        for (event, at) in events {
            run.apply(event, at);
        }
        Some(run)
    }

    /// Folds the next event, written at `at`.
    pub fn apply(&mut self, event: &Event, at: Time) {
        self.last_sequence += 1;
        self.updated_at = at;
        match event {
            // A second creation is a corrupt log; the store's sequence check makes it impossible.
            Event::RunCreated(_) => {}
            Event::RunStarted(started) => self.started(started, at),
            Event::RunCompleted(completed) => {
                if completed.reason == CompletedBy::SessionEnd {
                    self.session_ended();
                }
                self.ended(Status::Completed, None, "ended", at);
            }
            Event::RunFailed(failed) => {
                if failed.stage == Stage::Launch && self.process == Process::Launching {
                    self.process = Process::None;
                }
                self.ended(Status::Failed, Some(failed.reason.clone()), "failed", at);
            }
            Event::RunCancelled(_) => self.ended(Status::Cancelled, None, "cancelled", at),
            Event::RunPaused(paused) => self.paused(paused, at),
            Event::RunResult(result) => self.totals(result),
            Event::SessionInit(init) => self.session_began(init),
            Event::AgentToken(_) => self.doing("writing", at),
            Event::AgentMessage(message) => self
                .messages_recent
                .push((message.message_id.clone(), fingerprint(&message.text))),
            Event::ToolCall(call) => self.tool_called(call, at),
            Event::ToolResult(result) => {
                let input = self.open_input(result.tool_use_id.as_deref());
                self.tasks.answered(result, input.as_ref());
                self.attention = None;
                self.doing("thinking", at);
            }
            Event::NeedsAttention(needs) => {
                let (kind, message) = (needs.kind.clone(), needs.message.clone());
                self.attention = Some(Attention {
                    kind,
                    message,
                    since: at,
                });
            }
            Event::SubagentStart(start) => {
                self.doing(&format!("subagent {}", start.agent_type), at);
            }
            Event::SubagentStop(_) => {}
            Event::UserMessage(message) => self.told(message, at),
            Event::StopRequested(request) => self.stop = Some(request.by),
            Event::RunDeleted(_) => {
                self.deleted = true;
                self.stop = None;
                self.launch_wanted = false;
            }
            Event::ProcessLaunching(launch) => {
                self.attempt = launch.attempt;
                self.process = Process::Launching;
                self.launch_wanted = false;
                if let Some(session) = &mut self.session {
                    session.ended = false;
                }
                self.doing("starting the CLI", at);
            }
            Event::ProcessSpawned(spawned) => {
                self.attempt = spawned.attempt;
                self.process = Process::Alive { pid: spawned.pid };
                self.resume_with = None;
                self.doing("waiting for the first prompt", at);
            }
            Event::ProcessExited(exited) => self.exited(exited),
            Event::WorktreeCreated(made) => self.worktrees.clone_from(&made.repos),
            Event::WorktreeRemoved(_) => self.worktrees.clear(),
            Event::RunCheckpointed(checkpoint) => {
                self.checkpoint_number = checkpoint.number;
                self.checkpoint.clone_from(&checkpoint.repos);
            }
            Event::NotifyChanged(change) => self.notify = change.notify,
            Event::HookReceived(hook) => self.heard(hook),
        }
    }

    fn doing(&mut self, what: &str, at: Time) {
        if matches!(self.status, Status::Queued | Status::Running) && self.activity.what != what {
            self.activity = Activity {
                what: what.to_owned(),
                since: at,
            };
        }
    }

    fn started(&mut self, started: &RunStarted, at: Time) {
        self.status = Status::Running;
        self.reason = None;
        self.attention = None;
        self.activity = Activity {
            what: "thinking".into(),
            since: at,
        };
        if started.turn_id.is_some() {
            self.turn.clone_from(&started.turn_id);
        }
        if started.own_prompt && !self.prompts_expected.is_empty() {
            self.prompts_expected.remove(0);
        }
    }

    fn ended(&mut self, status: Status, reason: Option<String>, what: &str, at: Time) {
        self.status = status;
        self.reason = reason;
        self.attention = None;
        self.launch_wanted = false;
        self.stop = None;
        self.resume_with = None;
        self.activity = Activity {
            what: what.to_owned(),
            since: at,
        };
    }

    fn paused(&mut self, paused: &RunPaused, at: Time) {
        let (reason, what) = match paused.by {
            PausedBy::Stop => ("the agent finished its turn", "waiting for a prompt"),
            PausedBy::Interrupt => ("the turn was interrupted", "waiting for a prompt"),
            PausedBy::Limit => ("max_turns was reached", "waiting for a prompt"),
            PausedBy::User => ("paused on request", "paused"),
            PausedBy::Idle => ("the idle CLI was put to rest", "paused"),
            PausedBy::Lost => ("the process vanished; its session can be resumed", "paused"),
        };
        self.status = Status::Paused;
        self.reason = Some(reason.to_owned());
        self.attention = None;
        self.activity = Activity {
            what: what.to_owned(),
            since: at,
        };
        match paused.by {
            PausedBy::Stop | PausedBy::Interrupt | PausedBy::Limit => {
                self.num_turns += 1;
                self.turn_ended = paused.turn_id.clone().or_else(|| self.turn.clone());
            }
            PausedBy::User | PausedBy::Idle | PausedBy::Lost => {
                self.stop = None;
                self.launch_wanted = false;
                self.resume_with = None;
            }
        }
    }

    fn totals(&mut self, result: &RunResult) {
        self.usage = Usage {
            tokens_in: result.tokens_in,
            tokens_out: result.tokens_out,
            tokens_cache_read: result.tokens_cache_read,
            tokens_cache_write: result.tokens_cache_write,
            cost_usd: result.cost_usd,
            cost_source: Some(result.cost_source),
            model: result.model.clone(),
            duration_ms: result.duration_ms,
            transcript_offset: result.transcript_offset,
        };
        if result.model.is_some() {
            self.model.clone_from(&result.model);
        }
        self.messages_recent.clear();
    }

    fn session_began(&mut self, init: &SessionInit) {
        if !self.sessions_seen.contains(&init.session_id) {
            self.sessions_seen.push(init.session_id.clone());
        }
        let (id, transcript_path) = (init.session_id.clone(), init.transcript_path.clone());
        self.session = Some(Session {
            id,
            transcript_path,
            ended: false,
        });
        if init.model.is_some() {
            self.model.clone_from(&init.model);
        }
        // Another session is another transcript, read from its beginning.
        self.usage.transcript_offset = 0;
    }

    fn session_ended(&mut self) {
        if let Some(session) = &mut self.session {
            session.ended = true;
        }
    }

    fn tool_called(&mut self, call: &ToolCall, at: Time) {
        self.tasks.called(call);
        if call.tool_name == "TaskUpdate"
            && let Some(id) = &call.tool_use_id
        {
            self.task_updates_open
                .push((id.clone(), call.tool_input.clone()));
        }
        self.doing(&format!("tool {}", call.tool_name), at);
    }

    fn open_input(&mut self, tool_use_id: Option<&str>) -> Option<Value> {
        let id = tool_use_id?;
        let at = self
            .task_updates_open
            .iter()
            .position(|(open, _)| open == id)?;
        Some(self.task_updates_open.swap_remove(at).1)
    }

    fn told(&mut self, message: &UserMessage, at: Time) {
        self.attention = None;
        if message.by == MessageBy::Terminal {
            if message.turn_id.is_some() {
                self.turn.clone_from(&message.turn_id);
            }
            self.doing("thinking", at);
            return;
        }
        self.prompts_expected.push(message.text.clone());
        if message.delivered_by == Some(DeliveredBy::Resume) {
            self.resume_with = Some(message.text.clone());
            self.launch_wanted = true;
        }
    }

    fn exited(&mut self, exited: &ProcessExited) {
        let pid = match self.process {
            Process::Alive { pid } => Some(pid),
            Process::None | Process::Launching | Process::Exited { .. } => None,
        };
        self.process = Process::Exited {
            pid,
            code: exited.exit_code,
            by: exited.by,
        };
        // What the next launch resumes with is still to be heard of.
        let resume_with = self.resume_with.clone();
        self.prompts_expected
            .retain(|text| resume_with.as_ref() == Some(text));
        self.task_updates_open.clear();
    }

    fn heard(&mut self, hook: &HookReceived) {
        if hook.hook_event_name == "UserPromptSubmit"
            && let Some(prompt) = hook.payload.get("prompt").and_then(Value::as_str)
            && let Some(at) = self.prompts_expected.iter().position(|text| text == prompt)
        {
            self.prompts_expected.remove(at);
        }
        if hook.hook_event_name == "SessionEnd" && !hook.ignored {
            self.session_ended();
        }
    }

    /// True when this message of the transcript was recorded since the last totals.
    #[must_use]
    pub(super) fn knows_message(&self, message_id: Option<&str>, text: &str) -> bool {
        let print = fingerprint(text);
        self.messages_recent
            .iter()
            .any(|(id, known)| id.as_deref() == message_id && *known == print)
    }

    /// The totals as an event, when `usage` says something new.
    #[must_use]
    pub(super) fn result_from(&self, usage: &Usage) -> Option<RunResult> {
        (*usage != self.usage).then(|| RunResult {
            session_id: self.session_id().map(str::to_owned),
            tokens_in: usage.tokens_in,
            tokens_out: usage.tokens_out,
            tokens_cache_read: usage.tokens_cache_read,
            tokens_cache_write: usage.tokens_cache_write,
            cost_usd: usage.cost_usd,
            cost_source: usage.cost_source.unwrap_or(CostSource::Estimated),
            num_turns: self.num_turns + 1,
            duration_ms: usage.duration_ms,
            model: usage.model.clone(),
            transcript_offset: usage.transcript_offset,
        })
    }
}

/// A short print of a text. Stable within one build, and never stored.
fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

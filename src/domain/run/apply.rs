//! Folds events into a run. It cannot fail and has no side effects.

use super::{
    activity::{self, STARTING, THINKING, WRITING},
    approval::Approvals,
    callers::Callers,
    command::Usage,
    event::{
        AgentMessage, BranchRenamed, CompletedBy, CostSource, DeliveredBy, Event, HookReceived,
        HookSignal, MessageBy, PausedBy, ProcessExited, ProcessLaunching, ProcessSpawned,
        PullRequestAt, RunCheckpointed, RunCompleted, RunFailed, RunPaused, RunRebased, RunResult,
        RunStarted, SessionInit, Stage, UserMessage,
    },
    prompt::same_prompt,
    push_bounded,
    state::{Changed, Process, Run, Session, Status, Stopped},
};
use crate::domain::{AgentMode, RunId, Time};
use serde_json::Value;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Most ended turns that are remembered to recognise their late hooks, which are late by seconds,
/// not by turns.
const TURNS_REMEMBERED_MAX: usize = 64;
/// Most delivered prompts whose hook is awaited; bounds the memory for CLIs that send no prompt
/// hooks.
const PROMPTS_EXPECTED_MAX: usize = 16;
/// Most messages remembered until totals arrive; bounds the memory for adapters without totals.
const MESSAGES_RECENT_MAX: usize = 1024;

impl Run {
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
        self.note_sign_of_life(event, at);
        match event {
            // A second creation is a corrupt log; the store's sequence check makes it impossible.
            Event::RunCreated(_) => {}
            Event::RunStarted(started) => self.started(started, at),
            Event::RunCompleted(completed) => self.completed(completed, at),
            Event::RunFailed(failed) => self.failed(failed, at),
            Event::RunRetried(_) => self.retried(at),
            Event::RunCancelled(_) => {
                self.ended(Status::Cancelled, None, "cancelled on request", at);
            }
            Event::RunPaused(paused) => self.paused(paused, at),
            Event::RunResult(result) => self.totals(result),
            Event::SessionInit(init) => self.session_began(init),
            Event::AgentToken(_) => self.doing(WRITING, at),
            Event::AgentMessage(message) => self.remember(message),
            Event::ApprovalRequested(asked) => self.approval_requested(asked, at),
            Event::ApprovalDecided(_) | Event::ApprovalExpired(_) | Event::ApprovalVoid(_) => {
                self.approval_closed(event, at);
            }
            Event::ToolCall(call) => self.tool_called(call, at),
            Event::ToolResult(result) => self.tool_returned(result, at),
            Event::NeedsAttention(needs) => self.asks(needs, at),
            Event::SubagentStart(start) => {
                self.doing(&format!("subagent {}", start.agent_type), at);
            }
            Event::SubagentStop(stop) => {
                self.doing(&format!("subagent {} ended", stop.agent_type), at);
            }
            Event::UserMessage(message) => self.user_message(message, at),
            Event::MessageTyping(typing) => self.outbox.typing_began(typing),
            Event::MessageNotTaken(missed) => self.outbox.not_taken(missed),
            Event::MessageQueued(queued) => self.outbox.queued(queued, at),
            Event::MessageUnqueued(gone) => self.outbox.unqueued(gone.message_id),
            Event::QueueReordered(wanted) => self.outbox.reordered(&wanted.order),
            Event::RunQuiet(quiet) => self.fell_quiet(quiet),
            Event::StopRequested(request) => self.stop_wanted(request.by, at),
            Event::RunDeleted(_) => {
                self.deleted = true;
                self.stop = None;
                self.launch_wanted = false;
            }
            Event::ProcessLaunching(launch) => self.launching(launch, at),
            Event::ProcessSpawned(process) => self.spawned(process, at),
            Event::ProcessStopped(stopped) => {
                let signal = stopped.signal.clone();
                self.stopped = Some(Stopped { signal, since: at });
                self.quiet = None;
            }
            Event::ProcessContinued(_) => self.resumed(at),
            Event::ProcessExited(exited) => self.exited(exited, at),
            Event::WorktreeCreated(made) => self.worktrees.clone_from(&made.repos),
            Event::WorktreeRemoved(_) => self.worktrees.clear(),
            Event::RunCheckpointed(checkpoint) => self.checkpointed(checkpoint),
            Event::BranchRenamed(renamed) => self.renamed(renamed),
            Event::RunRestored(_) | Event::RunCommitted(_) => self.changed = Changed::Unshipped,
            Event::RunReverted(_) => self.changed = Changed::Nothing,
            Event::RunRebased(rebased) => self.rebased(rebased),
            Event::RunAccepted(_) => self.changed = Changed::Shipped,
            Event::RunPushed(push) => self.shipped(push.repos.iter().all(|at| at.pushed)),
            Event::RunPullRequest(it) => self.shipped(it.repos.iter().all(PullRequestAt::open)),
            Event::NotifyChanged(change) => self.notify = change.notify,
            Event::HookReceived(hook) => self.hook_received(hook, at),
        }
    }

    fn completed(&mut self, completed: &RunCompleted, at: Time) {
        if completed.reason == CompletedBy::SessionEnd {
            self.session_ended();
        }
        let what = activity::of_end(completed.reason);
        self.ended(Status::Completed, None, what, at);
    }

    fn failed(&mut self, failed: &RunFailed, at: Time) {
        if failed.stage == Stage::Launch && self.process == Process::Launching {
            self.process = Process::None;
        }
        self.failed_before_start =
            matches!(failed.stage, Stage::Worktree | Stage::Setup | Stage::Launch);
        self.turn_over(failed.turn_id.as_ref());
        let (reason, what) = (failed.reason.clone(), activity::of_failure(failed.stage));
        self.ended(Status::Failed, Some(reason), what, at);
    }

    /// Resets the run to its creation, except for what a failed attempt leaves.
    fn retried(&mut self, at: Time) {
        let fresh = Self::create(self.id, &self.created, at);
        let earlier = std::mem::replace(self, fresh);
        self.created_at = earlier.created_at;
        self.last_sequence = earlier.last_sequence;
        self.attempt = earlier.attempt;
        self.run_branch = earlier.run_branch;
        self.worktrees = earlier.worktrees;
        self.notify = earlier.notify;
        self.outbox = earlier.outbox;
    }

    fn checkpointed(&mut self, checkpoint: &RunCheckpointed) {
        self.checkpoint_number = checkpoint.number;
        self.checkpoint.clone_from(&checkpoint.repos);
        self.changed = Changed::Unshipped;
    }

    fn shipped(&mut self, whole: bool) {
        if whole {
            self.changed = Changed::Shipped;
        }
    }

    fn rebased(&mut self, rebased: &RunRebased) {
        for base in &mut self.created.repos {
            let of_repo = rebased.repos.iter().find(|at| at.repo_id == base.repo_id);
            if let Some(at) = of_repo {
                base.base_commit.clone_from(&at.base_commit);
            }
        }
        if self.changed == Changed::Shipped {
            self.changed = Changed::Unshipped;
        }
    }

    fn renamed(&mut self, renamed: &BranchRenamed) {
        self.run_branch.clone_from(&renamed.to);
        for at in &mut self.worktrees {
            at.branch.clone_from(&renamed.to);
        }
    }

    fn started(&mut self, started: &RunStarted, at: Time) {
        self.outbox.turn_over = false;
        self.status = Status::Running;
        self.reason = None;
        self.attention = None;
        self.began_work(started, at);
        update(&mut self.turn, started.turn_id.as_ref());
        if started.own_prompt && !self.prompts_expected.is_empty() {
            self.prompts_expected.remove(0);
        }
    }

    fn launching(&mut self, launch: &ProcessLaunching, at: Time) {
        self.attempt = launch.attempt;
        self.process = Process::Launching;
        self.stopped = None;
        self.launch_wanted = false;
        if let Some(session) = &mut self.session {
            session.ended = false;
            session.callers = Callers::default();
        }
        // An earlier process will send no more hooks. A first or retried launch still awaits the
        // prompts it was given.
        if let Some(text) = &self.resume_with {
            self.prompts_expected = vec![text.clone()];
        }
        self.hook_heard = false;
        self.quiet = None;
        self.shows(STARTING, at);
    }

    fn spawned(&mut self, process: &ProcessSpawned, at: Time) {
        self.attempt = process.attempt;
        self.process = Process::Alive { pid: process.pid };
        self.output_offset = process.output_offset;
        if self.created.agent.mode() == AgentMode::Headless {
            // A new process has a new stream, read from its start.
            self.usage.transcript_offset = 0;
        }
        self.resume_with = None;
        self.process_started(at);
    }

    fn remember(&mut self, message: &AgentMessage) {
        let known = (message.message_id.clone(), fingerprint(&message.text));
        push_bounded(&mut self.messages_recent, known, MESSAGES_RECENT_MAX);
    }

    /// Remembers that a turn is over: the named one, or else the current one.
    fn turn_over(&mut self, named: Option<&String>) {
        let working = self.turn.take();
        let Some(id) = named.cloned().or(working) else {
            return;
        };
        if !self.turns_ended.contains(&id) {
            push_bounded(&mut self.turns_ended, id, TURNS_REMEMBERED_MAX);
        }
    }

    fn ended(&mut self, status: Status, reason: Option<String>, what: &str, at: Time) {
        self.outbox.turn_over = false;
        self.turn_over(None);
        self.status = status;
        self.reason = reason;
        self.attention = None;
        self.launch_wanted = false;
        self.stop = None;
        self.resume_with = None;
        self.quiet = None;
        self.shows(what, at);
    }

    fn paused(&mut self, paused: &RunPaused, at: Time) {
        let (reason, what) = activity::of_pause(paused.by);
        self.status = Status::Paused;
        self.reason = Some(reason.to_owned());
        self.attention = None;
        self.quiet = None;
        self.shows(what, at);
        self.turn_over(paused.turn_id.as_ref());
        self.outbox.turn_over = paused.by == PausedBy::Stop;
        match paused.by {
            PausedBy::Stop | PausedBy::Interrupt | PausedBy::Limit => self.num_turns += 1,
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
            unknown_tokens: result.unknown_tokens,
            prices_as_of: result.prices_as_of.clone(),
            model: result.model.clone(),
            duration_ms: result.duration_ms,
            transcript_offset: result.transcript_offset,
        };
        update(&mut self.model, result.model.as_ref());
        self.messages_recent.clear();
    }

    fn session_began(&mut self, init: &SessionInit) {
        if !self.sessions_seen.contains(&init.session_id) {
            self.sessions_seen.push(init.session_id.clone());
        }
        update(&mut self.model, init.model.as_ref());
        if self.session_id() != Some(&init.session_id) {
            self.transcript_changed(&init.session_id);
        }
        self.session = Some(Session {
            id: init.session_id.clone(),
            transcript_path: init.transcript_path.clone(),
            ended: false,
            callers: init.callers.clone(),
        });
    }

    /// A new session has a new transcript, read from its start or from where it was left.
    fn transcript_changed(&mut self, to: &str) {
        if let Some(left) = &self.session {
            let (id, offset) = (left.id.clone(), self.usage.transcript_offset);
            self.transcripts_left.retain(|(known, _)| *known != id);
            self.transcripts_left.push((id, offset));
        }
        let left = self.transcripts_left.iter().find(|(id, _)| id == to);
        self.usage.transcript_offset = left.map_or(0, |(_, offset)| *offset);
    }

    fn session_ended(&mut self) {
        if let Some(session) = &mut self.session {
            session.ended = true;
        }
    }

    fn user_message(&mut self, message: &UserMessage, at: Time) {
        self.attention = None;
        let from_terminal = message.by == MessageBy::Terminal;
        if let Some(id) = message.message_id.filter(|_| !from_terminal) {
            self.outbox.delivered(id);
        }
        let typed = message.delivered_by == Some(DeliveredBy::Typed);
        if from_terminal || (typed && message.message_id.is_some()) {
            // Its prompt hook is what recorded it.
            update(&mut self.turn, message.turn_id.as_ref());
            return self.doing(THINKING, at);
        }
        let expected = &mut self.prompts_expected;
        push_bounded(expected, message.text.clone(), PROMPTS_EXPECTED_MAX);
        if message.delivered_by == Some(DeliveredBy::Resume) {
            self.resume_with = Some(message.text.clone());
            self.launch_wanted = true;
        }
    }

    fn exited(&mut self, exited: &ProcessExited, at: Time) {
        self.stopped = None;
        self.process = Process::Exited {
            pid: self.pid(),
            code: exited.exit_code,
            by: exited.by,
        };
        if !self.launch_wanted {
            // It received its message, and no other process waits for one.
            self.resume_with = None;
        }
        self.attention = None;
        self.process_ended(exited, at);
        self.outbox.process_ended();
        self.approvals = Approvals::default();
        self.tasks.process_ended();
    }

    fn hook_received(&mut self, hook: &HookReceived, at: Time) {
        if hook.nested {
            let session = hook.payload.get("session_id").and_then(Value::as_str);
            // A nested CLI that resumes the run's own session is recognised by its process only.
            let session = session.filter(|id| Some(*id) != self.session_id());
            return self.nested.remember(session, &hook.callers);
        }
        let told = hook.payload.get("session_id").and_then(Value::as_str);
        if let Some(session) = &mut self.session
            && !hook.callers.is_empty()
            && told == Some(&session.id)
        {
            session.callers.clone_from(&hook.callers);
        }
        match hook.signal {
            Some(HookSignal::Prompt) => {
                let prompt = hook.payload.get("prompt").and_then(Value::as_str);
                if let Some(at) = prompt.and_then(|prompt| self.expects_prompt(prompt)) {
                    self.prompts_expected.remove(at);
                }
                update(&mut self.turn, hook.turn_id.as_ref());
                if !hook.ignored {
                    self.attention = None;
                }
                self.doing(THINKING, at);
            }
            // The turn's background work continues; an earlier question is answered.
            Some(HookSignal::TurnEnded) if !hook.ignored => self.attention = None,
            Some(HookSignal::SessionEnded) if !hook.ignored => self.session_ended(),
            Some(
                HookSignal::TurnEnded
                | HookSignal::SessionEnded
                | HookSignal::Compacting
                | HookSignal::Compacted,
            )
            | None => {}
        }
        self.show_hook(hook, at);
    }

    /// The index of the delivered prompt that this text is. CLIs trim prompts.
    #[must_use]
    pub(super) fn expects_prompt(&self, text: &str) -> Option<usize> {
        let same = |expected: &String| same_prompt(expected, text);
        self.prompts_expected.iter().position(same)
    }

    /// The run after `events`, for a decision that builds on another one.
    #[must_use]
    pub(super) fn with(&self, events: &[Event]) -> Cow<'_, Self> {
        if events.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut run = self.clone();
        for event in events {
            run.apply(event, self.updated_at);
        }
        Cow::Owned(run)
    }

    /// True when this message was already recorded since the last totals.
    #[must_use]
    pub(super) fn knows_message(&self, message_id: Option<&str>, text: &str) -> bool {
        let print = fingerprint(text);
        self.messages_recent
            .iter()
            .any(|(id, known)| id.as_deref() == message_id && *known == print)
    }

    /// The totals as an event, when `usage` has changed.
    #[must_use]
    pub(super) fn result_from(&self, usage: &Usage) -> Option<RunResult> {
        let source = usage.cost_source.unwrap_or(CostSource::Estimated);
        // JSON has no NaN or infinity: such an event would make the log unreadable.
        let cost_usd = match usage.cost_usd.is_finite() {
            true => usage.cost_usd,
            false => self.usage.cost_usd,
        };
        let told = Usage {
            cost_usd,
            cost_source: Some(source),
            ..usage.clone()
        };
        (told != self.usage).then(|| RunResult {
            session_id: self.session_id().map(str::to_owned),
            tokens_in: told.tokens_in,
            tokens_out: told.tokens_out,
            tokens_cache_read: told.tokens_cache_read,
            tokens_cache_write: told.tokens_cache_write,
            cost_usd,
            cost_source: source,
            unknown_tokens: told.unknown_tokens,
            prices_as_of: told.prices_as_of,
            num_turns: self.num_turns + u32::from(self.is_at_work()),
            duration_ms: told.duration_ms,
            model: told.model,
            transcript_offset: told.transcript_offset,
        })
    }
}

/// Replaces a value by a newer one, if there is one.
fn update<T: Clone>(value: &mut Option<T>, newer: Option<&T>) {
    if let Some(newer) = newer {
        *value = Some(newer.clone());
    }
}

/// A hash of a text. Stable within one build, never stored.
fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

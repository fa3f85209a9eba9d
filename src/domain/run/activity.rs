//! The evidence for a run's status: what the CLI last sent, or that it sent nothing.
//!
//! Each text says why the status is believed; docs/activity.md lists them all. A silence is a fact
//! like any other: the run's actor detects it, the log records it (`run.quiet`), and the CLI's next
//! sign of life ends it.

use super::{
    event::{
        CompletedBy, DeliveredBy, Event, ExitedBy, HookReceived, HookSignal, MessageBy, Missing,
        NeedsAttention, PausedBy, ProcessExited, RunQuiet, RunStarted, Stage, StartedBy, StopBy,
    },
    state::{Activity, Attention, NO_HOOK, PREPARING, Process, Quiet, Run, Status, Stopped},
};
use crate::domain::{AgentMode, Time};
use serde_json::Value;
use std::time::Duration;

/// From the launch until the process is known to run.
pub(super) const STARTING: &str = "starting the CLI";
pub(super) const BEFORE_FIRST_PROMPT: &str = "waiting for the first prompt";
pub(super) const THINKING: &str = "thinking";
pub(super) const WRITING: &str = "writing";
/// All that is known of a program without prompt hooks.
const PROCESS_RUNS: &str = "the process runs";
const AT_PROMPT: &str = "waiting for a prompt";
const ENDING_OLD: &str = "ending the old process";
const COMPACTING: &str = "compacting";
const COMPACTED: &str = "compacted";

/// Most characters of a background task's description that are shown.
const DESCRIPTION_CHARS_MAX: usize = 80;

/// Where an event comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A hook of the CLI.
    Hook,
    /// Its transcript, its stream, or its process.
    Cli,
    /// A person, or the server.
    Other,
}

impl Run {
    /// The evidence for the status, as it is shown.
    #[must_use]
    pub fn activity(&self) -> Activity {
        if let Some(stopped) = self.stopped.as_ref().filter(|_| self.stop.is_none()) {
            return stopped.shown();
        }
        let Some(quiet) = &self.quiet else {
            return self.activity.clone();
        };
        let what = match quiet.missing {
            Missing::Hook => self.no_hook_sentence(quiet.lasted),
            Missing::Event => format!(
                "no event for {} s, last: {}",
                quiet.lasted.as_secs_f64(),
                self.activity.what
            ),
        };
        let since = quiet.since;
        Activity { what, since }
    }

    fn no_hook_sentence(&self, lasted: Duration) -> String {
        let seconds = lasted.as_secs_f64();
        let hint = match self.created.agent.mode() {
            AgentMode::Interactive => {
                "it may be waiting for a login or a dialog, or its hooks are switched off; open \
                 its terminal and look"
            }
            AgentMode::Headless => {
                "it may lack a login or the network, or its hooks are switched off; look at its \
                 output"
            }
        };
        format!("The CLI has run for {seconds} s and sent no hook: {hint}.")
    }

    /// True while a live CLI is to send its first hook: it was given a prompt and is not being ended.
    #[must_use]
    pub fn waits_for_hook(&self) -> bool {
        let hooks = !self.created.agent.works_at_once();
        hooks && !self.hook_heard && self.quiet.is_none() && self.works_in_process()
    }

    /// True while a live CLI works, so that something is expected of it. An open question explains
    /// its silence; and a missing first hook is the better thing to report.
    #[must_use]
    pub fn waits_for_event(&self) -> bool {
        let explained = self.attention.is_some() || self.waits_for_hook();
        self.quiet.is_none() && !explained && self.works_in_process()
    }

    fn works_in_process(&self) -> bool {
        let can_act = matches!(self.process, Process::Alive { .. }) && self.stopped.is_none();
        self.is_at_work() && self.facts_move() && can_act
    }

    /// Records a sign of life, when this event is one.
    pub(super) fn note_sign_of_life(&mut self, event: &Event, at: Time) {
        let source = self.source(event);
        if source == Source::Other {
            return;
        }
        self.heard_at = at;
        let missing = self.quiet.as_ref().map(|quiet| quiet.missing);
        if source == Source::Hook {
            self.hook_heard = true;
            self.quiet = None;
            if self.attention.as_ref().is_some_and(|it| it.kind == NO_HOOK) {
                self.attention = None;
            }
        } else if missing == Some(Missing::Event) {
            self.quiet = None;
        }
    }

    fn source(&self, event: &Event) -> Source {
        let interactive = self.created.agent.mode() == AgentMode::Interactive;
        match event {
            Event::ToolCall(_)
            | Event::ToolResult(_)
            | Event::SubagentStart(_)
            | Event::SubagentStop(_)
            | Event::ApprovalRequested(_) => Source::Hook,
            // It is work of the agent.
            Event::HookReceived(hook) if hook.nested => Source::Cli,
            Event::HookReceived(_) => Source::Hook,
            Event::RunStarted(started) if started.by == StartedBy::Prompt => Source::Hook,
            // A stream reports one too, but without a file of its session.
            Event::SessionInit(init) if interactive || init.transcript_path.is_some() => {
                Source::Hook
            }
            Event::NeedsAttention(needs) if needs.kind != NO_HOOK => Source::Hook,
            Event::AgentToken(_) if interactive => Source::Hook,
            // Reported, or confirmed, by the prompt's hook.
            Event::UserMessage(message)
                if message.by == MessageBy::Terminal
                    || message.delivered_by == Some(DeliveredBy::Typed) =>
            {
                Source::Hook
            }
            Event::AgentToken(_)
            | Event::AgentMessage(_)
            | Event::SessionInit(_)
            | Event::ProcessSpawned(_)
            | Event::RunResult(_)
            | Event::RunStarted(_)
            | Event::RunPaused(_)
            | Event::RunCompleted(_)
            | Event::RunFailed(_) => Source::Cli,
            Event::RunCreated(_)
            | Event::RunRetried(_)
            | Event::RunCancelled(_)
            | Event::NeedsAttention(_)
            | Event::UserMessage(_)
            | Event::MessageTyping(_)
            | Event::MessageNotTaken(_)
            | Event::MessageQueued(_)
            | Event::MessageUnqueued(_)
            | Event::QueueReordered(_)
            | Event::RunQuiet(_)
            | Event::StopRequested(_)
            | Event::RunDeleted(_)
            | Event::ProcessLaunching(_)
            | Event::ProcessStopped(_)
            | Event::ProcessContinued(_)
            | Event::ProcessExited(_)
            | Event::WorktreeCreated(_)
            | Event::WorktreeRemoved(_)
            | Event::RunCheckpointed(_)
            | Event::RunRestored(_)
            | Event::BranchRenamed(_)
            | Event::RunCommitted(_)
            | Event::RunPushed(_)
            | Event::RunPullRequest(_)
            | Event::RunRebased(_)
            | Event::RunReverted(_)
            | Event::RunAccepted(_)
            | Event::NotifyChanged(_)
            | Event::ApprovalDecided(_)
            | Event::ApprovalExpired(_)
            | Event::ApprovalVoid(_) => Source::Other,
        }
    }

    pub(super) fn fell_quiet(&mut self, quiet: &RunQuiet) {
        let since = match quiet.lacks {
            Missing::Hook => self.runs_since,
            Missing::Event => self.heard_at,
        };
        self.quiet = Some(Quiet {
            missing: quiet.lacks,
            lasted: Duration::from_millis(quiet.millis),
            since,
        });
    }

    /// Sets the evidence.
    pub(super) fn shows(&mut self, what: &str, at: Time) {
        let what = what.to_owned();
        self.activity = Activity { what, since: at };
    }

    /// Shows what the CLI reports to do, while its reports count.
    pub(super) fn doing(&mut self, what: &str, at: Time) {
        if self.is_at_work() && self.facts_move() && self.activity.what != what {
            self.shows(what, at);
        }
    }

    pub(super) fn began_work(&mut self, started: &RunStarted, at: Time) {
        let what = match started.by {
            StartedBy::Spawn => PROCESS_RUNS,
            StartedBy::Prompt => THINKING,
            StartedBy::Continue if !self.launch_wanted => THINKING,
            StartedBy::Continue if self.has_process() => ENDING_OLD,
            StartedBy::Continue => PREPARING,
        };
        self.shows(what, at);
    }

    /// The process runs. A hook may have been faster: then it is known what the CLI does.
    pub(super) fn process_started(&mut self, at: Time) {
        self.spawned_at = at;
        self.runs_since = at;
        if self.activity.what == STARTING {
            let at_once = self.created.agent.works_at_once();
            let what = if at_once {
                PROCESS_RUNS
            } else {
                BEFORE_FIRST_PROMPT
            };
            self.shows(what, at);
        }
    }

    /// The process has ended. The next event says what that means for the run, if anything.
    pub(super) fn process_ended(&mut self, exited: &ProcessExited, at: Time) {
        self.quiet = None;
        if self.launch_wanted {
            return self.shows(PREPARING, at);
        }
        if self.status == Status::Paused {
            let how = match (exited.exit_code, &exited.signal) {
                _ if exited.by == ExitedBy::Lost => "the CLI vanished".to_owned(),
                (Some(code), _) => format!("the CLI exited with code {code}"),
                (None, Some(signal)) => format!("the CLI was ended by {signal}"),
                (None, None) => "the CLI ended".to_owned(),
            };
            self.shows(&how, at);
        }
    }

    /// A suspended process was resumed: only now can it send something again.
    pub(super) fn resumed(&mut self, at: Time) {
        self.stopped = None;
        self.runs_since = at;
        self.heard_at = at;
    }

    pub(super) fn stop_wanted(&mut self, by: StopBy, at: Time) {
        self.stop = Some(by);
        self.quiet = None;
        let what = match by {
            StopBy::Cancel => "ending: cancel",
            StopBy::Pause => "ending: pause",
            StopBy::Delete => "ending: delete",
            StopBy::Idle => "ending: idle limit",
        };
        self.shows(what, at);
    }

    pub(super) fn asks(&mut self, needs: &NeedsAttention, at: Time) {
        let question = || {
            let input = needs.tool_input.as_ref();
            input.is_some_and(|input| input.pointer("/questions/0").is_some())
        };
        match needs.kind.as_str() {
            NO_HOOK => {}
            "permission_prompt" if question() => self.doing("waiting for your answer", at),
            // Reported again without the tool.
            "permission_prompt" if self.activity.what == "waiting for your answer" => {}
            "permission_prompt" => self.doing("waiting for your permission", at),
            "idle_prompt" if self.waits_for_its_message() => {}
            "idle_prompt" => self.doing(AT_PROMPT, at),
            _ => self.doing("waiting for a person", at),
        }
        // A person can act on it only while the CLI lives; a late one is not shown.
        if self.is_open() && self.facts_move() {
            self.attention = Some(Attention {
                kind: needs.kind.clone(),
                message: needs.message.clone(),
                since: at,
            });
        }
    }

    /// What a hook that changes nothing else shows of the CLI.
    pub(super) fn show_hook(&mut self, hook: &HookReceived, at: Time) {
        if hook.ignored || hook.payload.get("agent_id").is_some() {
            return;
        }
        match hook.signal {
            Some(HookSignal::TurnEnded) => self.doing(&background(&hook.payload), at),
            Some(HookSignal::Compacting) => self.compacts(COMPACTING, COMPACTING, at),
            Some(HookSignal::Compacted) => self.compacts(COMPACTED, AT_PROMPT, at),
            Some(HookSignal::Prompt | HookSignal::SessionEnded) | None => {}
        }
    }

    /// A person may start it at the prompt as well.
    fn compacts(&mut self, working: &str, resting: &str, at: Time) {
        let resting_now = self.status == Status::Paused && self.facts_move();
        if resting_now && self.activity.what != resting {
            self.shows(resting, at);
        } else if !self.waits_for_its_message() {
            self.doing(working, at);
        }
    }

    /// True while a CLI that was started to continue has not confirmed its message.
    #[must_use]
    pub(super) fn waits_for_its_message(&self) -> bool {
        let waits =
            [PREPARING, STARTING, BEFORE_FIRST_PROMPT].contains(&self.activity.what.as_str());
        self.status == Status::Running && waits
    }
}

impl Stopped {
    fn shown(&self) -> Activity {
        let what = match &self.signal {
            Some(signal) => format!("stopped by {signal}"),
            None => "stopped".to_owned(),
        };
        let since = self.since;
        Activity { what, since }
    }
}

/// Events of a silence that was detected.
pub(super) fn silent(run: &Run, attempt: u32, missing: Missing, millis: u64) -> Vec<Event> {
    let missed = match missing {
        Missing::Hook => run.waits_for_hook(),
        Missing::Event => run.waits_for_event(),
    };
    if !missed || attempt != run.attempt {
        return Vec::new();
    }
    let mut events = vec![
        RunQuiet {
            lacks: missing,
            millis,
        }
        .into(),
    ];
    // Nobody can type anything into a headless one.
    if missing == Missing::Hook && run.created.agent.mode() == AgentMode::Interactive {
        let needs = NeedsAttention {
            kind: NO_HOOK.to_owned(),
            message: run.no_hook_sentence(Duration::from_millis(millis)),
            tool_name: None,
            tool_input: None,
        };
        events.push(needs.into());
    }
    events
}

/// What a pause says: the reason, and the evidence.
pub(super) const fn of_pause(by: PausedBy) -> (&'static str, &'static str) {
    match by {
        PausedBy::Stop => ("the agent finished its turn", AT_PROMPT),
        PausedBy::Interrupt => ("the turn was interrupted", "interrupted in the terminal"),
        PausedBy::Limit => ("max_turns was reached", "max_turns was reached"),
        PausedBy::User => ("paused on request", "paused on request"),
        PausedBy::Idle => (
            "the idle CLI was put to rest",
            "put to rest by the idle limit",
        ),
        PausedBy::Lost => (
            "the process vanished; its session can be resumed",
            "the process vanished",
        ),
    }
}

pub(super) const fn of_end(by: CompletedBy) -> &'static str {
    match by {
        CompletedBy::SessionEnd => "ended: session_end",
        CompletedBy::Exit => "ended: exit",
    }
}

pub(super) const fn of_failure(stage: Stage) -> &'static str {
    match stage {
        Stage::Worktree => "failed: worktree",
        Stage::Setup => "failed: setup",
        Stage::Launch => "failed: launch",
        Stage::Agent => "failed: agent",
        Stage::Exit => "failed: exit",
        Stage::Lost => "failed: lost",
    }
}

/// Names the work that continues in the background after a turn.
fn background(payload: &Value) -> String {
    let tasks = payload.get("background_tasks").and_then(Value::as_array);
    let tasks = tasks.map(Vec::as_slice).unwrap_or_default();
    let text = |task: &Value, key: &str| task.get(key)?.as_str().map(str::to_owned);
    let runs = |task: &&Value| text(task, "status").as_deref() == Some("running");
    let mut running = tasks.iter().filter(runs);
    let first = running.next();
    let name = first.and_then(|task| text(task, "description").or_else(|| text(task, "type")));
    let name: String = name
        .unwrap_or_default()
        .chars()
        .take(DESCRIPTION_CHARS_MAX)
        .collect();
    match running.count() {
        0 => format!("background task {name}").trim_end().to_owned(),
        more => format!("background task {name} and {more} more"),
    }
}

//! Effects that follow once events are stored. Chosen here, carried out in `runtime`.

use super::{
    event::{DeliveredBy, Event, ExitedBy, HookSignal, PausedBy, ProcessLaunching, StopBy},
    state::{Process, Run, Status},
};
use crate::domain::{ApprovalId, MessageId};

/// A side effect. Recovery may repeat each without harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Create worktrees, copy files, run the set-up script, write hook files.
    SetUp,
    /// Start the holder, and in it the CLI.
    Launch {
        /// The attempt, counted from 1.
        attempt: u32,
    },
    /// Stop a set-up in progress.
    StopSetUp,
    /// End the process and what it started.
    EndProcess,
    /// End the process if it still runs a while after the end of its session.
    EndLingering {
        /// The attempt, counted from 1.
        attempt: u32,
    },
    /// Type a message into the live CLI.
    Type {
        /// Its id.
        id: MessageId,
        /// The message.
        text: String,
    },
    /// Take a checkpoint.
    Checkpoint {
        /// Why.
        reason: &'static str,
    },
    /// Let an approval expire in time.
    AwaitDecision {
        /// Which.
        id: ApprovalId,
    },
    /// Acknowledge to the holder that its exit is recorded.
    AckExit,
    /// Save unmerged work, then remove worktrees, branches and files.
    Delete,
    /// Release everything that memory and disk hold of the run.
    Forget,
}

/// The effects of `events`, which were just stored and are already applied to `run`.
#[must_use]
pub fn after(run: &Run, events: &[Event]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for event in events {
        if matches!(event, Event::ProcessExited(_)) {
            effects.push(Effect::AckExit);
        }
        effects.extend(of(run, event));
    }
    effects
}

fn of(run: &Run, event: &Event) -> Option<Effect> {
    match event {
        Event::RunCreated(_) | Event::RunRetried(_) => Some(Effect::SetUp),
        Event::ProcessLaunching(ProcessLaunching { attempt }) => {
            Some(Effect::Launch { attempt: *attempt })
        }
        Event::ProcessSpawned(_) if run.stop.is_some() || run.launch_wanted => {
            Some(Effect::EndProcess)
        }
        Event::MessageTyping(typing) => {
            let (id, text) = (typing.message_id, typing.text.clone());
            Some(Effect::Type { id, text })
        }
        Event::ApprovalRequested(asked) => Some(Effect::AwaitDecision {
            id: asked.approval_id,
        }),
        Event::StopRequested(request) => Some(stop(run, request.by)),
        Event::UserMessage(message) => deliver(run, message.delivered_by?),
        // The end of the session arrived before the launch was reported, or after a failure, or
        // ended the run.
        Event::ProcessSpawned(_) | Event::RunCompleted(_) | Event::HookReceived(_)
            if lingers(run, event) =>
        {
            let attempt = run.attempt;
            Some(Effect::EndLingering { attempt })
        }
        Event::RunPaused(paused) if matches!(paused.by, PausedBy::Stop | PausedBy::Limit) => {
            Some(Effect::Checkpoint { reason: "stop" })
        }
        Event::ProcessExited(exited) if exited.by == ExitedBy::Delete => Some(Effect::Delete),
        Event::ProcessExited(_) if run.launch_wanted => Some(Effect::SetUp),
        Event::RunDeleted(_) => Some(Effect::Forget),
        Event::ProcessSpawned(_)
        | Event::ProcessExited(_)
        | Event::RunCompleted(_)
        | Event::RunPaused(_)
        | Event::RunFailed(_)
        | Event::RunStarted(_)
        | Event::RunCancelled(_)
        | Event::RunResult(_)
        | Event::SessionInit(_)
        | Event::AgentToken(_)
        | Event::AgentMessage(_)
        | Event::ToolCall(_)
        | Event::ToolResult(_)
        | Event::NeedsAttention(_)
        | Event::SubagentStart(_)
        | Event::SubagentStop(_)
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
        | Event::ApprovalVoid(_)
        | Event::ProcessStopped(_)
        | Event::ProcessContinued(_)
        | Event::RunQuiet(_)
        | Event::MessageNotTaken(_)
        | Event::MessageQueued(_)
        | Event::MessageUnqueued(_)
        | Event::QueueReordered(_)
        | Event::HookReceived(_) => None,
    }
}

fn deliver(run: &Run, by: DeliveredBy) -> Option<Effect> {
    match (by, &run.process) {
        // This event confirms a message that was already typed.
        (DeliveredBy::Typed, _) => None,
        // A lingering process must end first; its exit sets the run up again.
        (DeliveredBy::Resume, Process::Alive { .. }) => Some(Effect::EndProcess),
        // It is ended once it is known to run; see the arm of `ProcessSpawned`.
        (DeliveredBy::Resume, Process::Launching) => None,
        (DeliveredBy::Resume, Process::None | Process::Exited { .. }) => Some(Effect::SetUp),
    }
}

/// True when `event` shows that a process outlives its session.
fn lingers(run: &Run, event: &Event) -> bool {
    let session_over = if let Event::HookReceived(hook) = event {
        hook.signal == Some(HookSignal::SessionEnded) && !hook.ignored
    } else {
        run.status == Status::Completed || run.session.as_ref().is_some_and(|s| s.ended)
    };
    session_over && matches!(run.process, Process::Alive { .. })
}

fn stop(run: &Run, by: StopBy) -> Effect {
    match run.process {
        // During a launch, the end follows as soon as the launch reports its outcome.
        Process::Alive { .. } | Process::Launching => Effect::EndProcess,
        Process::None | Process::Exited { .. } if by == StopBy::Delete => Effect::Delete,
        Process::None | Process::Exited { .. } => Effect::StopSetUp,
    }
}

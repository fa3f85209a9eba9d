//! Chooses events for a command, or refuses it. Pure: equal inputs, equal events.
//!
//! Facts of the world are never refused; one that changes nothing is recorded as such, or, when
//! it is our own and told twice, chooses no event at all.

use super::{
    command::{Checkpoint, Command, Exit},
    event::{
        CompletedBy, DeliveredBy, Event, ExitedBy, MessageBy, NotifyChanged, PausedBy,
        ProcessExited, ProcessLaunching, ProcessSpawned, RunCancelled, RunCheckpointed,
        RunCompleted, RunDeleted, RunFailed, RunPaused, RunStarted, Stage, StartedBy, StopBy,
        StopRequested, UserMessage, WorktreeCreated, WorktreeRemoved,
    },
    hooks,
    rejection::Rejection,
    state::{Process, Run, Status},
};

/// Events chosen, or a refusal.
pub type Decision = Result<Vec<Event>, Rejection>;

/// Chooses the events of `command` for `run`.
///
/// # Errors
/// A [`Rejection`] when the state forbids what a person asked for.
pub fn decide(run: &Run, command: Command) -> Decision {
    match command {
        Command::Continue { message } => go_on(run, message),
        Command::Stop { by } => stop(run, by),
        Command::SetNotify { notify } if notify == run.notify => Ok(Vec::new()),
        Command::SetNotify { notify } => Ok(vec![NotifyChanged { notify }.into()]),
        Command::WorktreesReady { created } => Ok(worktrees_ready(run, created)),
        Command::SetUpFailed {
            stage,
            reason,
            detail,
        } => Ok(set_up_failed(run, stage, reason, detail)),
        Command::SetUpStopped => Ok(set_up_stopped(run)),
        Command::Relaunch if run.process == Process::Launching => Ok(vec![launching(run)]),
        Command::Relaunch => Ok(Vec::new()),
        Command::Spawned {
            attempt,
            pid,
            argv,
            cols,
            rows,
            works_at_once,
        } => {
            let spawned = ProcessSpawned {
                attempt,
                pid,
                argv,
                cols,
                rows,
            };
            Ok(self::spawned(run, spawned, works_at_once))
        }
        Command::Exited(exit) => Ok(exited(run, exit)),
        Command::Hook { hook, observed } => Ok(hooks::heard(run, hook, observed)),
        Command::Observed(observed) => Ok(hooks::observed(run, observed)),
        Command::Checkpointed(checkpoint) => Ok(vec![checkpointed(checkpoint)]),
        Command::Deleted { removed, millis } => {
            let mut events = Vec::new();
            if !removed.is_empty() {
                events.push(
                    WorktreeRemoved {
                        repos: removed,
                        millis,
                    }
                    .into(),
                );
            }
            events.push(RunDeleted {}.into());
            Ok(events)
        }
    }
}

fn go_on(run: &Run, text: String) -> Decision {
    let status = run.status;
    if let Some(by) = run.stop {
        return Err(Rejection::Stopping { status, by });
    }
    if matches!(status, Status::Queued | Status::Running) {
        return Err(Rejection::StillWorking { status });
    }
    if run.session.is_none() {
        return Err(Rejection::NoSession { status });
    }
    let delivery = if run.takes_typing() {
        DeliveredBy::Typed
    } else {
        DeliveredBy::Resume
    };
    Ok(vec![
        UserMessage {
            text,
            by: MessageBy::Api,
            delivered_by: Some(delivery),
            turn_id: None,
        }
        .into(),
        RunStarted {
            by: StartedBy::Continue,
            turn_id: None,
            own_prompt: false,
        }
        .into(),
    ])
}

fn stop(run: &Run, by: StopBy) -> Decision {
    let status = run.status;
    match by {
        StopBy::Cancel | StopBy::Pause | StopBy::Idle if !run.is_live() => {
            return Err(Rejection::NotLive { status });
        }
        StopBy::Pause | StopBy::Idle
            if matches!(
                status,
                Status::Completed | Status::Failed | Status::Cancelled
            ) =>
        {
            return Err(Rejection::NotPausable { status });
        }
        StopBy::Delete if matches!(status, Status::Queued | Status::Running) => {
            return Err(Rejection::CancelFirst { status });
        }
        StopBy::Cancel | StopBy::Pause | StopBy::Idle | StopBy::Delete => {}
    }
    match run.stop {
        // Asked twice: the second caller waits for the same outcome.
        Some(earlier) if earlier == by => Ok(Vec::new()),
        // A cancel outranks a pause that is still under way, a pause outranks the idle limit.
        Some(StopBy::Idle) | None => Ok(vec![StopRequested { by }.into()]),
        Some(StopBy::Pause) if by == StopBy::Cancel => Ok(vec![StopRequested { by }.into()]),
        Some(earlier) => Err(Rejection::Stopping {
            status,
            by: earlier,
        }),
    }
}

fn launching(run: &Run) -> Event {
    ProcessLaunching {
        attempt: run.attempt + 1,
    }
    .into()
}

fn worktrees_ready(run: &Run, created: Option<(Vec<super::event::WorktreeAt>, u64)>) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some((repos, millis)) = created {
        events.push(WorktreeCreated { repos, millis }.into());
    }
    if run.stop.is_some() {
        events.extend(stop_outcome(run));
    } else if run.launch_wanted {
        events.push(launching(run));
    }
    events
}

fn set_up_failed(run: &Run, stage: Stage, reason: String, detail: String) -> Vec<Event> {
    if run.stop.is_some() {
        return stop_outcome(run);
    }
    if !run.is_live() {
        return Vec::new();
    }
    vec![
        RunFailed {
            reason,
            stage,
            detail,
        }
        .into(),
    ]
}

fn set_up_stopped(run: &Run) -> Vec<Event> {
    if run.stop.is_some() {
        stop_outcome(run)
    } else {
        Vec::new()
    }
}

fn spawned(run: &Run, spawned: ProcessSpawned, works_at_once: bool) -> Vec<Event> {
    if run.process != Process::Launching {
        return Vec::new();
    }
    let mut events = vec![spawned.into()];
    if works_at_once && run.status == Status::Queued && run.stop.is_none() {
        let by = StartedBy::Spawn;
        events.push(
            RunStarted {
                by,
                turn_id: None,
                own_prompt: false,
            }
            .into(),
        );
    }
    events
}

fn checkpointed(checkpoint: Checkpoint) -> Event {
    let Checkpoint {
        number,
        reason,
        repos,
    } = checkpoint;
    RunCheckpointed {
        number,
        reason,
        repos,
    }
    .into()
}

/// What a request to stop comes to, once nothing of the run is alive.
fn stop_outcome(run: &Run) -> Vec<Event> {
    match run.stop {
        Some(StopBy::Cancel) => vec![RunCancelled {}.into()],
        Some(StopBy::Pause) => vec![paused(run, PausedBy::User)],
        Some(StopBy::Idle) => vec![paused(run, PausedBy::Idle)],
        // The deletion itself follows as an effect.
        Some(StopBy::Delete) | None => Vec::new(),
    }
}

fn paused(_run: &Run, by: PausedBy) -> Event {
    RunPaused {
        by,
        last_message: None,
        turn_id: None,
    }
    .into()
}

fn exited(run: &Run, exit: Exit) -> Vec<Event> {
    let known = matches!(run.process, Process::Launching | Process::Alive { .. });
    if !known || exit.attempt != run.attempt {
        return Vec::new();
    }
    let mut events = hooks::recorded(run, &exit.observed);
    events.extend(exit.checkpoint.clone().map(checkpointed));
    events.push(
        ProcessExited {
            exit_code: exit.code,
            signal: exit.signal.clone(),
            by: exited_by(run, &exit),
            attempt: exit.attempt,
        }
        .into(),
    );
    events.extend(exit_outcome(run, &exit));
    events
}

fn exited_by(run: &Run, exit: &Exit) -> ExitedBy {
    match run.stop {
        Some(StopBy::Cancel) => ExitedBy::Cancel,
        Some(StopBy::Pause) => ExitedBy::Pause,
        Some(StopBy::Delete) => ExitedBy::Delete,
        Some(StopBy::Idle) => ExitedBy::Idle,
        None if exit.lost => ExitedBy::Lost,
        // Ended by us: a resume waited for it, or it lingered after its session.
        None if run.launch_wanted => ExitedBy::Server,
        None if exit.signal.is_some() && run.status == Status::Completed => ExitedBy::Server,
        None => ExitedBy::Itself,
    }
}

fn exit_outcome(run: &Run, exit: &Exit) -> Vec<Event> {
    if run.stop.is_some() {
        return stop_outcome(run);
    }
    let open = matches!(
        run.status,
        Status::Queued | Status::Running | Status::Paused
    );
    if !open || run.launch_wanted {
        return Vec::new();
    }
    if exit.lost {
        return vec![lost(run)];
    }
    match (exit.code, run.status) {
        (Some(0), _) => {
            vec![
                RunCompleted {
                    reason: CompletedBy::Exit,
                    exit_code: exit.code,
                }
                .into(),
            ]
        }
        (_, Status::Paused) => Vec::new(),
        (_, _) => vec![exit_failure(run, exit)],
    }
}

fn lost(run: &Run) -> Event {
    if run.session.is_some() {
        return paused(run, PausedBy::Lost);
    }
    RunFailed {
        reason: "the process of the run vanished, and there is no session to resume".into(),
        stage: Stage::Lost,
        detail: String::new(),
    }
    .into()
}

fn exit_failure(run: &Run, exit: &Exit) -> Event {
    let cli = &run.created.agent.cli_name;
    let how = match (exit.code, &exit.signal) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was ended by {signal}"),
        (None, None) => "ended for an unknown reason".to_owned(),
    };
    RunFailed {
        reason: format!("the CLI of agent adapter {cli} {how}"),
        stage: Stage::Exit,
        detail: exit.detail.clone(),
    }
    .into()
}

//! Chooses events for a command, or refuses it. Pure: equal inputs, equal events.
//!
//! Facts from outside are never refused. One that changes nothing is recorded as such, or yields no
//! event when it is our own and repeated.

use super::{
    activity, answers,
    command::{Command, Exit},
    event::{
        CompletedBy, Event, ExitedBy, NotifyChanged, PausedBy, ProcessContinued, ProcessExited,
        ProcessLaunching, ProcessSpawned, ProcessStopped, RunCancelled, RunCompleted, RunDeleted,
        RunFailed, RunPaused, RunRetried, RunStarted, Stage, StartedBy, StopBy, StopRequested,
        WorktreeAt, WorktreeCreated, WorktreeRemoved,
    },
    hooks, queue,
    rejection::Rejection,
    state::{Process, Run, Status},
};
use crate::domain::MessageId;

/// Events chosen, or a refusal.
pub type Decision = Result<Vec<Event>, Rejection>;

/// Chooses the events of `command` for `run`.
///
/// # Errors
/// A [`Rejection`] when the state forbids what a person asked for.
pub fn decide(run: &Run, command: Command) -> Decision {
    if run.deleted {
        return after_deletion(&command);
    }
    let mut events = choose(run, command)?;
    events.extend(answers::voided(run, &events));
    events.extend(queue::next(run, &events));
    Ok(events)
}

fn choose(run: &Run, command: Command) -> Decision {
    match command {
        Command::Continue { id, message } => resume_session(run, id, message),
        Command::Retry => retry(run),
        Command::Enqueue { id, message } => queue::enqueue(run, id, message),
        Command::Unqueue { id } => queue::unqueue(run, id),
        Command::Reorder { order } => queue::reorder(run, order),
        Command::NotTaken {
            id,
            reason,
            until_free,
        } => {
            let missed = queue::not_taken(run, id, reason, until_free);
            Ok(missed.into_iter().collect())
        }
        Command::PromptFree => Ok(queue::prompt_free(run).into_iter().collect()),
        Command::Stop { by } => stop(run, by),
        Command::Decide(decision) => answers::decide(run, decision),
        Command::ExpireApproval { id } => Ok(answers::expire(run, id)),
        Command::SetNotify { notify } if notify == run.notify => Ok(Vec::new()),
        Command::SetNotify { notify } => Ok(vec![NotifyChanged { notify }.into()]),
        Command::WorktreesReady { created } => Ok(worktrees_ready(run, created)),
        Command::SetUpFailed {
            stage,
            reason,
            detail,
            removed,
        } => Ok(set_up_failed(run, stage, reason, detail, removed)),
        Command::SetUpStopped => Ok(set_up_stopped(run)),
        Command::Relaunch => Ok(relaunch(run)),
        Command::Spawned {
            process,
            works_at_once,
        } => Ok(spawned(run, process, works_at_once)),
        Command::Stopped { attempt, signal } => Ok(stopped(run, attempt, signal)),
        Command::Continued { attempt } => Ok(continued(run, attempt)),
        Command::Exited(exit) => Ok(exited(run, exit)),
        Command::Hook { hook, observed } => Ok(hooks::of_hook(run, hook, &observed)),
        Command::Silent {
            attempt,
            missing,
            millis,
        } => Ok(activity::silent(run, attempt, missing, millis)),
        Command::Observed(observed) => Ok(hooks::observed(run, &observed)),
        Command::Checkpointed(checkpoint) => Ok(vec![checkpoint.into()]),
        Command::Worked(work) => Ok(work),
        Command::Deleted { removed, millis } => Ok(deleted(run, removed, millis)),
    }
}

/// `run.deleted` ends the stream: later facts are not recorded.
fn after_deletion(command: &Command) -> Decision {
    match command {
        Command::Continue { .. }
        | Command::Retry
        | Command::Enqueue { .. }
        | Command::Unqueue { .. }
        | Command::Reorder { .. }
        | Command::SetNotify { .. }
        | Command::Decide(_)
        | Command::Stop {
            by: StopBy::Cancel | StopBy::Pause | StopBy::Idle,
        } => Err(Rejection::Deleted),
        Command::Stop { by: StopBy::Delete }
        | Command::NotTaken { .. }
        | Command::PromptFree
        | Command::ExpireApproval { .. }
        | Command::WorktreesReady { .. }
        | Command::SetUpFailed { .. }
        | Command::SetUpStopped
        | Command::Relaunch
        | Command::Spawned { .. }
        | Command::Stopped { .. }
        | Command::Continued { .. }
        | Command::Exited(_)
        | Command::Hook { .. }
        | Command::Silent { .. }
        | Command::Observed(_)
        | Command::Checkpointed(_)
        | Command::Worked(_)
        | Command::Deleted { .. } => Ok(Vec::new()),
    }
}

fn deleted(run: &Run, removed: Vec<WorktreeAt>, millis: u64) -> Vec<Event> {
    // Only a requested deletion whose process has ended ends the stream.
    if run.stop != Some(StopBy::Delete) || run.has_process() {
        return Vec::new();
    }
    let mut events = Vec::new();
    if !removed.is_empty() {
        let repos = removed;
        events.push(WorktreeRemoved { repos, millis }.into());
    }
    events.push(RunDeleted {}.into());
    events
}

fn resume_session(run: &Run, id: MessageId, text: String) -> Decision {
    let status = run.status;
    if let Some(by) = run.stop {
        return Err(Rejection::Stopping { status, by });
    }
    if run.is_at_work() {
        // A request for more resumes a suspended CLI, which has to finish its turn first.
        return match run.stopped {
            Some(_) => queue::enqueue(run, id, text),
            None => Err(Rejection::StillWorking(status)),
        };
    }
    if run.never_started() {
        return Err(Rejection::NeverStarted(status));
    }
    if run.session.is_none() {
        return Err(Rejection::NoSession(status));
    }
    if run.outbox.under_way().is_some() {
        return Err(Rejection::Typing);
    }
    if run.takes_typing() && run.asks_a_person() {
        return Err(Rejection::Asking);
    }
    Ok(queue::deliver(run, id, text))
}

fn retry(run: &Run) -> Decision {
    let status = run.status;
    match run.stop {
        Some(by) => Err(Rejection::Stopping { status, by }),
        None if run.never_started() => Ok(vec![RunRetried {}.into()]),
        None => Err(Rejection::NotRetried(status)),
    }
}

fn stop(run: &Run, by: StopBy) -> Decision {
    let status = run.status;
    match by {
        StopBy::Cancel | StopBy::Pause | StopBy::Idle if !run.is_live() => {
            return Err(Rejection::NotLive(status));
        }
        StopBy::Pause | StopBy::Idle if !run.is_open() => {
            return Err(Rejection::NotPausable(status));
        }
        // The idle limit met a prompt in transit: a working CLI is not idle.
        StopBy::Idle if status != Status::Paused || run.outbox.under_way().is_some() => {
            return Err(Rejection::StillWorking(status));
        }
        StopBy::Delete if run.is_at_work() => {
            return Err(Rejection::CancelFirst(status));
        }
        StopBy::Cancel | StopBy::Pause | StopBy::Idle | StopBy::Delete => {}
    }
    match run.stop {
        // A repeated request: the second caller waits for the same outcome.
        Some(earlier) if earlier == by => Ok(Vec::new()),
        // A cancel outranks a pause in progress; a pause outranks the idle limit.
        Some(StopBy::Idle) | None => Ok(vec![StopRequested { by }.into()]),
        Some(StopBy::Pause) if by == StopBy::Cancel => Ok(vec![StopRequested { by }.into()]),
        Some(by) => Err(Rejection::Stopping { status, by }),
    }
}

fn launching(run: &Run) -> Event {
    let attempt = run.attempt + 1;
    ProcessLaunching { attempt }.into()
}

fn worktrees_ready(run: &Run, created: Option<(Vec<WorktreeAt>, u64)>) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some((repos, millis)) = created {
        events.push(WorktreeCreated { repos, millis }.into());
    }
    // A repeated fact, or one while an old process still ends, starts no second CLI.
    if run.is_setting_up() {
        events.extend(match run.stop {
            Some(_) => stop_outcome(run),
            None => vec![launching(run)],
        });
    }
    events
}

fn set_up_failed(
    run: &Run,
    stage: Stage,
    reason: String,
    detail: String,
    removed: Option<(Vec<WorktreeAt>, u64)>,
) -> Vec<Event> {
    let removed = removed.map(|(repos, millis)| WorktreeRemoved { repos, millis }.into());
    let mut events: Vec<Event> = removed.into_iter().collect();
    events.extend(failure_of_set_up(run, stage, reason, detail));
    events
}

fn failure_of_set_up(run: &Run, stage: Stage, reason: String, detail: String) -> Vec<Event> {
    let launch_failed = stage == Stage::Launch && run.process == Process::Launching;
    let undecided = run.stop.is_none() && run.is_at_work();
    if launch_failed && !undecided {
        return never_launched(run);
    }
    if !launch_failed && !run.is_setting_up() {
        return Vec::new();
    }
    if run.stop.is_some() {
        return stop_outcome(run);
    }
    vec![RunFailed::at(stage, reason, detail).into()]
}

fn set_up_stopped(run: &Run) -> Vec<Event> {
    match run.is_setting_up() {
        true => stop_outcome(run),
        false => Vec::new(),
    }
}

fn relaunch(run: &Run) -> Vec<Event> {
    if run.process != Process::Launching {
        return Vec::new();
    }
    if run.stop.is_none() && run.is_at_work() {
        return vec![launching(run)];
    }
    never_launched(run)
}

/// The launch did not happen and no other is wanted: record the end of a process that never ran.
fn never_launched(run: &Run) -> Vec<Event> {
    let exit = Exit {
        attempt: run.attempt,
        code: None,
        signal: None,
        lost: true,
        detail: String::new(),
        observed: Vec::new(),
        checkpoint: None,
    };
    exited(run, exit)
}

fn spawned(run: &Run, process: ProcessSpawned, works_at_once: bool) -> Vec<Event> {
    if run.process != Process::Launching || process.attempt != run.attempt {
        return Vec::new();
    }
    let mut events = vec![process.into()];
    if works_at_once && run.status == Status::Queued && run.stop.is_none() {
        events.push(RunStarted::by(StartedBy::Spawn, None).into());
    }
    events
}

fn stopped(run: &Run, attempt: u32, signal: Option<String>) -> Vec<Event> {
    let running = run
        .pid()
        .filter(|_| attempt == run.attempt && run.stopped.is_none());
    let stopped = running.map(|pid| ProcessStopped {
        attempt,
        pid,
        signal,
    });
    stopped.map(Event::from).into_iter().collect()
}

fn continued(run: &Run, attempt: u32) -> Vec<Event> {
    let suspended = run
        .pid()
        .filter(|_| attempt == run.attempt && run.stopped.is_some());
    let continued = suspended.map(|pid| ProcessContinued { attempt, pid }.into());
    continued.into_iter().collect()
}

/// The outcome of a stop request once no process of the run is alive.
fn stop_outcome(run: &Run) -> Vec<Event> {
    match run.stop {
        Some(StopBy::Cancel) => vec![RunCancelled {}.into()],
        Some(StopBy::Pause) => vec![RunPaused::by(PausedBy::User, None).into()],
        Some(StopBy::Idle) => vec![RunPaused::by(PausedBy::Idle, None).into()],
        // The deletion itself follows as an effect.
        Some(StopBy::Delete) | None => Vec::new(),
    }
}

fn exited(run: &Run, exit: Exit) -> Vec<Event> {
    if !run.has_process() || exit.attempt != run.attempt {
        return Vec::new();
    }
    // The transcript up to its end comes first and may already decide the outcome.
    let mut events = hooks::observed(run, &exit.observed);
    let run = &*run.with(&events);
    if let Some(typing) = run.outbox.under_way() {
        let reason = "the CLI ended before it accepted the message".to_owned();
        events.extend(queue::not_taken(run, typing.id, reason, false));
    }
    events.extend(exit.checkpoint.clone().map(Event::from));
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
        // Ended by the server: a resume waited for it, or it lingered after its session.
        None if run.launch_wanted => ExitedBy::Server,
        None if run.status == Status::Completed && looks_ended(exit) => ExitedBy::Server,
        None => ExitedBy::Itself,
    }
}

/// True for an end by signal, also when the CLI turned it into an exit code (SIGHUP, SIGKILL and
/// SIGTERM as 128 + their number).
const fn looks_ended(exit: &Exit) -> bool {
    exit.signal.is_some() || matches!(exit.code, Some(129 | 137 | 143))
}

fn exit_outcome(run: &Run, exit: &Exit) -> Vec<Event> {
    if run.stop.is_some() {
        return stop_outcome(run);
    }
    if !run.is_open() || run.launch_wanted {
        return Vec::new();
    }
    if exit.lost {
        return vec![lost(run)];
    }
    match (exit.code, run.status) {
        (Some(0), _) => {
            let reason = CompletedBy::Exit;
            let exit_code = exit.code;
            vec![RunCompleted { reason, exit_code }.into()]
        }
        (_, Status::Paused) => Vec::new(),
        (_, _) => vec![exit_failure(run, exit)],
    }
}

fn lost(run: &Run) -> Event {
    if run.session.is_some() {
        return RunPaused::by(PausedBy::Lost, None).into();
    }
    let reason = "the process of the run vanished, and there is no session to resume";
    RunFailed::at(Stage::Lost, reason.to_owned(), String::new()).into()
}

fn exit_failure(run: &Run, exit: &Exit) -> Event {
    let cli = &run.created.agent.cli_name;
    let how = match (exit.code, &exit.signal) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was ended by {signal}"),
        (None, None) => "ended for an unknown reason".to_owned(),
    };
    let reason = format!("the CLI of agent adapter {cli} {how}");
    RunFailed::at(Stage::Exit, reason, exit.detail.clone()).into()
}

//! Every pair of a state and a command, in one table. The names of the commands come from the
//! commands themselves, so that one without a row cannot be forgotten.

use super::support::*;
use crate::domain::run::{
    Command, Event, Rejection, Status,
    approval::{ApprovalKind, Choice},
    command::{Checkpoint, Exit, Hook, Observation, Signal},
    event::*,
    state::Process,
};
use serde_json::json;
use std::fmt::Write as _;

/// Ties each kind of command to its row and to a sample. The match is exhaustive: a new command,
/// signal or reason to stop does not compile before it has a row here, and the table is checked
/// against the rows.
macro_rules! rows {
    ($($name:literal: $pattern:pat => $sample:expr,)*) => {
        fn name(command: &Command) -> &'static str {
            match command { $($pattern => $name,)* }
        }

        fn samples() -> Vec<Command> {
            vec![$($sample),*]
        }
    };
}

macro_rules! signal {
    ($signal:pat) => {
        Command::Hook {
            hook: Hook {
                signal: $signal,
                ..
            },
            ..
        }
    };
}

rows! {
    "continue": Command::Continue { .. } => go_on("more"),
    "retry": Command::Retry => Command::Retry,
    "queue": Command::Enqueue { .. } => enqueue(2, "later"),
    "unqueue": Command::Unqueue { .. } => Command::Unqueue { id: message(2) },
    "reorder": Command::Reorder { .. } => Command::Reorder { order: Vec::new() },
    "not-taken": Command::NotTaken { .. } => not_taken(1),
    "prompt-free": Command::PromptFree => Command::PromptFree,
    "cancel": Command::Stop { by: StopBy::Cancel } => stop(StopBy::Cancel),
    "pause": Command::Stop { by: StopBy::Pause } => stop(StopBy::Pause),
    "delete": Command::Stop { by: StopBy::Delete } => stop(StopBy::Delete),
    "idle": Command::Stop { by: StopBy::Idle } => stop(StopBy::Idle),
    "decide": Command::Decide(_) => decide_as(9, Choice::Allow),
    "expire": Command::ExpireApproval { .. } => Command::ExpireApproval { id: approval(9) },
    "notify": Command::SetNotify { .. } => Command::SetNotify { notify: true },
    "ready": Command::WorktreesReady { .. } => ready(),
    "setup-failed": Command::SetUpFailed { stage: Stage::Setup | Stage::Worktree, .. } =>
        set_up_failed(Stage::Setup),
    "launch-failed": Command::SetUpFailed { .. } => set_up_failed(Stage::Launch),
    "setup-stopped": Command::SetUpStopped => Command::SetUpStopped,
    "relaunch": Command::Relaunch => Command::Relaunch,
    "spawned": Command::Spawned { works_at_once: false, .. } => runs(NOW),
    "spawned-works": Command::Spawned { .. } => runs_and_works(NOW),
    "stopped": Command::Stopped { .. } => Command::Stopped { attempt: NOW, signal: None },
    "let-go-on": Command::Continued { .. } => Command::Continued { attempt: NOW },
    "lost": Command::Exited(Exit { lost: true, .. }) => lost(NOW),
    "exit-0": Command::Exited(Exit { code: Some(0), .. }) => gone(NOW, 0),
    "exit-1": Command::Exited(Exit { code: Some(_), .. }) => gone(NOW, 1),
    "killed": Command::Exited(_) => killed(NOW),
    "SessionStart": signal!(Signal::SessionStarted { .. }) =>
        hook("SessionStart", None, Signal::SessionStarted { switches: false }),
    "prompt": signal!(Signal::Prompt { machine: false, .. }) => prompt("and now?", Some("t9")),
    "machine-prompt": signal!(Signal::Prompt { .. }) => machine_prompt(Some("t9")),
    "tool-call": signal!(Signal::ToolCall(_)) => tool_call(Some("t9")),
    "tool-result": signal!(Signal::ToolResult(_)) => tool_result(Some("t9")),
    "attention": signal!(Signal::NeedsAttention(_)) => attention(),
    "asks": signal!(Signal::Asks { .. }) =>
        asks(9, "Bash", json!({}), ApprovalKind::Permission, &[Choice::Allow]),
    "subagent-start": signal!(Signal::SubagentStart(_)) =>
        hook("SubagentStart", None, Signal::SubagentStart(SubagentStart {
            agent_id: "a".into(), agent_type: "x".into(), last_message: None,
        })),
    "subagent-stop": signal!(Signal::SubagentStop(_)) =>
        hook("SubagentStop", None, Signal::SubagentStop(SubagentStop {
            agent_id: "a".into(), agent_type: "x".into(), last_message: None,
        })),
    "token": signal!(Signal::Token { .. }) =>
        hook("MessageDisplay", None, Signal::Token { text: "a".into(), message_id: None }),
    "Stop": signal!(Signal::TurnEnded { background: false, .. }) => turn_ended(Some("t9")),
    "Stop-background": signal!(Signal::TurnEnded { .. }) =>
        hook("Stop", Some("t9"), Signal::TurnEnded { last_message: None, background: true }),
    "StopFailure": signal!(Signal::TurnFailed { .. }) => turn_failed(Some("t9")),
    "Interrupt": signal!(Signal::Interrupted) => interrupted(Some("t9")),
    "SessionEnd": signal!(Signal::SessionEnded { continues: false }) => session_ended(),
    "SessionEnd-clear": signal!(Signal::SessionEnded { .. }) =>
        hook("SessionEnd", None, Signal::SessionEnded { continues: true }),
    "compacting": signal!(Signal::Compacting) => hook("PreCompact", None, Signal::Compacting),
    "compacted": signal!(Signal::Compacted) => hook("PostCompact", None, Signal::Compacted),
    "other": signal!(Signal::Other) => hook("Setup", None, Signal::Other),
    "no-hook": Command::Silent { missing: Missing::Hook, .. } => silent(NOW, Missing::Hook),
    "no-event": Command::Silent { .. } => silent(NOW, Missing::Event),
    "seen-interrupt": Command::Observed(_) => Command::Observed(vec![Observation::Interrupted { turn_id: None }]),
    "checkpointed": Command::Checkpointed(_) => Command::Checkpointed(Checkpoint {
        number: 1, reason: "stop".into(), repos: Vec::new(),
    }),
    "worked": Command::Worked(_) => worked(),
    "deleted": Command::Deleted { .. } => deleted(),
}

/// A second row of an observation: what it observed is a list, which no pattern tells apart.
fn more_samples() -> Vec<(&'static str, Command)> {
    let ended = |failure| {
        Command::Observed(vec![Observation::Ended {
            failure,
            turn_id: None,
        }])
    };
    vec![
        ("seen-end", ended(None)),
        ("seen-failure", ended(Some("no luck".into()))),
    ]
}

/// Stands for the attempt of the state; the samples are made before the state is known.
const NOW: u32 = 0;

fn for_attempt(command: Command, now: u32) -> Command {
    match command {
        Command::Exited(mut exit) => {
            exit.attempt = now;
            Command::Exited(exit)
        }
        Command::Spawned {
            mut process,
            works_at_once,
        } => {
            (process.attempt, process.pid) = (now, 7);
            Command::Spawned {
                process,
                works_at_once,
            }
        }
        Command::Stopped { signal, .. } => Command::Stopped {
            attempt: now,
            signal,
        },
        Command::Continued { .. } => Command::Continued { attempt: now },
        Command::Silent {
            missing, millis, ..
        } => Command::Silent {
            attempt: now,
            missing,
            millis,
        },
        other => other,
    }
}

/// The columns: status, process, stop. Two letters each, in the order of the table.
fn places() -> Vec<(&'static str, Status, Vec<Event>)> {
    use Status::{Cancelled, Completed, Failed, Paused, Queued, Running};
    let stopped = |log, by| with(log, [stop_requested(by)]);
    let by = ExitedBy::Itself;
    vec![
        // queued: set-up, launching, at the prompt
        ("qs", Queued, vec![]),
        ("ql", Queued, vec![launching(1)]),
        ("qa", Queued, queued()),
        // running: set-up of a resume, its launch, at work, and while the old process still ends
        ("rs", Running, resuming()),
        ("rl", Running, with(resuming(), [launching(2)])),
        ("ra", Running, running()),
        ("ro", Running, replacing()),
        // paused: alive, exited
        ("pa", Paused, resting()),
        ("px", Paused, with(resting(), [exited(1, Some(1), by)])),
        // completed: lingering, exited
        ("ca", Completed, lingering()),
        ("cx", Completed, over()),
        // failed: never launched, at its prompt, exited
        ("fn", Failed, vec![failed(Stage::Setup, None)]),
        ("fa", Failed, failed_at_prompt()),
        (
            "fx",
            Failed,
            with(failed_at_prompt(), [exited(1, Some(1), by)]),
        ),
        // cancelled: never launched, exited
        (
            "xn",
            Cancelled,
            vec![stop_requested(StopBy::Cancel), cancelled()],
        ),
        (
            "xx",
            Cancelled,
            with(
                running(),
                [
                    stop_requested(StopBy::Cancel),
                    exited(1, None, ExitedBy::Cancel),
                    cancelled(),
                ],
            ),
        ),
        // a stop is under way: cancel in set-up, in launch, at work; pause; idle; delete
        ("Cs", Queued, stopped(vec![], StopBy::Cancel)),
        ("Cl", Queued, stopped(vec![launching(1)], StopBy::Cancel)),
        ("Ca", Running, stopped(running(), StopBy::Cancel)),
        ("Ps", Queued, stopped(vec![], StopBy::Pause)),
        ("Pa", Running, stopped(running(), StopBy::Pause)),
        ("Ia", Paused, stopped(resting(), StopBy::Idle)),
        ("Da", Paused, stopped(resting(), StopBy::Delete)),
        ("Dx", Completed, stopped(over(), StopBy::Delete)),
        // deleted
        (
            "dd",
            Completed,
            with(stopped(over(), StopBy::Delete), [RunDeleted {}.into()]),
        ),
    ]
}

/// What the cells mean:
/// `R P C F X` the run became running, paused, completed, failed, cancelled (or was so told);
/// `Q` it is queued again; `S` a stop was requested, `L` a launch written down, `A` a process, `E` its end, `D` deletion;
/// `T` a message is typed; `.` recorded only, `i` recorded as ignored, `-` nothing to record;
/// `!r` not to be retried, `!l` no live process, `!p` not pausable, `!w` still working, `!n` no session, `!s` already
/// stopping, `!c` cancel it first, `!t` a message is being typed, `!q` not so queued, `!d` deleted.
const TABLE: &str = include_str!("table.txt");

fn cell(before: &Live, command: Command) -> String {
    let mut live = before.clone();
    let events = match live.tell(command) {
        Ok(events) => events,
        Err(rejection) => return format!("!{}", refusal(rejection)),
    };
    if events.is_empty() {
        assert_eq!(live.run, before.run);
        return "-".into();
    }
    let mut letter = '.';
    for event in &events {
        letter = match event {
            Event::RunStarted(_) => 'R',
            Event::RunPaused(_) => 'P',
            Event::RunRetried(_) => 'Q',
            Event::RunCompleted(_) => 'C',
            Event::RunFailed(_) => 'F',
            Event::RunCancelled(_) => 'X',
            Event::StopRequested(_) => 'S',
            Event::ProcessLaunching(_) => 'L',
            Event::ProcessSpawned(_) => 'A',
            Event::ProcessExited(_) => 'E',
            Event::RunDeleted(_) => 'D',
            Event::MessageTyping(_) => 'T',
            Event::HookReceived(hook) if hook.ignored => 'i',
            _ => letter,
        };
    }
    if matches!(letter, '.' | 'i') {
        let (was, is) = (&before.run, &live.run);
        assert_eq!((was.status, was.stop), (is.status, is.stop));
        assert_eq!((&was.process, was.attempt), (&is.process, is.attempt));
        assert_eq!(was.launch_wanted, is.launch_wanted);
    }
    letter.into()
}

fn refusal(rejection: Rejection) -> char {
    match rejection {
        Rejection::NotLive(_) => 'l',
        Rejection::NotPausable(_) => 'p',
        Rejection::StillWorking(_) => 'w',
        Rejection::NoSession(_) | Rejection::NeverStarted(_) => 'n',
        Rejection::NotRetried(_) => 'r',
        Rejection::Stopping { .. } => 's',
        Rejection::CancelFirst(_) => 'c',
        Rejection::Deleted => 'd',
        Rejection::Typing | Rejection::Asking | Rejection::Draft | Rejection::Menu => 't',
        Rejection::QueueFull(_) | Rejection::NotQueued | Rejection::OtherOrder => 'q',
        Rejection::ApprovalClosed => 'a',
        Rejection::NoWorktree(_) | Rejection::PauseFirst(_) => 'g',
        Rejection::Invalid { .. } | Rejection::NoRepo => unreachable!("the run exists"),
    }
}

fn actual() -> String {
    let places = places();
    let mut text = format!("{:<17}", "");
    for (name, ..) in &places {
        write!(text, "{name:<3}").expect("a string takes all");
    }
    let named = samples()
        .into_iter()
        .map(|command| (name(&command), command));
    for (row, command) in named.chain(more_samples()) {
        write!(text, "\n{row:<17}").expect("a string takes all");
        for (_, _, log) in &places {
            let live = given(log.clone());
            let now = live.run.attempt;
            let cell = cell(&live, for_attempt(command.clone(), now));
            write!(text, "{cell:<3}").expect("a string takes all");
        }
    }
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

#[test]
fn every_command_has_its_outcome_in_every_state() {
    let actual = actual();
    let differ: Vec<(&str, &str)> = TABLE
        .lines()
        .zip(actual.lines())
        .filter(|(expected, actual)| expected != actual)
        .collect();
    let lines = (TABLE.lines().count(), actual.lines().count());
    assert!(
        differ.is_empty() && lines.0 == lines.1,
        "lines {lines:?}, expected and actual that differ: {differ:#?}\nwhole:\n{actual}"
    );
}

#[test]
fn every_status_and_every_process_is_among_the_columns() {
    let mut seen = Vec::new();
    for (name, status, log) in places() {
        let live = given(log).is(status);
        let process = match live.run.process {
            Process::None => "none",
            Process::Launching => "launching",
            Process::Alive { .. } => "alive",
            Process::Exited { .. } => "exited",
        };
        let place = (status, process, live.run.stop, live.run.launch_wanted);
        let twice = seen.contains(&place) && !live.run.deleted;
        assert!(!twice, "{name} is there twice");
        seen.push(place);
    }
    for status in Status::ALL {
        assert!(seen.iter().any(|(s, ..)| *s == status), "{status}");
    }
    for process in ["none", "launching", "alive", "exited"] {
        assert!(seen.iter().any(|(_, p, ..)| *p == process), "{process}");
    }
}

#[test]
fn each_row_is_of_another_kind() {
    let mut names: Vec<&str> = samples().iter().map(name).collect();
    names.extend(more_samples().iter().map(|(name, _)| *name));
    let rows: Vec<&str> = TABLE
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names, rows);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows.len());
}

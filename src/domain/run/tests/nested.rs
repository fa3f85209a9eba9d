//! Hooks of CLIs that the agent itself started.

use super::support::*;
use crate::domain::run::{
    Command, Event, Status,
    callers::{Caller, Callers},
    command::Signal,
    event::{HookReceived, PausedBy, SessionInit},
};
use serde_json::json;

const OTHER: &str = "another-session";

fn callers(pids: &[u32]) -> Callers {
    let started = |pid| u64::from(pid) * 10;
    let callers = pids.iter().map(|&pid| Caller {
        pid,
        started: started(pid),
    });
    Callers(callers.collect())
}

/// The process that `spawned(1)` tells of, called by the holder.
const CLI: &[u32] = &[101, 50];
/// A CLI in a tool of that one.
const BELOW: &[u32] = &[140, 120, 101, 50];
/// One that left the tree.
const DAEMON: &[u32] = &[140, 50];
/// A CLI that the program of the launch started, and another that it started in its place.
const WRAPPED: &[u32] = &[110, 101, 50];
const RESTARTED: &[u32] = &[150, 101, 50];

fn of(session: &str, name: &str, signal: Signal, by: &[u32]) -> Command {
    let mut command = hook_of(session, name, None, signal, &[]);
    if let Command::Hook { hook, .. } = &mut command {
        hook.callers = callers(by);
        hook.payload["session_id"] = json!(session);
    }
    command
}

fn start(session: &str, switches: bool, by: &[u32]) -> Command {
    of(
        session,
        "SessionStart",
        Signal::SessionStarted { switches },
        by,
    )
}

fn stop_of(session: &str, by: &[u32]) -> Command {
    let (last_message, background) = (None, false);
    let signal = Signal::TurnEnded {
        last_message,
        background,
    };
    of(session, "Stop", signal, by)
}

fn prompt_of(session: &str, by: &[u32]) -> Command {
    let text = "summarise".to_owned();
    let machine = false;
    of(
        session,
        "UserPromptSubmit",
        Signal::Prompt { text, machine },
        by,
    )
}

fn end_of(session: &str, by: &[u32]) -> Command {
    of(
        session,
        "SessionEnd",
        Signal::SessionEnded { continues: false },
        by,
    )
}

fn whole_session(by: &[u32]) -> [Command; 4] {
    [
        start(OTHER, false, by),
        prompt_of(OTHER, by),
        stop_of(OTHER, by),
        end_of(OTHER, by),
    ]
}

/// A session told by these processes, and a turn of it that calls a tool.
fn working(by: &[u32]) -> Vec<Event> {
    let init = SessionInit {
        session_id: S1.into(),
        cli_version: None,
        model: None,
        transcript_path: None,
        callers: callers(by),
    };
    vec![launching(1), spawned(1), init.into(), started("t1")]
}

fn is_nested(event: &Event) -> bool {
    matches!(
        event,
        Event::HookReceived(HookReceived {
            nested: true,
            ignored: true,
            ..
        })
    )
}

#[test]
fn a_whole_nested_session_in_a_turn_moves_nothing() {
    for (own, by) in [
        (CLI, BELOW),
        (CLI, DAEMON),
        (CLI, &[][..]),
        (&[], BELOW),
        (&[], &[]),
    ] {
        let mut live = given(working(own));
        live = live.after([tool_call(Some("t1"))]);
        let before = live.run.clone();
        for command in whole_session(by) {
            live = live.after([command]);
            assert!(
                is_nested(live.log.last().unwrap()),
                "{own:?} {by:?}: {:?}",
                live.log.last()
            );
        }
        assert_eq!(live.run.status, Status::Running);
        assert_eq!(live.run.activity().what, "tool Bash");
        assert_eq!(live.run.session, before.session);
        assert_eq!(live.run.prompts_expected, before.prompts_expected);
        // The turn goes on and ends as ever.
        live.after([tool_result(Some("t1")), stop_of(S1, own)])
            .is(Status::Paused);
    }
}

#[test]
fn one_that_is_proved_by_its_processes_moves_nothing_at_rest_either() {
    for by in [BELOW, DAEMON] {
        let mut live = given(with(working(CLI), [paused(PausedBy::Stop, Some("t1"))]));
        for command in whole_session(by) {
            live = live.after([command]);
        }
        assert_eq!(live.run.session_id(), Some(S1));
        live.is(Status::Paused);
    }
}

#[test]
fn a_cli_that_begins_another_session_is_followed() {
    // By its own word, whatever is known of processes.
    for by in [WRAPPED, RESTARTED, &[]] {
        let live = given(working(WRAPPED)).after([start(OTHER, true, by)]);
        assert_eq!(live.run.session_id(), Some(OTHER), "{by:?}");
    }
    // The same process; at rest also another one in its place, or one that is not named.
    let live = given(working(CLI)).after([start(OTHER, false, CLI)]);
    assert_eq!(live.run.session_id(), Some(OTHER));
    for by in [RESTARTED, &[]] {
        let resting = with(working(WRAPPED), [paused(PausedBy::Stop, Some("t1"))]);
        let live = given(resting).after([start(OTHER, false, by), stop_of(OTHER, by)]);
        assert_eq!(live.run.session_id(), Some(OTHER), "{by:?}");
    }
}

#[test]
fn a_nested_cli_that_goes_on_with_the_runs_own_session_is_known_by_its_process() {
    let live = given(working(CLI)).after([tool_call(Some("t1"))]);
    let live = live.after([
        start(S1, true, BELOW),
        prompt_of(S1, BELOW),
        stop_of(S1, BELOW),
    ]);
    assert_eq!(live.run.status, Status::Running);
    live.after([stop_of(S1, CLI)]).is(Status::Paused);
    // A CLI that tells some hooks by a process of its own is believed.
    given(working(CLI))
        .after([stop_of(S1, BELOW)])
        .is(Status::Paused);
}

#[test]
fn the_next_launch_tells_anew_which_process_is_the_cli() {
    let over = with(working(CLI), [paused(PausedBy::User, None)]);
    let again = with(
        over,
        [exited(1, Some(0), super::super::event::ExitedBy::Pause)],
    );
    let again = with(
        again,
        [
            said("more", super::super::event::DeliveredBy::Resume),
            continued(),
        ],
    );
    let live = given(with(again, [launching(2), spawned(2)]));
    let second: &[u32] = &[102, 50];
    let live = live.after([start(S1, true, second), prompt_of(S1, second)]);
    assert_eq!(live.run.session.as_ref().unwrap().callers, callers(second));
    let live = live.after(whole_session(&[140, 120, 102, 50]));
    live.is(Status::Running)
        .after([stop_of(S1, second)])
        .is(Status::Paused);
}

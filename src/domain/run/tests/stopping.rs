//! Stopping is a request and an outcome; ends in every order; launches that come to nothing.

use super::support::*;
use crate::domain::run::{
    Command, Effect, Rejection, Status,
    command::{Checkpoint, Exit, Observation, Signal},
    event::*,
    state::Process,
};

#[test]
fn cancel_ends_the_tree_then_says_so() {
    let checkpoint = Checkpoint {
        number: 1,
        reason: "cancel".into(),
        repos: Vec::new(),
    };
    let live = given(running())
        .when(stop(StopBy::Cancel))
        .then([stop_requested(StopBy::Cancel)]);
    assert_eq!(live.effects, [Effect::EndProcess]);
    let live = live
        .is(Status::Running)
        // CLIs fire SessionEnd while they die.
        .after([session_ended()])
        .is(Status::Running)
        .when(Command::Exited(Exit {
            checkpoint: Some(checkpoint),
            ..exit(1, Some(143))
        }))
        .then([
            RunCheckpointed {
                number: 1,
                reason: "cancel".into(),
                repos: Vec::new(),
            }
            .into(),
            exited(1, Some(143), ExitedBy::Cancel),
            cancelled(),
        ]);
    assert_eq!(live.effects, [Effect::AckExit]);
    assert!(!live.run.needs_recovery());
}

#[test]
fn the_hooks_and_the_exit_of_a_stopped_run_move_nothing() {
    for (by, end, status) in [
        (StopBy::Cancel, cancelled(), Status::Cancelled),
        (StopBy::Pause, paused(PausedBy::User, None), Status::Paused),
    ] {
        let live = given(with(running(), [stop_requested(by)])).after([
            tool_call(None),
            turn_ended(None),
            prompt("still there?", None),
            turn_failed(None),
            session_ended(),
        ]);
        let live = live.is(Status::Running).after([gone(1, 0)]).is(status);
        assert_eq!(live.log.last(), Some(&end));
        live.after([turn_ended(None), tool_call(None), gone(1, 0)])
            .is(status);
    }
}

#[test]
fn a_second_request_waits_for_the_same_outcome_and_only_a_cancel_outranks_a_pause() {
    let stopping = |by| given(with(running(), [stop_requested(by)]));
    let refused = |by| Rejection::Stopping {
        status: Status::Running,
        by,
    };
    stopping(StopBy::Cancel)
        .when(stop(StopBy::Cancel))
        .then_nothing();
    stopping(StopBy::Cancel)
        .when(stop(StopBy::Pause))
        .then_refused(refused(StopBy::Cancel));
    stopping(StopBy::Pause)
        .when(stop(StopBy::Cancel))
        .then([stop_requested(StopBy::Cancel)])
        .after([killed(1)])
        .is(Status::Cancelled);
    stopping(StopBy::Pause)
        .when(go_on("more"))
        .then_refused(refused(StopBy::Pause));
}

#[test]
fn a_stop_in_set_up_ends_without_a_process() {
    for (by, outcome) in [
        (StopBy::Cancel, cancelled()),
        (StopBy::Pause, paused(PausedBy::User, None)),
    ] {
        for end in [
            Command::SetUpStopped,
            ready(),
            set_up_failed(Stage::Worktree),
        ] {
            let live = given([]).when(stop(by)).then([stop_requested(by)]);
            assert_eq!(live.effects, [Effect::StopSetUp]);
            let live = live.when(end).then([outcome.clone()]);
            assert_eq!(live.run.process, Process::None);
            assert!(!live.run.needs_recovery());
            // The other news of the same set-up come late.
            live.after([Command::SetUpStopped, ready(), set_up_failed(Stage::Setup)])
                .when(ready())
                .then_nothing();
        }
    }
}

#[test]
fn a_stop_while_launching_waits_for_what_the_launch_comes_to() {
    let stopping = || given([launching(1), stop_requested(StopBy::Cancel)]);
    // It came up after all: it is ended, works_at_once or not.
    let live = stopping().when(runs(1)).then([spawned(1)]);
    assert_eq!(live.effects, [Effect::EndProcess]);
    live.after([killed(1)]).is(Status::Cancelled);
    // It failed, or never happened: the same end of a process that never was.
    for end in [set_up_failed(Stage::Launch), Command::Relaunch, lost(1)] {
        let live = stopping()
            .when(end)
            .then([exited(1, None, ExitedBy::Cancel), cancelled()]);
        assert!(!live.run.needs_recovery());
    }
}

#[test]
fn a_launch_that_never_happened_is_tried_again_unless_somebody_asked_to_stop() {
    let live = given([launching(1)])
        .when(Command::Relaunch)
        .then([launching(2)]);
    assert_eq!(live.effects, [Effect::Launch { attempt: 2 }]);
    // News of the first attempt are not news of the second.
    let live = live.when(runs(1)).then_nothing();
    let live = live.when(killed(1)).then_nothing();
    live.after([runs(2), prompt(TASK, None)])
        .is(Status::Running);
    given(queued()).when(Command::Relaunch).then_nothing();
}

#[test]
fn set_up_told_twice_starts_one_cli() {
    let live = given([]).when(ready()).then([launching(1)]);
    let live = live.when(ready()).then_nothing();
    let live = live.after([runs(1)]).when(ready()).then_nothing();
    live.when(set_up_failed(Stage::Setup)).then_nothing();
}

#[test]
fn a_failed_launch_leaves_no_process() {
    let live = given([launching(1)])
        .when(set_up_failed(Stage::Launch))
        .then([failed(Stage::Launch, None)]);
    assert_eq!(live.run.process, Process::None);
    assert!(!live.run.needs_recovery());
    let live = given([]).when(set_up_failed(Stage::Setup));
    let live = live.then([failed(Stage::Setup, None)]);
    assert_eq!(live.effects, []);
}

#[test]
fn a_run_that_failed_before_its_cli_started_begins_again() {
    for stage in [Stage::Worktree, Stage::Setup, Stage::Launch] {
        let log = match stage {
            Stage::Launch => vec![launching(1)],
            _ => Vec::new(),
        };
        let live = given(log).when(set_up_failed(stage));
        let live = live.then([failed(stage, None)]);
        let live = live.when(Command::Retry).then([RunRetried {}.into()]);
        assert_eq!(live.effects, [Effect::SetUp]);
        let attempt = live.run.attempt + 1;
        let live = live.is(Status::Queued);
        assert_eq!(live.run.reason, None);
        assert!(live.run.is_setting_up() && live.run.needs_recovery());
        let live = live.when(ready()).then([launching(attempt)]);
        live.after([runs(attempt), prompt(TASK, None)])
            .is(Status::Running);
    }
}

#[test]
fn worktrees_that_hold_nothing_go_with_a_failed_launch() {
    let at = WorktreeAt {
        repo_id: crate::domain::RepoId(uuid::Uuid::nil()),
        name: "repo".into(),
        worktree: "/data/worktrees/r/repo".into(),
        branch: "abbado/r".into(),
    };
    let mut command = set_up_failed(Stage::Launch);
    if let Command::SetUpFailed { removed, .. } = &mut command {
        *removed = Some((vec![at.clone()], 7));
    }
    let gone = WorktreeRemoved {
        repos: vec![at],
        millis: 7,
    };
    let live = given([launching(1)]).when(command);
    let live = live.then([gone.into(), failed(Stage::Launch, None)]);
    assert!(live.run.worktrees.is_empty());
}

#[test]
fn delete_of_an_idle_cli_ends_it_first() {
    let live = given(resting())
        .when(stop(StopBy::Delete))
        .then([stop_requested(StopBy::Delete)]);
    assert_eq!(live.effects, [Effect::EndProcess]);
    // A deletion told before the process is gone is not believed.
    let live = live.when(deleted()).then_nothing();
    let live = live
        .after([session_ended()])
        .when(gone(1, 143))
        .then([exited(1, Some(143), ExitedBy::Delete)]);
    assert_eq!(live.effects, [Effect::AckExit, Effect::Delete]);
    assert!(live.run.needs_recovery(), "the files are still there");
    let live = live.when(deleted()).then([RunDeleted {}.into()]);
    assert_eq!(live.effects, [Effect::Forget]);
    assert!(!live.run.needs_recovery());
}

#[test]
fn delete_without_a_process_is_done_at_once() {
    for log in [over(), vec![failed(Stage::Setup, None)]] {
        let live = given(log)
            .when(stop(StopBy::Delete))
            .then([stop_requested(StopBy::Delete)]);
        assert_eq!(live.effects, [Effect::Delete]);
        assert!(live.run.needs_recovery());
    }
    // A launch that is still open comes to nothing: the deletion goes on all the same.
    let launching = with(
        vec![launching(1)],
        [completed(), stop_requested(StopBy::Delete)],
    );
    let live = given(launching).when(set_up_failed(Stage::Launch));
    let live = live.then([exited(1, None, ExitedBy::Delete)]);
    assert_eq!(live.effects, [Effect::AckExit, Effect::Delete]);
}

#[test]
fn after_the_deletion_nothing_is_written_and_people_are_refused() {
    let gone_run = || {
        given(with(
            over(),
            [stop_requested(StopBy::Delete), RunDeleted {}.into()],
        ))
    };
    let facts = [prompt("late", None), tool_call(None), deleted(), lost(1)];
    for late in facts.into_iter().chain([stop(StopBy::Delete)]) {
        gone_run().when(late).then_nothing();
    }
    for wish in [
        go_on("more"),
        stop(StopBy::Cancel),
        Command::SetNotify { notify: true },
    ] {
        gone_run().when(wish).then_refused(Rejection::Deleted);
    }
}

#[test]
fn the_idle_limit_ends_only_what_rests() {
    let live = given(resting())
        .when(stop(StopBy::Idle))
        .then([stop_requested(StopBy::Idle)]);
    let live = live.after([session_ended()]).when(gone(1, 0)).then([
        exited(1, Some(0), ExitedBy::Idle),
        paused(PausedBy::Idle, None),
    ]);
    live.when(go_on("more"))
        .then([said("more", DeliveredBy::Resume), continued()]);
    // A prompt was faster than the limit.
    let status = Status::Running;
    given(with(resting(), [restarted(Some("t2"))]))
        .when(stop(StopBy::Idle))
        .then_refused(Rejection::StillWorking(status));
}

#[test]
fn an_exit_decides_by_its_code_once() {
    let after = |code| given(running()).when(gone(1, code));
    let done = after(0).then([exited(1, Some(0), ExitedBy::Itself), completed_by_exit()]);
    let done = done.when(gone(1, 1)).then_nothing();
    done.when(lost(1)).then_nothing().is(Status::Completed);
    after(1)
        .then_types(&["process.exited", "run.failed"])
        .is(Status::Failed);
    given(queued()).after([killed(1)]).is(Status::Failed);
}

#[test]
fn an_exit_after_session_end_is_no_second_completion() {
    let live = given(running()).when(session_ended()).then([completed()]);
    assert_eq!(live.effects, [Effect::EndLingering { attempt: 1 }]);
    let live = live.when(session_ended());
    let live = live.then([kept("SessionEnd", true)]);
    live.when(gone(1, 1))
        .then([exited(1, Some(1), ExitedBy::Itself)])
        .is(Status::Completed);
    // Ended by us: by signal, or by the exit code that CLIs make of one.
    given(lingering())
        .when(gone(1, 143))
        .then([exited(1, Some(143), ExitedBy::Server)]);
}

#[test]
fn a_paused_run_stays_paused_when_its_cli_breaks() {
    given(resting())
        .when(gone(1, 1))
        .then([exited(1, Some(1), ExitedBy::Itself)])
        .is(Status::Paused);
    given(resting()).after([gone(1, 0)]).is(Status::Completed);
    let live = given(resting()).after([attention(), killed(1)]);
    assert_eq!(live.run.attention, None, "nobody is there to be answered");
}

#[test]
fn the_last_words_of_a_process_decide_before_its_exit() {
    let dying = |code, observed: &[Observation]| {
        Command::Exited(Exit {
            observed: observed.to_vec(),
            ..exit(1, Some(code))
        })
    };
    let failure = Observation::Ended {
        failure: Some("no luck".into()),
        turn_id: None,
    };
    // An agent that failed did not complete, whatever its exit code says.
    for code in [0, 1] {
        given(running())
            .when(dying(code, std::slice::from_ref(&failure)))
            .then([
                failed(Stage::Agent, Some("t1")),
                exited(1, Some(code), ExitedBy::Itself),
            ]);
    }
    given(running())
        .after([dying(1, &[Observation::Interrupted { turn_id: None }])])
        .is(Status::Paused);
    // The session that was told last is the one to go on with.
    let told = Observation::Session {
        session_id: S1.into(),
        cli_version: None,
        model: None,
    };
    let end = Exit {
        lost: true,
        observed: vec![told],
        ..exit(1, None)
    };
    given([launching(1), spawned(1)])
        .when(Command::Exited(end))
        .then_types(&["session.init", "process.exited", "run.paused"])
        .is(Status::Paused);
}

#[test]
fn lost_is_paused_with_a_session_and_failed_without() {
    let lost_exit = exited(1, None, ExitedBy::Lost);
    for log in [queued(), running(), resting()] {
        given(log)
            .when(lost(1))
            .then([lost_exit.clone(), paused(PausedBy::Lost, None)])
            .is(Status::Paused);
    }
    let live = given([launching(1)]).when(lost(1));
    let live = live.then_types(&["process.exited", "run.failed"]);
    let Some(Event::RunFailed(failed)) = live.log.last() else {
        panic!("a failure")
    };
    assert_eq!(failed.stage, Stage::Lost);
    // Decided states stay.
    for (log, status) in [
        (lingering(), Status::Completed),
        (failed_at_prompt(), Status::Failed),
    ] {
        given(log)
            .when(lost(1))
            .then([lost_exit.clone()])
            .is(status);
    }
}

#[test]
fn recovery_finishes_a_request_whose_process_vanished() {
    for (by, exited_by, outcome) in [
        (StopBy::Cancel, ExitedBy::Cancel, cancelled()),
        (StopBy::Pause, ExitedBy::Pause, paused(PausedBy::User, None)),
    ] {
        given(with(running(), [stop_requested(by)]))
            .when(lost(1))
            .then([exited(1, None, exited_by), outcome]);
    }
}

#[test]
fn a_session_end_that_overtakes_the_launch_leaves_no_lingering_process() {
    let live = given([launching(1)]).after([session_ended(), runs(1)]);
    assert_eq!(live.effects, [Effect::EndLingering { attempt: 1 }]);
    let over = hook(
        "SessionEnd",
        None,
        Signal::SessionEnded { continues: false },
    );
    let live = given(failed_at_prompt()).when(over);
    let live = live.then([kept("SessionEnd", false)]).is(Status::Failed);
    assert_eq!(live.effects, [Effect::EndLingering { attempt: 1 }]);
}

#[test]
fn a_resume_that_the_cli_refuses_is_no_completion() {
    let resumed = || with(resuming(), [launching(2), spawned(2)]);
    let live = given(resumed())
        .when(session_ended())
        .then([kept("SessionEnd", false)]);
    assert_eq!(live.effects, [Effect::EndLingering { attempt: 2 }]);
    live.is(Status::Running)
        .after([gone(2, 1)])
        .is(Status::Failed);
    // Once it took the message, its end is one.
    given(resumed())
        .after([prompt("more", None), session_ended()])
        .is(Status::Completed);
}

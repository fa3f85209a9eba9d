//! Prompts, turns, sessions, and what continues them.

use super::support::*;
use crate::domain::run::{
    Command, Effect, Event, Rejection, Status,
    command::{Observation, Signal},
    event::*,
};
use serde_json::json;

#[test]
fn the_task_is_no_message_of_a_person() {
    let live = given(queued())
        .when(prompt(TASK, Some("t1")))
        .then([started("t1")]);
    assert!(live.run.prompts_expected.is_empty());
    // The same words again are the person's.
    live.after([turn_ended(Some("t1"))])
        .when(prompt(TASK, Some("t2")))
        .then([typed_there(TASK, Some("t2")), restarted(Some("t2"))]);
}

#[test]
fn a_prompt_is_known_again_without_its_outer_blanks() {
    let mut created = created();
    created.task = format!("\n{TASK}\n");
    given_created(created, queued())
        .when(prompt(TASK, Some("t1")))
        .then([started("t1")]);
}

#[test]
fn a_tool_before_the_prompt_is_evidence_and_the_prompt_still_ours() {
    let live = given(queued()).after([tool_call(Some("t1"))]);
    let live = live.is(Status::Running);
    let live = live
        .when(prompt(TASK, Some("t1")))
        .then_types(&["hook.received"]);
    assert!(live.run.prompts_expected.is_empty());
}

#[test]
fn a_later_delivered_prompt_does_not_use_up_an_earlier_one() {
    // The hook of the task never came; a message was typed, and an old Stop came in between.
    let live = given(queued())
        .after([tool_call(Some("t1")), turn_ended(Some("t1")), go_on("more")])
        .after([turn_ended(None)])
        .is(Status::Paused)
        .after([prompt("more", Some("t2"))])
        .is(Status::Running);
    assert_eq!(live.run.prompts_expected, [TASK]);
    live.when(prompt(TASK, Some("t1")))
        .then_types(&["hook.received"]);
}

#[test]
fn what_is_expected_begins_anew_with_each_resume() {
    let live = given(resuming());
    assert_eq!(live.run.resume_with.as_deref(), Some("more"));
    let live = live.after([stop(StopBy::Cancel), Command::SetUpStopped]);
    assert_eq!(live.run.resume_with, None);
    let live = live.after([go_on("again"), ready()]);
    assert_eq!(live.run.prompts_expected, ["again"]);
    assert_eq!(live.run.resume_with.as_deref(), Some("again"));
    // A launch that never happened takes its message along; one that happened does not.
    let live = live.after([Command::Relaunch]);
    assert_eq!(live.run.resume_with.as_deref(), Some("again"));
    let live = live.after([runs(3)]);
    assert_eq!(live.run.resume_with, None);
    let live = live
        .when(prompt("again", Some("t2")))
        .then_types(&["hook.received"]);
    assert!(live.run.prompts_expected.is_empty());
    assert_eq!(live.run.turn.as_deref(), Some("t2"));
}

#[test]
fn the_first_launch_tried_again_still_waits_for_the_task() {
    let live = given([]).after([ready(), Command::Relaunch, runs(2)]);
    assert_eq!(live.run.prompts_expected, [TASK]);
}

#[test]
fn a_prompt_that_the_cli_made_is_evidence_and_no_message() {
    let live = given(resting()).after([machine_prompt(Some("t2"))]);
    let live = live.is(Status::Running);
    let messages = live.log.iter();
    assert_eq!(
        messages
            .filter(|e| matches!(e, Event::UserMessage(_)))
            .count(),
        0
    );
    assert_eq!(live.run.turn.as_deref(), Some("t2"));
}

#[test]
fn a_stop_with_background_tasks_ends_no_turn() {
    let background = || {
        let (last_message, background) = (None, true);
        let signal = Signal::TurnEnded {
            last_message,
            background,
        };
        hook("Stop", Some("t1"), signal)
    };
    let live = given(running())
        .after([attention()])
        .when(background())
        .then([kept("Stop", false)])
        .is(Status::Running);
    assert_eq!(live.run.attention, None);
    // Tools of the subagent follow, then the CLI's own prompt, then the Stop that counts.
    let live = live
        .after([tool_call(Some("t1")), machine_prompt(Some("t2"))])
        .is(Status::Running)
        .after([turn_ended(Some("t2"))])
        .is(Status::Paused);
    assert_eq!(live.run.num_turns, 1);
    live.when(background()).then([kept("Stop", true)]);
}

#[test]
fn a_subagent_that_works_on_moves_nothing() {
    for word in [
        tool_call(Some("s1")),
        tool_result(Some("s1")),
        turn_ended(Some("s1")),
        interrupted(Some("s1")),
        hook(
            "UserPromptSubmit",
            Some("s1"),
            Signal::Prompt {
                text: "look".into(),
                machine: true,
            },
        ),
    ] {
        given(resting())
            .after([of_subagent(word.clone())])
            .is(Status::Paused);
        let live = given(running()).after([of_subagent(word)]);
        assert_eq!(live.run.turn.as_deref(), Some("t1"));
        live.is(Status::Running);
    }
}

#[test]
fn late_hooks_of_an_ended_turn_move_nothing_also_when_later_turns_have_ended() {
    let two_turns = || {
        given(resting())
            .after([prompt("two", Some("t2")), turn_ended(Some("t2"))])
            .is(Status::Paused)
    };
    for turn in ["t1", "t2"] {
        for late in [
            tool_call(Some(turn)),
            tool_result(Some(turn)),
            prompt("two", Some(turn)),
            turn_ended(Some(turn)),
            interrupted(Some(turn)),
        ] {
            two_turns().after([late]).is(Status::Paused);
        }
    }
    // Nor does the Stop of an old turn end a new one.
    let working = two_turns().after([prompt("three", Some("t3"))]);
    let working = working.after([turn_ended(Some("t1")), turn_failed(Some("t2"))]);
    working.is(Status::Running);
}

#[test]
fn an_end_in_mid_turn_ends_the_turn_too() {
    // Cancelled in the middle of t1, then resumed: t1's Stop comes late.
    given(running())
        .after([stop(StopBy::Cancel), killed(1), go_on("more")])
        .after([ready(), runs(2)])
        .after([turn_ended(Some("t1"))])
        .is(Status::Running);
}

#[test]
fn after_a_failed_turn_only_a_new_prompt_goes_on() {
    let live = given(queued()).after([turn_failed(Some("t1"))]);
    let live = live.is(Status::Failed);
    // The prompt of the turn that failed arrives after its failure.
    let live = live
        .after([
            prompt(TASK, Some("t1")),
            tool_call(Some("t1")),
            tool_call(None),
        ])
        .is(Status::Failed);
    let live = live.after([prompt("again", Some("t2"))]);
    let live = live.is(Status::Running);
    assert_eq!(live.run.reason, None);
    // Unless its session is over.
    given(failed_at_prompt())
        .after([session_ended(), prompt("again", Some("t2"))])
        .is(Status::Failed)
        .when(go_on("again"))
        .then([said("again", DeliveredBy::Resume), continued()]);
}

#[test]
fn an_interrupt_seen_with_the_next_prompt_ends_only_the_turn_before() {
    given(running())
        .when(seeing(
            prompt("two", Some("t2")),
            &[Observation::Interrupted { turn_id: None }],
        ))
        .then([
            paused(PausedBy::Interrupt, Some("t1")),
            typed_there("two", Some("t2")),
            restarted(Some("t2")),
        ]);
    // A tool of the turn that was interrupted is no evidence of further work.
    for turn in [Some("t1"), None] {
        given(running())
            .after([seeing(
                tool_result(turn),
                &[Observation::Interrupted { turn_id: None }],
            )])
            .is(Status::Paused);
    }
    given(running())
        .after([seeing(
            tool_call(Some("t2")),
            &[Observation::Interrupted { turn_id: None }],
        )])
        .is(Status::Running);
    let live = given(running()).after([seeing(
        turn_ended(Some("t2")),
        &[Observation::Interrupted { turn_id: None }],
    )]);
    assert_eq!(live.log.last(), Some(&paused(PausedBy::Stop, Some("t2"))));
}

#[test]
fn a_late_word_on_a_turn_that_is_over_ends_no_other() {
    let of = |turn: &str| Some(turn.to_owned());
    let late = [
        Observation::Interrupted { turn_id: of("t1") },
        Observation::Ended {
            failure: Some("no luck".into()),
            turn_id: of("t1"),
        },
        Observation::Ended {
            failure: None,
            turn_id: of("t1"),
        },
    ];
    let next = given(running()).after([interrupted(Some("t1")), prompt("two", Some("t2"))]);
    next.clone()
        .when(Command::Observed(late.to_vec()))
        .then_nothing();
    let mut both = late.to_vec();
    both.push(Observation::Interrupted { turn_id: of("t2") });
    next.when(Command::Observed(both))
        .then([paused(PausedBy::Interrupt, Some("t2"))]);
}

#[test]
fn a_failure_seen_with_a_hook_is_not_forgotten() {
    let failure = Observation::Ended {
        failure: Some("no luck".into()),
        turn_id: None,
    };
    let seen = std::slice::from_ref(&failure);
    given(running())
        .when(seeing(session_ended(), seen))
        .then([failed(Stage::Agent, Some("t1")), kept("SessionEnd", false)]);
    given(running())
        .after([seeing(attention(), seen)])
        .is(Status::Failed);
}

#[test]
fn continue_types_into_an_open_session_and_resumes_a_closed_one() {
    let typed = given(resting()).when(go_on("more"));
    let typed = typed.then([typing(1, "more")]);
    let (id, text) = (message(1), "more".to_owned());
    assert_eq!(typed.effects, [Effect::Type { id, text }]);
    let resumed = given(over()).when(go_on("more"));
    let resumed = resumed.then([said("more", DeliveredBy::Resume), continued()]);
    assert_eq!(resumed.effects, [Effect::SetUp]);
    let resumed = resumed.after([ready()]);
    assert_eq!(resumed.effects, [Effect::Launch { attempt: 2 }]);
    // After StopFailure the CLI waits at its prompt.
    given(failed_at_prompt())
        .when(go_on("more"))
        .then([typing(1, "more")]);
    // A headless CLI reads no keys, so it is replaced.
    let headless = given_created(created_headless(), resting()).when(go_on("more"));
    let headless = headless.then([said("more", DeliveredBy::Resume), continued()]);
    assert_eq!(headless.effects, [Effect::EndProcess]);
}

#[test]
fn continue_while_the_old_process_lingers_ends_it_first() {
    let live = given(lingering()).when(go_on("more"));
    let live = live.then([said("more", DeliveredBy::Resume), continued()]);
    assert_eq!(live.effects, [Effect::EndProcess]);
    // Whatever the dying process says, the run goes on.
    let mut live = live;
    for word in [
        session_ended(),
        turn_ended(None),
        turn_failed(None),
        interrupted(None),
        Command::Observed(vec![Observation::Ended {
            failure: None,
            turn_id: None,
        }]),
        ready(),
    ] {
        live = live.after([word]).is(Status::Running);
        assert_eq!(live.run.resume_with.as_deref(), Some("more"));
    }
    let live = live
        .when(gone(1, 143))
        .then([exited(1, Some(143), ExitedBy::Server)]);
    assert_eq!(live.effects, [Effect::AckExit, Effect::SetUp]);
    let live = live.after([ready()]);
    assert_eq!(live.effects, [Effect::Launch { attempt: 2 }]);
    // The same when it vanished, or when the run is cancelled while it waits.
    given(replacing())
        .when(lost(1))
        .then([exited(1, None, ExitedBy::Lost)])
        .is(Status::Running);
    let live = given(replacing()).after([stop(StopBy::Cancel)]);
    let live = live.after([killed(1)]).is(Status::Cancelled);
    assert_eq!(live.effects, [Effect::AckExit]);
}

#[test]
fn continue_before_the_launch_is_known_never_makes_two_clis() {
    // The hooks were faster than the news of the process.
    let live = given([launching(1)]).after([prompt(TASK, None), session_ended()]);
    let live = live.is(Status::Completed).after([go_on("more")]);
    assert_eq!(live.effects, []);
    let live = live.when(ready()).then_nothing();
    let live = live.after([runs(1)]);
    assert_eq!(live.effects, [Effect::EndProcess]);
    let live = live.after([killed(1)]);
    assert_eq!(live.effects, [Effect::AckExit, Effect::SetUp]);
}

#[test]
fn continue_is_refused_while_it_works_and_without_a_session() {
    let status = Status::Running;
    given(running())
        .when(go_on("more"))
        .then_refused(Rejection::StillWorking(status));
    let status = Status::Failed;
    given([failed(Stage::Setup, None)])
        .when(go_on("more"))
        .then_refused(Rejection::NeverStarted(status));
    let status = Status::Cancelled;
    given([stop_requested(StopBy::Cancel), cancelled()])
        .when(go_on("more"))
        .then_refused(Rejection::NoSession(status));
}

#[test]
fn a_session_is_recorded_once_and_followed_when_it_changes() {
    let start = |id| {
        hook_of(
            id,
            "SessionStart",
            None,
            Signal::SessionStarted { switches: false },
            &[],
        )
    };
    let live = given([launching(1)]).when(start(S1)).then([session(S1)]);
    let live = live.when(start(S1)).then([kept("SessionStart", false)]);
    let live = live.after([prompt(TASK, Some("t1")), turn_ended(Some("t1"))]);
    // /clear: the old one ends without ending the run, the new one is followed.
    let cleared = Signal::SessionEnded { continues: true };
    let live = live
        .when(hook("SessionEnd", None, cleared))
        .then([kept("SessionEnd", true)])
        .is(Status::Paused);
    let live = live.when(start(S2)).then([session(S2)]);
    assert_eq!(live.run.session_id(), Some(S2));
    // Late hooks of the old one neither bring it back nor end the run.
    let live = live
        .when(session_ended())
        .then([kept("SessionEnd", true)])
        .is(Status::Paused);
    let live = live.after([tool_result(Some("t1"))]).is(Status::Paused);
    assert_eq!(live.run.session_id(), Some(S2));
    // /resume goes back to it, and continue follows.
    let live = live.when(start(S1)).then([session(S1)]);
    assert_eq!(live.run.session_id(), Some(S1));
}

#[test]
fn each_transcript_is_read_on_from_where_it_was_left() {
    let mut live = given(running());
    live.after_usage(50);
    assert_eq!(live.run.usage.transcript_offset, 500);
    live.append(session(S2));
    assert_eq!(live.run.usage.transcript_offset, 0);
    live.after_usage(60);
    live.append(session(S1));
    assert_eq!(live.run.usage.transcript_offset, 500);
    live.append(session(S1));
    assert_eq!(live.run.usage.transcript_offset, 500);
    live.append(session(S2));
    assert_eq!(live.run.usage.transcript_offset, 600);
    assert_eq!(live.run.usage.tokens_out, 60);
}

#[test]
fn the_session_is_learned_also_from_a_cli_that_is_being_ended_or_has_gone() {
    let start = || {
        hook(
            "SessionStart",
            None,
            Signal::SessionStarted { switches: false },
        )
    };
    given([launching(1), stop_requested(StopBy::Cancel)])
        .when(start())
        .then([session(S1)])
        .after([killed(1)])
        .when(go_on("more"))
        .then([said("more", DeliveredBy::Resume), continued()]);
    given([launching(1), spawned(1)])
        .after([killed(1)])
        .when(start())
        .then([session(S1)])
        .is(Status::Failed);
    // A later one of a process that has gone is news of nothing.
    given(over())
        .when(hook_of(
            S2,
            "SessionStart",
            None,
            Signal::SessionStarted { switches: false },
            &[],
        ))
        .then([kept("SessionStart", false)]);
}

#[test]
fn attention_is_called_for_only_where_somebody_can_answer() {
    let live = given(running()).after([attention()]);
    assert!(live.run.attention.is_some());
    for answer in [
        tool_result(None),
        turn_ended(None),
        session_ended(),
        gone(1, 1),
        interrupted(None),
    ] {
        assert_eq!(live.clone().after([answer]).run.attention, None);
    }
    for log in [over(), lingering(), failed_at_prompt(), replacing()] {
        assert_eq!(given(log).after([attention()]).run.attention, None);
    }
    let stopping = with(running(), [stop_requested(StopBy::Cancel)]);
    assert_eq!(given(stopping).after([attention()]).run.attention, None);
}

#[test]
fn an_adapter_without_prompt_hook_works_as_its_process_does() {
    let started = RunStarted {
        by: StartedBy::Spawn,
        turn_id: None,
        own_prompt: false,
    };
    given([launching(1)])
        .when(runs_and_works(1))
        .then([spawned(1), started.into()]);
}

#[test]
fn a_hook_faster_than_the_news_of_its_process_keeps_its_activity() {
    let live = given([launching(1)]).after([prompt(TASK, None), tool_call(None)]);
    assert_eq!(live.after([runs(1)]).run.activity().what, "tool Bash");
    let live = given([launching(1)]).after([runs(1)]);
    assert_eq!(live.run.activity().what, "waiting for the first prompt");
}

#[test]
fn the_turn_that_reaches_the_limit_pauses_by_it() {
    let mut created = created();
    created.agent.max_turns = 2;
    let live = given_created(created, resting());
    let live = live.after([prompt("two", Some("t2"))]);
    live.when(turn_ended(Some("t2")))
        .then([paused(PausedBy::Limit, Some("t2"))]);
}

#[test]
fn totals_are_recorded_once_and_count_the_turn_at_work() {
    let seen = |tokens| Command::Observed(vec![Observation::Usage(usage(tokens))]);
    let mut live = given(running());
    let turns = |live: &Live| {
        live.log.iter().rev().find_map(|event| match event {
            Event::RunResult(result) => Some(result.num_turns),
            _ => None,
        })
    };
    live = live.when(seen(5)).then_types(&["run.result"]);
    assert_eq!(turns(&live), Some(1));
    live = live.when(seen(5)).then_nothing();
    live = live.after([turn_ended(Some("t1")), seen(6)]);
    assert_eq!(turns(&live), Some(1), "no second turn has begun");
    // What JSON cannot hold is not written down.
    let endless = Observation::Usage(crate::domain::run::command::Usage {
        cost_usd: f64::INFINITY,
        ..usage(7)
    });
    let live = live.after([Command::Observed(vec![endless])]);
    assert!(live.run.usage.cost_usd < 1.0);
}

#[test]
fn one_reading_tells_each_message_and_session_once() {
    let message = |id: Option<&str>| Observation::Message {
        text: "done".into(),
        message_id: id.map(str::to_owned),
    };
    let told = Observation::Session {
        session_id: S2.into(),
        cli_version: None,
        model: None,
    };
    let news = [message(Some("m1")), message(Some("m1")), told.clone(), told];
    let live = given(running())
        .when(Command::Observed(news.to_vec()))
        .then_types(&["agent.message", "session.init"]);
    live.when(Command::Observed(vec![message(Some("m1"))]))
        .then_nothing();
    // Without ids the same words may be said twice.
    given(running())
        .when(Command::Observed(vec![message(None), message(None)]))
        .then_types(&["agent.message", "agent.message"]);
}

#[test]
fn the_view_has_every_field_of_the_contract() {
    let view = crate::domain::run::view::run(&given(running()).run);
    let view: serde_json::Value = serde_json::from_str(&view).expect("JSON");
    for field in [
        "id",
        "project_id",
        "agent_id",
        "task",
        "status",
        "source_branch",
        "run_branch",
        "cli_name",
        "created_at",
        "updated_at",
        "tokens_in",
        "tokens_out",
        "cost_usd",
        "parent_run_id",
        "notify",
        "session_id",
        "model",
        "reason",
        "attention",
        "activity",
        "process",
        "tokens_cache_read",
        "tokens_cache_write",
        "repos",
        "last_sequence",
    ] {
        assert!(view.get(field).is_some(), "{field}");
    }
    assert_eq!(
        view["process"],
        json!({"alive": true, "pid": 101, "exit_code": null, "stopped": false})
    );
    assert_eq!(view["status"], "running");
    assert_eq!(view["created_at"], "1970-01-01T00:00:01.000Z");
}

impl Live {
    fn after_usage(&mut self, tokens: u64) {
        self.tell(Command::Observed(vec![Observation::Usage(usage(tokens))]))
            .expect("a fact");
    }
}

//! Approvals: asked, decided, expired, void.

use super::support::*;
use crate::domain::run::{
    Command, Event, Rejection, Run,
    approval::{ApprovalKind, Choice, Decision},
    command::Signal,
    decide::decide,
    event::*,
};
use serde_json::{Value, json};

const BOTH: [Choice; 2] = [Choice::Allow, Choice::Deny];

fn remote() -> RunCreated {
    let mut created = created();
    let config = &mut created.agent.provider_config;
    config.insert("approvals".into(), "remote".into());
    created
}

/// A run at work that asks whether it may run `ls`, by the approval 1.
fn asking() -> Live {
    let asks = asks(
        1,
        "Bash",
        json!({"command": "ls"}),
        ApprovalKind::Permission,
        &BOTH,
    );
    let live = given_created(remote(), running());
    live.when(tool_call(None)).live.when(asks).live
}

fn open(run: &Run) -> Vec<u128> {
    let ids = run.approvals.open.iter();
    ids.map(|asked| asked.approval_id.0.as_u128()).collect()
}

fn types(events: &[Event]) -> Vec<&str> {
    events.iter().map(Event::event_type).collect()
}

#[test]
fn a_question_whose_hook_waits_is_an_approval_of_its_call() {
    let live = asking();
    assert_eq!(open(&live.run), [1]);
    let asked = &live.run.approvals.open[0];
    assert_eq!(asked.tool_use_id.as_deref(), Some("u1"));
    assert!(live.run.asks_a_person());
    assert_eq!(live.run.activity().what, "waiting for your permission");
}

#[test]
fn without_a_waiting_hook_it_is_a_question_in_the_terminal() {
    let live = given(running()).when(attention()).live;
    assert!(live.run.approvals.open.is_empty() && live.run.asks_a_person());
}

#[test]
fn the_first_decision_counts() {
    let live = asking().when(decide_as(1, Choice::Deny)).live;
    assert!(live.run.approvals.open.is_empty() && !live.run.asks_a_person());
    let again = decide(&live.run, decide_as(1, Choice::Allow));
    assert_eq!(again, Err(Rejection::ApprovalClosed));
    let late = live.when(Command::ExpireApproval { id: approval(1) });
    assert_eq!(
        late.live.log.len(),
        asking().log.len() + 1,
        "and it does not expire"
    );
}

#[test]
fn a_choice_that_the_cli_cannot_carry_out_is_refused() {
    let refused = decide(&asking().run, decide_as(1, Choice::AllowAlways));
    assert!(matches!(
        refused,
        Err(Rejection::Invalid {
            field: "decision",
            ..
        })
    ));
}

#[test]
fn a_decision_leaves_other_questions_open() {
    let second = asks(2, "Write", json!({}), ApprovalKind::Permission, &BOTH);
    let live = asking()
        .when(second)
        .live
        .when(decide_as(1, Choice::Allow))
        .live;
    assert_eq!(open(&live.run), [2]);
    assert_eq!(
        live.run.attention.as_ref().unwrap().message,
        "may I use Write?"
    );
}

#[test]
fn the_result_of_its_call_means_an_answer_in_the_terminal() {
    let other = result("Bash", "u2", json!("ok"));
    let other = hook("PostToolUse", None, Signal::ToolResult(other));
    let live = asking().when(other).live;
    assert_eq!(open(&live.run), [1], "a call beside it says nothing");
    let live = live.when(tool_result(None)).live;
    assert!(live.run.approvals.open.is_empty());
    let void = live.log.last().unwrap();
    assert!(matches!(void, Event::ApprovalVoid(it) if it.why == VoidBy::Terminal));
}

#[test]
fn the_end_of_the_turn_or_the_process_makes_it_void() {
    for (command, why) in [
        (interrupted(None), VoidBy::Terminal),
        (turn_ended(None), VoidBy::TurnEnded),
        (turn_failed(None), VoidBy::TurnEnded),
        (session_ended(), VoidBy::TurnEnded),
        (gone(1, 1), VoidBy::TurnEnded),
        (killed(1), VoidBy::TurnEnded),
    ] {
        let before = asking();
        let events = decide(&before.run, command).unwrap();
        let void = events.iter().find_map(|event| match event {
            Event::ApprovalVoid(void) => Some(void.why),
            _ => None,
        });
        assert!(
            void == Some(why) || void == Some(VoidBy::ProcessEnded),
            "{events:?}"
        );
        let live = events.into_iter().fold(before, |mut live, event| {
            live.append(event);
            live
        });
        assert!(live.run.approvals.open.is_empty());
    }
}

#[test]
fn an_expired_one_is_told_once() {
    let expire = || Command::ExpireApproval { id: approval(1) };
    let live = asking().when(expire()).live;
    assert!(matches!(live.log.last(), Some(Event::ApprovalExpired(_))));
    assert_eq!(decide(&live.run, expire()), Ok(Vec::new()));
}

#[test]
fn each_question_needs_its_answer() {
    let input = json!({"questions": [{"question": "Which?"}, {"question": "How many?"}]});
    let options = [Choice::Answer, Choice::Deny];
    let asks = asks(
        1,
        "AskUserQuestion",
        input,
        ApprovalKind::Question,
        &options,
    );
    let run = given_created(remote(), running()).when(asks).live.run;
    let answer = |answer: Value| {
        let decision = Decision {
            id: approval(1),
            choice: Choice::Answer,
            message: None,
            answer: answer.as_object().cloned(),
            by: DecidedBy::Api,
        };
        decide(&run, Command::Decide(decision)).map(|events| types(&events).join(" "))
    };
    let refused = Err(Rejection::Invalid {
        field: "answer",
        why: "must have, for the decision 'answer' only, a text or a list of texts for each question",
    });
    let decided = Ok("approval.decided".to_owned());
    assert_eq!(
        answer(json!({"Which?": "this", "How many?": ["1", "2"]})),
        decided
    );
    for wrong in [
        json!(null),
        json!({}),
        json!({"Which?": "this"}),
        json!({"Which?": "this", "How many?": " "}),
        json!({"Which?": "this", "How many?": []}),
        json!({"Which?": "this", "How many?": 3}),
        json!({"Which?": "this", "How many?": "1", "Why?": "x"}),
    ] {
        assert_eq!(answer(wrong.clone()), refused, "{wrong}");
    }
    let denied = decide(&run, decide_as(1, Choice::Deny)).unwrap();
    assert_eq!(types(&denied), ["approval.decided"]);
}

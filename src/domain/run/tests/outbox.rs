//! Messages on their way: typed once and confirmed, or not taken; those that wait, one a turn.

use super::support::*;
use crate::domain::{
    MessageId,
    run::{Command, Effect, Event, Rejection, Status, event::*, outbox::QUEUE_LEN_MAX, view},
};

const OTHER: &str = "another prompt was submitted while the message was being typed";

/// A message is being typed at the prompt.
fn being_typed() -> Vec<Event> {
    with(resting(), [typing(1, "more")])
}

/// `a` and `b` wait while turn `t1` works.
fn two_wait() -> Vec<Event> {
    with(running(), [queued_up(2, "a"), queued_up(3, "b")])
}

fn unqueue(number: u128) -> Command {
    let id = message(number);
    Command::Unqueue { id }
}

fn reorder(numbers: &[u128]) -> Command {
    let order = numbers.iter().copied().map(message).collect();
    Command::Reorder { order }
}

fn waiting(live: &Live) -> Vec<&str> {
    let queue = live.run.outbox.queue.iter();
    queue.map(|queued| queued.text.as_str()).collect()
}

fn halted(live: &Live) -> Option<&str> {
    live.run.outbox.halted.as_deref()
}

#[test]
fn a_message_at_the_prompt_is_typed_and_delivered_when_its_prompt_hook_comes() {
    let live = given(resting())
        .when(go_on("more\n"))
        .then([typing(1, "more\n")])
        .is(Status::Paused);
    let (id, text) = (message(1), "more\n".to_owned());
    assert_eq!(live.effects, [Effect::Type { id, text }]);
    let live = live
        .when(prompt(" more", Some("t2")))
        .then(taken(1, "more\n", "t2"))
        .is(Status::Running);
    assert_eq!(live.effects, []);
    assert_eq!(live.run.outbox.typing, None);
    assert_eq!(live.run.turn.as_deref(), Some("t2"));
}

#[test]
fn while_it_is_typed_no_other_message_and_no_idle_limit_has_a_place() {
    given(being_typed())
        .when(go_on("b"))
        .then_refused(Rejection::Typing);
    let status = Status::Paused;
    given(being_typed())
        .when(stop(StopBy::Idle))
        .then_refused(Rejection::StillWorking(status));
}

#[test]
fn another_prompt_is_not_taken_for_it_and_it_may_still_come() {
    let live = given(being_typed())
        .when(prompt("hello", Some("t2")))
        .then([
            missed(1, OTHER),
            typed_there("hello", Some("t2")),
            restarted(Some("t2")),
        ])
        .is(Status::Running);
    // The CLI had it in its own line: late, and true.
    let live = live
        .when(prompt("more", Some("t3")))
        .then_types(&["user.message"]);
    assert_eq!(live.run.outbox.typing, None);
}

#[test]
fn a_prompt_that_holds_more_than_the_message_is_not_it() {
    let typed = given(being_typed()).when(prompt("half a more", None));
    typed.then([
        missed(1, OTHER),
        typed_there("half a more", None),
        restarted(None),
    ]);
}

#[test]
fn a_machines_prompt_says_nothing_of_it() {
    let live = given(being_typed()).after([machine_prompt(Some("t2"))]);
    assert!(live.run.outbox.under_way().is_some());
}

#[test]
fn without_a_confirmation_it_is_given_up_once() {
    given(being_typed())
        .when(not_taken(1))
        .then([missed(1, "no answer")])
        .is(Status::Paused)
        .when(not_taken(1))
        .then_nothing();
    given(being_typed()).when(not_taken(7)).then_nothing();
    given(with(being_typed(), taken(1, "more", "t2")))
        .when(not_taken(1))
        .then_nothing();
}

#[test]
fn a_cli_that_ends_has_not_taken_it() {
    let live = given(being_typed())
        .after([gone(1, 0)])
        .is(Status::Completed);
    let reason = "the CLI ended before it accepted the message";
    assert_eq!(live.log[live.log.len() - 3], missed(1, reason));
    assert_eq!(live.run.outbox.typing, None);
}

#[test]
fn what_waits_goes_out_one_a_turn() {
    let live = given(two_wait()).after([turn_ended(Some("t1"))]);
    assert_eq!(live.log.last(), Some(&typing(2, "a")));
    let live = live.after([prompt("a", Some("t2"))]).is(Status::Running);
    assert_eq!(waiting(&live), ["b"]);
    let live = live.after([turn_ended(Some("t2"))]);
    assert_eq!(live.log.last(), Some(&typing(3, "b")));
    let live = live.after([prompt("b", Some("t3")), turn_ended(Some("t3"))]);
    assert_eq!(waiting(&live), [""; 0]);
    live.is(Status::Paused);
}

#[test]
fn it_goes_out_at_once_when_the_turn_is_over_and_else_waits() {
    given(resting())
        .when(enqueue(2, "a"))
        .then([queued_up(2, "a"), typing(2, "a")]);
    for place in [running(), failed_at_prompt(), over(), resuming()] {
        given(place).when(enqueue(2, "a")).then([queued_up(2, "a")]);
    }
    let interrupted = with(running(), [paused(PausedBy::Interrupt, Some("t1"))]);
    given(interrupted)
        .when(enqueue(2, "a"))
        .then([queued_up(2, "a")]);
}

#[test]
fn one_that_was_not_taken_stays_and_halts_the_queue_until_somebody_acts() {
    let stuck = given(two_wait()).after([turn_ended(Some("t1")), not_taken(2)]);
    assert_eq!(
        (halted(&stuck), waiting(&stuck)),
        (Some("no answer"), vec!["a", "b"])
    );
    let shown: serde_json::Value = serde_json::from_str(&view::run(&stuck.run)).expect("JSON");
    assert_eq!(
        shown["queue"],
        serde_json::json!({"length": 2, "halted": "no answer"})
    );
    let more = stuck.clone().after([enqueue(4, "c")]);
    assert_eq!(more.run.outbox.under_way(), None);
    let turn = [prompt("hello", Some("t2")), turn_ended(Some("t2"))];
    let later = stuck.clone().after(turn);
    assert_eq!(
        (halted(&later), waiting(&later)),
        (Some("no answer"), vec!["a", "b"])
    );
    for act in [reorder(&[2, 3]), reorder(&[3, 2]), unqueue(2)] {
        let live = stuck.clone().after([act]);
        let (head, sent) = (&live.run.outbox.queue[0], live.run.outbox.under_way());
        assert_eq!(sent.map(|typing| typing.id), Some(head.id));
        assert_eq!(halted(&live), None);
    }
    // It came late after all: it must not go out again.
    let late = stuck.after([prompt("a", Some("t2"))]);
    assert_eq!((halted(&late), waiting(&late)), (None, vec!["b"]));
}

#[test]
fn changes_of_the_queue_are_refused_when_they_do_not_fit() {
    given(two_wait())
        .when(unqueue(9))
        .then_refused(Rejection::NotQueued);
    for wrong in [&[2][..], &[2, 3, 3], &[2, 9], &[]] {
        given(two_wait())
            .when(reorder(wrong))
            .then_refused(Rejection::OtherOrder);
    }
    given(two_wait()).when(reorder(&[2, 3])).then_nothing();
    let live = given(two_wait()).after([reorder(&[3, 2])]);
    assert_eq!(waiting(&live), ["b", "a"]);
    let sent = given(two_wait()).after([turn_ended(Some("t1"))]);
    sent.clone()
        .when(unqueue(2))
        .then_refused(Rejection::Typing);
    sent.clone()
        .when(reorder(&[3, 2]))
        .then_refused(Rejection::Typing);
    assert_eq!(waiting(&sent.after([unqueue(3)])), ["a"]);
    let full = (0..QUEUE_LEN_MAX as u128).map(|number| queued_up(number, "a"));
    let limit = QUEUE_LEN_MAX;
    given(with(running(), full))
        .when(enqueue(99, "one too many"))
        .then_refused(Rejection::QueueFull(limit));
}

#[test]
fn an_ended_run_keeps_its_queue_and_a_headless_one_goes_on_by_resume() {
    let live = given(two_wait())
        .after([session_ended(), gone(1, 0)])
        .is(Status::Completed);
    assert_eq!(waiting(&live), ["a", "b"]);
    let cancelled = given(two_wait()).after([stop(StopBy::Cancel), killed(1)]);
    assert_eq!(waiting(&cancelled.is(Status::Cancelled)), ["a", "b"]);
    let headless = given_created(created_headless(), two_wait());
    let live = headless
        .after([turn_ended(Some("t1")), gone(1, 0)])
        .is(Status::Running);
    assert_eq!(
        (waiting(&live), live.run.resume_with.as_deref()),
        (vec!["b"], Some("a"))
    );
    assert!(live.effects.contains(&Effect::SetUp), "{:?}", live.effects);
    let failed = given_created(created_headless(), two_wait()).after([gone(1, 1)]);
    assert_eq!(waiting(&failed.is(Status::Failed)), ["a", "b"]);
}

#[test]
fn the_queue_is_shown_in_its_order() {
    let live = given(two_wait()).after([reorder(&[3, 2])]);
    let shown: serde_json::Value =
        serde_json::from_str(&view::Documents::of(&live.run).queue()).expect("JSON");
    let ids: Vec<MessageId> = [3, 2].map(message).into();
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(shown[at]["id"], id.to_string());
        assert_eq!(shown[at]["position"], at + 1);
        let (queued, position) = live.run.outbox.waiting(*id).expect("it waits");
        let one = view::QueuedView::of(queued, position);
        assert_eq!(serde_json::to_value(one).expect("JSON"), shown[at]);
    }
    assert_eq!(live.run.outbox.waiting(message(9)), None);
}

#[test]
fn a_queue_that_met_a_draft_goes_on_once_the_prompt_is_free() {
    let occupied = Command::NotTaken {
        id: message(2),
        reason: "a draft".into(),
        until_free: true,
    };
    let live = given(two_wait()).after([turn_ended(Some("t1")), occupied]);
    assert_eq!((halted(&live), waiting(&live).len()), (Some("a draft"), 2));
    let order = [2, 3].map(message).to_vec();
    let live = live
        .when(Command::PromptFree)
        .then([QueueReordered { order }.into(), typing(2, "a")]);
    assert_eq!(halted(&live), None);
    // What nobody can see the end of waits for somebody.
    let live = live.after([not_taken(2)]);
    live.when(Command::PromptFree).then_nothing();
}

//! What people are told of which events.

use super::support::*;
use crate::domain::{
    Secrets,
    run::{
        Event, Status,
        event::*,
        notice::{Notice, NoticeKind, Story, TELLING},
    },
    settings::NotificationSettings,
};
use serde_json::json;

/// Everything is told that the run's own wish does not forbid.
fn all() -> NotificationSettings {
    NotificationSettings::default()
}

fn wished() -> RunCreated {
    RunCreated {
        notify: true,
        ..created()
    }
}

/// What the last of these tells, after the creation.
fn told_of(
    created: RunCreated,
    events: impl IntoIterator<Item = Event>,
    switches: &NotificationSettings,
) -> Option<Notice> {
    told_with(Secrets::default(), created, events, switches)
}

fn told_with(
    secrets: Secrets,
    created: RunCreated,
    events: impl IntoIterator<Item = Event>,
    switches: &NotificationSettings,
) -> Option<Notice> {
    let live = given_created(created, events);
    let mut story = Story::new(live.run.id, secrets);
    for (second, event) in (1..).zip(&live.log) {
        story.apply(event, at(second));
    }
    story.notice(switches)
}

fn told(events: impl IntoIterator<Item = Event>) -> Option<Notice> {
    told_of(wished(), events, &all())
}

fn kind(events: impl IntoIterator<Item = Event>) -> Option<NoticeKind> {
    told(events).map(|notice| notice.kind)
}

fn asks(kind: &str) -> Event {
    NeedsAttention {
        kind: kind.into(),
        message: "may I?".into(),
        tool_name: Some("Bash".into()),
        tool_input: Some(json!({"command": "rm -rf x"})),
    }
    .into()
}

fn message(text: &str) -> Event {
    AgentMessage {
        text: text.into(),
        message_id: None,
    }
    .into()
}

fn totals(cost_usd: f64) -> Event {
    RunResult {
        session_id: None,
        tokens_in: 1,
        tokens_out: 1,
        tokens_cache_read: 0,
        tokens_cache_write: 0,
        cost_usd,
        cost_source: CostSource::Reported,
        unknown_tokens: 0,
        prices_as_of: None,
        num_turns: 1,
        duration_ms: 0,
        model: None,
        transcript_offset: 0,
    }
    .into()
}

#[test]
fn a_turn_that_ended_is_told_and_one_that_was_stopped_is_not() {
    for (by, expected) in [
        (PausedBy::Stop, Some(NoticeKind::Idle)),
        (PausedBy::Limit, Some(NoticeKind::Idle)),
        (PausedBy::Lost, Some(NoticeKind::Idle)),
        (PausedBy::Interrupt, None),
        (PausedBy::User, None),
        (PausedBy::Idle, None),
    ] {
        let events = with(running(), [paused(by, None)]);
        assert_eq!(kind(events), expected, "{by:?}");
    }
}

#[test]
fn ends_and_failures_are_told_and_a_cancel_is_not() {
    assert_eq!(
        kind(with(running(), [completed()])),
        Some(NoticeKind::Ended)
    );
    assert_eq!(
        kind(with(resting(), [completed_by_exit()])),
        Some(NoticeKind::Ended)
    );
    let failure = failed(Stage::Agent, None);
    assert_eq!(kind(with(running(), [failure])), Some(NoticeKind::Failed));
    assert_eq!(kind(with(running(), [cancelled()])), None);
}

#[test]
fn only_the_events_of_the_table_tell() {
    let mut telling = std::collections::BTreeSet::new();
    let ends = [
        paused(PausedBy::Stop, None),
        completed(),
        failed(Stage::Exit, None),
        asks("permission_prompt"),
        approval_requested(),
    ];
    let rest = [
        started("t"),
        message("hello"),
        totals(1.0),
        cancelled(),
        session(S1),
        NotifyChanged { notify: true }.into(),
        stop_requested(StopBy::Pause),
        exited(1, Some(1), ExitedBy::Itself),
        kept("Other", false),
    ];
    for event in ends.into_iter().chain(rest) {
        let name = event.event_type();
        if kind(with(running(), [event])).is_some() {
            telling.insert(name);
        }
    }
    assert_eq!(telling, TELLING.into_iter().collect());
}

#[test]
fn each_kind_has_its_switch() {
    let idle = with(running(), [paused(PausedBy::Stop, None)]);
    let ended = with(running(), [completed()]);
    let failure = with(running(), [failed(Stage::Exit, None)]);
    let question = with(running(), [asks("permission_prompt")]);
    let without_wish = |events: &Vec<Event>| told_of(created(), events.clone(), &all());
    assert_eq!(without_wish(&idle), None);
    assert_eq!(without_wish(&ended), None);
    assert!(without_wish(&failure).is_some());
    assert!(without_wish(&question).is_some());
    let off = NotificationSettings {
        notify_on_pipeline_complete: false,
        notify_on_run_failed: false,
        notify_on_attention: false,
        ..all()
    };
    let switched_off = |events: &Vec<Event>| told_of(wished(), events.clone(), &off);
    assert!(switched_off(&idle).is_some());
    assert_eq!(switched_off(&ended), None);
    assert_eq!(switched_off(&failure), None);
    assert_eq!(switched_off(&question), None);
}

#[test]
fn the_wish_counts_as_it_was_at_the_event() {
    let wish = |notify| -> Event { NotifyChanged { notify }.into() };
    let idle = || paused(PausedBy::Stop, None);
    let of = |events| told_of(created(), events, &all());
    assert!(of(with(running(), [wish(true), idle()])).is_some());
    assert_eq!(of(with(running(), [wish(true), wish(false), idle()])), None);
    // The last event is the wish, and a wish tells nothing.
    assert_eq!(of(with(running(), [idle(), wish(true)])), None);
}

#[test]
fn one_question_is_told_once_until_it_is_answered() {
    let question = || asks("permission_prompt");
    assert_eq!(
        kind(with(running(), [question()])),
        Some(NoticeKind::Attention)
    );
    // One question, two hooks.
    assert_eq!(kind(with(running(), [question(), question()])), None);
    let other = [question(), asks("idle_prompt")];
    assert_eq!(kind(with(running(), other)), Some(NoticeKind::Attention));
    let answered = [question(), restarted(None), question()];
    assert_eq!(kind(with(running(), answered)), Some(NoticeKind::Attention));
    // Nobody can answer what is asked after the end.
    assert_eq!(kind(with(over(), [question()])), None);
}

#[test]
fn a_pause_is_told_in_the_agents_own_words() {
    let pause = |last_message: Option<&str>| -> Event {
        RunPaused {
            by: PausedBy::Stop,
            last_message: last_message.map(str::to_owned),
            turn_id: None,
        }
        .into()
    };
    let text = |events| told(with(running(), events)).map(|notice| notice.text);
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(text(vec![message("one"), pause(Some("two"))]), said("two"));
    assert_eq!(text(vec![message("one"), pause(None)]), said("one"));
    assert_eq!(text(vec![message("one"), pause(Some(" "))]), said("one"));
    assert_eq!(text(vec![pause(None)]), said("the agent finished its turn"));
    let limit = vec![message("one"), paused(PausedBy::Limit, None)];
    assert_eq!(text(limit), said("max_turns was reached"));
    assert_eq!(text(vec![message("bye"), completed()]), said("bye"));
    assert_eq!(text(vec![completed()]), said("the session ended"));
    assert_eq!(text(vec![asks("permission_prompt")]), said("may I?"));
    let failure: Event = RunFailed {
        reason: "no luck".into(),
        stage: Stage::Exit,
        detail: "the last lines of the output".into(),
        turn_id: None,
    }
    .into();
    assert_eq!(text(vec![message("one"), failure]), said("no luck"));
}

#[test]
fn a_notice_has_state_and_cost_of_its_moment() {
    let log = with(running(), [totals(0.5), paused(PausedBy::Stop, None)]);
    let notice = told(log).expect("a pause is told");
    assert_eq!(notice.status, Status::Paused);
    assert_eq!(notice.cost_usd, Some(0.5));
    assert_eq!((notice.task.as_str(), notice.agent), (TASK, agent().name));
    let unknown = told(with(running(), [asks("permission_prompt")]));
    let unknown = unknown.expect("a question is told");
    assert_eq!((unknown.status, unknown.cost_usd), (Status::Running, None));
}

#[test]
fn values_of_the_agents_environment_are_blanked() {
    let mut created = wished();
    let env = json!({"KEY": "sk-12345678", "LONGER": "sk-12345678-90", "DEBUG": "true"});
    created.agent.provider_config.insert("env".into(), env);
    created.task = "use sk-12345678 truely".into();
    let log = with(
        running(),
        [
            message("it is sk-12345678-90, true"),
            paused(PausedBy::Stop, None),
        ],
    );
    let secrets = Secrets::take(&mut created.agent.provider_config);
    let notice = told_with(secrets, created, log, &all()).expect("a pause is told");
    assert_eq!(notice.text, "it is ***, true");
    assert_eq!(notice.task, "use *** truely");
}

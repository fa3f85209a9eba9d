//! Decides the effect of hooks, and of entries of the transcript or stream.
//!
//! Everything is recorded. It changes the state only while the process lives, no stop was
//! requested, and it does not belong to a turn that is already over.

use super::{
    answers,
    approval::{Question, Terms},
    callers::Callers,
    command::{Hook, Observation, Signal},
    event::{
        AgentMessage, AgentToken, CompletedBy, DeliveredBy, Event, HookReceived, MessageBy,
        NeedsAttention, PausedBy, RunCompleted, RunFailed, RunPaused, RunStarted, SessionInit,
        Stage, StartedBy, UserMessage,
    },
    outbox::Typing,
    queue,
    state::{Run, Status},
};

/// Events of a hook, with the entries of the transcript up to it.
pub(super) fn of_hook(run: &Run, hook: Hook, observed: &[Observation]) -> Vec<Event> {
    if run.is_nested(&hook) {
        return vec![of_nested(hook)];
    }
    let mut events: Vec<Event> = session(run, &hook).into_iter().collect();
    let began = !events.is_empty();
    // A prompt in another session belongs to an open session.
    let then = run.with(&events);
    record(run, observed, &mut events);
    let run = &*then;
    match turn_end(run, observed) {
        // The end that the hook reports is the newer one.
        Some(_) if reports_end(run, &hook) => events.extend(effects_of(run, hook, began)),
        // A tool of the turn that ended is no evidence of further work.
        Some(end) if is_tool_of_turn(run, &hook) => {
            events.extend(effects_of(run, hook, began));
            events.push(end);
        }
        // Otherwise the turn was over before the hook: a prompt after an interrupt starts the next
        // one.
        Some(end) => {
            events.push(end);
            events.extend(effects_of(&run.with(&events), hook, began));
        }
        None => events.extend(effects_of(run, hook, began)),
    }
    events
}

/// A hook of a nested CLI is recorded unchanged.
fn of_nested(hook: Hook) -> Event {
    HookReceived {
        hook_event_name: hook.name,
        signal: None,
        payload: hook.payload,
        turn_id: None,
        ignored: true,
        nested: true,
        callers: hook.callers,
    }
    .into()
}

/// Events of new entries of a transcript or stream.
pub(super) fn observed(run: &Run, observed: &[Observation]) -> Vec<Event> {
    let mut events = Vec::new();
    record(run, observed, &mut events);
    events.extend(turn_end(run, observed));
    events
}

/// The end of the current turn, if `observed` has one.
fn turn_end(run: &Run, observed: &[Observation]) -> Option<Event> {
    if !run.facts_move() || !run.is_at_work() {
        return None;
    }
    // Entries of an earlier turn are ignored.
    let of = |told: &Option<String>| told.clone().or_else(|| run.turn.clone());
    let counts = |told: &Option<String>| moves(run, told.as_deref());
    observed.iter().find_map(|observation| match observation {
        Observation::Interrupted { turn_id }
            if run.status == Status::Running && counts(turn_id) =>
        {
            Some(RunPaused::by(PausedBy::Interrupt, of(turn_id)).into())
        }
        Observation::Ended { failure, turn_id } if counts(turn_id) => Some(match failure {
            Some(reason) => turn_failed(reason.clone(), of(turn_id)),
            None => turn_over(run, None, of(turn_id)),
        }),
        Observation::Interrupted { .. }
        | Observation::Ended { .. }
        | Observation::Session { .. }
        | Observation::Message { .. }
        | Observation::Token { .. }
        | Observation::Usage(_) => None,
    })
}

fn reports_end(run: &Run, hook: &Hook) -> bool {
    let ends = matches!(
        hook.signal,
        Signal::TurnEnded {
            background: false,
            ..
        } | Signal::TurnFailed { .. }
    );
    ends && moves(run, hook.turn_id.as_deref())
}

fn is_tool_of_turn(run: &Run, hook: &Hook) -> bool {
    let tool = matches!(hook.signal, Signal::ToolCall(_) | Signal::ToolResult(_));
    tool && (hook.turn_id.is_none() || run.turn.is_none() || hook.turn_id == run.turn)
}

/// True when a hook of this turn may change the state: the turn is not over.
fn moves(run: &Run, turn_id: Option<&str>) -> bool {
    let late = turn_id.is_some_and(|id| run.turns_ended.iter().any(|ended| ended == id));
    run.facts_move() && !late
}

/// Adds observations as events that do not change the state.
fn record(run: &Run, observed: &[Observation], events: &mut Vec<Event>) {
    let mut usage = None;
    for observation in observed {
        match observation {
            Observation::Session {
                session_id,
                cli_version,
                model,
            } => {
                let told = events.iter().any(
                    |event| matches!(event, Event::SessionInit(i) if i.session_id == *session_id),
                );
                if !told && !run.sessions_seen.contains(session_id) {
                    let init = SessionInit {
                        session_id: session_id.clone(),
                        cli_version: cli_version.clone(),
                        model: model.clone(),
                        transcript_path: None,
                        callers: Callers::default(),
                    };
                    events.push(init.into());
                }
            }
            Observation::Message { text, message_id } => {
                let (text, message_id) = (text.clone(), message_id.clone());
                let known = run.knows_message(message_id.as_deref(), &text);
                let event = AgentMessage { text, message_id }.into();
                let known = known || (is_named_message(&event) && events.contains(&event));
                if !known {
                    events.push(event);
                }
            }
            Observation::Token { text, message_id } => {
                let (text, message_id) = (text.clone(), message_id.clone());
                events.push(AgentToken { text, message_id }.into());
            }
            Observation::Usage(totals) => usage = Some(totals),
            Observation::Interrupted { .. } | Observation::Ended { .. } => {}
        }
    }
    let result = usage.and_then(|totals| run.result_from(totals));
    events.extend(result.map(Event::from));
}

const fn is_named_message(event: &Event) -> bool {
    matches!(event, Event::AgentMessage(message) if message.message_id.is_some())
}

/// The session that a hook reports, when it is a new one.
///
/// A session not seen before counts while the CLI runs, also while it is being ended; the first
/// one counts even later, because without it nothing could be continued. A seen one counts again
/// only when the CLI reports that it returned to it (`/resume`).
fn session(run: &Run, hook: &Hook) -> Option<Event> {
    let id = hook.session_id.as_ref()?;
    let is_new = if run.sessions_seen.contains(id) {
        let starts = matches!(hook.signal, Signal::SessionStarted { .. });
        starts && run.facts_move() && run.session_id() != Some(id)
    } else {
        run.session.is_none() || (run.has_process() && !run.launch_wanted)
    };
    let init = SessionInit {
        session_id: id.clone(),
        cli_version: None,
        model: hook.model.clone(),
        transcript_path: hook.transcript_path.clone(),
        callers: hook.callers.clone(),
    };
    is_new.then(|| init.into())
}

fn effects_of(run: &Run, hook: Hook, began: bool) -> Vec<Event> {
    let moves = moves(run, hook.turn_id.as_deref()) && !hook.subagent;
    let of_old_session = is_of_old_session(run, &hook);
    let Hook {
        name,
        turn_id,
        signal,
        callers,
        terms,
        payload,
        ..
    } = hook;
    let stored = signal.stored();
    let began_session = matches!(signal, Signal::SessionStarted { .. });
    let works = run.is_at_work();
    let over = matches!(run.status, Status::Completed | Status::Cancelled);
    let prompt_turn = turn_id
        .clone()
        .filter(|_| moves && !over && matches!(signal, Signal::Prompt { .. }));
    let callers = Some(callers).filter(|_| began_session).unwrap_or_default();
    let kept = |ignored: bool| -> Vec<Event> {
        let received = HookReceived {
            hook_event_name: name,
            signal: stored,
            payload,
            turn_id: prompt_turn,
            ignored,
            nested: false,
            callers,
        };
        vec![received.into()]
    };
    match signal {
        Signal::SessionStarted { .. } if began => Vec::new(),
        Signal::SessionStarted { .. } => kept(false),
        Signal::Prompt { text, machine } => prompt(run, &text, machine, turn_id, moves, kept),
        Signal::ToolCall(call) => with_work(run, call.into(), turn_id, moves),
        Signal::ToolResult(result) => with_work(run, result.into(), turn_id, moves),
        Signal::NeedsAttention(needs) => vec![needs.into()],
        Signal::Asks { needs, question } => vec![asks(run, needs, question, terms)],
        Signal::SubagentStart(start) => vec![start.into()],
        Signal::SubagentStop(stop) => vec![stop.into()],
        Signal::Token { text, message_id } => vec![AgentToken { text, message_id }.into()],
        Signal::TurnEnded { .. } | Signal::TurnFailed { .. } if !(moves && works) => kept(true),
        Signal::TurnEnded {
            background: true, ..
        } => kept(false),
        Signal::TurnEnded { last_message, .. } => vec![turn_over(run, last_message, turn_id)],
        Signal::TurnFailed { reason } => vec![turn_failed(reason, turn_id)],
        Signal::Interrupted if moves && run.status == Status::Running => {
            let turn_id = turn_id.or_else(|| run.turn.clone());
            vec![RunPaused::by(PausedBy::Interrupt, turn_id).into()]
        }
        Signal::Interrupted | Signal::SessionEnded { continues: true } => kept(true),
        Signal::SessionEnded { continues: false } => {
            let counts = run.facts_move() && !of_old_session;
            session_ended(run, counts, kept)
        }
        Signal::Compacting | Signal::Compacted | Signal::Other => kept(false),
    }
}

/// A question: an approval when its hook waits and the CLI may still act on a decision.
fn asks(run: &Run, needs: NeedsAttention, question: Question, terms: Option<Terms>) -> Event {
    match terms {
        Some(terms) if run.facts_move() => answers::requested(run, terms, question, needs),
        Some(_) | None => needs.into(),
    }
}

/// The end of a session; it `counts` when that session is the open one.
fn session_ended(run: &Run, counts: bool, kept: impl FnOnce(bool) -> Vec<Event>) -> Vec<Event> {
    match run.status {
        _ if !counts => kept(true),
        // The CLI refused a resume: its exit decides the outcome.
        Status::Running if run.waits_for_its_message() => kept(false),
        Status::Queued | Status::Running | Status::Paused => {
            let (reason, exit_code) = (CompletedBy::SessionEnd, None);
            vec![RunCompleted { reason, exit_code }.into()]
        }
        // The session is over: nothing can be typed into it.
        Status::Failed => kept(false),
        Status::Completed | Status::Cancelled => kept(true),
    }
}

fn prompt(
    run: &Run,
    text: &str,
    machine: bool,
    turn_id: Option<String>,
    moves: bool,
    kept: impl FnOnce(bool) -> Vec<Event>,
) -> Vec<Event> {
    if let Some(typing) = run.outbox.confirmed_by(text).filter(|_| !machine) {
        return confirmed(run, typing, text, turn_id, moves);
    }
    let expected = run.expects_prompt(text).filter(|_| !machine);
    let starts = moves && is_at_rest(run);
    let mut events = Vec::new();
    if let Some(typing) = run.outbox.under_way().filter(|_| !machine) {
        let reason = "another prompt was submitted while the message was being typed".to_owned();
        events.extend(queue::not_taken(run, typing.id, reason, false));
    }
    events.extend(match expected {
        _ if machine => kept(!(starts || (moves && run.status == Status::Running))),
        Some(0) if starts => Vec::new(),
        Some(_) => kept(!starts),
        None => {
            let message = UserMessage {
                text: text.to_owned(),
                by: MessageBy::Terminal,
                delivered_by: None,
                turn_id: turn_id.clone(),
                message_id: None,
            };
            vec![message.into()]
        }
    });
    if starts {
        let started = RunStarted {
            own_prompt: expected == Some(0),
            ..RunStarted::by(StartedBy::Prompt, turn_id)
        };
        events.push(started.into());
    }
    events
}

/// The prompt is the message that was typed: it counts as delivered only now, in the form that the
/// CLI accepted.
fn confirmed(
    run: &Run,
    typing: &Typing,
    taken: &str,
    turn_id: Option<String>,
    moves: bool,
) -> Vec<Event> {
    let whole = typing.text.trim() == taken.trim();
    let message = UserMessage {
        text: if whole { &typing.text } else { taken }.to_owned(),
        by: MessageBy::Api,
        delivered_by: Some(DeliveredBy::Typed),
        turn_id: turn_id.clone(),
        message_id: Some(typing.id),
    };
    let mut events = vec![message.into()];
    if moves && is_at_rest(run) {
        events.push(RunStarted::by(StartedBy::Continue, turn_id).into());
    }
    events
}

/// True when a prompt would start the run.
fn is_at_rest(run: &Run) -> bool {
    match run.status {
        Status::Queued | Status::Paused => true,
        Status::Failed => run.session.as_ref().is_none_or(|session| !session.ended),
        Status::Running | Status::Completed | Status::Cancelled => false,
    }
}

/// A tool hook is evidence of work.
fn with_work(run: &Run, event: Event, turn_id: Option<String>, moves: bool) -> Vec<Event> {
    if moves && matches!(run.status, Status::Queued | Status::Paused) {
        let started = RunStarted::by(StartedBy::Prompt, turn_id);
        return vec![started.into(), event];
    }
    vec![event]
}

fn turn_over(run: &Run, last_message: Option<String>, turn_id: Option<String>) -> Event {
    let agent = &run.created.agent;
    let by = if agent.counts_turns() && run.num_turns + 1 >= agent.max_turns {
        PausedBy::Limit
    } else {
        PausedBy::Stop
    };
    RunPaused {
        last_message,
        ..RunPaused::by(by, turn_id)
    }
    .into()
}

fn turn_failed(reason: String, turn_id: Option<String>) -> Event {
    RunFailed {
        turn_id,
        ..RunFailed::at(Stage::Agent, reason, String::new())
    }
    .into()
}

/// True for a session that the CLI has left: its end does not end the run.
fn is_of_old_session(run: &Run, hook: &Hook) -> bool {
    let id = hook.session_id.as_ref();
    id.is_some_and(|id| run.session_id() != Some(id) && run.sessions_seen.contains(id))
}

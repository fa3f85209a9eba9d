//! Decides what the CLI's own words mean: hooks, and what its transcript or stream says.
//!
//! Everything said is recorded. It moves the state only while the process lives and nobody asked
//! for its end, and only when it does not belong to a turn that is already over.

use super::{
    command::{Hook, Observation, Signal},
    event::{
        AgentMessage, AgentToken, CompletedBy, Event, HookReceived, MessageBy, PausedBy,
        RunCompleted, RunFailed, RunPaused, RunStarted, SessionInit, Stage, StartedBy, UserMessage,
    },
    state::{Run, Status},
};
use crate::domain::AgentMode;

/// Events of a hook, with what the transcript said up to it.
pub(super) fn heard(run: &Run, hook: Hook, observed: Vec<Observation>) -> Vec<Event> {
    let mut events: Vec<Event> = session(run, &hook).into_iter().collect();
    let began = !events.is_empty();
    events.extend(recorded(run, &observed));
    let late = hook.turn_id.is_some() && hook.turn_id == run.turn_ended;
    let moves = run.facts_move() && !late;
    events.extend(meaning(run, hook, moves, began));
    if run.facts_move()
        && observed.contains(&Observation::Interrupted)
        && run.status == Status::Running
    {
        // The hook itself decides first: a prompt after an interrupt goes on working.
        let decided = events.iter().any(|event| {
            matches!(
                event,
                Event::RunPaused(_) | Event::RunStarted(_) | Event::RunCompleted(_)
            )
        });
        if !decided {
            events.push(interrupted(run));
        }
    }
    events
}

/// Events of a transcript or stream that spoke by itself.
pub(super) fn observed(run: &Run, observed: Vec<Observation>) -> Vec<Event> {
    let mut events = recorded(run, &observed);
    if !run.facts_move() || !matches!(run.status, Status::Queued | Status::Running) {
        return events;
    }
    for observation in observed {
        match observation {
            Observation::Interrupted if run.status == Status::Running => {
                events.push(interrupted(run));
                break;
            }
            Observation::Ended {
                failure: Some(reason),
            } => {
                let (stage, detail) = (Stage::Agent, String::new());
                events.push(
                    RunFailed {
                        reason,
                        stage,
                        detail,
                    }
                    .into(),
                );
                break;
            }
            Observation::Ended { failure: None } => {
                events.push(turn_over(run, None, run.turn.clone()));
                break;
            }
            Observation::Interrupted
            | Observation::Session { .. }
            | Observation::Message { .. }
            | Observation::Token { .. }
            | Observation::Usage(_) => {}
        }
    }
    events
}

/// What was said, as events that move nothing.
pub(super) fn recorded(run: &Run, observed: &[Observation]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut usage = None;
    for observation in observed {
        match observation {
            Observation::Session {
                session_id,
                cli_version,
                model,
            } => {
                if !run.sessions_seen.contains(session_id) {
                    let init = SessionInit {
                        session_id: session_id.clone(),
                        cli_version: cli_version.clone(),
                        model: model.clone(),
                        transcript_path: None,
                    };
                    events.push(init.into());
                }
            }
            Observation::Message { text, message_id } => {
                if !run.knows_message(message_id.as_deref(), text) {
                    let (text, message_id) = (text.clone(), message_id.clone());
                    events.push(AgentMessage { text, message_id }.into());
                }
            }
            Observation::Token { text, message_id } => {
                let (text, message_id) = (text.clone(), message_id.clone());
                events.push(AgentToken { text, message_id }.into());
            }
            Observation::Usage(totals) => usage = Some(totals),
            Observation::Interrupted | Observation::Ended { .. } => {}
        }
    }
    events.extend(
        usage
            .and_then(|totals| run.result_from(totals))
            .map(Event::from),
    );
    events
}

/// A session not seen before, told by any hook that carries its id while the process lives.
fn session(run: &Run, hook: &Hook) -> Option<Event> {
    let id = hook.session_id.as_ref()?;
    if run.sessions_seen.contains(id) || !run.facts_move() {
        return None;
    }
    let init = SessionInit {
        session_id: id.clone(),
        cli_version: None,
        model: hook.model.clone(),
        transcript_path: hook.transcript_path.clone(),
    };
    Some(init.into())
}

fn meaning(run: &Run, hook: Hook, moves: bool, began: bool) -> Vec<Event> {
    let Hook {
        name,
        turn_id,
        signal,
        payload,
        ..
    } = hook;
    let kept = |ignored: bool| -> Vec<Event> {
        vec![
            HookReceived {
                hook_event_name: name.clone(),
                payload: payload.clone(),
                ignored,
            }
            .into(),
        ]
    };
    match signal {
        Signal::SessionStarted if began => Vec::new(),
        Signal::SessionStarted => kept(false),
        Signal::Prompt { text, machine } => prompt(run, &text, machine, turn_id, moves, &kept),
        Signal::ToolCall(call) => with_work(run, call.into(), turn_id, moves),
        Signal::ToolResult(result) => with_work(run, result.into(), turn_id, moves),
        Signal::NeedsAttention(needs) => vec![needs.into()],
        Signal::SubagentStart(start) => vec![start.into()],
        Signal::SubagentStop(stop) => vec![stop.into()],
        Signal::Token { text, message_id } => vec![AgentToken { text, message_id }.into()],
        Signal::TurnEnded {
            background: true, ..
        } => kept(false),
        Signal::TurnEnded { last_message, .. } => {
            if moves && matches!(run.status, Status::Queued | Status::Running) {
                return vec![turn_over(run, last_message, turn_id)];
            }
            kept(true)
        }
        Signal::TurnFailed { reason } => {
            if moves && matches!(run.status, Status::Queued | Status::Running) {
                let (stage, detail) = (Stage::Agent, String::new());
                return vec![
                    RunFailed {
                        reason,
                        stage,
                        detail,
                    }
                    .into(),
                ];
            }
            kept(true)
        }
        Signal::Interrupted if moves && run.status == Status::Running => vec![interrupted(run)],
        Signal::Interrupted => kept(true),
        Signal::SessionEnded { goes_on: true } => kept(true),
        Signal::SessionEnded { goes_on: false } => {
            let open = matches!(
                run.status,
                Status::Queued | Status::Running | Status::Paused
            );
            if run.facts_move() && open {
                let reason = CompletedBy::SessionEnd;
                return vec![
                    RunCompleted {
                        reason,
                        exit_code: None,
                    }
                    .into(),
                ];
            }
            // After a failure the session is over all the same: nothing can be typed into it.
            kept(!run.facts_move() || run.status != Status::Failed)
        }
        Signal::Other => kept(false),
    }
}

fn prompt(
    run: &Run,
    text: &str,
    machine: bool,
    turn_id: Option<String>,
    moves: bool,
    kept: &dyn Fn(bool) -> Vec<Event>,
) -> Vec<Event> {
    let own_prompt = run.prompts_expected.iter().any(|expected| expected == text);
    let rests = matches!(run.status, Status::Queued | Status::Paused | Status::Failed);
    let starts = moves && rests;
    let mut events = match (machine, own_prompt) {
        (true, _) => kept(false),
        (false, true) if starts => Vec::new(),
        (false, true) => kept(true),
        (false, false) => {
            let (text, by) = (text.to_owned(), MessageBy::Terminal);
            let turn_id = turn_id.clone();
            vec![
                UserMessage {
                    text,
                    by,
                    delivered_by: None,
                    turn_id,
                }
                .into(),
            ]
        }
    };
    if starts {
        let own_prompt = own_prompt && !machine;
        events.push(
            RunStarted {
                by: StartedBy::Prompt,
                turn_id,
                own_prompt,
            }
            .into(),
        );
    }
    events
}

/// A tool hook is evidence of work.
fn with_work(run: &Run, event: Event, turn_id: Option<String>, moves: bool) -> Vec<Event> {
    if moves && matches!(run.status, Status::Queued | Status::Paused) {
        let by = StartedBy::Prompt;
        return vec![
            RunStarted {
                by,
                turn_id,
                own_prompt: false,
            }
            .into(),
            event,
        ];
    }
    vec![event]
}

fn turn_over(run: &Run, last_message: Option<String>, turn_id: Option<String>) -> Event {
    let agent = &run.created.agent;
    let counted = agent.cli_name != "command" && agent.mode() == AgentMode::Interactive;
    let by = if counted && run.num_turns + 1 >= agent.max_turns {
        PausedBy::Limit
    } else {
        PausedBy::Stop
    };
    RunPaused {
        by,
        last_message,
        turn_id,
    }
    .into()
}

fn interrupted(run: &Run) -> Event {
    let turn_id = run.turn.clone();
    RunPaused {
        by: PausedBy::Interrupt,
        last_message: None,
        turn_id,
    }
    .into()
}

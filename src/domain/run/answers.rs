//! Rules of a run's approvals: asked, decided, expired, void.

use super::{
    activity::THINKING,
    approval::{Choice, Decision, Question, Terms},
    event::{
        ApprovalDecided, ApprovalExpired, ApprovalRequested, ApprovalVoid, Event, NeedsAttention,
        PausedBy, ToolCall, ToolResult, VoidBy,
    },
    rejection::Rejection,
    state::Run,
};
use crate::domain::{ApprovalId, Time};
use serde_json::{Map, Value};

impl Run {
    /// A call that a question may be about.
    pub(super) fn tool_called(&mut self, call: &ToolCall, at: Time) {
        if self.created.agent.asks_remotely() {
            self.approvals.called(call);
        }
        self.tasks.called(call);
        self.doing(&format!("tool {}", call.tool_name), at);
    }

    /// Its result: what was asked of it is answered.
    pub(super) fn tool_returned(&mut self, result: &ToolResult, at: Time) {
        self.tasks.answered(result);
        self.approvals.returned(result);
        self.attention = None;
        self.doing(THINKING, at);
    }

    /// The question is what the CLI waits for, as one that is asked in its terminal.
    pub(super) fn approval_requested(&mut self, asked: &ApprovalRequested, at: Time) {
        self.approvals.open.push(asked.clone());
        self.asks(&asked.needs(), at);
    }

    pub(super) fn approval_closed(&mut self, event: &Event, at: Time) {
        self.approvals
            .open
            .retain(|asked| Some(asked.approval_id) != event.approval_id());
        self.attention = None;
        match self.approvals.open.first().cloned() {
            Some(asked) => self.asks(&asked.needs(), at),
            None => self.doing(THINKING, at),
        }
    }
}

/// The event of a question whose hook waits.
pub(super) fn requested(
    run: &Run,
    terms: Terms,
    question: Question,
    needs: NeedsAttention,
) -> Event {
    let tool_name = needs.tool_name.unwrap_or_default();
    let tool_input = needs.tool_input.unwrap_or_default();
    ApprovalRequested {
        approval_id: terms.id,
        kind: question.kind,
        message: needs.message,
        tool_use_id: run.approvals.call_of(&tool_name, &tool_input),
        tool_name,
        tool_input,
        options: question.options,
        expires_at: terms.expires_at,
        grants: question.grants,
    }
    .into()
}

/// Decides an open approval.
///
/// # Errors
/// A [`Rejection`] when it is not open, or the decision does not fit it.
pub(super) fn decide(run: &Run, decision: Decision) -> Result<Vec<Event>, Rejection> {
    let asked = run.approvals.get(decision.id);
    let asked = asked.ok_or(Rejection::ApprovalClosed)?;
    if !asked.options.contains(&decision.choice) {
        return Err(Rejection::Invalid {
            field: "decision",
            why: "must be one of the approval's options",
        });
    }
    let fits = match (&decision.answer, decision.choice) {
        (Some(answer), Choice::Answer) => answers(asked, answer),
        (None, Choice::Answer) | (Some(_), _) => false,
        (None, _) => true,
    };
    if !fits {
        return Err(Rejection::Invalid {
            field: "answer",
            why: "must have, for the decision 'answer' only, a text or a list of texts for each question",
        });
    }
    let Decision {
        id,
        choice,
        message,
        answer,
        by,
    } = decision;
    let decided = ApprovalDecided {
        approval_id: id,
        decision: choice,
        message,
        answer: answer.map(Value::Object),
        by,
    };
    Ok(vec![decided.into()])
}

/// True when each question has an answer, and nothing else has one.
fn answers(asked: &ApprovalRequested, answer: &Map<String, Value>) -> bool {
    let questions = asked.tool_input.get("questions").and_then(Value::as_array);
    let questions = questions.map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let answered = |question: &Value| {
        let given = question.get("question").and_then(Value::as_str);
        match given.and_then(|question| answer.get(question)) {
            Some(Value::Array(several)) => !several.is_empty() && several.iter().all(text),
            Some(one) => text(one),
            None => false,
        }
    };
    answer.len() == questions.len() && questions.iter().all(answered)
}

/// Expires an approval; nothing when it is closed already.
pub(super) fn expire(run: &Run, approval_id: ApprovalId) -> Vec<Event> {
    let open = run.approvals.get(approval_id);
    open.map(|_| ApprovalExpired { approval_id }.into())
        .into_iter()
        .collect()
}

/// Closes the approvals that nobody waits for after `events`.
pub(super) fn voided(run: &Run, events: &[Event]) -> Vec<Event> {
    // Most runs have none, and each event of each run passes here.
    if run.approvals.open.is_empty() {
        return Vec::new();
    }
    let closed = |asked: &ApprovalRequested| {
        let about = |event: &Event| event.approval_id() == Some(asked.approval_id);
        events.iter().any(about)
    };
    let open = run.approvals.open.iter().filter(|asked| !closed(asked));
    let void = |asked: &ApprovalRequested| {
        let why = events.iter().find_map(|event| ends(event, asked))?;
        let approval_id = asked.approval_id;
        Some(ApprovalVoid { approval_id, why }.into())
    };
    open.filter_map(void).collect()
}

/// Whether an event shows that the CLI no longer waits for this approval.
fn ends(event: &Event, asked: &ApprovalRequested) -> Option<VoidBy> {
    if let Event::ToolResult(result) = event {
        return is_result_of(result, asked).then_some(VoidBy::Terminal);
    }
    if let Event::RunPaused(paused) = event
        && paused.by == PausedBy::Interrupt
    {
        return Some(VoidBy::Terminal);
    }
    match event.event_type() {
        "run.started" | "run.paused" | "run.failed" | "run.completed" | "run.cancelled" => {
            Some(VoidBy::TurnEnded)
        }
        "process.exited" => Some(VoidBy::ProcessEnded),
        _ => None,
    }
}

fn is_result_of(result: &ToolResult, asked: &ApprovalRequested) -> bool {
    match (&result.tool_use_id, &asked.tool_use_id) {
        (Some(result), Some(asked)) => result == asked,
        (None, _) | (_, None) => result.tool_name == asked.tool_name,
    }
}

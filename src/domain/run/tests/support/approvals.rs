//! Words about approvals.

use super::*;
use crate::domain::{
    ApprovalId,
    run::approval::{ApprovalKind, Choice, Decision, Question, Terms},
};

/// A question whose hook waits for a person's decision.
pub fn asks(id: u128, tool: &str, input: Value, kind: ApprovalKind, options: &[Choice]) -> Command {
    let needs = NeedsAttention {
        kind: "permission_prompt".into(),
        message: format!("may I use {tool}?"),
        tool_name: Some(tool.into()),
        tool_input: Some(input),
    };
    let question = Question {
        kind,
        options: options.to_vec(),
        grants: None,
    };
    let mut command = hook("PermissionRequest", None, Signal::Asks { needs, question });
    if let Command::Hook { hook, .. } = &mut command {
        hook.terms = Some(Terms {
            id: approval(id),
            expires_at: at(600),
        });
    }
    command
}

pub fn approval_requested() -> Event {
    ApprovalRequested {
        approval_id: approval(1),
        kind: ApprovalKind::Permission,
        message: "may I use Bash?".into(),
        tool_name: "Bash".into(),
        tool_input: json!({"command": "ls"}),
        tool_use_id: None,
        options: vec![Choice::Allow, Choice::Deny],
        expires_at: at(600),
        grants: None,
    }
    .into()
}

pub fn approval(id: u128) -> ApprovalId {
    ApprovalId(Uuid::from_u128(id))
}

pub fn decide_as(id: u128, choice: Choice) -> Command {
    Command::Decide(Decision {
        id: approval(id),
        choice,
        message: None,
        answer: None,
        by: DecidedBy::Api,
    })
}

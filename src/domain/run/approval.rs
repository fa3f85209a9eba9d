//! Approvals: what a CLI asks of a person, answered from anywhere.
//!
//! When the agent's `approvals` are `remote`, a question that the hook program waits for becomes an
//! approval. It is open until the first of a decision, its expiry, and evidence that the CLI no
//! longer waits for it: somebody answered in the terminal, or the turn or the process ended.

use super::event::{ApprovalRequested, DecidedBy, Event, NeedsAttention, ToolCall, ToolResult};
use crate::domain::{ApprovalId, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Most calls of tools remembered to find the one that a question is about.
const CALLS_MAX: usize = 64;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalKind {
    /// May a tool be used?
    Permission,
    /// Questions with options and free text.
    Question,
    /// May a plan be carried out?
    Plan,
}

/// What a person may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Go ahead.
    Allow,
    /// Go ahead, and ask no more for the like in this session.
    AllowAlways,
    /// Do not.
    Deny,
    /// The answers to the questions.
    Answer,
}

/// A question of a CLI that a person can answer from outside its terminal.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// What is asked.
    pub kind: ApprovalKind,
    /// Which choices the CLI can carry out.
    pub options: Vec<Choice>,
    /// What [`Choice::AllowAlways`] grants, in the CLI's own form.
    pub grants: Option<Value>,
}

/// The id and the end of an approval, given from outside to a question whose hook waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Its id.
    pub id: ApprovalId,
    /// When it expires.
    pub expires_at: Time,
}

/// A person's decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The approval.
    pub id: ApprovalId,
    /// What was decided.
    pub choice: Choice,
    /// Why, for the agent.
    pub message: Option<String>,
    /// For [`Choice::Answer`]: the text, or list of texts, for each question.
    pub answer: Option<Map<String, Value>>,
    /// Where it was decided.
    pub by: DecidedBy,
}

/// The approvals of a run that are open, and the calls that they may be about.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Approvals {
    /// Oldest first.
    pub open: Vec<ApprovalRequested>,
    /// Calls of tools without a result, oldest first. Kept only where approvals are remote.
    calls: Vec<Call>,
}

/// A call of a tool that has no result yet.
#[derive(Debug, Clone, PartialEq)]
struct Call {
    tool_use_id: String,
    tool_name: String,
    tool_input: Value,
}

impl Event {
    /// The approval that it is about.
    #[must_use]
    pub fn approval_id(&self) -> Option<ApprovalId> {
        if let Self::ApprovalRequested(it) = self {
            Some(it.approval_id)
        } else if let Self::ApprovalDecided(it) = self {
            Some(it.approval_id)
        } else if let Self::ApprovalExpired(it) = self {
            Some(it.approval_id)
        } else if let Self::ApprovalVoid(it) = self {
            Some(it.approval_id)
        } else {
            None
        }
    }
}

impl ApprovalRequested {
    /// The question as one that is asked in the terminal.
    pub(super) fn needs(&self) -> NeedsAttention {
        NeedsAttention {
            kind: "permission_prompt".to_owned(),
            message: self.message.clone(),
            tool_name: Some(self.tool_name.clone()),
            tool_input: Some(self.tool_input.clone()),
        }
    }
}

impl Approvals {
    /// The open approval with this id.
    #[must_use]
    pub fn get(&self, id: ApprovalId) -> Option<&ApprovalRequested> {
        self.open.iter().find(|asked| asked.approval_id == id)
    }

    pub(super) fn called(&mut self, call: &ToolCall) {
        let Some(tool_use_id) = call.tool_use_id.clone() else {
            return;
        };
        if self.calls.len() == CALLS_MAX {
            self.calls.remove(0);
        }
        self.calls.push(Call {
            tool_use_id,
            tool_name: call.tool_name.clone(),
            tool_input: call.tool_input.clone(),
        });
    }

    pub(super) fn returned(&mut self, result: &ToolResult) {
        let of = |call: &Call| Some(&call.tool_use_id) == result.tool_use_id.as_ref();
        self.calls.retain(|call| !of(call));
    }

    /// The call that a question is about. CLIs do not name it, so it is the last one that is alike.
    pub(super) fn call_of(&self, tool_name: &str, tool_input: &Value) -> Option<String> {
        let alike = |call: &&Call| call.tool_name == tool_name && call.tool_input == *tool_input;
        let call = self.calls.iter().rev().find(alike);
        call.map(|call| call.tool_use_id.clone())
    }
}

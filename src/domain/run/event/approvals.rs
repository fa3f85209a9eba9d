//! Payloads about approvals.

use super::words::{DecidedBy, VoidBy};
use crate::domain::{
    ApprovalId, Time,
    run::approval::{ApprovalKind, Choice},
    time,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The CLI asks, and its hook waits for the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalRequested {
    /// Its id.
    pub approval_id: ApprovalId,
    /// What is asked.
    pub kind: ApprovalKind,
    /// A sentence.
    pub message: String,
    /// The tool.
    pub tool_name: String,
    /// Its whole input.
    pub tool_input: Value,
    /// The call that it is about, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<String>,
    /// Which choices the CLI can carry out.
    pub options: Vec<Choice>,
    /// When it expires.
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Time,
    /// What `allow_always` grants, in the CLI's own form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Value>,
}

payloads! {
    /// A person decided.
    ApprovalDecided {
        /// The approval.
        approval_id: ApprovalId,
        /// What was decided.
        decision: Choice,
        /// Why, for the agent.
        message: Option<String>,
        /// The text, or list of texts, for each question.
        answer: Option<Value>,
        /// Where it was decided.
        by: DecidedBy,
    }
    /// Nobody decided in time.
    ApprovalExpired {
        /// The approval.
        approval_id: ApprovalId,
    }
    /// The CLI no longer waits for a decision.
    ApprovalVoid {
        /// The approval.
        approval_id: ApprovalId,
        /// The evidence.
        why: VoidBy,
    }
}

//! An approval as the API shows it.

use crate::domain::{
    ApprovalId, RunId, Time,
    run::{
        approval::{ApprovalKind, Choice},
        event::{ApprovalRequested, DecidedBy, Event, VoidBy},
    },
    time,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// It waits for a decision.
    Open,
    /// A person decided.
    Decided,
    /// Nobody decided in time.
    Expired,
    /// The CLI no longer waits for it.
    Void,
}

impl ApprovalState {
    /// As the API names it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Decided => "decided",
            Self::Expired => "expired",
            Self::Void => "void",
        }
    }
}

/// A question of a CLI that a person may answer from anywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalView {
    /// Its id.
    pub approval_id: ApprovalId,
    /// The run.
    pub run_id: RunId,
    /// Where it stands.
    pub state: ApprovalState,
    /// What is asked.
    pub kind: ApprovalKind,
    /// A sentence.
    pub message: String,
    /// The tool.
    pub tool_name: String,
    /// Its whole input.
    pub tool_input: Value,
    /// Which choices the CLI can carry out.
    pub options: Vec<Choice>,
    /// What `allow_always` grants, in the CLI's own form.
    #[schema(required)]
    pub grants: Option<Value>,
    /// When it was asked.
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Time,
    /// When it expires, or would have.
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Time,
    /// When it was closed.
    #[serde(default, with = "optional_time")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub closed_at: Option<Time>,
    /// What was decided.
    #[schema(required)]
    pub decision: Option<Choice>,
    /// Why, for the agent.
    #[schema(required)]
    pub decision_message: Option<String>,
    /// The text, or list of texts, for each question.
    #[schema(required)]
    pub answer: Option<Value>,
    /// Where it was decided.
    #[schema(required)]
    pub by: Option<DecidedBy>,
    /// Why it is void.
    #[schema(required)]
    pub why: Option<VoidBy>,
}

impl ApprovalView {
    /// An approval that was just requested.
    #[must_use]
    pub fn requested(run_id: RunId, asked: &ApprovalRequested, at: Time) -> Self {
        Self {
            approval_id: asked.approval_id,
            run_id,
            state: ApprovalState::Open,
            kind: asked.kind,
            message: asked.message.clone(),
            tool_name: asked.tool_name.clone(),
            tool_input: asked.tool_input.clone(),
            options: asked.options.clone(),
            grants: asked.grants.clone(),
            requested_at: at,
            expires_at: asked.expires_at,
            closed_at: None,
            decision: None,
            decision_message: None,
            answer: None,
            by: None,
            why: None,
        }
    }

    /// The approval after an event about it.
    pub fn apply(&mut self, event: &Event, at: Time) {
        if let Event::ApprovalDecided(decided) = event {
            self.state = ApprovalState::Decided;
            self.decision = Some(decided.decision);
            self.decision_message.clone_from(&decided.message);
            self.answer.clone_from(&decided.answer);
            self.by = Some(decided.by);
        } else if let Event::ApprovalVoid(void) = event {
            self.state = ApprovalState::Void;
            self.why = Some(void.why);
        } else {
            self.state = ApprovalState::Expired;
        }
        self.closed_at = Some(at);
    }

    /// How an approval ended that is no longer open, as a sentence.
    #[must_use]
    pub fn outcome(&self) -> String {
        let at = self
            .closed_at
            .as_ref()
            .map(time::format)
            .unwrap_or_default();
        match (self.state, self.decision, self.by) {
            (ApprovalState::Decided, Some(decision), Some(by)) => {
                let decision = match decision {
                    Choice::Allow => "allow",
                    Choice::AllowAlways => "allow_always",
                    Choice::Deny => "deny",
                    Choice::Answer => "answer",
                };
                let by = match by {
                    DecidedBy::Api => "through the API",
                    DecidedBy::Link => "on the page of its link",
                };
                format!("the approval was decided {by} at {at}: {decision}")
            }
            (ApprovalState::Void, ..) => {
                let why = match self.why {
                    Some(VoidBy::Terminal) => "it was answered in the terminal",
                    Some(VoidBy::TurnEnded) => "the turn that asked is over",
                    Some(VoidBy::ProcessEnded) | None => "the CLI ended",
                };
                format!("the approval is void since {at}: {why}")
            }
            _ => format!("the approval expired at {at}"),
        }
    }
}

/// [`time`] of what may be absent.
mod optional_time {
    use crate::domain::{Time, time};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(at: &Option<Time>, to: S) -> Result<S::Ok, S::Error> {
        at.as_ref().map(time::format).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Time>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| time::parse(&text).map_err(D::Error::custom))
            .transpose()
    }
}

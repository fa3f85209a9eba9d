//! What the hook that waits for an approval prints, in the form of the CLIs that share Claude's hooks.

use crate::domain::{
    Agent,
    run::{
        approval::{ApprovalKind, Choice},
        view::{ApprovalState, ApprovalView},
    },
};
use serde_json::{Value, json};

/// A hook waits so much longer than its approval is open, for a server that starts meanwhile.
const GRACE_SECONDS: u64 = 60;

/// What a person who denies without a word tells the agent.
const DENIED: &str = "The person who supervises this run denied this.";

/// How long the hook of a question waits.
pub(super) fn wait_seconds(agent: &Agent) -> u64 {
    agent.approval_time().as_secs() + GRACE_SECONDS
}

/// Claude's form. An approval that expired is denied: nobody may be there to see its dialog.
pub(super) fn claude(approval: &ApprovalView) -> Value {
    match approval.state {
        ApprovalState::Open | ApprovalState::Void => json!({}),
        ApprovalState::Expired => deny(&expired(approval)),
        ApprovalState::Decided => decided(approval),
    }
}

/// Codex's form. It shows its dialog only after the hook, so that an approval that expired is left
/// to the terminal.
pub(super) fn codex(approval: &ApprovalView) -> Value {
    match approval.state {
        ApprovalState::Open | ApprovalState::Void | ApprovalState::Expired => json!({}),
        ApprovalState::Decided => decided(approval),
    }
}

fn decided(approval: &ApprovalView) -> Value {
    let message = approval.decision_message.as_deref();
    let mut decision = json!({"behavior": "allow"});
    match approval.decision {
        // Claude counts a plan as accepted only with its input.
        Some(Choice::Allow) if approval.kind == ApprovalKind::Plan => {
            decision["updatedInput"] = approval.tool_input.clone();
        }
        Some(Choice::Allow) => {}
        Some(Choice::AllowAlways) => {
            decision["updatedPermissions"] = approval.grants.clone().unwrap_or_else(|| json!([]));
        }
        Some(Choice::Answer) => {
            let mut input = approval.tool_input.clone();
            input["answers"] = approval.answer.clone().unwrap_or_default();
            decision["updatedInput"] = input;
        }
        Some(Choice::Deny) | None => return deny(message.unwrap_or(DENIED)),
    }
    respond(&decision)
}

fn deny(message: &str) -> Value {
    respond(&json!({"behavior": "deny", "message": message}))
}

fn respond(decision: &Value) -> Value {
    json!({"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}})
}

fn expired(approval: &ApprovalView) -> String {
    let open = approval.expires_at - approval.requested_at;
    // The deadline has a finer grain than the time of the event.
    let seconds = (open.num_milliseconds() + 500) / 1000;
    let time = if seconds >= 120 {
        format!("{} minutes", seconds / 60)
    } else {
        format!("{seconds} seconds")
    };
    format!("Nobody answered within {time}, so this was denied. Go on without it, or ask again.")
}

//! Payloads about attention and subagents.

use serde::{Deserialize, Serialize};
use serde_json::Value;

payloads! {
    /// A person is needed.
    NeedsAttention {
        /// `permission_prompt`, `idle_prompt`, …
        kind: String,
        /// A sentence.
        message: String,
        /// The tool that needs permission.
        tool_name: Option<String>,
        /// The tool's input.
        tool_input: Option<Value>,
    }
    /// A subagent started.
    SubagentStart {
        /// The CLI's id of the subagent.
        agent_id: String,
        /// Its type.
        agent_type: String,
        /// Always null.
        last_message: Option<String>,
    }
    /// A subagent ended.
    SubagentStop {
        /// The CLI's id of the subagent.
        agent_id: String,
        /// Its type.
        agent_type: String,
        /// Its last message.
        last_message: Option<String>,
    }
}

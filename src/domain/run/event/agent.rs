//! Payloads about a person who is needed, and about subagents.

use serde::{Deserialize, Serialize};
use serde_json::Value;

payloads! {
    /// A person must look.
    NeedsAttention {
        /// `permission_prompt`, `idle_prompt`, …
        kind: String,
        /// A sentence.
        message: String,
        /// The tool asked for.
        tool_name: Option<String>,
        /// And its input.
        tool_input: Option<Value>,
    }
    /// A subagent began.
    SubagentStart {
        /// The CLI's id of it.
        agent_id: String,
        /// Its type.
        agent_type: String,
        /// Nothing yet.
        last_message: Option<String>,
    }
    /// A subagent ended.
    SubagentStop {
        /// The CLI's id of it.
        agent_id: String,
        /// Its type.
        agent_type: String,
        /// Its last words.
        last_message: Option<String>,
    }
}

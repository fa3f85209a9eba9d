//! What a CLI writes down about its session: the transcript file of its interface, and the JSON
//! output stream of its headless mode.
//!
//! Both are JSON lines, read piece by piece. A line that cannot be understood is passed over:
//! it is a fact about the CLI's version, not about the run.

mod claude;
mod codex_rollout;
mod codex_rows;
mod codex_stream;
mod follow;
mod gemini;
mod lines;
mod opencode;
mod qwen;
mod report;
mod rows;
mod stream;
mod totals;

pub(crate) use claude::ClaudeTranscript;
pub(crate) use codex_rollout::CodexRollout;
pub(crate) use codex_stream::codex_stream;
pub(crate) use gemini::{gemini_chat, gemini_stream};
pub(crate) use opencode::opencode_stream;
pub(crate) use qwen::{qwen_chat, qwen_stream};
pub(crate) use stream::ClaudeStream;

#[cfg(test)]
use crate::domain::run::command::{Observation, Usage};

#[cfg(test)]
mod codex_tests;
#[cfg(test)]
mod cost_tests;
#[cfg(test)]
mod figures_tests;
#[cfg(test)]
mod follow_tests;
#[cfg(test)]
mod tests;

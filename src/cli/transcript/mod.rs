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

use crate::domain::run::command::{Observation, Usage};

/// Adds the totals to what was observed when somebody would want to know them: when they changed,
/// or when the cursor moved over something that must not be told again.
fn with_totals(observed: &mut Vec<Observation>, told: &mut Usage, now: Usage) {
    let same = Usage {
        transcript_offset: told.transcript_offset,
        ..now.clone()
    } == *told;
    let final_words = observed
        .iter()
        .any(|one| !matches!(one, Observation::Token { .. }));
    if !same || final_words {
        told.clone_from(&now);
        observed.push(Observation::Usage(now));
    }
}

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

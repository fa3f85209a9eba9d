//! What each fuzz target does with its input, and what must hold of it.
//!
//! Called by the targets of `make fuzz`, and over the corpora and some mutations of them by
//! tests/it/fuzz.rs. An input that is not of the target's form holds trivially.

mod frames;
mod hooks;
mod numbers;
mod refs;
mod run;
mod terminal;
mod transcripts;

pub use frames::holder_frames;
pub use hooks::{hook_claude, hook_codex, hook_others};
pub use numbers::last_event_id;
pub use refs::ref_names;
pub use terminal::terminal_control;
pub use transcripts::transcript;

/// A body.
pub type Body = fn(&[u8]);

/// All of them by name, which is also that of the corpus.
#[allow(dead_code, reason = "libFuzzer calls each by itself")]
pub const ALL: [(&str, Body); 8] = [
    ("hook_claude", hook_claude),
    ("hook_codex", hook_codex),
    ("hook_others", hook_others),
    ("transcript", transcript),
    ("holder_frames", holder_frames),
    ("ref_names", ref_names),
    ("last_event_id", last_event_id),
    ("terminal_control", terminal_control),
];

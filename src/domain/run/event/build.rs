//! Constructors of events whose other fields are mostly empty.

use super::{PausedBy, RunFailed, RunPaused, RunStarted, Stage, StartedBy};

impl RunStarted {
    /// Started by anything but the oldest prompt of the server's own.
    pub(in crate::domain::run) const fn by(by: StartedBy, turn_id: Option<String>) -> Self {
        Self {
            by,
            turn_id,
            own_prompt: false,
        }
    }
}

impl RunPaused {
    /// Paused without a last message.
    pub(in crate::domain::run) const fn by(by: PausedBy, turn_id: Option<String>) -> Self {
        Self {
            by,
            last_message: None,
            turn_id,
        }
    }
}

impl RunFailed {
    /// Failed outside a turn.
    pub(in crate::domain::run) const fn at(stage: Stage, reason: String, detail: String) -> Self {
        Self {
            reason,
            stage,
            detail,
            turn_id: None,
        }
    }
}

//! Why a message was not accepted.

use std::time::Duration;

/// Why a message was not accepted. Reads on after "the message was not delivered: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The receiver refuses it for good.
    #[error("the receiver answered {status}: {words}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The receiver's own words.
        words: String,
    },
    /// The receiver asks to try again later.
    #[error("the receiver answered {status}: {words}")]
    Busy {
        /// HTTP status.
        status: u16,
        /// The receiver's own words.
        words: String,
        /// How long it wants us to wait.
        wait: Option<Duration>,
    },
    /// No connection, or it broke.
    #[error("the receiver cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the receiver did not answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The stored address cannot be used.
    #[error("the webhook's URL cannot be used")]
    Unusable,
}

impl DeliveryError {
    /// True when the same message may be accepted later.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Unreachable(_) | Self::TimedOut(_) => true,
            Self::Refused { .. } | Self::Unusable => false,
        }
    }

    /// How long the receiver wants us to wait.
    #[must_use]
    pub const fn asked_wait(&self) -> Option<Duration> {
        match self {
            Self::Busy { wait, .. } => *wait,
            Self::Refused { .. } | Self::Unreachable(_) | Self::TimedOut(_) | Self::Unusable => {
                None
            }
        }
    }
}

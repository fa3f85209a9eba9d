//! What can go wrong with a forge, in words a user can act on.
//!
//! No message holds a token: what a forge said is cleaned before it becomes part of one.

use crate::domain::{Time, time};
use std::time::Duration;

/// Longest part of a forge's own message that is passed on, in characters.
pub(super) const MESSAGE_CHARS_MAX: usize = 500;

/// Why a forge could not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// Nothing is known about the host.
    #[error(
        "no known forge at '{host}'; set GH_HOST for a GitHub Enterprise host or GITLAB_HOST for a GitLab host"
    )]
    UnknownForge {
        /// The host of the remote.
        host: String,
    },
    /// There is no token for the host.
    #[error("no token for '{host}'; looked for {}", looked_for.join(", "))]
    NoToken {
        /// The host of the remote.
        host: String,
        /// Variables and programs, each with why it gave none where that is not plain.
        looked_for: Vec<String>,
    },
    /// The forge asks us to wait, or its budget is used as far as we may use it.
    #[error("{host} is rate limited until {}: {message}", time::format(until))]
    RateLimited {
        /// The host of the remote.
        host: String,
        /// Nothing is asked before.
        until: Time,
        /// The forge's own words, or ours.
        message: String,
    },
    /// The forge answered that it would not.
    #[error("{host} answered {status}: {message}")]
    Refused {
        /// The host of the remote.
        host: String,
        /// HTTP status; 200 for an error inside a GraphQL answer.
        status: u16,
        /// The forge's own words.
        message: String,
    },
    /// No connection, or it broke.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// The host of the remote.
        host: String,
        /// Why not.
        reason: String,
    },
    /// No answer, or not all of it, in time.
    #[error("{host} did not answer within {} s", limit.as_secs_f32())]
    TimedOut {
        /// The host of the remote.
        host: String,
        /// The limit.
        limit: Duration,
    },
    /// An answer that we cannot use.
    #[error("{host} sent an unusable answer: {what}")]
    Unusable {
        /// The host of the remote.
        host: String,
        /// What is wrong with it.
        what: String,
    },
}

impl ForgeError {
    pub(super) fn rate_limited(host: &str, until: Time, message: String) -> Self {
        let host = host.to_owned();
        Self::RateLimited {
            host,
            until,
            message,
        }
    }
}

/// One line of at most [`MESSAGE_CHARS_MAX`] characters, without control characters and `secret`.
pub(super) fn clean(text: &str, secret: &str) -> String {
    let mut text = text.to_owned();
    if !secret.is_empty() {
        text = text.replace(secret, "***");
    }
    let words = text.split(|letter: char| letter.is_control() || letter.is_whitespace());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    if line.chars().count() <= MESSAGE_CHARS_MAX {
        return line;
    }
    let mut cut: String = line.chars().take(MESSAGE_CHARS_MAX - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_short_line_without_the_token() {
        assert_eq!(clean("a\n\tb\u{1b}[31m  c", ""), "a b [31m c");
        assert_eq!(
            clean("Bad token s3cret here s3cret", "s3cret"),
            "Bad token *** here ***"
        );
        let long = clean(&"ä".repeat(5000), "s");
        assert_eq!(long.chars().count(), MESSAGE_CHARS_MAX);
        assert!(long.ends_with("ä…"));
        assert_eq!(
            clean(&"x".repeat(MESSAGE_CHARS_MAX), "").len(),
            MESSAGE_CHARS_MAX
        );
    }
}

//! Payloads about messages of people on their way to the CLI.

use crate::domain::MessageId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A request that may come again: `Idempotency-Key` and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestKey {
    /// Method and path.
    pub scope: String,
    /// The client's key.
    pub key: String,
    /// SHA-256 of the body, in hex.
    pub fingerprint: String,
    /// HTTP status of the answer once the CLI took the message.
    pub status: u16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(value: &bool) -> bool {
    !*value
}

payloads! {
    /// A message is about to be typed into the live CLI. What became of it follows: the CLI's
    /// prompt hook confirms it (`user.message`), or `message.not_taken`.
    MessageTyping {
        /// The message.
        message_id: MessageId,
        /// As it is typed.
        text: String,
        /// The request that brought it, when it may come again: it is answered as done once the
        /// message is taken, also by a server that was started meanwhile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<RequestKey>,
    }
    /// The CLI did not show that it took a message which was to be typed. It may still: then
    /// `user.message` follows late.
    MessageNotTaken {
        /// The message.
        message_id: MessageId,
        /// One sentence.
        reason: String,
        /// It stays in the queue and goes out by itself once the CLI's prompt is free.
        #[serde(default, skip_serializing_if = "is_false")]
        until_free: bool,
    }
    /// A message waits for the end of the turn.
    MessageQueued {
        /// The message.
        message_id: MessageId,
        /// As it will be delivered.
        text: String,
    }
    /// A waiting message was taken back.
    MessageUnqueued {
        /// The message.
        message_id: MessageId,
    }
    /// The waiting messages go out in another order, or go on after a halt.
    QueueReordered {
        /// All of them.
        order: Vec<MessageId>,
    }
}

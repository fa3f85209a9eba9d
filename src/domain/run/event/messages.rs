//! Payloads about messages of people on their way to the CLI.

use crate::domain::MessageId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A request that may be repeated: its `Idempotency-Key` and what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestKey {
    /// Method and path.
    pub scope: String,
    /// The client's key.
    pub key: String,
    /// SHA-256 of the body, in hex.
    pub fingerprint: String,
    /// HTTP status of the response once the CLI accepted the message.
    pub status: u16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(value: &bool) -> bool {
    !*value
}

payloads! {
    /// A message is about to be typed into the live CLI. The CLI's prompt hook confirms it
    /// (`user.message`), or `message.not_taken` follows.
    MessageTyping {
        /// The message.
        message_id: MessageId,
        /// As it is typed.
        text: String,
        /// The request that carried it, if it has an `Idempotency-Key`: a repetition is answered
        /// once the message is confirmed, also after a restart of the server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<RequestKey>,
    }
    /// The CLI did not confirm a typed message. It may still do so: then `user.message` follows
    /// late.
    MessageNotTaken {
        /// The message.
        message_id: MessageId,
        /// One sentence.
        reason: String,
        /// It stays in the queue and is sent once the CLI's prompt is free.
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
    /// A message was removed from the queue.
    MessageUnqueued {
        /// The message.
        message_id: MessageId,
    }
    /// The queue was reordered, or continued after a halt.
    QueueReordered {
        /// All queued messages in their order.
        order: Vec<MessageId>,
    }
}

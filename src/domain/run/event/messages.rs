//! Payloads about messages of people on their way to the CLI.

use crate::domain::MessageId;
use serde::{Deserialize, Serialize};

payloads! {
    /// A message is about to be typed into the live CLI. What became of it follows: the CLI's
    /// prompt hook confirms it (`user.message`), or `message.not_taken`.
    MessageTyping {
        /// The message.
        message_id: MessageId,
        /// As it is typed.
        text: String,
    }
    /// The CLI did not show that it took a message which was to be typed. It may still: then
    /// `user.message` follows late.
    MessageNotTaken {
        /// The message.
        message_id: MessageId,
        /// One sentence.
        reason: String,
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

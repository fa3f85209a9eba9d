//! What a channel can do. Each is one implementation in a file of its own.

use super::{error::DeliveryError, post::Client};
use crate::domain::{EventId, Time, run::notice::Notice, settings::NotificationSettings};
use async_trait::async_trait;

/// What is delivered.
#[derive(Debug, Clone, Copy)]
pub enum Message<'m> {
    /// A notice of an event of a run.
    Notice {
        /// The texts.
        notice: &'m Notice,
        /// The event. The message names it, so that a repeated one is recognised.
        event_id: EventId,
    },
    /// A test of the channel.
    Test,
}

/// One way to reach people. Its futures stay on the thread they were made on (actix).
#[async_trait(?Send)]
pub trait Channel: Sync {
    /// Its name in log lines.
    fn name(&self) -> &'static str;

    /// Where its messages go under these settings, nothing while it is not set up. A secret.
    fn address<'s>(&self, settings: &'s NotificationSettings) -> Option<&'s str>;

    /// Delivers a message to an address, once.
    ///
    /// # Errors
    /// Why it was not accepted. After [`DeliveryError::Unreachable`] and
    /// [`DeliveryError::TimedOut`] it may have been: that is unknown.
    async fn deliver(
        &self,
        client: &Client,
        address: &str,
        message: Message<'_>,
        now: Time,
    ) -> Result<(), DeliveryError>;
}

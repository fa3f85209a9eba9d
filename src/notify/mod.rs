//! Notifications: the channels, the form of a message in each, one delivery, and how long to wait
//! after a failure.
//!
//! The domain decides what is sent (`domain::run::notice`), `runtime::services::notifier` when.
//! Holds:
//!
//! - a channel's address is a secret: no error, log line or `Debug` of this room holds any of it;
//! - a delivery is bounded in time and size, and follows no redirect;
//! - no message can ping anybody, whatever an agent wrote.
//!
//! # Layout
//! - `channel`: what each channel implements; `discord`: the one that does. Another one is a file
//!   beside it, a row of [`CHANNELS`], and its address in `domain::settings::NotificationSettings`.
//! - `post`: one bounded HTTP request; `error`: why a message was not accepted; `backoff`: when it is
//!   tried again.

mod backoff;
mod channel;
mod discord;
mod error;
mod post;

pub use backoff::wait;
pub use channel::{Channel, Message};
pub use error::DeliveryError;
pub use post::Client;

/// Every channel there is; a message goes to those that are set up.
pub static CHANNELS: [&dyn Channel; 1] = [&discord::Discord];

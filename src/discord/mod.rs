//! Messages to a Discord webhook: their form, one delivery, and how long to wait after a failure.
//!
//! What is told is decided by the domain (`domain::run::notice`), when by `runtime::notifier`.
//! What must stay true:
//!
//! - the webhook's URL is a secret: no error, log line or `Debug` of this room holds any of it;
//! - a delivery is bounded in time and size, and follows no redirect;
//! - no message can ping anybody, whatever an agent wrote.

mod backoff;
mod embed;
mod webhook;

pub use backoff::wait;
pub use embed::{message, test_message};
pub use webhook::{Webhook, WebhookError};

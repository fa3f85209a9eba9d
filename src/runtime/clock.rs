//! The one place that reads the wall clock.

use crate::domain::Time;

/// Now, in UTC, cut to milliseconds as the log keeps it: a time held in memory equals the one
/// read back.
#[must_use]
pub(crate) fn now() -> Time {
    let now = chrono::Utc::now() + crate::fault::clock_shift();
    Time::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}

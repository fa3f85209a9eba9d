//! How long to wait before a receiver is tried again.

use crate::fault;
use std::time::Duration;

/// Wait after the first failure.
const FIRST: Duration = Duration::from_secs(2);
/// Longest wait of our own: a receiver that recovers is detected by then.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Longest wait accepted from a receiver.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait after a number of failures in a row, doubled with each. `chance` is any number: it takes
/// up to half of the wait off, so that many senders do not come back at once. What the receiver
/// asked for is never cut short by that.
#[must_use]
pub fn wait(failures: u32, asked: Option<Duration>, chance: u32) -> Duration {
    let first = fault::wait("notify.retry", FIRST);
    let doubled = first.saturating_mul(
        1_u32
            .checked_shl(failures.saturating_sub(1))
            .unwrap_or(u32::MAX),
    );
    let half = doubled.min(LONGEST) / 2;
    let ours = half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX));
    ours.max(asked.unwrap_or_default().min(BELIEVED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_with_jitter_in_them() {
        for chance in [0, u32::MAX / 3, u32::MAX] {
            let waits: Vec<_> = (1..40).map(|n| wait(n, None, chance)).collect();
            assert!(waits.is_sorted(), "{waits:?}");
            assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
            assert!(*waits.last().unwrap() >= LONGEST / 2 && *waits.last().unwrap() <= LONGEST);
        }
        assert_eq!(wait(1, None, u32::MAX), FIRST);
        assert_eq!(wait(4, None, u32::MAX), FIRST * 8);
        assert!(wait(4, None, 0) < wait(4, None, 1 << 30));
        assert_eq!(wait(u32::MAX, None, u32::MAX), LONGEST);
    }

    #[test]
    fn what_the_receiver_asks_for_is_kept_to_but_not_for_ever() {
        let minute = Duration::from_secs(60);
        assert_eq!(wait(1, Some(minute), 0), minute);
        assert_eq!(wait(20, Some(minute), u32::MAX), LONGEST);
        assert_eq!(wait(1, Some(Duration::MAX), 0), BELIEVED);
    }
}

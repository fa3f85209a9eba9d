//! Named crash points, for tests that kill the process exactly there.
//!
//! Without the feature `test-faults` a point is nothing. With it, `ABBADO_FAULT=name:kill@3` ends
//! the process by SIGKILL when it passes the point the third time, and
//! `ABBADO_WAITS=name=20,other=300` shortens named waits to so many milliseconds.

use std::time::Duration;

/// Passes a named point.
#[cfg(not(feature = "test-faults"))]
#[inline]
pub const fn point(_name: &str) {}

/// Passes a named point; ends the process by SIGKILL when `ABBADO_FAULT` says so.
#[cfg(feature = "test-faults")]
pub fn point(name: &str) {
    use nix::{sys::signal, unistd::Pid};
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };
    static PLAN: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let plan = PLAN.get_or_init(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "a test's switch, absent from releases"
        )]
        let text = std::env::var("ABBADO_FAULT").ok()?;
        let (name, nth) = text.split_once(":kill@")?;
        Some((name.to_owned(), nth.parse().ok()?))
    });
    let Some((planned, nth)) = plan else { return };
    if planned == name && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
        // Nothing can be done about a failure to end ourselves; the test would notice.
        signal::kill(Pid::this(), signal::Signal::SIGKILL).ok();
        loop {
            std::thread::park();
        }
    }
}

/// A named wait, as it is.
#[cfg(not(feature = "test-faults"))]
#[inline]
#[must_use]
pub const fn wait(_name: &str, as_it_is: Duration) -> Duration {
    as_it_is
}

/// A named wait, or what `ABBADO_WAITS` says instead.
#[cfg(feature = "test-faults")]
#[must_use]
pub fn wait(name: &str, as_it_is: Duration) -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's switch, absent from releases"
    )]
    let waits = std::env::var("ABBADO_WAITS").unwrap_or_default();
    let mut pairs = waits.split(',').filter_map(|pair| pair.split_once('='));
    let millis = pairs.find_map(|(known, millis)| millis.parse().ok().filter(|_| known == name));
    millis.map_or(as_it_is, Duration::from_millis)
}

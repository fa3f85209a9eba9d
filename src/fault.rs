//! Named crash points, for tests that kill the process exactly there.
//!
//! Without the feature `test-faults` a point does nothing. With it, `ABBADO_FAULT=name:kill@3` ends
//! the process by SIGKILL when it passes the point the third time (`panic` panics there instead),
//! `ABBADO_PASSES=file` adds a line to the file at each pass of any point,
//! `ABBADO_WAITS=name=20,other=300` sets named waits to so many milliseconds, and
//! `ABBADO_CLOCK=file` moves the wall clock by the milliseconds that the file holds at the moment.

use std::time::Duration;

/// All points, in the order in which a run passes them.
pub const POINTS: &[&str] = &[
    "run.before_append",
    "run.after_append",
    "store.before_commit",
    "store.after_commit",
    "publish.before",
    "publish.after",
    "run.after_commit",
    "run.after_answer",
    "set_up.before_worktrees",
    "set_up.worktree_registered",
    "set_up.after_worktrees",
    "spare.registered",
    "spare.made",
    "spare.pointed",
    "spare.moved",
    "spare.branched",
    "launch.before_spawn",
    "launch.after_spawn",
    "spool.before_remove",
    "spool.after_remove",
    "checkpoint.before_ref",
    "checkpoint.after_ref",
    "exit.before_ack",
    "delete.kept",
    "delete.worktree_removed",
    "delete.branch_removed",
    "delete.checkpoints_removed",
    "delete.row_removed",
    "delete.folder_removed",
    "notify.before_send",
    "notify.after_answer",
    "notify.after_commit",
];

/// Passes a named point.
#[cfg(not(feature = "test-faults"))]
#[inline]
pub const fn point(_name: &str) {}

/// Passes a named point; ends the process by SIGKILL, or panics, when `ABBADO_FAULT` says so.
#[cfg(feature = "test-faults")]
pub fn point(name: &str) {
    use nix::{sys::signal, unistd::Pid};
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };
    static PLAN: OnceLock<Option<(String, bool, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);
    static PASSES: OnceLock<Option<std::fs::File>> = OnceLock::new();
    let passes = PASSES.get_or_init(|| {
        let path = switch("ABBADO_PASSES")?;
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(path);
        file.ok()
    });
    if let Some(mut passes) = passes.as_ref() {
        use std::io::Write;
        // A missing line shows in the test's count.
        passes.write_all(format!("{name}\n").as_bytes()).ok();
    }
    let plan = PLAN.get_or_init(|| {
        let text = switch("ABBADO_FAULT")?;
        let (name, how) = text.split_once(':')?;
        let (action, nth) = how.split_once('@')?;
        Some((name.to_owned(), action == "panic", nth.parse().ok()?))
    });
    let Some((planned, panics, nth)) = plan else {
        return;
    };
    if planned == name && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
        #[expect(clippy::panic, reason = "this is what a test asked for")]
        if *panics {
            panic!("a test wants a panic at {name}");
        }
        // Nothing can be done about a failure to end ourselves; the test would notice.
        signal::kill(Pid::this(), signal::Signal::SIGKILL).ok();
        loop {
            std::thread::park();
        }
    }
}

/// A variable set by a test.
#[cfg(feature = "test-faults")]
fn switch(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's switch, absent from releases"
    )]
    std::env::var(name).ok()
}

/// A named wait, unchanged.
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
    let waits = switch("ABBADO_WAITS").unwrap_or_default();
    let mut pairs = waits.split(',').filter_map(|pair| pair.split_once('='));
    let millis = pairs.find_map(|(known, millis)| millis.parse().ok().filter(|_| known == name));
    millis.map_or(as_it_is, Duration::from_millis)
}

/// The offset of the wall clock.
#[cfg(not(feature = "test-faults"))]
#[inline]
#[must_use]
pub const fn clock_shift() -> chrono::TimeDelta {
    chrono::TimeDelta::zero()
}

/// The offset of the wall clock, from the file of `ABBADO_CLOCK`.
#[cfg(feature = "test-faults")]
#[must_use]
pub fn clock_shift() -> chrono::TimeDelta {
    let text = switch("ABBADO_CLOCK").and_then(|path| std::fs::read_to_string(path).ok());
    let millis = text.and_then(|text| text.trim().parse().ok());
    chrono::TimeDelta::milliseconds(millis.unwrap_or(0))
}

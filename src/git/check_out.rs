//! Checks the files of a worktree out.

use super::{GitError, command::HEAVY, place::Place};
use crate::domain::RUN_ID_VARIABLE;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Checks HEAD out, over whatever is there. `id` is what the program is found by.
///
/// # Errors
/// Those of [`Command::run`](super::command::Command::run).
pub(super) fn check_out(
    place: &Place,
    id: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), GitError> {
    let workers = workers(WANTED.load(Ordering::Relaxed));
    let reset = place.git("git reset").args(["-c", workers]);
    let reset = reset.args(["reset", "--hard", "--quiet", "--no-recurse-submodules"]);
    let reset = reset.limit(HEAVY).env(RUN_ID_VARIABLE, id);
    reset.unless(cancelled).run().map(drop)
}

/// Set-ups of this process that are under way, or wait for their turn.
static WANTED: AtomicUsize = AtomicUsize::new(0);

/// One of them, for as long as it lives: held by who sets up, so that checkouts of others leave it
/// its share of the cores.
#[derive(Debug)]
#[must_use = "it counts for as long as it is held"]
pub(crate) struct Wanted(());

impl Wanted {
    /// Says that worktrees are wanted, before any waiting for a turn.
    pub(crate) fn begin() -> Self {
        WANTED.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        WANTED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A checkout alone is a fifth faster on all cores. Side by side they take the cores from each
/// other, and programs that only write files cost a sixth more (measured with two on two). So it is
/// set-ups that count and not checkouts: another's will begin while this one writes.
const fn workers(wanted: usize) -> &'static str {
    if wanted <= 1 {
        "checkout.workers=0"
    } else {
        "checkout.workers=1"
    }
}

#[cfg(test)]
mod unit {
    use super::{WANTED, Wanted, workers};
    use std::sync::atomic::Ordering;

    #[test]
    fn a_checkout_beside_another_set_up_leaves_it_the_cores() {
        assert_eq!(workers(1), "checkout.workers=0");
        // Other tests set worktrees up meanwhile.
        let both = [Wanted::begin(), Wanted::begin()];
        assert_eq!(
            workers(WANTED.load(Ordering::Relaxed)),
            "checkout.workers=1"
        );
        drop(both);
    }
}

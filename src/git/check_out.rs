//! Checks the files of a worktree out.

use super::{GitError, command::HEAVY, place::Place};
use crate::domain::RUN_ID_VARIABLE;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Checks HEAD out, replacing what is there. The program has `id` in its environment, and is found by it.
///
/// # Errors
/// Those of [`Command::run`](super::command::Command::run).
pub(super) fn check_out(
    place: &Place,
    id: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), GitError> {
    let workers = workers(WANTED.load(Ordering::Relaxed));
    let reset = place.git("reset").config(workers);
    let reset = reset.args(["--hard", "--quiet", "--no-recurse-submodules"]);
    let reset = reset.limit(HEAVY).env(RUN_ID_VARIABLE, id);
    reset.unless(cancelled).run().map(drop)
}

/// Set-ups of this process that are running or waiting.
static WANTED: AtomicUsize = AtomicUsize::new(0);

/// Counts as a set-up while it is held, so that the checkouts of others leave it its share of the
/// cores.
#[derive(Debug)]
#[must_use = "it counts for as long as it is held"]
pub(crate) struct Wanted(());

impl Wanted {
    /// Announces a set-up, before it waits for anything.
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

/// A single checkout is a fifth faster on all cores. Parallel ones compete for them and cost a sixth
/// more (measured with two on two cores). Set-ups are counted rather than checkouts, because another
/// set-up's checkout will begin while this one writes.
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

//! Worktrees and diffs on large repositories, beside the user's own `git`.
//!
//! No worktree is removed before the end, so that 14 GB of disk are needed: for minutes ext4 does not use
//! inodes of deleted files again, and looks through all of them for each new file
//! (`recently_deleted`), so that a checkout after the removal of another takes up to ten times as long.

mod diff;
mod runs;

use crate::{
    Bench,
    report::Figure,
    server::{git, repository},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

const GROUP: &str = "git";

/// Files of the large repository, and of the one that twenty runs are made on.
const LARGE: (usize, usize) = (50_000, 500);
const MEDIUM: (usize, usize) = (10_000, 200);

/// All figures of this group.
pub fn figures(bench: &Bench) -> Vec<Figure> {
    let mut figures = Vec::new();
    figures.extend(runs::starts(bench));
    figures.extend(diff::stats(bench));
    figures.extend(runs::crowd(bench));
    figures
}

/// A repository whose objects are in one pack, as in one that was cloned: fifty thousand loose ones
/// would be read from the disk, and whoever comes first would pay for it.
fn packed(path: &Path, files: usize) {
    repository(path, files);
    git(path, &["repack", "-a", "-d", "-q"]);
}

/// Seconds that it took, after all that was written before has reached the disk: else one side
/// would pay for the other.
fn settled<T>(work: impl FnOnce() -> T) -> (f64, T) {
    nix::unistd::sync();
    let begun = Instant::now();
    let outcome = work();
    (begun.elapsed().as_secs_f64(), outcome)
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

//! A path that a move of a branch changes in its checkout.

use git2::Oid;
use std::path::PathBuf;

/// A path that a step changes.
pub(super) struct Change {
    /// Relative to the checkout.
    pub path: PathBuf,
    /// It is there before.
    pub before: bool,
    /// What it is afterwards, when it is a file or a link then.
    pub after: Option<Oid>,
}

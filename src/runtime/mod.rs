//! The actors, and what they ask of the side rooms.
//!
//! A caller asks the [`registry`]; it routes to the run's actor ([`run_actor`]), which decides,
//! has the store append, and after the commit lets [`effects`] act on the world. What the world
//! answers comes back on the same road. The [`broadcaster`] hears of commits from the store's
//! writer and feeds readers; the [`notifier`] tells people who read nothing.
//!
//! Invariants, as absences: nothing is visible before its commit; no run has two actors; no queue
//! is without a bound; nobody but a run's own actor decides for it.

mod asked;
pub mod broadcaster;
pub mod clock;
mod deliveries;
mod delivery;
mod effects;
mod exit;
pub mod ids;
mod jobs;
mod keeping;
pub mod kept_hooks;
mod ledger;
pub mod messages;
mod moved;
pub mod notifier;
pub mod order;
mod output;
mod program;
mod prune;
mod reach;
pub mod reads;
mod recovery;
pub mod registry;
mod replace;
pub mod replay;
mod ring;
mod run_actor;
mod script;
mod set_up;
pub mod shared;
mod silence;
mod slots;
mod spares;
mod spool;
#[cfg(test)]
mod tests;
pub mod threads;
mod unrecorded;
mod unused;
mod watch;
mod work;

pub use jobs::Reply;
pub use messages::{Answer, AskError, QueueChange, Request};
pub use shared::{Runtime, Shared};
pub use unrecorded::Wish;

/// Tells the git room which filters all projects allow, anew.
///
/// # Errors
/// When the database fails.
pub fn trust_filters(reader: &crate::store::Reader) -> Result<(), crate::store::StoreError> {
    // What was read earlier must not be told later.
    static ONE_AFTER_THE_OTHER: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let alone = ONE_AFTER_THE_OTHER.lock();
    let mut all = std::collections::BTreeMap::<_, Vec<_>>::new();
    for project in reader.projects()? {
        for repo in &project.repos {
            let filters = project.trusted_filters.iter();
            let of_repo = filters
                .filter(|filter| filter.repo_id == Some(repo.id))
                .cloned();
            let of_repo: Vec<_> = of_repo.collect();
            // Of a repository that is gone nothing runs.
            if !of_repo.is_empty()
                && let Ok(found) = crate::git::inspect(&repo.repo_path)
            {
                all.entry(found.git_dir).or_default().extend(of_repo);
            }
        }
    }
    crate::git::trust_filters(all);
    drop(alone);
    Ok(())
}

//! The actors, and what they ask of the side rooms. In the order in which a request meets them:
//!
//! - [`messages`] and [`order`]: what callers may ask, and what they are answered;
//! - [`registry`]: finds or builds the run's actor, within bounds, and puts idle ones to sleep;
//! - [`run`]: one run. `core` decides, without IO; `actor` feeds it and carries out what it says;
//! - [`jobs`]: what takes a while (git, scripts, launches), and tells its outcome to the core;
//! - [`stream`]: feeds readers with what the store's writer committed;
//! - [`services`]: what goes on beside the runs, such as the notifier.
//!
//! Invariants, as absences: nothing is visible before its commit; no run has two actors; no queue
//! is without a bound; nobody but a run's own actor decides for it.

pub mod clock;
mod handle;
pub mod ids;
mod jobs;
pub mod messages;
pub mod order;
pub mod reads;
mod recover;
pub mod registry;
pub mod reply;
mod run;
pub mod services;
pub mod shared;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod threads;

pub use handle::Runtime;
pub use messages::{Answer, AskError, QueueChange, Request};
pub use reply::Reply;
pub use services::unrecorded::Wish;
pub use shared::Shared;

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

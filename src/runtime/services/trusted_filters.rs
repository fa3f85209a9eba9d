//! Tells the git room which filters of repositories' own configurations may run.

use crate::{
    git,
    store::{Reader, StoreError},
};
use std::{collections::BTreeMap, sync::Mutex};

/// Replaces what the git room knows by what all projects allow now. Blocks.
///
/// # Errors
/// When the database fails.
pub(crate) fn announce(reader: &Reader) -> Result<(), StoreError> {
    // What was read earlier must not be told later.
    static ONE_AFTER_THE_OTHER: Mutex<()> = Mutex::new(());
    let alone = ONE_AFTER_THE_OTHER.lock();
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for project in reader.projects()? {
        for repo in &project.repos {
            let filters = project.trusted_filters.iter();
            let of_repo = filters
                .filter(|filter| filter.repo_id == Some(repo.id))
                .cloned();
            let of_repo: Vec<_> = of_repo.collect();
            // Of a repository that is gone nothing runs.
            if !of_repo.is_empty()
                && let Ok(found) = git::inspect(&repo.repo_path)
            {
                all.entry(found.git_dir).or_default().extend(of_repo);
            }
        }
    }
    git::trust_filters(all);
    drop(alone);
    Ok(())
}

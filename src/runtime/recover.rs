//! What a server begins with: runs that the last one left live, and the services beside them.

use super::{
    handle::Runtime,
    messages::AskError,
    registry::revive,
    run::mailbox::Recover,
    services::{moved, prune, spares, trusted_filters},
    shared::Shared,
};
use std::sync::Arc;

impl Runtime {
    /// Resumes every run that had a process or an open request when the last server ended, and starts the
    /// services. Answers how many runs it resumed.
    ///
    /// # Errors
    /// When the database cannot tell which.
    pub(crate) async fn recover(&self) -> Result<usize, AskError> {
        trusted_filters::announce(&self.shared.reader)?;
        moved::repair(self).await?;
        let runs = self.shared.reader.live_runs()?;
        let count = runs.len();
        for run_id in runs {
            self.registry
                .send(Recover { run_id })
                .await
                .map_err(|_| AskError::ShuttingDown)?;
        }
        let (shared, registry) = (Arc::clone(&self.shared), self.registry.clone());
        actix::spawn(revive::release_holders(shared, registry));
        actix::spawn(prune::run(Arc::clone(&self.shared)));
        actix::spawn(spares::run(Arc::clone(&self.shared)));
        actix::spawn(forget_unasked(Arc::clone(&self.shared)));
        Ok(count)
    }
}

/// Ends the watch of worktrees whose changes nobody asks for any more.
async fn forget_unasked(shared: Arc<Shared>) {
    let mut minutes = tokio::time::interval(std::time::Duration::from_secs(60));
    loop {
        minutes.tick().await;
        shared.stats.forget_unasked();
    }
}

//! Hooks that the log could not take, until it can.
//!
//! The hook program spools what is not answered 2xx; on a full disk it cannot. So the hook stays in
//! memory, within a bound, and is recorded when there is room: by its delivery's id once, also when
//! it was spooled. A later hook of the same run is recorded after those that are kept, so that they stay
//! in their order. How many went beyond the bound is recorded as a hook of its own.

pub(crate) mod table;

use crate::{
    domain::{RunId, run::callers::Callers},
    runtime::{
        handle::Runtime,
        ids,
        messages::{AskError, Outcome, Request},
    },
    store::StoreError,
};
use serde_json::json;
use std::time::Duration;
use table::HOOKS_MAX;

pub(crate) use table::KeptHook;

/// Between two tries.
const AGAIN: Duration = Duration::from_secs(2);

/// True for a log that takes nothing now and may later.
#[must_use]
pub(crate) const fn may_be_stored_later(error: &AskError) -> bool {
    matches!(
        error,
        AskError::Store(StoreError::Full | StoreError::Unwritable(_))
    )
}

/// True for what says nothing of the hook itself.
const fn may_be_asked_again(error: &AskError) -> bool {
    use AskError::{ActorEnded, Busy, ShuttingDown, Store, TooManyRuns};
    let passes = matches!(
        error,
        ActorEnded
            | Busy { .. }
            | ShuttingDown
            | TooManyRuns { .. }
            | Store(StoreError::Interrupted)
    );
    passes || may_be_stored_later(error)
}

impl Runtime {
    /// Records a hook after those of its run that are kept.
    ///
    /// # Errors
    /// Those of [`Runtime::ask`].
    pub(crate) async fn record_after_kept(&self, run_id: RunId, hook: Request) -> Outcome {
        let kept = &self.shared.kept_hooks;
        let _recording = kept.recording.lock().await;
        self.record_kept(Some(run_id)).await?;
        self.ask(run_id, hook).await
    }

    /// Records those that are kept, of all runs or of one, up to the first that cannot be.
    async fn record_kept(&self, of: Option<RunId>) -> Result<(), AskError> {
        let kept = &self.shared.kept_hooks;
        while let Some(hook) = kept.first(of) {
            match self.ask(hook.run_id, hook.request()).await {
                Err(error) if may_be_asked_again(&error) => return Err(error),
                // Recorded, or never to be.
                Ok(_) | Err(_) => kept.recorded(&hook),
            }
        }
        Ok(())
    }

    /// Keeps a hook that the log could not take.
    pub(crate) fn keep_hook(&self, hook: KeptHook) {
        if self.shared.kept_hooks.keep(hook) {
            log::error!(
                "The log cannot record hooks; up to {HOOKS_MAX} are kept in memory until it can."
            );
            let runtime = self.clone();
            actix::spawn(async move { runtime.record_hooks().await });
        }
    }

    async fn record_hooks(&self) {
        let kept = &self.shared.kept_hooks;
        loop {
            tokio::time::sleep(AGAIN).await;
            let recording = kept.recording.lock().await;
            let recorded = self.record_kept(None).await;
            drop(recording);
            if let Err(error) = recorded {
                log::debug!("Hooks are still kept in memory: {error}.");
                continue;
            }
            for (run_id, lost) in kept.lost() {
                log::error!(run_id:%, lost; "Lost {lost} hooks of run {run_id} while the log could not record them.");
                let told = json!({"hook_event_name": "hooks_lost", "lost": lost});
                let request = Request::Hook {
                    payload: told,
                    delivery: Some(ids::random()),
                    callers: Callers::default(),
                };
                if let Err(error) = self.ask(run_id, request).await {
                    log::warn!(run_id:%; "Could not record the number of lost hooks: {error}.");
                }
            }
            return;
        }
    }
}

//! Hooks that the log could not take, until it can.
//!
//! The hook program spools what is not answered 2xx; on a full disk it cannot. So the hook stays in
//! memory, within a bound, and is recorded when there is room: by its delivery's id once, also when
//! it was spooled. A later hook of the same run is recorded after those that are kept, so that they stay
//! in their order. How many went beyond the bound is recorded as a hook of its own.

use crate::runtime::{
    ids,
    messages::{Answer, AskError, Request},
    shared::Runtime,
};
use crate::{
    cli::payload,
    domain::{RunId, run::caller::Callers},
    store::StoreError,
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use uuid::Uuid;

/// Hooks kept at once, and their bytes.
const HOOKS_MAX: usize = 1000;
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Between two tries.
const AGAIN: Duration = Duration::from_secs(2);

/// A hook as it came.
#[derive(Clone)]
pub struct KeptHook {
    /// Of this run.
    pub run_id: RunId,
    /// Its body.
    pub bytes: Bytes,
    /// Its delivery.
    pub delivery: Uuid,
    /// Who called the hook program.
    pub callers: Callers,
}

impl KeptHook {
    fn request(&self) -> Request {
        let object = payload::object(&self.bytes);
        let object = object.unwrap_or_else(|why| payload::kept_raw(&self.bytes, &why));
        Request::Hook {
            payload: Value::Object(object),
            delivery: Some(self.delivery),
            callers: self.callers.clone(),
        }
    }
}

/// The hooks, oldest first.
#[derive(Default)]
pub struct KeptHooks {
    state: Mutex<State>,
    /// Held by whoever records them, so that nobody overtakes.
    recording: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    hooks: VecDeque<KeptHook>,
    bytes: usize,
    /// Beyond the bound.
    lost: HashMap<RunId, u64>,
    /// Somebody tries to record them.
    tried: bool,
}

impl KeptHooks {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps one, or counts it; true when somebody has to begin to record them.
    fn keep(&self, hook: KeptHook) -> bool {
        let mut state = self.state();
        let full = state.hooks.len() >= HOOKS_MAX || state.bytes + hook.bytes.len() > BYTES_MAX;
        if full {
            *state.lost.entry(hook.run_id).or_default() += 1;
        } else {
            state.bytes += hook.bytes.len();
            state.hooks.push_back(hook);
        }
        !std::mem::replace(&mut state.tried, true)
    }

    /// The first of all, or of one run.
    fn first(&self, of: Option<RunId>) -> Option<KeptHook> {
        let state = self.state();
        let mut hooks = state.hooks.iter();
        let is_wanted = |hook: &&KeptHook| of.is_none_or(|run_id| hook.run_id == run_id);
        hooks.find(is_wanted).cloned()
    }

    fn recorded(&self, hook: &KeptHook) {
        let mut state = self.state();
        let mut hooks = state.hooks.iter();
        let is_it = |it: &KeptHook| (it.run_id, it.delivery) == (hook.run_id, hook.delivery);
        if let Some(hook) = hooks.position(is_it).and_then(|at| state.hooks.remove(at)) {
            state.bytes -= hook.bytes.len();
        }
    }

    /// What was lost, once nothing waits any more.
    fn lost(&self) -> Vec<(RunId, u64)> {
        let mut state = self.state();
        if !state.hooks.is_empty() {
            return Vec::new();
        }
        state.tried = false;
        state.lost.drain().collect()
    }
}

/// True for a log that takes nothing now and may later.
#[must_use]
pub const fn may_be_stored_later(error: &AskError) -> bool {
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
    /// Records a hook, after those of its run that are kept.
    ///
    /// # Errors
    /// Those of [`Runtime::ask`].
    pub async fn hook(&self, run_id: RunId, hook: Request) -> Answer {
        let kept = &self.shared.kept_hooks;
        if kept.first(Some(run_id)).is_none() {
            return self.ask(run_id, hook).await;
        }
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
    pub fn keep_hook(&self, hook: KeptHook) {
        if self.shared.kept_hooks.keep(hook) {
            log::error!("The log takes no hooks: up to {HOOKS_MAX} are kept in memory.");
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
                log::error!(run_id:%, lost; "{lost} hooks of run {run_id} were lost while the log took none.");
                let told = json!({"hook_event_name": "hooks_lost", "lost": lost});
                let request = Request::Hook {
                    payload: told,
                    delivery: Some(ids::random()),
                    callers: Callers::default(),
                };
                if let Err(error) = self.ask(run_id, request).await {
                    log::warn!(run_id:%; "That is not in the log of the run: {error}.");
                }
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(run: u128, len: usize) -> KeptHook {
        KeptHook {
            run_id: RunId(Uuid::from_u128(run)),
            bytes: vec![b'x'; len].into(),
            delivery: Uuid::from_u128(run),
            callers: Callers::default(),
        }
    }

    #[test]
    fn hooks_are_kept_in_order_within_the_bound_and_the_others_counted() {
        let kept = KeptHooks::default();
        assert!(kept.keep(hook(1, 10)), "the first begins");
        assert!(!kept.keep(hook(2, BYTES_MAX - 10)));
        assert!(!kept.keep(hook(3, 1)));
        assert!(!kept.keep(hook(3, 1)));
        assert!(kept.lost().is_empty(), "not before the others");
        for run in [1, 2] {
            let first = kept.first(None).unwrap();
            assert_eq!(first.run_id, RunId(Uuid::from_u128(run)));
            kept.recorded(&first);
            kept.recorded(&first);
        }
        assert!(kept.first(None).is_none());
        assert_eq!(kept.lost(), [(RunId(Uuid::from_u128(3)), 2)]);
        assert!(kept.keep(hook(4, 0)), "begins anew");
        for _ in 1..HOOKS_MAX {
            kept.keep(hook(4, 0));
        }
        kept.keep(hook(5, 0));
        assert_eq!(kept.state().hooks.len(), HOOKS_MAX);
        assert_eq!(kept.state().lost.len(), 1);
        assert!(kept.first(Some(RunId(Uuid::from_u128(5)))).is_none());
    }
}

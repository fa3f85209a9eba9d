//! Hooks that the log could not take, kept in memory within a bound until it can (see
//! `operations::hooks`).

use crate::{
    cli::payload,
    domain::{RunId, run::callers::Callers},
    runtime::messages::{Delivery, Request},
};
use bytes::Bytes;
use serde_json::Value;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// Hooks kept at once, and their bytes.
pub(crate) const HOOKS_MAX: usize = 1000;
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// A hook as it came.
#[derive(Clone)]
pub(crate) struct KeptHook {
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
    /// As the run is asked to record it.
    pub(crate) fn request(&self) -> Request {
        let object = payload::object(&self.bytes);
        let object = object.unwrap_or_else(|why| payload::kept_raw(&self.bytes, &why));
        Request::Hook(Delivery {
            id: Some(self.delivery),
            payload: Value::Object(object),
            callers: self.callers.clone(),
            waits: false,
        })
    }
}

/// The hooks, oldest first.
#[derive(Default)]
pub(crate) struct KeptHooks {
    state: Mutex<State>,
    /// Held by whoever records them, so that nobody overtakes.
    pub recording: tokio::sync::Mutex<()>,
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
    pub(crate) fn keep(&self, hook: KeptHook) -> bool {
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
    pub(crate) fn first(&self, of: Option<RunId>) -> Option<KeptHook> {
        let state = self.state();
        let mut hooks = state.hooks.iter();
        let is_wanted = |hook: &&KeptHook| of.is_none_or(|run_id| hook.run_id == run_id);
        hooks.find(is_wanted).cloned()
    }

    /// The log has it, or never will.
    pub(crate) fn recorded(&self, hook: &KeptHook) {
        let mut state = self.state();
        let mut hooks = state.hooks.iter();
        let is_it = |it: &KeptHook| (it.run_id, it.delivery) == (hook.run_id, hook.delivery);
        if let Some(hook) = hooks.position(is_it).and_then(|at| state.hooks.remove(at)) {
            state.bytes -= hook.bytes.len();
        }
    }

    /// What was lost, once nothing waits any more.
    pub(crate) fn lost(&self) -> Vec<(RunId, u64)> {
        let mut state = self.state();
        if !state.hooks.is_empty() {
            return Vec::new();
        }
        state.tried = false;
        state.lost.drain().collect()
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

//! The secrets of runs' hooks (rule 6).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Secrets that are remembered: of more runs than can live at once.
const KNOWN_MAX: usize = 1024;

/// Reads the secret of a run's hooks, on a thread that may block; none when there is no such run.
pub(super) type HookSecrets = dyn Fn(Uuid) -> Option<String> + Send + Sync;

/// Secrets that were read. A new one is read when the CLI sends it.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<Uuid, String>>);

impl Known {
    /// The secret of a run.
    pub(super) fn get(&self, run: Uuid) -> Option<String> {
        self.secrets().get(&run).cloned()
    }

    /// Remembers what was read of a run: nothing when there is no such run.
    pub(super) fn put(&self, run: Uuid, secret: Option<String>) {
        let mut secrets = self.secrets();
        secrets.remove(&run);
        if let Some(secret) = secret {
            // Those still in use are read again.
            if secrets.len() >= KNOWN_MAX {
                secrets.clear();
            }
            secrets.insert(run, secret);
        }
    }

    fn secrets(&self) -> MutexGuard<'_, HashMap<Uuid, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_secrets_are_remembered_than_runs_can_live() {
        let known = Known::default();
        for run in 0..=KNOWN_MAX as u128 {
            known.put(Uuid::from_u128(run), Some("x".into()));
        }
        assert_eq!(known.secrets().len(), 1);
        let last = Uuid::from_u128(KNOWN_MAX as u128);
        assert_eq!(known.get(last).as_deref(), Some("x"));
        known.put(last, None);
        assert_eq!(known.get(last), None);
    }
}

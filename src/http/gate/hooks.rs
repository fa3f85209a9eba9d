//! Where the secrets of runs' hooks come from (rule 6).

use crate::files;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Secrets that are remembered: of more runs than can live at once.
const KNOWN_MAX: usize = 1024;

/// Where the gate learns the secret of a run's hooks, on a thread that may block.
pub trait HookSecrets: Send + Sync {
    /// The secret of a run; nothing when there is no such run.
    fn secret(&self, run: Uuid) -> Option<String>;
}

impl<F: Fn(Uuid) -> Option<String> + Send + Sync> HookSecrets for F {
    fn secret(&self, run: Uuid) -> Option<String> {
        self(run)
    }
}

/// Secrets as the runs keep them: `<data_dir>/runs/<run id>/hook.token`, 64 hex digits.
#[derive(Debug, Clone)]
pub struct RunFolderSecrets {
    /// The data folder.
    pub data_dir: PathBuf,
}

impl HookSecrets for RunFolderSecrets {
    fn secret(&self, run: Uuid) -> Option<String> {
        let folder = self
            .data_dir
            .join("runs")
            .join(run.as_hyphenated().to_string());
        match files::read_text(&folder.join("hook.token"), files::SMALL) {
            Ok(text) => Some(text.trim_end().to_owned()),
            // A run whose secret is gone exists all the same, and no secret is right for it.
            Err(_) => folder.is_dir().then(String::new),
        }
    }
}

/// Secrets that were read. One that is made anew is read when the CLI sends it.
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
            // Those that are needed are read again.
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
    use std::fs;

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

    #[test]
    fn secrets_are_read_from_the_folder_of_the_run() {
        let data = tempfile::tempdir().unwrap();
        let secrets = RunFolderSecrets {
            data_dir: data.path().to_owned(),
        };
        let run = Uuid::from_u128(7);
        assert_eq!(secrets.secret(run), None);
        let folder = data.path().join("runs").join(run.to_string());
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(
            secrets.secret(run).as_deref(),
            Some(""),
            "known, but nothing is right"
        );
        fs::write(folder.join("hook.token"), format!("{}\n", "ab".repeat(32))).unwrap();
        assert_eq!(secrets.secret(run), Some("ab".repeat(32)));
    }
}

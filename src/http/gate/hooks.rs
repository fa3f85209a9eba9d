//! Where the secrets of runs' hooks come from (rule 6).

use crate::files;
use std::path::PathBuf;
use uuid::Uuid;

/// Where the gate learns the secret of a run's hooks.
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
///
/// The file is read on the worker: 64 bytes that the CLI's own start has just put into the cache.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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

//! Which CLIs are installed on this machine, and their versions.

use crate::cli;
use std::{
    collections::HashMap,
    path::Path,
    process::Stdio,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A program is asked for its version this often at most.
const VERSION_AGE: Duration = Duration::from_secs(60);
/// And has so long to answer.
const VERSION_WAIT: Duration = Duration::from_secs(5);

/// A program that was looked for.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Whether it is there.
    pub installed: bool,
    /// The first line of what it says to `--version`.
    pub version: Option<String>,
}

/// What was found, and when, by program.
#[derive(Default)]
pub(crate) struct Programs(Mutex<HashMap<String, (Instant, Found)>>);

impl Programs {
    /// Looks for the program of a provider, and asks it for its version.
    pub(crate) async fn look(&self, provider: &str, bin: &str, env: &[(String, String)]) -> Found {
        if provider == "demo" {
            return Found {
                installed: true,
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            };
        }
        let known = self.known().get(bin).cloned();
        if let Some((at, found)) = known
            && at.elapsed() < VERSION_AGE
        {
            return found;
        }
        let program = cli::find_program(bin, env);
        let version = match &program {
            // Only known CLIs are asked: another program may do anything when started.
            Some(program) if provider != "command" => ask_version(program, env).await,
            Some(_) | None => None,
        };
        let found = Found {
            installed: program.is_some(),
            version,
        };
        let entry = (Instant::now(), found.clone());
        self.known().insert(bin.to_owned(), entry);
        found
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, (Instant, Found)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask_version(program: &Path, env: &[(String, String)]) -> Option<String> {
    let output = tokio::process::Command::new(program)
        .arg("--version")
        .env_clear()
        .envs(env.iter().cloned())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(VERSION_WAIT, output)
        .await
        .ok()?
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.chars().take(100).collect())
}

//! Terminals without a run: a CLI or a shell in a folder, for as long as one viewer watches.

use super::{ApiError, TerminalQuery};
use crate::{
    cli,
    domain::environment,
    pty::{self, LaunchSpec, Session, Viewer},
    runtime::{Runtime, ids},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Starts a terminal for one viewer.
///
/// # Errors
/// 400 for an unknown CLI, a folder that is none, and a program that does not start.
pub(super) async fn start(
    runtime: &Runtime,
    query: &TerminalQuery,
    (cols, rows): (u16, u16),
) -> Result<(Viewer, Ephemeral), ApiError> {
    let config = &runtime.shared.config;
    let cwd = query
        .cwd
        .as_ref()
        .map_or_else(|| config.home.clone(), PathBuf::from);
    if !cwd.is_absolute() || !cwd.is_dir() {
        return Err(ApiError::invalid(
            "cwd",
            "must be the absolute path of a folder",
        ));
    }
    let name = query.cli.as_deref().unwrap_or("claude");
    let argv = cli::ephemeral_argv(name, query.task.as_deref(), &config.server_env)
        .map_err(|why| ApiError::invalid("cli", why))?;
    let terminal_id = ids::random();
    let run_dir = config
        .data_dir
        .join("terminals")
        .join(terminal_id.to_string());
    let mut env: BTreeMap<String, String> = config.server_env.iter().cloned().collect();
    environment::for_terminal(&mut env);
    env.insert("ABBADO_RUN_ID".into(), terminal_id.to_string());
    env.insert("PWD".into(), cwd.to_string_lossy().into_owned());
    let spec = LaunchSpec {
        run_id: terminal_id,
        attempt: 1,
        run_dir: run_dir.clone(),
        argv,
        cwd,
        env: env.into_iter().collect(),
        cols,
        rows,
        ephemeral: true,
    };
    make_private(&run_dir).map_err(ApiError::fault)?;
    let session = pty::launch(&config.program, &spec)
        .await
        .map_err(|error| ApiError::malformed(format!("The terminal did not start: {error}.")))?;
    let viewer = pty::attach(&run_dir, terminal_id)
        .await
        .map_err(ApiError::fault)?;
    let ephemeral = Ephemeral {
        _session: session,
        run_dir,
    };
    Ok((viewer, ephemeral))
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// The launching connection of an ephemeral terminal: when it closes, all of it ends.
pub(super) struct Ephemeral {
    _session: Session,
    run_dir: PathBuf,
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        // The holder may still write there; what it leaves is removed at the next start.
        drop(std::fs::remove_dir_all(&self.run_dir));
    }
}

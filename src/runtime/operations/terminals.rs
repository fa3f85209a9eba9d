//! Terminals for viewers: a run's, or one without a run for as long as one viewer watches.

use super::{OperationError, blocking, read};
use crate::{
    cli,
    domain::{RunId, environment},
    pty::{
        self, HolderConnection, LaunchSpec,
        run_files::{LockState, lock_state},
    },
    runtime::{Runtime, ids, order::OrderError, shared::ViewerGuard},
};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

pub(crate) use pty::{
    ExitReport, FrameWriter, LastScreen, SIZE_MAX, ToViewer, Viewer, ViewerReader,
};

/// What a viewer gets to see.
pub(crate) enum Screen {
    /// A terminal with its program.
    Live(Box<Viewer>),
    /// The program has ended; this was left on the screen.
    Last(LastScreen),
}

/// Kept for as long as the viewer watches. Ends a terminal without a run when it is dropped.
pub(crate) struct Watching {
    _viewer: Option<ViewerGuard>,
    _ephemeral: Option<Ephemeral>,
}

/// Attaches a viewer to the terminal of a run.
///
/// # Errors
/// `Unknown` run; `Full` when too many viewers are attached; a conflict when there is neither a live
/// terminal nor a last screen.
pub(crate) async fn attach(
    runtime: &Runtime,
    run_id: RunId,
) -> Result<(Screen, Watching), OperationError> {
    if !read(runtime, move |reader| reader.run_exists(run_id)).await? {
        return Err(OperationError::Unknown("run"));
    }
    let limit = runtime.shared.config.viewers_max;
    let guard = runtime.shared.viewer(run_id).ok_or_else(|| {
        OperationError::Full(format!(
            "The limit of {limit} viewers of this terminal is reached; close one first."
        ))
    })?;
    let run_dir = runtime.shared.run_dir(run_id);
    let attached = pty::attach(&run_dir, run_id.0).await;
    if let Err(error) = &attached {
        log::debug!(run_id:%; "Run {run_id} has no live terminal: {error}.");
    }
    let screen = match attached.ok() {
        Some(viewer) if viewer.hello().exit.is_none() => Screen::Live(Box::new(viewer)),
        // A holder whose program has ended leaves at any moment, and its last screen stays.
        ended => {
            let left = blocking(move || last_screen(&run_dir)).await?;
            let left = left.map_err(OperationError::failed)?;
            match (ended, left) {
                (Some(viewer), Ok(last)) if viewer.hello().exit.as_ref() == Some(&last.exit) => {
                    Screen::Last(last)
                }
                (Some(viewer), _) => Screen::Live(Box::new(viewer)),
                (None, left) => Screen::Last(left.map_err(OperationError::conflict)?),
            }
        }
    };
    let watching = Watching {
        _viewer: Some(guard),
        _ephemeral: None,
    };
    Ok((screen, watching))
}

/// What a run without a live terminal has left of it, or why there is nothing.
fn last_screen(run_dir: &Path) -> io::Result<Result<LastScreen, &'static str>> {
    if let Some(last) = pty::last_screen(run_dir)? {
        return Ok(Ok(last));
    }
    Ok(Err(match lock_state(run_dir)? {
        LockState::Free { .. } => {
            "The last screen of this run is not available; GET runs/{id}/logs has its output."
        }
        // A holder that does not listen is just starting.
        LockState::Never | LockState::Held => {
            "This run has no terminal because its CLI has not started."
        }
    }))
}

/// A terminal without a run.
#[derive(Debug, Default)]
pub(crate) struct NewTerminal {
    /// Its folder; the home folder by default.
    pub cwd: Option<String>,
    /// Its program: `claude`, `codex` or `shell`; `claude` by default.
    pub cli: Option<String>,
    /// Run in the program's print mode.
    pub task: Option<String>,
    /// Columns and rows.
    pub size: (u16, u16),
}

/// Starts a terminal for one viewer.
///
/// # Errors
/// `Invalid` for an unknown CLI and a folder that is none; [`OrderError::Invalid`] when the program
/// does not start.
pub(crate) async fn start(
    runtime: &Runtime,
    new: NewTerminal,
) -> Result<(Screen, Watching), OperationError> {
    let config = &runtime.shared.config;
    let cwd = new.cwd.map_or_else(|| config.home.clone(), PathBuf::from);
    if !cwd.is_absolute() || !cwd.is_dir() {
        let why = "must be the absolute path of a folder";
        return Err(OperationError::invalid("cwd", why));
    }
    let name = new.cli.as_deref().unwrap_or("claude");
    let argv = cli::ephemeral_argv(name, new.task.as_deref(), &config.server_env)
        .map_err(|why| OperationError::invalid("cli", why))?;
    let terminal_id = ids::random();
    let run_dir = config
        .data_dir
        .join("terminals")
        .join(terminal_id.to_string());
    let mut env: BTreeMap<String, String> = config.server_env.iter().cloned().collect();
    environment::for_terminal(&mut env);
    env.insert("ABBADO_RUN_ID".into(), terminal_id.to_string());
    env.insert("PWD".into(), cwd.to_string_lossy().into_owned());
    let (cols, rows) = new.size;
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
    make_private(&run_dir).map_err(OperationError::failed)?;
    let session = pty::launch(&config.program, &spec).await.map_err(|error| {
        OperationError::from(OrderError::Invalid(format!(
            "Could not start the terminal: {error}."
        )))
    })?;
    let viewer = pty::attach(&run_dir, terminal_id).await;
    let viewer = viewer.map_err(OperationError::failed)?;
    let watching = Watching {
        _viewer: None,
        _ephemeral: Some(Ephemeral {
            _session: session,
            run_dir,
        }),
    };
    Ok((Screen::Live(Box::new(viewer)), watching))
}

fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// The launching connection of a terminal without a run: when it closes, all of it ends.
struct Ephemeral {
    _session: HolderConnection,
    run_dir: PathBuf,
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        // The holder may still write there; what it leaves is removed at the next start.
        drop(std::fs::remove_dir_all(&self.run_dir));
    }
}

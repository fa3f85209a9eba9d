//! The project's own scripts: set-up before a CLI starts, clean-up before a worktree goes.
//!
//! Their output goes to `setup.log` in the run's folder while they run, since what they leave
//! running may write on, and at the end into the run's log, before that of the CLI.

use super::JobContext;
use crate::{
    detached::{self, Streams},
    domain::{RUN_ID_VARIABLE, run::event::WorktreeAt},
    files,
    pty::{self, output_log},
};
use std::{
    ffi::OsStr,
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::ExitStatus,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Lines of a failed script's output that are reported.
const LINES_MAX: usize = 20;
/// Bytes of a script's output that go into the run's log: the last ones.
const OUTPUT_BYTES_MAX: u64 = 1024 * 1024;
/// Between two checks whether a script is to be stopped.
const LOOK: Duration = Duration::from_millis(100);
/// How long a clean-up may take: somebody waits for the deletion.
const CLEAN_UP_MAX: Duration = Duration::from_secs(60);

/// One of the project's scripts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Script {
    /// Before the CLI starts.
    SetUp,
    /// Before the worktree is removed.
    CleanUp,
}

/// Why a script did not end well.
pub(super) enum ScriptError {
    /// It was asked to end.
    Stopped,
    /// It failed: one sentence, and its last lines.
    Failed { reason: String, detail: String },
}

impl Script {
    const fn name(self) -> &'static str {
        match self {
            Self::SetUp => "set-up script",
            Self::CleanUp => "clean-up script",
        }
    }

    /// Runs it in a worktree, when the project has one.
    ///
    /// # Errors
    /// See [`ScriptError`].
    pub(super) async fn run(
        self,
        context: &JobContext,
        at: &WorktreeAt,
    ) -> Result<(), ScriptError> {
        let set_up = &context.run.created.set_up;
        let text = match self {
            Self::SetUp => &set_up.setup_script,
            Self::CleanUp => &set_up.cleanup_script,
        };
        if text.trim().is_empty() {
            return Ok(());
        }
        let run_dir = context.run_dir();
        let failed = |why: String, detail| ScriptError::Failed {
            reason: format!("the {} failed in {}: {why}", self.name(), at.name),
            detail,
        };
        let unusable = |error: io::Error| failed(error.to_string(), String::new());
        let path = run_dir.join("setup.log");
        let mut options = std::fs::File::options();
        let log = files::open_own(options.create(true).append(true).mode(0o600), &path);
        let log = log.map_err(unusable)?;
        let from = log.metadata().map_err(unusable)?.len();
        let ended = self.wait(context, at, text, log).await.map_err(unusable)?;
        let output = read_from(&path, from).unwrap_or_default();
        let heading = format!("[abbado] {} in {}:\n", self.name(), at.name);
        note(&run_dir, &[heading.as_bytes(), &output].concat());
        match ended {
            None => Err(ScriptError::Stopped),
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(failed(status.to_string(), last_lines(&output))),
        }
    }

    /// Starts it and waits for its end; none when it was asked to end, or took too long.
    async fn wait(
        self,
        context: &JobContext,
        at: &WorktreeAt,
        text: &str,
        log: std::fs::File,
    ) -> io::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        let mut ended = start(context, at, text, log)?;
        loop {
            tokio::select! {
                status = &mut ended => {
                    let gone = |_| Err(io::ErrorKind::BrokenPipe.into());
                    return status.unwrap_or_else(gone).map(Some);
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            let is_over = match self {
                Self::SetUp => context.stop.load(Ordering::Relaxed),
                Self::CleanUp => begun.elapsed() > CLEAN_UP_MAX,
            };
            if is_over {
                // The script and what it started carry the run's id; all of it ends here.
                let ended = context.blocking(|run, _| {
                    pty::end_leftovers(run.id.0).map_err(|error| error.to_string())
                });
                let (ended, name) = (ended.await, self.name());
                log::info!(run_id:% = context.run.id; "Stopped a {name}: {ended:?}.");
                return Ok(None);
            }
        }
    }
}

/// Runs the clean-up script of a worktree that is about to go. What it should have cleaned is not ours,
/// so the worktree goes all the same.
pub(super) async fn clean_up(context: &JobContext, at: &WorktreeAt) {
    let id = context.run.id;
    if let Err(ScriptError::Failed { reason, detail }) = Script::CleanUp.run(context, at).await {
        log::warn!(run_id:% = id; "Removing a worktree of run {id}, although {reason}: {detail}");
    }
}

/// Starts a script in a session of its own. Its status comes when it ends.
fn start(
    context: &JobContext,
    at: &WorktreeAt,
    text: &str,
    log: std::fs::File,
) -> io::Result<oneshot::Receiver<io::Result<ExitStatus>>> {
    let run_id = context.run.id.to_string();
    let own = [(RUN_ID_VARIABLE, run_id.as_str()), ("TERM", "dumb")];
    let inherited = context.shared.config.server_env.iter();
    let env = inherited.map(|(name, value)| (name.as_str(), value.as_str()));
    let env = env.chain(own);
    let env = env.map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
    let in_worktree = r#"cd -- "$1" && exec /bin/sh -c "$2""#;
    let arguments = ["-c", in_worktree, "sh"].map(OsStr::new);
    let arguments = arguments.into_iter();
    let arguments = arguments.chain([at.worktree.as_os_str(), OsStr::new(text)]);
    let streams = Streams {
        stdin: None,
        stderr: Some(log.try_clone()?.into()),
        stdout: Some(log.into()),
    };
    let mut child = detached::spawn("/bin/sh", arguments, env, streams)?;
    let (tell, ended) = oneshot::channel();
    let wait = move || drop(tell.send(child.wait()));
    thread::Builder::new().name("script".into()).spawn(wait)?;
    Ok(ended)
}

/// Adds text to the run's log, as a terminal would show it. Only while no CLI runs.
pub(super) fn note(run_dir: &Path, text: &[u8]) {
    let mut shown = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                shown.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
                shown.extend_from_slice(b"\r\n");
            }
            None => shown.extend_from_slice(line),
        }
    }
    let log = output_log::OutputLog::open(run_dir, output_log::LOG_LEN_MAX);
    if let Err(error) = log.and_then(|mut log| log.append(&shown)) {
        log::warn!(error:% = error; "Could not add a note to a run's output.");
    }
}

/// The end of a file, from an offset on.
fn read_from(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = files::open(path)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(
        from.max(end.saturating_sub(OUTPUT_BYTES_MAX)),
    ))?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}

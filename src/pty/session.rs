//! The server's end: launching a run's holder, finding it again, steering it.
//!
//! Called by `runtime`. Works on any tokio runtime with io and time, a current-thread one too.
//! Holds: a frame is written whole or not at all, also when the caller's future is dropped.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::domain::environment;

use super::holder::Outcome;
use super::protocol::{Frame, Stop};
use super::run_files::{self, LockState};
use super::{ExitReport, Hello, LaunchSpec, Program, PtyError};
use crate::files;

mod link;

pub use link::FrameWriter;
pub(super) use link::{FrameReader, connect};

/// From spawning the holder to its answer: it syncs a file and starts a program.
const LAUNCH_WAIT: Duration = Duration::from_secs(15);
/// How long a locked run folder may be without a socket: a holder is just starting, or ending.
const PROBE_WAIT: Duration = Duration::from_secs(10);
/// Between two looks at such a folder.
const PROBE_AGAIN: Duration = Duration::from_millis(20);
/// The largest answer of a holder.
const OUTCOME_LEN_MAX: u64 = 64 * 1024;
/// A `holder.log` longer than this begins anew with the next launch.
const HOLDER_LOG_LEN_MAX: u64 = 1024 * 1024;
/// From this protocol on holders tell of their program, and take frames about it.
const TELLS_PROGRAM: u32 = 2;

/// Why a launch did not come about.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The attempt was launched before.
    #[error("attempt {recorded_attempt} was already launched")]
    Refused {
        /// The highest attempt launched.
        recorded_attempt: u32,
    },
    /// A living holder has the run's lock.
    #[error("another holder of this run is alive")]
    Busy,
    /// The CLI could not be started; a sentence for a person that names it.
    #[error("{0}")]
    Spawn(String),
    /// The holder itself could not work.
    #[error("the holder failed: {0}")]
    Failed(String),
    /// The holder could not be started, or not be spoken with.
    #[error("the holder could not be started")]
    Io(#[from] io::Error),
    /// The holder started and could not be spoken with: it may live, which [`probe`] tells.
    #[error("could not talk to the new holder")]
    Connect(#[source] PtyError),
    /// The holder did not answer in time: it may live, which [`probe`] tells.
    #[error("the holder did not answer in time")]
    Timeout,
}

/// What became of a run's last launch.
#[derive(Debug)]
pub enum Probe {
    /// Its holder lives; [`Hello::exit`] tells whether the CLI does.
    Live(HolderConnection),
    /// Its holder is gone and has left word.
    Exited(ExitReport),
    /// Its holder is gone and left no exit report, or there never was one.
    Gone {
        /// The highest attempt launched.
        recorded_attempt: Option<u32>,
    },
}

/// Starts `program holder` for a run and connects to it. The holder outlives this process; a
/// dropped future leaves it to be found by [`probe`].
///
/// # Errors
/// See [`LaunchError`]. After `Refused`, `Busy`, `Spawn` and `Failed` nothing of this launch runs.
pub async fn launch(program: &Path, spec: &LaunchSpec) -> Result<HolderConnection, LaunchError> {
    let mut child = Command::new(program)
        .arg("holder")
        .env_clear()
        .envs(environment::for_a_holder(std::env::vars_os()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(holder_log(&spec.run_dir)?)
        .spawn()?;
    let outcome = timeout(LAUNCH_WAIT, converse(&mut child, spec)).await;
    // Only a waited-for child leaves no zombie, and it may live for weeks.
    tokio::spawn(async move { child.wait().await.ok() });
    match outcome.map_err(|_| LaunchError::Timeout)?? {
        Outcome::Ready { .. } => connect(&spec.run_dir, spec.run_id)
            .await
            .map(HolderConnection::new)
            .map_err(LaunchError::Connect),
        Outcome::Refused { recorded_attempt } => Err(LaunchError::Refused { recorded_attempt }),
        Outcome::Busy => Err(LaunchError::Busy),
        Outcome::Spawn { sentence } => Err(LaunchError::Spawn(sentence)),
        Outcome::Failed { sentence } => Err(LaunchError::Failed(sentence)),
    }
}

fn holder_log(run_dir: &Path) -> io::Result<Stdio> {
    let path = run_dir.join(run_files::LOG);
    let mut options = OpenOptions::new();
    let file = files::open_own(options.append(true).create(true).mode(0o600), &path)?;
    if file.metadata()?.len() > HOLDER_LOG_LEN_MAX {
        file.set_len(0)?;
    }
    Ok(file.into())
}

async fn converse(child: &mut Child, spec: &LaunchSpec) -> io::Result<Outcome> {
    let unpiped = || io::Error::other("the holder has no pipe");
    let document = serde_json::to_vec(spec)?;
    let mut stdin = child.stdin.take().ok_or_else(unpiped)?;
    let stdout = child.stdout.take().ok_or_else(unpiped)?;
    stdin.write_all(&document).await?;
    drop(stdin);
    let mut answer = Vec::new();
    stdout
        .take(OUTCOME_LEN_MAX)
        .read_to_end(&mut answer)
        .await?;
    if answer.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the holder ended and said nothing",
        ));
    }
    Ok(serde_json::from_slice(&answer)?)
}

/// Finds out what became of a run's last launch. A folder that is locked and has no socket yet is
/// waited for, up to 10 s.
///
/// # Errors
/// When the run folder cannot be read, or what listens there cannot be spoken with.
pub async fn probe(run_dir: &Path, run_id: Uuid) -> Result<Probe, PtyError> {
    let mut waited = Duration::ZERO;
    loop {
        let problem = match connect(run_dir, run_id).await {
            Ok(link) => return Ok(Probe::Live(HolderConnection::new(link))),
            Err(err @ (PtyError::NotListening | PtyError::Closed | PtyError::Io(_))) => err,
            // What it left on disk is true whatever it says, or does not say.
            Err(err) => {
                let exit = run_files::recorded_exit(run_dir)?;
                return exit.map(Probe::Exited).ok_or(err);
            }
        };
        match run_files::lock_state(run_dir)? {
            LockState::Held if waited >= PROBE_WAIT => return Err(problem),
            LockState::Held => {}
            LockState::Never => {
                return Ok(Probe::Gone {
                    recorded_attempt: None,
                });
            }
            LockState::Free { recorded } => {
                let exit = run_files::recorded_exit(run_dir)?;
                let gone = Probe::Gone {
                    recorded_attempt: Some(recorded),
                };
                return Ok(exit.map_or(gone, Probe::Exited));
            }
        }
        sleep(PROBE_AGAIN).await;
        waited += PROBE_AGAIN;
    }
}

/// What a holder tells the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HolderEvent {
    /// What it knows of the program changed.
    Program(Program),
    /// The run's tree has ended.
    Exit(ExitReport),
}

/// The server's own connection to a living holder. It closes when this and all its handles are
/// dropped; only an ephemeral terminal minds.
#[derive(Debug)]
pub struct HolderConnection {
    hello: Hello,
    reader: FrameReader,
    handle: HolderHandle,
}

impl HolderConnection {
    fn new((hello, reader, writer): (Hello, FrameReader, FrameWriter)) -> Self {
        Self {
            reader,
            handle: HolderHandle {
                writer,
                tells_program: hello.protocol >= TELLS_PROGRAM,
            },
            hello,
        }
    }

    /// Tells what the holder said first.
    #[must_use]
    pub const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Makes a handle for steering.
    #[must_use]
    pub fn handle(&self) -> HolderHandle {
        self.handle.clone()
    }

    /// Waits for what the holder tells next; an exit is the last. May be dropped and called again.
    ///
    /// # Errors
    /// `Closed` or `Io` when the holder is gone and sent no exit: [`probe`] tells what it left.
    pub async fn next(&mut self) -> Result<HolderEvent, PtyError> {
        if let Some(exit) = &self.hello.exit {
            return Ok(HolderEvent::Exit(exit.clone()));
        }
        loop {
            let frame = self.reader.next().await?.ok_or(PtyError::Closed)?;
            if let Frame::Exit(exit) = frame {
                self.hello.exit = Some(exit.clone());
                return Ok(HolderEvent::Exit(exit));
            }
            if let Frame::Program(program) = frame {
                return Ok(HolderEvent::Program(program));
            }
        }
    }

    /// Waits until the run's tree has ended. May be dropped and called again.
    ///
    /// # Errors
    /// As [`HolderConnection::next`].
    pub async fn wait_exit(&mut self) -> Result<ExitReport, PtyError> {
        loop {
            if let HolderEvent::Exit(exit) = self.next().await? {
                return Ok(exit);
            }
        }
    }
}

/// Steers a run's terminal. Cheap to clone; each call returns when its frame is written, and fails
/// when the holder is gone.
#[derive(Clone, Debug)]
pub struct HolderHandle {
    writer: FrameWriter,
    /// The holder knows the frames about its program.
    tells_program: bool,
}

impl HolderHandle {
    /// Types keystrokes. Over 4 MiB that the program does not read, more are dropped.
    pub async fn input(&self, bytes: Bytes) -> Result<(), PtyError> {
        self.writer.input(bytes).await
    }

    /// Types a message and sends it off: in paste brackets when the program asked for them, else
    /// plain when it is one short line, else not at all; then, 300 ms later, CR. Returns before that.
    ///
    /// # Errors
    /// `TooLong` for almost 1 MiB or more; when the holder is gone.
    pub async fn paste(&self, text: &str) -> Result<(), PtyError> {
        self.writer.send(&Frame::Paste(text.to_owned())).await
    }

    /// Changes the size; the terminal signals it to the program.
    ///
    /// # Errors
    /// When the holder is gone. It takes a size of 0 for a broken frame and closes.
    pub async fn resize(&self, cols: u16, rows: u16) -> Result<(), PtyError> {
        self.writer.resize(cols, rows).await
    }

    /// Ends everything that the run started: SIGTERM, SIGKILL after `grace`. The exit tells when
    /// that is done. A second call can only shorten the grace.
    pub async fn stop(&self, grace: Duration) -> Result<(), PtyError> {
        self.stop_because(grace, None).await
    }

    /// The same with a word that comes back with the exit.
    pub async fn stop_because(
        &self,
        grace: Duration,
        because: Option<String>,
    ) -> Result<(), PtyError> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let stop = Stop { grace_ms, because };
        self.writer.send(&Frame::Stop(stop)).await
    }

    /// Resumes a stopped program.
    pub async fn resume(&self) -> Result<(), PtyError> {
        self.about_program(Frame::Resume).await
    }

    /// Says that what viewers typed answered a question, and stands at no prompt.
    pub async fn no_draft(&self) -> Result<(), PtyError> {
        self.about_program(Frame::NoDraft).await
    }

    /// Says that the program took a prompt, so that no menu is open. For holders that told
    /// `may_be_menu`; earlier ones do not know it.
    pub async fn prompted(&self) -> Result<(), PtyError> {
        self.about_program(Frame::Prompted).await
    }

    /// A holder of protocol 1 would take the frame for a broken one.
    async fn about_program(&self, frame: Frame) -> Result<(), PtyError> {
        if self.tells_program {
            self.writer.send(&frame).await?;
        }
        Ok(())
    }

    /// Lets the holder end; call it once the exit is durable elsewhere.
    ///
    /// # Errors
    /// When the holder is gone, which is as good.
    pub async fn ack_exit(&self) -> Result<(), PtyError> {
        self.writer.send(&Frame::Ack).await
    }
}

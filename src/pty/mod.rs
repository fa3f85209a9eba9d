//! Terminals whose programs outlive the server: a holder process for each run.
//!
//! What: `abbado holder` owns the PTY, the CLI with everything it starts, the screen emulator and
//! the output log, and serves one Unix socket. The server is its client.
//!
//! Who calls: `runtime` launches and probes ([`session`]), `http` attaches viewers ([`viewer`]) and
//! reads the log ([`output_log`]), `main` runs [`holder::run`].
//!
//! Holds: an attempt is launched at most once; an exit is on disk before it is reported; nothing that
//! the CLI started is alive when its exit is reported; a viewer that does not read costs no memory
//! that grows.
//!
//! # Layout, in reading order
//!
//! - [`protocol`]: the frames on the socket
//! - [`run_files`]: what lies in the run folder, and how it is written so that a kill leaves it whole
//! - [`output_log`]: the bytes of the terminal, bounded, at absolute offsets
//! - [`emulator`], `snapshot`: the screen, and how it is written out
//! - `skip`: what a flood scrolls out of the screen's memory is not taken in
//! - [`process_tree`]: finding and ending all that a run started
//! - [`end`]: finds and ends holders by their processes
//! - [`holder`]: the process that has all of these
//! - [`session`], [`viewer`]: the server's two ends of the socket
//!
//! # Crash
//! Server killed: holders carry on, [`session::probe`] finds them again. Holder killed: the kernel
//! closes its PTY (the CLI gets SIGHUP) and its lock; `probe` answers `Gone`, and
//! [`process_tree::end_leftovers`] ends what is left.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub mod emulator;
pub(crate) mod end;
pub mod holder;
pub mod output_log;
pub mod process_tree;
pub mod protocol;
pub mod run_files;
pub(crate) mod session;
mod skip;
mod snapshot;
pub(crate) mod viewer;

pub use end::{LivingHolder, holders};
pub(crate) use end::{end_holder, end_stray, is_held};
pub use process_tree::end_leftovers;
use protocol::Size;
pub(crate) use run_files::has_socket;
pub use run_files::{LastScreen, last_screen};
pub use session::{
    FrameWriter, HolderConnection, HolderEvent, HolderHandle, LaunchError, Probe, launch, probe,
};
pub use viewer::{ToViewer, Viewer, ViewerReader, attach};

/// The version of the frames that this program speaks. A server speaks this one and the one before.
pub const PROTOCOL: u32 = 2;

/// Lines of scrollback that a screen keeps.
pub const SCROLLBACK_LINES_MAX: usize = 10_000;

/// The largest number of columns or rows of a terminal.
pub const SIZE_MAX: u16 = 1000;

/// What a holder reads from its standard input, as one JSON document: the environment holds
/// secrets, which belong neither in the arguments of a process nor on disk.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct LaunchSpec {
    /// The run; the CLI finds it in `ABBADO_RUN_ID` when the caller put it into `env`.
    pub run_id: Uuid,
    /// Counts the launches of the run: 1, 2, 3 … A holder refuses one that was used before.
    pub attempt: u32,
    /// The run folder, absolute, existing, 0700.
    pub run_dir: PathBuf,
    /// The program and its arguments; a name without a slash is looked up in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// Where the program starts; must exist.
    pub cwd: PathBuf,
    /// The complete environment; the holder adds nothing.
    pub env: Vec<(String, String)>,
    /// Columns of the terminal, 1 to 1000.
    pub cols: u16,
    /// Rows of the terminal, 1 to 1000.
    pub rows: u16,
    /// An ephemeral terminal: when the launching server's connection closes, everything is
    /// stopped and the holder ends.
    pub ephemeral: bool,
}

impl LaunchSpec {
    const fn size(&self) -> Size {
        let Self { cols, rows, .. } = *self;
        Size { cols, rows }
    }
}

/// How a process ended; `exit.json` in the run folder.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ExitReport {
    /// The launch that ended.
    pub attempt: u32,
    /// The process id that the CLI had.
    pub pid: u32,
    /// The exit code, when it ended by itself.
    pub code: Option<i32>,
    /// The name of the signal that ended it, such as `SIGKILL`.
    pub signal: Option<String>,
    /// Why a server had it ended that could not write that down; in words of the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// The first frame of a holder on each connection.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Hello {
    /// [`PROTOCOL`] of the holder, which may be older than the server.
    pub protocol: u32,
    /// The run whose terminal this is.
    pub run_id: Uuid,
    /// The launch that this holder made.
    pub attempt: u32,
    /// The process id of the CLI.
    pub pid: u32,
    /// Its arguments.
    pub argv: Vec<String>,
    /// Where this launch's output begins, in bytes since the run's first launch.
    pub start: u64,
    /// The end of the output so far, in bytes since the run's first launch.
    pub offset: u64,
    /// Columns of the terminal.
    pub cols: u16,
    /// Rows of the terminal.
    pub rows: u16,
    /// Set once the CLI and all it started have ended.
    pub exit: Option<ExitReport>,
    /// What there is to know of the program; holders of protocol 1 tell nothing.
    #[serde(default)]
    pub program: Program,
}

/// What a holder knows of the program in its terminal beside its output.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// It is stopped, and does nothing until it is resumed.
    #[serde(default)]
    pub stopped: Option<Stopped>,
    /// A viewer left a text at its prompt that was not sent off.
    #[serde(default)]
    pub draft: bool,
    /// A viewer opened something that takes what is typed: a menu, a history.
    #[serde(default)]
    pub menu: bool,
    /// A viewer typed a key that may have opened something.
    #[serde(default)]
    pub may_be_menu: bool,
    /// How many messages were not typed.
    #[serde(default)]
    pub untyped: u32,
    /// Why the last of them was not.
    #[serde(default)]
    pub why_untyped: Option<Untyped>,
}

/// How a program was stopped.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The name of the signal, such as `SIGTSTP`, when it is known.
    pub signal: Option<String>,
}

/// Why a message was not typed.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Untyped {
    /// A draft stands at the prompt.
    Draft,
    /// A menu, or something else that a viewer opened, would take it.
    Menu,
    /// The program would take its lines one by one.
    Lines,
    /// The program reads no input.
    Deaf,
}

/// What can go wrong between the server and a holder.
#[derive(Debug, thiserror::Error)]
pub enum PtyError {
    /// The socket or a file of the run folder failed.
    #[error("talking to the holder failed")]
    Io(#[from] io::Error),
    /// The connection ended: the holder is gone or closed it.
    #[error("the holder closed the connection")]
    Closed,
    /// The holder does not listen, and it is not starting.
    #[error("no holder listens for this run")]
    NotListening,
    /// An invalid frame, or one that this end does not accept.
    #[error("the holder sent an invalid frame: {0}")]
    Malformed(&'static str),
    /// A JSON body that cannot be read.
    #[error("the holder sent a frame that cannot be read")]
    Body(#[from] serde_json::Error),
    /// A holder of a version that this server does not speak.
    #[error(
        "the holder speaks protocol {theirs}, this server speaks {PROTOCOL} and the one before"
    )]
    Protocol {
        /// What the holder speaks.
        theirs: u32,
    },
    /// The socket belongs to another run or another user.
    #[error("the socket does not belong to this run's holder")]
    Foreign,
    /// The text is longer than a frame may be.
    #[error("{len} bytes do not fit into one frame; the limit is {limit}")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// No answer within the time that was allowed.
    #[error("the holder did not answer in time")]
    Timeout,
}

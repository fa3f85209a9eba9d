//! The PTY: starting the CLI in it, and taking its output into the log.
//!
//! Two threads: one reads the PTY in the small pieces that it gives, one appends what has gathered
//! meanwhile. So a busy program costs few writes, and a quiet one no delay.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use nix::unistd::{AccessFlags, access};
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::shared::Shared;
use crate::pty::output_log::{LogReader, OutputLog};
use crate::pty::protocol::Size;
use crate::pty::{LaunchSpec, SIZE_MAX};

/// Bytes read and not yet appended. Only a disk that is slower than the program fills it.
const GATHERED_LEN_MAX: usize = 1024 * 1024;
const READ_LEN: usize = 64 * 1024;

/// The CLI in its PTY.
pub struct Terminal {
    /// Process id of the CLI.
    pub pid: u32,
    /// Ours; resizes.
    pub master: Box<dyn MasterPty + Send>,
    /// Keystrokes. Never dropped: dropping it types an end of file.
    pub writer: Box<dyn Write + Send>,
    /// Output.
    pub reader: Box<dyn Read + Send>,
}

impl Terminal {
    /// Opens a PTY and starts the CLI in it.
    ///
    /// # Errors
    /// A sentence for a person, which names the program.
    pub fn start(spec: &LaunchSpec) -> Result<Self, String> {
        let Some((program, arguments)) = spec.argv.split_first() else {
            return Err("There is no program to start.".to_owned());
        };
        if !spec.cwd.is_dir() {
            let cwd = spec.cwd.display();
            return Err(format!(
                "`{program}` could not be started: the folder {cwd} is missing."
            ));
        }
        find_program(program, spec)?;
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        for (name, value) in &spec.env {
            command.env(name, value);
        }
        command.cwd(&spec.cwd);
        Self::spawn(spec, command)
            .map_err(|cause| format!("`{program}` could not be started: {cause}."))
    }

    /// Errors are the kernel's own words: the causes before it repeat paths.
    fn spawn(spec: &LaunchSpec, command: CommandBuilder) -> Result<Self, String> {
        let size = pty_size(Size {
            cols: spec.cols,
            rows: spec.rows,
        });
        let pair = native_pty_system()
            .openpty(size)
            .map_err(|err| err.root_cause().to_string())?;
        let reader = pair
            .master
            .try_clone_reader()
            .map_err(|err| err.root_cause().to_string())?;
        let writer = pair
            .master
            .take_writer()
            .map_err(|err| err.root_cause().to_string())?;
        // The child is waited for by the reaper, which takes all children; this handle never is.
        let child = pair
            .slave
            .spawn_command(command)
            .map_err(|err| err.root_cause().to_string())?;
        let pid = child.process_id().ok_or("it has no process id")?;
        Ok(Self {
            pid,
            master: pair.master,
            writer,
            reader,
        })
    }
}

/// Changes the size of a PTY; the kernel tells the program.
///
/// # Errors
/// A sentence for the log.
pub fn resize(master: &dyn MasterPty, size: Size) -> Result<(), String> {
    master
        .resize(pty_size(size))
        .map_err(|err| err.root_cause().to_string())
}

fn pty_size(size: Size) -> PtySize {
    let clamp = |value: u16| value.clamp(1, SIZE_MAX);
    PtySize {
        rows: clamp(size.rows),
        cols: clamp(size.cols),
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// Looks the program up as the kernel and a shell would, for an error that a person understands.
fn find_program(program: &str, spec: &LaunchSpec) -> Result<(), String> {
    let runnable = |path: &Path| path.is_file() && access(path, AccessFlags::X_OK).is_ok();
    if program.contains('/') {
        let path = spec.cwd.join(program);
        return match path.try_exists() {
            Ok(true) if runnable(&path) => Ok(()),
            Ok(true) => Err(format!(
                "`{program}` could not be started: it is not executable."
            )),
            Ok(false) | Err(_) => Err(format!(
                "`{program}` could not be started: there is no such file."
            )),
        };
    }
    let search = spec.env.iter().rev().find(|(name, _)| name == "PATH");
    let folders = search
        .map(|(_, value)| std::env::split_paths(value))
        .into_iter()
        .flatten();
    if folders
        .map(|folder| spec.cwd.join(folder).join(program))
        .any(|path| runnable(&path))
    {
        return Ok(());
    }
    Err(format!(
        "`{program}` could not be started: it is not installed, or not in PATH."
    ))
}

/// Output that was read and not yet appended.
#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    ended: bool,
}

#[derive(Default)]
struct Gathering {
    gathered: Mutex<Gathered>,
    changed: Condvar,
}

impl Gathering {
    /// Adds bytes; waits while the disk is far behind.
    fn put(&self, bytes: &[u8]) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        while gathered.bytes.len() >= GATHERED_LEN_MAX {
            gathered = self
                .changed
                .wait(gathered)
                .unwrap_or_else(PoisonError::into_inner);
        }
        gathered.bytes.extend_from_slice(bytes);
        self.changed.notify_all();
    }

    fn end(&self) {
        self.gathered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ended = true;
        self.changed.notify_all();
    }

    /// Swaps what has gathered into `bytes`, which is empty; false at the end.
    fn take(&self, bytes: &mut Vec<u8>) -> bool {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        while gathered.bytes.is_empty() && !gathered.ended {
            gathered = self
                .changed
                .wait(gathered)
                .unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut gathered.bytes, bytes);
        self.changed.notify_all();
        !bytes.is_empty()
    }
}

/// Starts the two threads; returns a reading end of the log.
///
/// # Errors
/// When a thread or a descriptor cannot be had.
pub fn spawn(
    shared: &Arc<Shared>,
    reader: Box<dyn Read + Send>,
    log: OutputLog,
) -> io::Result<LogReader> {
    let log_reader = log.reader()?;
    let gathering = Arc::new(Gathering::default());
    let target = Arc::clone(&gathering);
    thread::Builder::new()
        .name("reader".into())
        .spawn(move || read(reader, &target))?;
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("log".into())
        .spawn(move || append(&shared, &gathering, log))?;
    Ok(log_reader)
}

fn read(mut reader: Box<dyn Read + Send>, target: &Gathering) {
    let mut buffer = vec![0; READ_LEN];
    loop {
        match reader.read(&mut buffer) {
            // The last process that had the terminal open is gone.
            Ok(0) => break,
            Ok(len) => target.put(&buffer[..len]),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => {
                eprintln!("The terminal cannot be read any more: {err}");
                break;
            }
        }
    }
    target.end();
}

fn append(shared: &Shared, gathering: &Gathering, mut log: OutputLog) {
    let mut bytes = Vec::new();
    let mut failing = false;
    while gathering.take(&mut bytes) {
        // The program goes on when the disk is full; what it wrote meanwhile is not kept.
        match log.append(&bytes) {
            Ok(done) => {
                if done.grows {
                    eprintln!("This file system frees no part of a file: the output log grows.");
                }
                failing = false;
                let sealed = shared.update(|state| {
                    state.extent = done.extent;
                    state.output_ended
                });
                if sealed {
                    return;
                }
            }
            Err(err) => {
                if !failing {
                    eprintln!("Output is lost, the log cannot be written: {err}");
                }
                failing = true;
            }
        }
        bytes.clear();
    }
    if let Err(err) = log.sync() {
        eprintln!("The output log is not durable: {err}");
    }
    shared.update(|state| state.output_ended = true);
}

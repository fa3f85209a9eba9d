//! The socket: who may speak, frames in, output out.
//!
//! Each connection has a thread that reads frames and never waits for anything else, and one that
//! sends. A viewer's sender reads the log from its own place and writes into its own socket, so a
//! viewer that does not read holds up itself and a file offset.

use std::io::{self, BufReader};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::sys::time::TimeSpec;

use super::input::Input;
use super::lifecycle::Event;
use super::peer::Connection;
use super::replies::Replies;
use super::shared::{HolderState, Shared};
use super::terminal::{self, Master};
use super::viewer::{self, Source};
use super::{complain, locked, start_thread};
use crate::pty::PtyError;
use crate::pty::protocol::{Frame, Size};
use crate::pty::run_files::own_uid;

/// 64 viewers, the server's own, and as many that are just going.
const CONNECTIONS_MAX: usize = 136;
/// A thread here holds small things only; buffers are on the heap.
const STACK_LEN: usize = 256 * 1024;
/// How long the escape key waits for what would make it the beginning of a terminal's answer.
const HOLD_TIME: Duration = Duration::from_millis(25);
/// Pause after a failed accept, which means that descriptors ran out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What all connections reach.
pub(super) struct Desk {
    pub(super) source: Source,
    pub(super) input: Arc<Input>,
    pub(super) events: SyncSender<Event>,
    pub(super) master: Mutex<Master>,
    /// Connections that are open.
    pub(super) open: AtomicUsize,
}

impl Desk {
    fn shared(&self) -> &Shared {
        &self.source.shared
    }

    fn resize(&self, size: Size) {
        // The PTY and the mark change together: output for the new size comes behind the mark.
        let master = locked(&self.master);
        if let Err(cause) = terminal::resize(master.as_ref(), size) {
            complain(format_args!("Could not resize the terminal: {cause}"));
            return;
        }
        self.shared().update(|state| state.resize(size));
    }

    /// Types what a connection sent, but for what a viewer's terminal answered by itself.
    fn type_keys(&self, connection: &Connection, keys: Bytes, replies: &mut Replies) {
        let colors = replies.take_colors();
        if !colors.is_empty() {
            self.shared()
                .update(|state| state.viewer_colors.extend(colors));
        }
        let taken = if keys.is_empty() {
            true
        } else if connection.viewer.load(Ordering::Relaxed) {
            self.input
                .typed(self.shared(), keys, || self.tell(Event::Continued))
        } else {
            self.input.keys(keys)
        };
        if !taken {
            complain("Dropped keystrokes: the program reads no input.");
        }
    }

    fn act(
        &self,
        connection: &Connection,
        frame: Frame,
        replies: &mut Replies,
    ) -> Result<(), PtyError> {
        match frame {
            Frame::Attach => {
                connection.viewer.store(true, Ordering::Relaxed);
                self.shared().update(|_| ());
            }
            Frame::Input(bytes) => {
                let keys = replies.typed(bytes);
                self.type_keys(connection, keys, replies);
            }
            Frame::Paste(text) => {
                let keys = replies.release();
                self.type_keys(connection, keys, replies);
                if !self.input.paste(text) {
                    complain("Dropped a message: too many are waiting to be typed.");
                }
            }
            Frame::Resize(size) if size.cols > 0 && size.rows > 0 => self.resize(size),
            Frame::Resize(_) => return Err(PtyError::Malformed("no size")),
            Frame::Stop(stop) => self.tell(Event::Stop {
                grace: Duration::from_millis(stop.grace_ms),
                because: stop.because,
            }),
            Frame::Ack => self.tell(Event::Acknowledged),
            Frame::Resume => {
                self.input.stops.resume(self.shared());
            }
            Frame::NoDraft => self.shared().update(HolderState::no_draft),
            Frame::Prompted => self.shared().update(HolderState::prompted),
            Frame::Hello(_)
            | Frame::Output { .. }
            | Frame::Snapshot(_)
            | Frame::Resized(_)
            | Frame::Program(_)
            | Frame::Exit(_) => return Err(PtyError::Malformed("only a holder sends this")),
        }
        Ok(())
    }

    fn tell(&self, event: Event) {
        // Main takes events at once; when it is gone the process is, too.
        self.events.send(event).ok();
    }
}

/// Starts the listener.
///
/// # Errors
/// When there can be no thread.
pub(super) fn spawn(desk: Desk, listener: UnixListener) -> io::Result<()> {
    let desk = Arc::new(desk);
    start_thread("listener", move || listen(&desk, &listener))
}

fn listen(desk: &Arc<Desk>, listener: &UnixListener) {
    let mut launcher = true;
    loop {
        let Ok((stream, _)) = listener.accept() else {
            thread::park_timeout(ACCEPT_AGAIN);
            continue;
        };
        if !is_ours(&stream) || desk.open.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            continue;
        }
        // The first connection is the launching server's: its end is the end of an ephemeral run.
        let first = std::mem::take(&mut launcher);
        if first {
            desk.tell(Event::LauncherCame);
        }
        desk.open.fetch_add(1, Ordering::Relaxed);
        let own = Arc::clone(desk);
        let reader = move || {
            serve(&own, stream);
            own.open.fetch_sub(1, Ordering::Relaxed);
            if first {
                own.tell(Event::LauncherGone);
            }
        };
        let spawned = thread::Builder::new()
            .stack_size(STACK_LEN)
            .name("connection".into())
            .spawn(reader);
        if spawned.is_err() {
            desk.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The folder and the mode already say so; a socket in a shared folder is worth a second look.
fn is_ours(stream: &UnixStream) -> bool {
    getsockopt(stream, PeerCredentials).is_ok_and(|peer| peer.uid() == own_uid() || peer.uid() == 0)
}

/// Reads frames until the peer goes or breaks the rules.
fn serve(desk: &Arc<Desk>, stream: UnixStream) {
    let Ok(reading) = stream.try_clone() else {
        return;
    };
    let connection = Arc::new(Connection::new(stream));
    if let Err(err) = spawn_sender(desk, &connection) {
        complain(format_args!("Refused a connection: {err}"));
        return;
    }
    let mut reading = BufReader::new(reading);
    let mut replies = Replies::default();
    loop {
        let waits = replies.holds() && reading.buffer().is_empty();
        if waits && !is_readable(&connection.stream, HOLD_TIME) {
            let keys = replies.release();
            desk.type_keys(&connection, keys, &mut replies);
        }
        let Ok(Some(frame)) = Frame::read_from(&mut reading) else {
            break;
        };
        if desk.act(&connection, frame, &mut replies).is_err() {
            break;
        }
    }
    // Who pressed escape and left pressed it all the same.
    let keys = replies.release();
    desk.type_keys(&connection, keys, &mut replies);
    connection.closed.store(true, Ordering::Relaxed);
    // Frees a sender that waits for the peer to read.
    connection.stream.shutdown(Shutdown::Both).ok();
    desk.shared().update(|_| ());
}

/// Whether more comes within a time.
fn is_readable(stream: &UnixStream, time: Duration) -> bool {
    let mut wanted = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
    let ready = ppoll(&mut wanted, Some(TimeSpec::from_duration(time)), None);
    ready.is_ok_and(|count| count > 0)
}

fn spawn_sender(desk: &Arc<Desk>, connection: &Arc<Connection>) -> io::Result<()> {
    let connection = Arc::clone(connection);
    desk.shared().update(|state| state.senders += 1);
    let own = Arc::clone(desk);
    let sender = move || {
        // The reader notices a peer that closed as well.
        viewer::send(&own.source, &connection).ok();
        own.shared().update(|state| state.senders -= 1);
    };
    let spawned = thread::Builder::new()
        .stack_size(STACK_LEN)
        .name("sender".into())
        .spawn(sender);
    if spawned.is_err() {
        desk.shared().update(|state| state.senders -= 1);
    }
    spawned.map(drop)
}

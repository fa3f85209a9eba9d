//! Keystrokes to the program, and messages that are typed at once.
//!
//! Who types writes into the PTY as much as it takes at once. What is left, while the program does
//! not read, a thread writes: only it waits then.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use nix::poll::PollFlags;

use super::shared::Shared;
use super::stops::Stops;
use super::terminal::wait_ready;
use super::{complain, locked, start_thread};
use crate::pty::Untyped;

/// Bytes that wait for a program that does not read; more are dropped, as a terminal does.
const QUEUED_LEN_MAX: usize = 4 * 1024 * 1024;
/// Messages that wait to be typed.
const PASTES_LEN_MAX: usize = 16;
/// Between a pasted message and its CR: programs that take both in one read see a newline in the
/// text, not the key that sends it.
const BEFORE_RETURN: Duration = Duration::from_millis(300);
/// How long a paste waits for the screen to know the program's modes, or for the program to read.
const PASTE_WAIT: Duration = Duration::from_secs(2);

/// How long a resumed program has to take its terminal back before a message is typed.
const RESUME_WAIT: Duration = Duration::from_secs(3);
/// Keys that follow the one that resumed a program, each so soon, belong to it: `fg` has two.
const WAKING: Duration = Duration::from_millis(600);

/// How long a program has to show what a key opened.
const KEY_SHOWS: Duration = Duration::from_secs(1);

/// Longest message for a program without paste brackets, whose terminal cuts a line after that.
const PLAIN_LEN_MAX: usize = 4000;

const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &str = "\x1b[201~";

#[derive(Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    len: usize,
    /// A chunk was taken and is not yet written.
    writing: bool,
}

impl Queue {
    fn is_done(&self) -> bool {
        !self.writing && self.chunks.is_empty()
    }
}

/// Where connections leave input. Leaving never waits.
pub(super) struct Input {
    pty: File,
    queue: Mutex<Queue>,
    changed: Condvar,
    pastes: SyncSender<String>,
    pub(super) stops: Arc<Stops>,
    /// Keys up to then, or up to Enter, belong to the one that resumed the program.
    waking: Mutex<Option<Instant>>,
}

/// Starts the two threads. The PTY must be one that does not block.
///
/// # Errors
/// When there can be no thread.
pub(super) fn spawn(shared: &Arc<Shared>, pty: File, stops: Arc<Stops>) -> io::Result<Arc<Input>> {
    let (pastes, waiting) = sync_channel(PASTES_LEN_MAX);
    let input = Input {
        pty,
        queue: Mutex::default(),
        changed: Condvar::new(),
        pastes,
        stops,
        waking: Mutex::default(),
    };
    let input = Arc::new(input);
    let source = Arc::clone(&input);
    start_thread("writer", move || source.write())?;
    let (target, shared) = (Arc::clone(&input), Arc::clone(shared));
    start_thread("paste", move || target.type_messages(&shared, &waiting))?;
    Ok(input)
}

impl Input {
    /// Types what a viewer typed. A stopped program is resumed by a key, which it does not get:
    /// a person types `fg` there, or anything at all.
    #[must_use]
    pub(super) fn typed(&self, shared: &Shared, bytes: Bytes, suspending: impl FnOnce()) -> bool {
        let mut waking = locked(&self.waking);
        let now = Instant::now();
        let wakes = !is_report(&bytes) && self.stops.resume_at_key(shared);
        if wakes || waking.is_some_and(|until| now < until) {
            let done = bytes.contains(&b'\r') || bytes.contains(&b'\n');
            *waking = (!done).then(|| now + WAKING);
            return true;
        }
        drop(waking);
        let suspends = self.stops.is_suspending(&bytes);
        let news = {
            let state = &mut *shared.lock();
            if suspends {
                state.draft_before = Some(state.draft.clone());
            } else {
                let there = state.draft.is_there();
                state.menu.typed(&bytes, there, state.spot.as_ref());
            }
            let news = state.change_draft(|draft| draft.typed(&bytes));
            state.look_at_menu() || news
        };
        if news {
            shared.update(|_| ());
        }
        if suspends {
            suspending();
        }
        self.keys(bytes)
    }

    /// Types keystrokes, or queues them; false when the program has not read for so long that they
    /// are dropped.
    #[must_use]
    pub(super) fn keys(&self, mut bytes: Bytes) -> bool {
        let mut queue = locked(&self.queue);
        if queue.is_done() {
            // An error is the writer's to see.
            let taken = (&self.pty).write(&bytes).unwrap_or_default();
            bytes.advance(taken);
            if bytes.is_empty() {
                return true;
            }
        }
        if queue.len + bytes.len() > QUEUED_LEN_MAX {
            return false;
        }
        queue.len += bytes.len();
        queue.chunks.push_back(bytes);
        self.changed.notify_all();
        true
    }

    /// Queues a message; false when too many wait.
    #[must_use]
    pub(super) fn paste(&self, text: String) -> bool {
        self.pastes.try_send(text).is_ok()
    }

    fn write(&self) {
        loop {
            let chunk = self.next_chunk();
            // An error means that nobody has the terminal open; the reader learns it, too.
            let written = self.write_waiting(&chunk);
            let mut queue = locked(&self.queue);
            queue.writing = false;
            queue.len -= chunk.len();
            if written.is_err() {
                queue.chunks.clear();
                queue.len = 0;
            }
            self.changed.notify_all();
        }
    }

    fn write_waiting(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match (&self.pty).write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    wait_ready(&self.pty, PollFlags::POLLOUT, None)?;
                }
                Err(err) => return Err(err),
            }
        }
        Ok(())
    }

    fn next_chunk(&self) -> Bytes {
        let queue = locked(&self.queue);
        let waited = self.changed.wait_while(queue, |it| it.chunks.is_empty());
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        queue.writing = true;
        queue.chunks.pop_front().unwrap_or_default()
    }

    fn wait_written(&self, timeout: Duration) {
        let pending = |queue: &mut Queue| !queue.is_done();
        let queue = locked(&self.queue);
        drop(self.changed.wait_timeout_while(queue, timeout, pending));
    }

    fn type_messages(&self, shared: &Shared, waiting: &Receiver<String>) {
        while let Ok(text) = waiting.recv() {
            let stopped = self.stops.resume(shared);
            if shared.lock().bracketed_before {
                // One that was stopped takes its terminal back first.
                shared.wait_timeout(RESUME_WAIT, |state| state.bracketed_paste);
            }
            if stopped {
                // And redraws it.
                shared.wait_timeout(BEFORE_RETURN, |state| state.closing);
                shared.wait_timeout(RESUME_WAIT, |state| !state.program.menu);
            }
            // The mode counts as of all output before the message.
            shared.catch_up(PASTE_WAIT);
            let key = shared.lock().menu.last_key();
            if let Some(key) = key {
                // And what a key opened just now is drawn.
                let left = KEY_SHOWS.saturating_sub(key.elapsed());
                shared.wait_timeout(left, |state| state.closing);
                shared.catch_up(PASTE_WAIT);
            }
            let (bracketed, program) = {
                let state = shared.lock();
                (state.bracketed_paste, state.program.clone())
            };
            let why = if program.draft {
                Some(Untyped::Draft)
            } else if program.menu {
                Some(Untyped::Menu)
            } else if !bracketed && !is_one_line(&text) {
                Some(Untyped::Lines)
            } else if !self.keys(typed(text, bracketed)) {
                Some(Untyped::Deaf)
            } else {
                None
            };
            if why.is_some() {
                shared.update(|state| {
                    state.program.untyped = state.program.untyped.wrapping_add(1);
                    state.program.why_untyped = why;
                });
                continue;
            }
            self.wait_written(PASTE_WAIT);
            shared.wait_timeout(BEFORE_RETURN, |state| state.closing);
            if !self.keys(Bytes::from_static(b"\r")) {
                complain("Dropped the end of a message: the program reads no input.");
            }
        }
    }
}

/// True for what a terminal tells by itself: that it has the focus, or lost it.
fn is_report(bytes: &[u8]) -> bool {
    matches!(bytes, b"\x1b[I" | b"\x1b[O")
}

/// True for a text of which a program without paste brackets takes all or nothing.
fn is_one_line(text: &str) -> bool {
    text.len() <= PLAIN_LEN_MAX && !text.contains(['\n', '\r'])
}

/// The bytes of a message. In brackets, an end mark inside the text would let the rest of it act
/// as keystrokes.
fn typed(text: String, bracketed: bool) -> Bytes {
    if !bracketed {
        return text.into_bytes().into();
    }
    let mut text = text;
    while text.contains(PASTE_END) {
        text = text.replace(PASTE_END, "");
    }
    [PASTE_BEGIN, text.as_bytes(), PASTE_END.as_bytes()]
        .concat()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_leave_its_brackets() {
        let text = "a\x1b[20\x1b[201~1~b".to_owned();
        assert_eq!(
            typed(text, true),
            Bytes::from_static(b"\x1b[200~ab\x1b[201~")
        );
        assert_eq!(typed("ab".to_owned(), false), Bytes::from_static(b"ab"));
        assert!(is_one_line(&"a".repeat(PLAIN_LEN_MAX)) && !is_one_line("a\nb"));
        assert!(!is_one_line(&"a".repeat(PLAIN_LEN_MAX + 1)));
    }
}

//! What the holder's threads tell each other, under one lock.
//!
//! Nothing is done under the lock but looking and setting; what has no bound by nature (output)
//! is not here but in the log. New output wakes the viewers and nobody else, but for a screen that
//! has nothing to do.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::draft::Draft;
use super::locked;
use super::menu::Menu;
use super::peer::Connection;
use crate::pty::emulator::Spot;
use crate::pty::output_log::Extent;
use crate::pty::protocol::Size;
use crate::pty::{ExitReport, Hello, LaunchSpec, PROTOCOL, Program};

/// How many size changes a slow reader of the log can be behind; it then misses the oldest ones,
/// and the last size is right all the same.
const RESIZES_LEN_MAX: usize = 256;

/// So many viewers are sent small output by the reader itself; more would hold it up.
const PROMPT_VIEWERS_MAX: usize = 4;
/// The screen is at most so many bytes behind the output, or a fraction of what the log keeps.
const SCREEN_LAG_LEN_MAX: u64 = 16 * 1024 * 1024;
const SCREEN_LAG_OF_LOG: u64 = 8;

/// A change of size, at its place in the output.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResizeMark {
    /// Counts the changes.
    pub seq: u64,
    /// The output up to here was for the size before.
    pub offset: u64,
    /// The new size.
    pub size: Size,
}

/// The screen at a place in the output.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The output offset it stands for.
    pub offset: u64,
    /// The first change of size that is not in it.
    pub next_resize: u64,
    /// The size it was written for.
    pub size: Size,
    /// Escape codes.
    pub bytes: Vec<u8>,
}

/// See the module. Fields are read and set by all threads.
#[derive(Debug, Default)]
pub(super) struct HolderState {
    /// What the log keeps; its end is the end of the output.
    pub extent: Extent,
    /// The size of the terminal.
    pub size: Size,
    resizes: VecDeque<ResizeMark>,
    next_resize: u64,
    /// How far the screen has come.
    pub screen_offset: u64,
    /// The first change of size that the screen has not taken in.
    pub screen_resizes: u64,
    /// As of `screen_offset`.
    pub bracketed_paste: bool,
    /// Where the program's cursor is, as of the last time that it did not draw.
    pub spot: Option<Spot>,
    /// The program asked for paste brackets at some time.
    pub bracketed_before: bool,
    screen_lag_len_max: u64,
    /// Colours that a viewer's page reported, for the screen.
    pub viewer_colors: Vec<(u32, [u8; 3])>,
    /// Somebody waits for the screen to come at least so far.
    pub screen_wanted: u64,
    /// Who waits for a snapshot; at most one a connection, and the main thread.
    pub snapshot_waiters: Vec<SyncSender<Arc<Snapshot>>>,
    /// Who follows the output.
    pub viewers: Vec<Arc<Connection>>,
    /// No output will come any more.
    pub output_ended: bool,
    /// Set when the tree is gone and `exit.json` is durable.
    pub exit: Option<ExitReport>,
    /// The holder ends: everyone finishes.
    pub closing: bool,
    /// Connections that still send.
    pub senders: usize,
    /// What is known of the program.
    pub program: Program,
    /// What viewers left at its prompt.
    pub draft: Draft,
    /// The same before a Ctrl+Z that may be an undo, or suspend the program.
    pub draft_before: Option<Draft>,
    /// What viewers may have opened in its place.
    pub menu: Menu,
}

impl HolderState {
    /// The first change of size from `seq` on.
    #[must_use]
    pub(super) fn resize_from(&self, seq: u64) -> Option<ResizeMark> {
        self.resizes.iter().find(|mark| mark.seq >= seq).copied()
    }

    /// The screen has taken in all there is.
    #[must_use]
    pub(super) const fn screen_is_current(&self) -> bool {
        self.screen_offset >= self.extent.end && self.screen_resizes >= self.next_resize
    }

    /// The screen must not wait any longer.
    #[must_use]
    pub(super) const fn screen_is_far(&self) -> bool {
        let lag = self.extent.end.saturating_sub(self.screen_offset);
        lag >= self.screen_lag_len_max
    }

    /// Changes the draft; true when there is news for the server.
    pub(super) fn change_draft(&mut self, change: impl FnOnce(&mut Draft)) -> bool {
        change(&mut self.draft);
        let there = self.draft.is_there();
        std::mem::replace(&mut self.program.draft, there) != there
    }

    /// Looks whether the prompt is in sight; true when there is news for the server.
    pub(super) fn look_at_menu(&mut self) -> bool {
        let was = self.program.clone();
        self.program.may_be_menu = self.menu.may_be_open();
        self.program.menu = self.menu.is_open(self.spot.as_ref());
        if was.menu && !self.program.menu && !self.menu.had_draft() {
            // What was typed meanwhile was for the menu.
            self.change_draft(Draft::clear);
        }
        if !self.program.menu {
            self.menu.seen(self.program.draft);
        }
        self.program != was
    }

    /// Nothing stands at the prompt, whatever was typed.
    pub(super) fn no_draft(&mut self) {
        self.change_draft(Draft::clear);
        self.prompted();
    }

    /// The program took a prompt: nothing else is open.
    pub(super) fn prompted(&mut self) {
        self.menu.close();
        self.look_at_menu();
    }

    /// Records a change of size at the present end of the output.
    pub(super) fn resize(&mut self, size: Size) {
        self.size = size;
        let mark = ResizeMark {
            seq: self.next_resize,
            offset: self.extent.end,
            size,
        };
        self.resizes.push_back(mark);
        self.next_resize += 1;
        if self.resizes.len() > RESIZES_LEN_MAX {
            self.resizes.pop_front();
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    /// As of the launch.
    hello: Hello,
    state: Mutex<HolderState>,
    /// All but the progress of output.
    changed: Condvar,
    /// More output, or any change.
    output: Condvar,
    /// The screen has work to do, or any change.
    screen: Condvar,
}

/// What the screen's thread found to do.
pub(super) enum ScreenStep<T> {
    /// This, now.
    Now(T),
    /// Something that can wait for more of it.
    Later,
    /// Nothing.
    None,
}

impl Shared {
    /// Begins at the end of the log, where the new attempt's output will go.
    #[must_use]
    pub(super) fn new(spec: &LaunchSpec, pid: u32, extent: Extent, log_len_max: u64) -> Self {
        let state = HolderState {
            extent,
            size: spec.size(),
            screen_offset: extent.end,
            screen_lag_len_max: SCREEN_LAG_LEN_MAX.min(log_len_max / SCREEN_LAG_OF_LOG),
            ..HolderState::default()
        };
        let hello = Hello {
            protocol: PROTOCOL,
            run_id: spec.run_id,
            attempt: spec.attempt,
            pid,
            argv: spec.argv.clone(),
            start: extent.end,
            offset: extent.end,
            cols: spec.cols,
            rows: spec.rows,
            exit: None,
            program: Program::default(),
        };
        Self {
            hello,
            state: Mutex::new(state),
            changed: Condvar::new(),
            output: Condvar::new(),
            screen: Condvar::new(),
        }
    }

    /// Looks, without waiting.
    pub(super) fn lock(&self) -> MutexGuard<'_, HolderState> {
        locked(&self.state)
    }

    /// Changes something and tells everyone.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut HolderState) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        self.output.notify_all();
        self.screen.notify_all();
        result
    }

    /// Tells how far the output has come; true when no more may come. What is new may come as a
    /// frame, when it is small, for viewers that have all before it.
    pub(super) fn output(&self, extent: Extent, frame: Option<&[u8]>) -> bool {
        let (sealed, for_screen, begin, next_resize, viewers) = {
            let mut state = self.lock();
            let begin = state.extent.end;
            let idle = state.screen_offset == begin;
            state.extent = extent;
            let viewers = frame.is_some_and(|_| state.viewers.len() <= PROMPT_VIEWERS_MAX);
            let viewers = viewers.then(|| state.viewers.clone());
            let for_screen = idle || state.screen_is_far();
            (
                state.output_ended,
                for_screen,
                begin,
                state.next_resize,
                viewers,
            )
        };
        let all_have_it = frame.zip(viewers).is_some_and(|(frame, viewers)| {
            let send = |it: &Arc<Connection>| it.send_now(frame, begin, extent.end, next_resize);
            viewers.iter().all(send)
        });
        if !all_have_it {
            self.output.notify_all();
        }
        if for_screen {
            self.screen.notify_all();
        }
        sealed
    }

    /// Tells how far the screen has come; `spot` is nothing while the program draws.
    pub(super) fn screen(
        &self,
        offset: u64,
        resizes: u64,
        bracketed_paste: bool,
        spot: Option<Option<Spot>>,
    ) {
        {
            let mut state = self.lock();
            state.screen_offset = offset;
            state.screen_resizes = resizes;
            state.bracketed_paste = bracketed_paste;
            state.bracketed_before |= bracketed_paste;
            if let Some(spot) = spot {
                state.spot = spot;
                state.look_at_menu();
            }
        }
        self.changed.notify_all();
    }

    /// Waits until `look` finds something; more output is no reason to look again.
    pub(super) fn wait<T>(&self, look: impl FnMut(&mut HolderState) -> Option<T>) -> T {
        self.wait_on(&self.changed, look)
    }

    /// Waits until `look` finds something, also in more output.
    pub(super) fn wait_output<T>(&self, look: impl FnMut(&mut HolderState) -> Option<T>) -> T {
        self.wait_on(&self.output, look)
    }

    fn wait_on<T>(&self, told: &Condvar, mut look: impl FnMut(&mut HolderState) -> Option<T>) -> T {
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&mut state) {
                return found;
            }
            state = told.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for work of the screen. What can wait does so for `pause`; then `look` is told that it
    /// is over.
    pub(super) fn wait_screen<T>(
        &self,
        pause: Duration,
        mut look: impl FnMut(&mut HolderState, bool) -> ScreenStep<T>,
    ) -> T {
        let mut state = self.lock();
        let mut due: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let over = due.is_some_and(|due| due <= now);
            match look(&mut state, over) {
                ScreenStep::Now(found) => return found,
                ScreenStep::Later => {
                    let left = due
                        .get_or_insert(now + pause)
                        .saturating_duration_since(now);
                    let waited = self.screen.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                ScreenStep::None => {
                    let waited = self.screen.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Waits until `done`, or until the time is over.
    pub(super) fn wait_timeout(&self, timeout: Duration, done: impl Fn(&HolderState) -> bool) {
        let pending = |state: &mut HolderState| !done(state);
        let state = self.lock();
        drop(self.changed.wait_timeout_while(state, timeout, pending));
    }

    /// Asks the screen thread for a snapshot of all output so far; `None` when it does not answer
    /// in time.
    #[must_use]
    pub(super) fn snapshot(&self, timeout: Duration) -> Option<Arc<Snapshot>> {
        let (sender, receiver) = sync_channel(1);
        {
            let mut state = self.lock();
            if state.snapshot_waiters.is_empty() {
                // Else, in a flood, who waits already would wait longer.
                state.screen_wanted = state.extent.end;
            }
            state.snapshot_waiters.push(sender);
        }
        self.screen.notify_all();
        receiver.recv_timeout(timeout).ok()
    }

    /// Asks the screen to come as far as the output now is; tells how far that is.
    pub(super) fn hurry_screen(&self) -> u64 {
        let wanted = {
            let mut state = self.lock();
            state.screen_wanted = state.extent.end;
            state.extent.end
        };
        self.screen.notify_all();
        wanted
    }

    /// Asks the screen to come as far as the output now is, and waits for it.
    pub(super) fn catch_up(&self, timeout: Duration) {
        let wanted = self.hurry_screen();
        self.wait_timeout(timeout, |state| state.screen_offset >= wanted);
    }

    /// The first frame for a connection.
    #[must_use]
    pub(super) fn hello(&self) -> Hello {
        let state = self.lock();
        Hello {
            offset: state.extent.end,
            cols: state.size.cols,
            rows: state.size.rows,
            exit: state.exit.clone(),
            program: state.program.clone(),
            ..self.hello.clone()
        }
    }
}

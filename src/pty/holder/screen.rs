//! The thread that keeps the screen: a reader of the output log like any viewer.
//!
//! It follows with a pause, for the program and its viewers need the processors more; who asks for
//! a snapshot gets one of all output so far, and a program that asks its terminal something is
//! answered at once. What scrolls away in a flood it passes over
//! ([`Skip`]). It may fall behind a program that writes faster than an emulator can follow.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::input::Input;
use super::shared::{HolderState, ResizeMark, ScreenStep, Shared, Snapshot};
use super::{complain, start_thread};
use crate::fault;
use crate::pty::emulator::Emulator;
use crate::pty::output_log::LogReader;
use crate::pty::skip::Skip;

/// How much output is taken in before the next look at who waits.
const STEP_LEN_MAX: u64 = 256 * 1024;
/// How long output that nobody needs on the screen may wait.
const PAUSE: Duration = Duration::from_millis(200);
enum Step {
    Answer(Vec<SyncSender<Arc<Snapshot>>>),
    Resize(ResizeMark),
    Colors(Vec<(u32, [u8; 3])>),
    Lost(u64),
    Process(u64),
}

/// Starts the thread.
///
/// # Errors
/// When there can be no thread.
pub(super) fn spawn(shared: &Arc<Shared>, log: LogReader, input: Arc<Input>) -> io::Result<()> {
    let shared = Arc::clone(shared);
    let follow = move || Follower::new(&shared, log, input).follow();
    start_thread("screen", follow)
}

struct Follower<'a> {
    shared: &'a Shared,
    log: LogReader,
    /// Where answers to the program go.
    input: Arc<Input>,
    emulator: Emulator,
    offset: u64,
    next_resize: u64,
    /// Output up to here is taken in without another pause.
    target: u64,
    skip: Skip,
    buffer: Vec<u8>,
}

impl<'a> Follower<'a> {
    fn new(shared: &'a Shared, log: LogReader, input: Arc<Input>) -> Self {
        let state = shared.lock();
        Self {
            shared,
            log,
            input,
            emulator: Emulator::new(state.size),
            offset: state.screen_offset,
            next_resize: 0,
            target: state.screen_offset,
            skip: Skip::default(),
            buffer: vec![0; STEP_LEN_MAX as usize],
        }
    }

    fn follow(mut self) {
        // One snapshot serves all who come before there is more output.
        let mut latest: Option<Arc<Snapshot>> = None;
        let shared = self.shared;
        let pause = fault::wait("holder.screen", PAUSE);
        loop {
            let step = shared.wait_screen(pause, |state, over| self.look(state, over));
            match step {
                Step::Answer(waiters) => {
                    let snapshot = latest.get_or_insert_with(|| Arc::new(self.take()));
                    for waiter in waiters {
                        // Room for one is always there; whoever gave up has dropped its end.
                        waiter.try_send(Arc::clone(snapshot)).ok();
                    }
                    continue;
                }
                Step::Resize(mark) => {
                    self.emulator.resize(mark.size);
                    self.next_resize = mark.seq + 1;
                }
                Step::Colors(colors) => {
                    for (number, color) in colors {
                        self.emulator.adopt_color(number, color);
                    }
                }
                // The log dropped what was not taken in yet: the screen continues with a gap.
                Step::Lost(base) => self.offset = base,
                Step::Process(len) => self.process(len),
            }
            latest = None;
            let bracketed = self.emulator.bracketed_paste();
            let drawn = !self.emulator.is_drawing();
            let spot = drawn.then(|| self.emulator.spot());
            shared.screen(self.offset, self.next_resize, bracketed, spot);
        }
    }

    /// What is to be done, once a pause is over or somebody needs it.
    fn look(&mut self, state: &mut HolderState, over: bool) -> ScreenStep<Step> {
        let far = state.screen_is_far();
        if over || far || state.screen_wanted > self.offset || state.output_ended {
            self.target = state.extent.end;
        }
        match self.next_step(state) {
            Some(Step::Process(_)) if self.offset >= self.target => ScreenStep::Later,
            Some(step) => ScreenStep::Now(step),
            None => ScreenStep::None,
        }
    }

    /// Size changes come at their place, and whoever waits is served before more output than there
    /// was when they asked.
    fn next_step(&self, state: &mut HolderState) -> Option<Step> {
        if !state.viewer_colors.is_empty() {
            return Some(Step::Colors(std::mem::take(&mut state.viewer_colors)));
        }
        let mark = state.resize_from(self.next_resize);
        if let Some(mark) = mark.filter(|mark| mark.offset <= self.offset) {
            return Some(Step::Resize(mark));
        }
        if self.offset < state.extent.base {
            return Some(Step::Lost(state.extent.base));
        }
        if !state.snapshot_waiters.is_empty() && self.offset >= state.screen_wanted {
            return Some(Step::Answer(std::mem::take(&mut state.snapshot_waiters)));
        }
        let until = mark.map_or(state.extent.end, |mark| mark.offset.min(state.extent.end));
        let len = until.saturating_sub(self.offset);
        (len > 0).then_some(Step::Process(len))
    }

    /// Takes in some of the next `len` bytes, or passes over them.
    fn process(&mut self, len: u64) {
        let end = self.offset + len;
        let read = |buffer: &mut [u8], offset| self.log.read_at(buffer, offset).unwrap_or_default();
        let (emulator, buffer) = (&mut self.emulator, &mut self.buffer);
        if let Some(to) = self.skip.over(emulator, self.offset..end, buffer, read) {
            self.offset = to;
            // What follows may be passed over as well, once there is more; unless it is wanted.
            self.target = to;
            return;
        }
        let len = len.min(STEP_LEN_MAX) as usize;
        let read = read(&mut self.buffer[..len], self.offset);
        self.emulator.process(&self.buffer[..read]);
        self.answer();
        // A log that cannot be read is passed over, or this thread would spin on it.
        self.offset += if read == 0 { len } else { read } as u64;
    }

    fn answer(&mut self) {
        let answers = self.emulator.take_answers();
        if !answers.is_empty() && !self.input.keys(answers.into()) {
            complain("Dropped a reply of the terminal: the program reads no input.");
        }
    }

    fn take(&self) -> Snapshot {
        Snapshot {
            offset: self.offset,
            next_resize: self.next_resize,
            size: self.emulator.size(),
            bytes: self.emulator.snapshot(),
        }
    }
}

//! The thread that keeps the screen: a reader of the output log like any viewer.
//!
//! It may fall behind a program that writes faster than an emulator can follow; nothing waits for
//! it but those who ask for a snapshot, which stands for where the screen is.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;

use super::shared::{ResizeMark, Shared, Snapshot, State};
use crate::pty::emulator::Emulator;
use crate::pty::output_log::LogReader;
use crate::pty::protocol::Size;

/// How much output is taken in before the next look at who waits.
const STEP_LEN_MAX: u64 = 256 * 1024;

enum Step {
    Answer(Vec<SyncSender<Arc<Snapshot>>>),
    Resize(ResizeMark),
    Skip(u64),
    Process(u64),
}

/// Starts the thread.
///
/// # Errors
/// When there can be no thread.
pub fn spawn(shared: &Arc<Shared>, log: LogReader) -> io::Result<()> {
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("screen".into())
        .spawn(move || follow(&shared, &log))?;
    Ok(())
}

fn follow(shared: &Shared, log: &LogReader) {
    let (size, mut offset) = {
        let state = shared.lock();
        (state.size, state.screen_offset)
    };
    let mut emulator = Emulator::new(size);
    let mut next_resize = 0;
    let mut buffer = vec![0; STEP_LEN_MAX as usize];
    // One snapshot serves all who come before there is more output.
    let mut latest: Option<Arc<Snapshot>> = None;
    loop {
        match shared.wait(|state| next_step(state, offset, next_resize)) {
            Step::Answer(waiters) => {
                let snapshot =
                    latest.get_or_insert_with(|| Arc::new(take(&emulator, offset, next_resize)));
                for waiter in waiters {
                    // Room for one is always there; whoever gave up has dropped its end.
                    waiter.try_send(Arc::clone(snapshot)).ok();
                }
                continue;
            }
            Step::Resize(mark) => {
                emulator.resize(mark.size);
                next_resize = mark.seq + 1;
            }
            // The log dropped what was not taken in yet: the screen goes on with a hole.
            Step::Skip(base) => offset = base,
            Step::Process(len) => {
                let read = log
                    .read_at(&mut buffer[..len as usize], offset)
                    .unwrap_or_default();
                emulator.process(&buffer[..read]);
                // A log that cannot be read is passed over, or this thread would spin on it.
                offset += if read == 0 { len } else { read as u64 };
            }
        }
        latest = None;
        let bracketed = emulator.bracketed_paste();
        shared.update(|state| {
            state.screen_offset = offset;
            state.screen_resizes = next_resize;
            state.bracketed_paste = bracketed;
        });
    }
}

/// Size changes come at their place, and whoever waits is served before more output.
fn next_step(state: &mut State, offset: u64, next_resize: u64) -> Option<Step> {
    let mark = state.resize_from(next_resize);
    if let Some(mark) = mark.filter(|mark| mark.offset <= offset) {
        return Some(Step::Resize(mark));
    }
    if offset < state.extent.base {
        return Some(Step::Skip(state.extent.base));
    }
    if !state.snapshot_waiters.is_empty() {
        return Some(Step::Answer(std::mem::take(&mut state.snapshot_waiters)));
    }
    let until = mark.map_or(state.extent.end, |mark| mark.offset.min(state.extent.end));
    let len = until.saturating_sub(offset).min(STEP_LEN_MAX);
    (len > 0).then_some(Step::Process(len))
}

fn take(emulator: &Emulator, offset: u64, next_resize: u64) -> Snapshot {
    let size: Size = emulator.size();
    Snapshot {
        offset,
        next_resize,
        size,
        bytes: emulator.snapshot(),
    }
}

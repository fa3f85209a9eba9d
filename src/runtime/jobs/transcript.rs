//! Reads what a run's CLI wrote down: its transcript file, or the output of a headless one.

use crate::{
    cli::{Transcript, TranscriptContext},
    domain::{AgentMode, Secrets, run::command::Observation, settings::ModelSettings},
    pty::{
        emulator::Emulator,
        output_log::{extent, read_at},
        protocol::Size,
    },
    runtime::run::output::TranscriptRead,
};
use std::{io, path::Path, sync::Arc};

/// Bytes of output that a failure's detail is taken from, and its lines.
const DETAIL_BYTES: u64 = 8 * 1024;
const DETAIL_LINES: usize = 12;
const DETAIL_SIZE: Size = Size {
    cols: 200,
    rows: 200,
};
/// Output read at once.
const OUTPUT_PIECE: usize = 1024 * 1024;

/// A reader, and how far it has read.
pub(crate) struct Reader {
    /// What it is kept for.
    session: String,
    transcript: Box<dyn Transcript>,
    /// Absolute offset up to which the output of a headless CLI was read.
    output_read: u64,
}

impl Reader {
    /// The reader that continues where `former` is, if that one reads the same; none for a CLI that
    /// writes nothing down.
    pub(crate) fn of(
        read: &TranscriptRead,
        former: Option<Self>,
        prices: impl FnOnce() -> Arc<ModelSettings>,
    ) -> Option<Self> {
        let former = former.filter(|former| former.session == read.session);
        let mut reader = former.or_else(|| {
            let context = TranscriptContext::new(read.mode, read.usage.clone()).priced(prices());
            let transcript = read.adapter.transcript(context)?;
            Some(Self {
                session: read.session.clone(),
                output_read: read.output_offset + transcript.output_read(),
                transcript,
            })
        })?;
        if let Some(model) = &read.model {
            reader.transcript.model_is(model);
        }
        Some(reader)
    }

    /// Reads up to the present end. Blocks.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn read(
        &mut self,
        read: &TranscriptRead,
        run_dir: &Path,
    ) -> io::Result<Vec<Observation>> {
        match read.mode {
            AgentMode::Interactive => self.transcript.read(read.path.as_deref()),
            AgentMode::Headless => {
                let (observed, end) = feed(run_dir, self.output_read, self.transcript.as_mut())?;
                self.output_read = self.output_read.max(end);
                Ok(observed)
            }
        }
    }
}

/// Feeds a reader with all output after `from`; tells how far it read.
fn feed(
    run_dir: &Path,
    from: u64,
    reader: &mut dyn Transcript,
) -> io::Result<(Vec<Observation>, u64)> {
    let mut observed = Vec::new();
    let Some(extent) = extent(run_dir)? else {
        return Ok((observed, from));
    };
    let mut at = from.max(extent.base);
    if at > from {
        reader.passed_over(at - from);
    }
    while at < extent.end {
        let length = usize::try_from(extent.end - at)
            .unwrap_or(OUTPUT_PIECE)
            .min(OUTPUT_PIECE);
        let bytes = read_at(run_dir, at, length)?;
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
        observed.extend(reader.feed(&bytes));
    }
    Ok((observed, at))
}

/// The last lines that the screen of the CLI showed, without secrets.
pub(super) fn last_lines(run_dir: &Path, secrets: &Secrets) -> String {
    let Ok(Some(extent)) = extent(run_dir) else {
        return String::new();
    };
    let from = extent.end.saturating_sub(DETAIL_BYTES).max(extent.base);
    // One that lies across the beginning is seen whole first.
    let before = (from - extent.base).min(secrets.longest() as u64);
    let length = usize::try_from(extent.end - from + before).unwrap_or_default();
    let Ok(mut bytes) = read_at(run_dir, from - before, length) else {
        return String::new();
    };
    secrets.blot(&mut bytes);
    bytes.drain(..usize::try_from(before).unwrap_or_default().min(bytes.len()));
    let mut screen = Emulator::new(DETAIL_SIZE);
    screen.process(&bytes);
    let text = screen.text();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|l| !l.is_empty())
        .collect();
    lines[lines.len().saturating_sub(DETAIL_LINES)..].join("\n")
}

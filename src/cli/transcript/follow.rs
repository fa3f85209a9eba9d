//! Readers for CLIs whose records need little: what a record means is a [`Record`]'s business, how
//! the file or the stream is followed is the same for all.
//!
//! A new reader of a file reads the part that was told once more, telling nothing, and takes what
//! it finds off the totals. A new reader of a stream goes on at its place.

use super::{
    lines::{Lines, Tail, record},
    totals::Totals,
    with_totals,
};
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::run::command::{Observation, Usage};
use std::io;
use std::path::Path;

/// What the records of one CLI mean.
pub(super) trait Record: Default + Send {
    /// Of a stream that is read on at `offset`, with these totals up to there.
    fn at(_offset: u64, _baseline: &Usage) -> Self {
        Self::default()
    }

    /// Takes one record, a JSON object.
    fn take(&mut self, record: &[u8], totals: &mut Totals, observed: &mut Vec<Observation>);

    /// Tells the model that the run is known to work with.
    fn model_is(&mut self, _model: &str) {}
}

/// A reader of a transcript file.
pub(super) struct FileReader<R> {
    state: State<R>,
    file: Option<Tail>,
    /// Where the first file is read on, and the totals up to there.
    start: (u64, Usage),
    told: Usage,
}

/// A reader of an output stream.
pub(super) struct StreamReader<R> {
    state: State<R>,
    lines: Lines,
    told: Usage,
}

struct State<R> {
    records: R,
    totals: Totals,
    /// Not told yet; an error of the file keeps it for the next call.
    observed: Vec<Observation>,
}

impl<R: Record> State<R> {
    fn new(records: R, totals: Totals) -> Self {
        Self {
            records,
            totals,
            observed: Vec::new(),
        }
    }

    fn line(&mut self, line: &[u8]) {
        if let Some(record) = record(line) {
            self.records
                .take(record, &mut self.totals, &mut self.observed);
        }
    }
}

impl<R: Record> FileReader<R> {
    /// Goes on where the context says.
    pub(super) fn new(context: TranscriptContext) -> Self {
        let TranscriptContext {
            offset,
            baseline,
            prices,
            mode: _,
        } = context;
        Self {
            state: State::new(R::default(), Totals::new(prices, &baseline)),
            file: None,
            start: (offset, baseline.clone()),
            told: baseline,
        }
    }

    /// Opens the first file, or the file of another session.
    fn turn_to(&mut self, path: &Path) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|it| it.path() == path) {
            return Ok(());
        }
        let mut file = Tail::new(path, 0);
        let (offset, baseline) = &self.start;
        if self.file.is_some() {
            self.state.totals.next_session();
            self.start.0 = 0;
        } else if *offset > 0 {
            let prices = self.state.totals.prices().clone();
            let mut again = State::new(R::default(), Totals::new(prices, &Usage::default()));
            file.read(Some(*offset), |line| again.line(line))?;
            again.observed.clear();
            again.totals.contained_in(baseline);
            self.state = again;
        }
        self.file = Some(file);
        Ok(())
    }
}

impl<R: Record> Transcript for FileReader<R> {
    fn read(&mut self, path: Option<&Path>) -> io::Result<Vec<Observation>> {
        let Some(path) = path else {
            return Ok(Vec::new());
        };
        self.turn_to(path)?;
        let Self { state, file, .. } = self;
        let mut offset = 0;
        if let Some(file) = file {
            file.read(None, |line| state.line(line))?;
            // Of a file that is gone, what was read before stays read.
            offset = file.consumed().max(self.start.0);
        }
        let mut observed = std::mem::take(&mut state.observed);
        with_totals(&mut observed, &mut self.told, state.totals.usage(offset));
        Ok(observed)
    }

    fn feed(&mut self, _: &[u8]) -> Vec<Observation> {
        Vec::new()
    }
}

impl<R: Record> StreamReader<R> {
    /// Goes on where the context says.
    pub(super) fn new(context: TranscriptContext) -> Self {
        let TranscriptContext {
            offset,
            baseline,
            prices,
            mode: _,
        } = context;
        Self {
            state: State::new(R::at(offset, &baseline), Totals::new(prices, &baseline)),
            lines: Lines::at(offset),
            told: baseline,
        }
    }
}

impl<R: Record> Transcript for StreamReader<R> {
    fn read(&mut self, _: Option<&Path>) -> io::Result<Vec<Observation>> {
        Ok(Vec::new())
    }

    fn output_read(&self) -> u64 {
        self.lines.consumed()
    }

    fn passed_over(&mut self, bytes: u64) {
        self.lines.pass_over(bytes);
    }

    fn feed(&mut self, output: &[u8]) -> Vec<Observation> {
        let Self { state, lines, told } = self;
        lines.feed(output, |line| state.line(line));
        let mut observed = std::mem::take(&mut state.observed);
        with_totals(&mut observed, told, state.totals.usage(lines.consumed()));
        observed
    }
    fn model_is(&mut self, model: &str) {
        self.state.records.model_is(model);
    }
}

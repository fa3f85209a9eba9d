//! Readers for CLIs whose records need little: what a record means is a [`Record`]'s business, how
//! the file or the stream is followed is the same for all.
//!
//! A new reader of a file reads the part that was told once more, telling nothing, and takes what
//! it finds off the totals. A new reader of a stream goes on at its place.

use super::{
    lines::{Lines, Tail, parsed, record},
    report::Report,
    totals::Totals,
};
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::run::command::{Observation, Usage};
use serde::Deserialize;
use std::io;
use std::path::Path;

/// What the records of one CLI mean.
pub(super) trait Record: Default + Send {
    /// The parts of a record that are read.
    type Row<'a>: Deserialize<'a>;

    /// Of a stream that is read on at `offset`, with these totals up to there.
    fn at(_offset: u64, _baseline: &Usage) -> Self {
        Self::default()
    }

    /// Takes one record.
    fn take(&mut self, row: Self::Row<'_>, report: &mut Report);

    /// Tells the model that the run is known to work with.
    fn model_is(&mut self, _model: &str) {}
}

/// A reader of a transcript file.
pub(super) struct FileReader<R> {
    progress: Progress<R>,
    file: Option<Tail>,
    /// Where the first file is read on, and the totals up to there.
    start: (u64, Usage),
    told: Usage,
}

/// A reader of an output stream.
pub(super) struct StreamReader<R> {
    progress: Progress<R>,
    lines: Lines,
    told: Usage,
}

struct Progress<R> {
    records: R,
    report: Report,
}

impl<R: Record> Progress<R> {
    fn line(&mut self, line: &[u8]) {
        if let Some(row) = record(line).and_then(parsed) {
            self.records.take(row, &mut self.report);
        }
    }
}

impl<R: Record> FileReader<R> {
    /// Goes on where the context says.
    pub(super) fn new(context: TranscriptContext) -> Self {
        Self {
            progress: Progress {
                records: R::default(),
                report: Report::new(Totals::new(context.prices, &context.baseline)),
            },
            file: None,
            start: (context.offset, context.baseline.clone()),
            told: context.baseline,
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
            self.progress.report.totals.next_session();
            self.start.0 = 0;
        } else if *offset > 0 {
            let mut again = Progress {
                records: R::default(),
                report: self.progress.report.again(),
            };
            file.read(Some(*offset), |line| again.line(line))?;
            again.report.told_before(baseline);
            self.progress = again;
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
        let Self { progress, file, .. } = self;
        let mut offset = 0;
        if let Some(file) = file {
            file.read(None, |line| progress.line(line))?;
            // Of a file that is gone, what was read before stays read.
            offset = file.consumed().max(self.start.0);
        }
        Ok(progress.report.take(&mut self.told, offset))
    }
}

impl<R: Record> StreamReader<R> {
    /// Goes on where the context says.
    pub(super) fn new(context: TranscriptContext) -> Self {
        Self {
            progress: Progress {
                records: R::at(context.offset, &context.baseline),
                report: Report::new(Totals::new(context.prices, &context.baseline)),
            },
            lines: Lines::at(context.offset),
            told: context.baseline,
        }
    }
}

impl<R: Record> Transcript for StreamReader<R> {
    fn output_read(&self) -> u64 {
        self.lines.consumed()
    }

    fn passed_over(&mut self, bytes: u64) {
        self.lines.pass_over(bytes);
    }

    fn feed(&mut self, output: &[u8]) -> Vec<Observation> {
        let Self {
            progress,
            lines,
            told,
        } = self;
        lines.feed(output, |line| progress.line(line));
        progress.report.take(told, lines.consumed())
    }

    fn model_is(&mut self, model: &str) {
        self.progress.records.model_is(model);
    }
}

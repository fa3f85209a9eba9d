//! Follows a transcript file or an output stream: the same for all CLIs, whatever their records
//! mean.
//!
//! Only the offset in a file is kept between restarts. A new reader therefore reads the part before
//! it once more, reports nothing of it, and subtracts what it finds from the totals that were
//! reported: so nothing counts twice, also when a message's records lie on both sides. A new reader
//! of a stream continues at its offset.

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
pub(crate) trait Record: Default + Send {
    /// The parts of a record that are read.
    type Row<'a>: Deserialize<'a>;

    /// Of a stream that is read from `offset` on, with these totals up to there.
    fn at(_offset: u64, _baseline: &Usage) -> Self {
        Self::default()
    }

    /// Takes one record.
    fn take(&mut self, row: Self::Row<'_>, report: &mut Report);

    /// Tells the model that the run is known to work with.
    fn model_is(&mut self, _model: &str) {}

    /// Takes the record in a line, if there is one.
    fn line(&mut self, line: &[u8], report: &mut Report) {
        if let Some(row) = record(line).and_then(parsed) {
            self.take(row, report);
        }
    }
}

/// One session's files.
pub(crate) trait Session: Default + Send {
    /// Reads on in the main file, up to `limit`, and in the files of subagents.
    fn read(&mut self, main: &mut Tail, limit: Option<u64>, report: &mut Report) -> io::Result<()>;
}

impl<R: Record> Session for R {
    fn read(&mut self, main: &mut Tail, limit: Option<u64>, report: &mut Report) -> io::Result<()> {
        main.read(limit, |line| self.line(line, report))
    }
}

/// A reader of a transcript file.
pub(crate) struct FileReader<S> {
    session: S,
    report: Report,
    file: Option<Tail>,
    /// Where the first file is read on, and the totals up to there.
    start: (u64, Usage),
    told: Usage,
}

/// A reader of an output stream.
pub(super) struct StreamReader<R> {
    records: R,
    report: Report,
    lines: Lines,
    told: Usage,
}

impl<S: Session> FileReader<S> {
    /// Continues where the context says.
    #[must_use]
    pub(crate) fn new(context: TranscriptContext) -> Self {
        Self {
            session: S::default(),
            report: Report::new(Totals::new(context.prices, &context.baseline)),
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
        let (mut file, mut session) = (Tail::new(path), S::default());
        let (offset, baseline) = &self.start;
        if self.file.is_some() {
            self.report.totals.next_session();
            self.start.0 = 0;
        } else if *offset > 0 {
            let mut again = self.report.again();
            session.read(&mut file, Some(*offset), &mut again)?;
            again.told_before(baseline);
            self.report = again;
        }
        self.session = session;
        self.file = Some(file);
        Ok(())
    }
}

impl<S: Session> Transcript for FileReader<S> {
    fn read(&mut self, path: Option<&Path>) -> io::Result<Vec<Observation>> {
        let Some(path) = path else {
            return Ok(Vec::new());
        };
        self.turn_to(path)?;
        let mut offset = 0;
        if let Some(file) = &mut self.file {
            self.session.read(file, None, &mut self.report)?;
            // Of a file that is gone, or was cut, what was read before stays read.
            offset = file.consumed().max(self.start.0);
        }
        Ok(self.report.take(&mut self.told, offset))
    }
}

impl<R: Record> StreamReader<R> {
    /// Continues where the context says.
    pub(super) fn new(context: TranscriptContext) -> Self {
        Self {
            records: R::at(context.offset, &context.baseline),
            report: Report::new(Totals::new(context.prices, &context.baseline)),
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
            records, report, ..
        } = self;
        self.lines.feed(output, |line| records.line(line, report));
        report.take(&mut self.told, self.lines.consumed())
    }

    fn model_is(&mut self, model: &str) {
        self.records.model_is(model);
    }
}

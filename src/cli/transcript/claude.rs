//! Claude's transcript: one JSON record a line, appended while the session goes on.
//!
//! Subagents write files of their own in `<session>/subagents/`; their tokens count, their texts
//! are not the agent's. Only the offset in the main file is kept between restarts. A new reader
//! therefore reads the part before it once more, telling nothing, and takes what it finds off the
//! totals that were told: so nothing counts twice, also when a message's records lie on both sides.

use super::{
    lines::{Tail, parsed},
    report::Report,
    rows::{Message, ModelUsage, Row, milliseconds},
    totals::Totals,
};
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::run::command::{Observation, Usage};
use crate::files;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

/// What Claude writes for a user who pressed Esc, or refused a permission.
const INTERRUPTED: [&str; 2] = [
    "[Request interrupted by user]",
    "[Request interrupted by user for tool use]",
];

/// What both have in common.
const INTERRUPTED_START: &str = "[Request interrupted by user";

/// Most subagent files that are followed: each costs a look at every read.
const SUBAGENTS_MAX: usize = 1000;

/// A reader of Claude's transcript.
pub(crate) struct ClaudeTranscript {
    report: Report,
    main: Option<Tail>,
    subagents: BTreeMap<PathBuf, Tail>,
    /// Where the first file is read on, and the totals up to there.
    start: (u64, Usage),
    told: Usage,
}

impl ClaudeTranscript {
    /// Goes on where the context says.
    #[must_use]
    pub(crate) fn new(context: TranscriptContext) -> Self {
        Self {
            report: Report::new(Totals::new(context.prices, &context.baseline)),
            main: None,
            subagents: BTreeMap::new(),
            start: (context.offset, context.baseline.clone()),
            told: context.baseline,
        }
    }

    /// Opens the first file, or the file of another session.
    fn turn_to(&mut self, path: &Path) -> io::Result<()> {
        if self.main.as_ref().is_some_and(|main| main.path() == path) {
            return Ok(());
        }
        if self.main.is_some() {
            self.report.totals.next_session();
            self.subagents.clear();
            self.start.0 = 0;
        }
        let (offset, baseline) = self.start.clone();
        if self.main.is_some() || offset == 0 {
            self.main = Some(Tail::new(path, 0));
            return Ok(());
        }
        let again = self.report.again();
        let former = std::mem::replace(&mut self.report, again);
        let mut main = Tail::new(path, 0);
        let read = self
            .read_subagents(path)
            .and_then(|()| main.read(Some(offset), |text| line(&mut self.report, text, false)));
        if let Err(error) = read {
            self.report = former;
            self.subagents.clear();
            return Err(error);
        }
        self.report.told_before(&baseline);
        self.main = Some(main);
        Ok(())
    }

    fn read_subagents(&mut self, main: &Path) -> io::Result<()> {
        let Some(entries) =
            files::if_there(files::list(&main.with_extension("").join("subagents")))?
        else {
            return Ok(());
        };
        for entry in entries {
            let path = entry?.path();
            let known = self.subagents.contains_key(&path);
            let wanted = path
                .extension()
                .is_some_and(|extension| extension == "jsonl");
            if wanted && !known && self.subagents.len() < SUBAGENTS_MAX {
                self.subagents.insert(path.clone(), Tail::new(&path, 0));
            }
        }
        for tail in self.subagents.values_mut() {
            tail.read(None, |text| line(&mut self.report, text, true))?;
        }
        Ok(())
    }
}

impl Transcript for ClaudeTranscript {
    fn read(&mut self, path: Option<&Path>) -> io::Result<Vec<Observation>> {
        let Some(path) = path else {
            return Ok(Vec::new());
        };
        self.turn_to(path)?;
        // Subagents first: the cost that the main file reports at its end covers them.
        self.read_subagents(path)?;
        let mut offset = 0;
        if let Some(main) = &mut self.main {
            main.read(None, |text| line(&mut self.report, text, false))?;
            // Of a file that is gone, or was cut, what was read before stays read.
            offset = main.consumed().max(self.start.0);
        }
        Ok(self.report.take(&mut self.told, offset))
    }
}

fn line(report: &mut Report, line: &[u8], subagent: bool) {
    let Some(row) = parsed::<Row<'_>>(line) else {
        return;
    };
    let side = subagent || row.is_sidechain == Some(true);
    match (&*row.kind, row.subtype.as_deref()) {
        ("assistant", _) => assistant(report, &row, side),
        ("user", _) if !side => user(report, &row),
        ("system", Some("turn_duration")) if !side => {
            let took = milliseconds(row.duration_ms.unwrap_or(0.0));
            report.totals.took(took);
        }
        ("cost-state", _) if !side => {
            if let Some(dollars) = row.total_cost_usd.filter(|dollars| *dollars >= 0.0) {
                cost(&mut report.totals, dollars, row.model_usage);
            }
        }
        _ => {}
    }
}

/// The cost of the session, which is that of these tokens.
fn cost(totals: &mut Totals, dollars: f64, model_usage: Option<&RawValue>) {
    let models = model_usage.map(RawValue::get).map(serde_json::from_str);
    let Some(Ok(models)) = models else {
        return totals.reported_at_least(dollars);
    };
    let models: HashMap<String, ModelUsage> = models;
    let covered = models
        .into_iter()
        .map(|(name, usage)| (name, usage.buckets()));
    totals.reported_for(dollars, &covered.collect());
}

fn assistant(report: &mut Report, row: &Row<'_>, side: bool) {
    let Some(message) = message(row).filter(|message| !message.is_synthetic()) else {
        return;
    };
    let (totals, model) = (&mut report.totals, message.model.as_deref());
    if let (Some(id), Some(usage)) = (&message.id, message.usage) {
        totals.count(id, model, usage.over([0; 4]));
    }
    if side {
        return;
    }
    if let Some(model) = model {
        totals.answered_by(model);
    }
    for text in message.texts() {
        report.message(text, message.id.clone());
    }
}

fn user(report: &mut Report, row: &Row<'_>) {
    let message = message(row).filter(|message| message.may_say(INTERRUPTED_START));
    let texts = message.map_or_else(Vec::new, |message| message.texts());
    if texts.iter().any(|text| INTERRUPTED.contains(&text.trim())) {
        report.interrupted(None);
    }
}

fn message<'a>(row: &Row<'a>) -> Option<Message<'a>> {
    serde_json::from_str(row.message?.get()).ok()
}

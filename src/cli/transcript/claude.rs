//! Claude's transcript: one JSON record a line, appended while the session lasts.
//!
//! Subagents write files of their own in `<session>/subagents/`; their tokens count, their texts
//! are not the agent's.

use super::{
    follow::{FileReader, Session},
    lines::{Tail, parsed},
    report::Report,
    rows::{Message, ModelUsage, Row},
    totals::Totals,
};
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
pub(crate) type ClaudeTranscript = FileReader<ClaudeFiles>;

/// The files of one session.
#[derive(Default)]
pub(crate) struct ClaudeFiles {
    subagents: BTreeMap<PathBuf, Tail>,
}

impl Session for ClaudeFiles {
    fn read(&mut self, main: &mut Tail, limit: Option<u64>, report: &mut Report) -> io::Result<()> {
        // Subagents first: the cost that the main file reports at its end covers them.
        self.read_subagents(main.path(), report)?;
        main.read(limit, |text| line(report, text, false))
    }
}

impl ClaudeFiles {
    fn read_subagents(&mut self, main: &Path, report: &mut Report) -> io::Result<()> {
        let Some(entries) =
            files::if_there(files::list(&main.with_extension("").join("subagents")))?
        else {
            return Ok(());
        };
        for entry in entries {
            let path = entry?.path();
            let wanted = path
                .extension()
                .is_some_and(|extension| extension == "jsonl");
            if wanted && self.subagents.len() < SUBAGENTS_MAX {
                let entry = self.subagents.entry(path);
                entry.or_insert_with_key(|path| Tail::new(path));
            }
        }
        for tail in self.subagents.values_mut() {
            tail.read(None, |text| line(report, text, true))?;
        }
        Ok(())
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
            report.totals.took(row.duration_ms);
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
    totals.answered_by(model);
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

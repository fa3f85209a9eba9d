//! Claude's transcript: one JSON record a line, appended while the session goes on.
//!
//! Subagents write files of their own in `<session>/subagents/`; their tokens count, their texts
//! are not the agent's. Only the offset in the main file is kept between restarts. A new reader
//! therefore reads the part before it once more, telling nothing, and takes what it finds off the
//! totals that were told: so nothing counts twice, also when a message's records lie on both sides.

use super::{
    lines::Tail,
    rows::{Message, ModelUsage, Row, milliseconds},
    totals::Totals,
    with_totals,
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
    state: State,
    main: Option<Tail>,
    subagents: BTreeMap<PathBuf, Tail>,
    /// Where the first file is read on, and the totals up to there.
    start: (u64, Usage),
    told: Usage,
}

struct State {
    totals: Totals,
    /// Not told yet; an error of the file keeps it for the next call.
    observed: Vec<Observation>,
    malformed: u64,
}

impl ClaudeTranscript {
    /// Goes on where the context says.
    #[must_use]
    pub(crate) fn new(context: TranscriptContext) -> Self {
        let TranscriptContext {
            offset,
            baseline,
            prices,
            mode: _,
        } = context;
        let totals = Totals::new(prices, &baseline);
        let state = State {
            totals,
            observed: Vec::new(),
            malformed: 0,
        };
        let (main, subagents, told) = (None, BTreeMap::new(), baseline.clone());
        Self {
            state,
            main,
            subagents,
            start: (offset, baseline),
            told,
        }
    }

    /// Opens the first file, or the file of another session.
    fn turn_to(&mut self, path: &Path) -> io::Result<()> {
        if self.main.as_ref().is_some_and(|main| main.path() == path) {
            return Ok(());
        }
        if self.main.is_some() {
            self.state.totals.next_session();
            self.subagents.clear();
            self.start.0 = 0;
        }
        let (offset, baseline) = self.start.clone();
        if self.main.is_some() || offset == 0 {
            self.main = Some(Tail::new(path, 0));
            return Ok(());
        }
        let mut totals = Totals::new(self.state.totals.prices().clone(), &Usage::default());
        std::mem::swap(&mut totals, &mut self.state.totals);
        let mut main = Tail::new(path, 0);
        let read = self
            .read_subagents(path)
            .and_then(|()| main.read(Some(offset), |line| self.state.line(line, false)));
        self.state.observed.clear();
        if let Err(error) = read {
            self.state.totals = totals;
            self.subagents.clear();
            return Err(error);
        }
        self.state.totals.contained_in(&baseline);
        self.main = Some(main);
        Ok(())
    }

    fn read_subagents(&mut self, main: &Path) -> io::Result<()> {
        let entries = match files::list(&main.with_extension("").join("subagents")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
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
            tail.read(None, |line| self.state.line(line, true))?;
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
            main.read(None, |line| self.state.line(line, false))?;
            // Of a file that is gone, or was cut, what was read before stays read.
            offset = main.consumed().max(self.start.0);
        }
        let mut observed = std::mem::take(&mut self.state.observed);
        with_totals(
            &mut observed,
            &mut self.told,
            self.state.totals.usage(offset),
        );
        Ok(observed)
    }

    fn feed(&mut self, _: &[u8]) -> Vec<Observation> {
        Vec::new()
    }
}

impl State {
    fn line(&mut self, line: &[u8], subagent: bool) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let Ok(row) = serde_json::from_slice::<Row<'_>>(line) else {
            self.malformed += 1;
            log::debug!(malformed = self.malformed; "A line of a transcript is no record.");
            return;
        };
        let side = subagent || row.is_sidechain == Some(true);
        match (&*row.kind, row.subtype.as_deref()) {
            ("assistant", _) => self.assistant(&row, side),
            ("user", _) if !side => self.user(&row),
            ("system", Some("turn_duration")) if !side => {
                self.totals
                    .took(milliseconds(row.duration_ms.unwrap_or(0.0)));
            }
            ("cost-state", _) if !side => {
                if let Some(dollars) = row.total_cost_usd.filter(|dollars| *dollars >= 0.0) {
                    self.cost(dollars, row.model_usage);
                }
            }
            _ => {}
        }
    }

    /// The cost of the session, which is that of these tokens.
    fn cost(&mut self, dollars: f64, model_usage: Option<&RawValue>) {
        let models = model_usage.map(RawValue::get).map(serde_json::from_str);
        let Some(Ok(models)) = models else {
            return self.totals.reported_at_least(dollars);
        };
        let models: HashMap<String, ModelUsage> = models;
        let covered = models
            .into_iter()
            .map(|(name, usage)| (name, usage.buckets()));
        self.totals.reported_for(dollars, &covered.collect());
    }

    fn assistant(&mut self, row: &Row<'_>, side: bool) {
        let Some(message) = message(row) else { return };
        if message.is_synthetic() {
            return;
        }
        if let (Some(id), Some(usage)) = (&message.id, message.usage) {
            self.totals
                .count(id, message.model.as_deref(), usage.over([0; 4]));
        }
        if side {
            return;
        }
        if let Some(model) = &message.model {
            self.totals.answered_by(model);
        }
        let texts = message.texts();
        let said = |text| Observation::Message {
            text,
            message_id: message.id.clone(),
        };
        self.observed.extend(texts.into_iter().map(said));
    }

    fn user(&mut self, row: &Row<'_>) {
        let Some(message) = message(row).filter(|message| message.may_say(INTERRUPTED_START))
        else {
            return;
        };
        if message
            .texts()
            .iter()
            .any(|text| INTERRUPTED.contains(&text.trim()))
        {
            self.observed
                .push(Observation::Interrupted { turn_id: None });
        }
    }
}

fn message<'a>(row: &Row<'a>) -> Option<Message<'a>> {
    serde_json::from_str(row.message?.get()).ok()
}

//! Codex's rollout: one JSON record a line, appended while the thread goes on, also by a resume.
//!
//! Tokens come as running sums of the thread. Only the offset is kept between restarts; a new
//! reader therefore reads the part before it once more, telling nothing, and takes what it finds
//! off the totals that were told. A forked thread goes on counting from the sum of its parent.

use super::{
    lines::Tail,
    rows::milliseconds,
    totals::{Tokens, Totals, minus},
    with_totals,
};
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::run::command::{Observation, Usage};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;
use std::io;
use std::path::Path;

/// How Codex names the end of a turn that a person stopped.
const INTERRUPTED: &str = "interrupted";

/// A reader of Codex's rollout.
pub struct CodexRollout {
    state: State,
    file: Option<Tail>,
    /// Where the first file is read on, and the totals up to there.
    start: (u64, Usage),
    told: Usage,
}

struct State {
    totals: Totals,
    /// The model of the present turn.
    model: Option<String>,
    /// The thread has a parent, whose sum is not known yet.
    forked: bool,
    /// The parent's sum, which the thread's own goes on from.
    before_fork: Tokens,
    /// Not told yet; an error of the file keeps it for the next call.
    observed: Vec<Observation>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Meta {
    forked_from_id: Option<String>,
}

#[derive(Deserialize)]
struct Turn {
    model: Option<String>,
}

/// A record of what happened in the thread.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    turn_id: Option<String>,
    reason: Option<String>,
    duration_ms: Option<f64>,
    error: Option<Failure>,
    info: Option<Info>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Info {
    total_token_usage: TokenUsage,
    last_token_usage: TokenUsage,
}

/// A whole item of the conversation.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    id: Option<String>,
    #[serde(default)]
    content: Vec<Piece>,
}

#[derive(Deserialize)]
struct Piece {
    text: Option<String>,
}

/// Why a turn failed, in a rollout as in an output stream.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Failure {
    message: String,
}

/// Token counts: the input holds what was read from a cache and what was written to one.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
pub(super) struct TokenUsage {
    input_tokens: u64,
    cached_input_tokens: u64,
    cache_write_input_tokens: u64,
    output_tokens: u64,
}

impl TokenUsage {
    /// The four buckets of the price table, none a part of another.
    pub(super) const fn buckets(self) -> Tokens {
        let (read, write) = (self.cached_input_tokens, self.cache_write_input_tokens);
        let fresh = self.input_tokens.saturating_sub(read.saturating_add(write));
        [fresh, self.output_tokens, read, write]
    }
}

impl Failure {
    /// A sentence for people: the message inside the API's answer, when it is one.
    pub(super) fn sentence(self) -> String {
        let answer: Option<Value> = serde_json::from_str(&self.message).ok();
        let inner = answer
            .as_ref()
            .and_then(|answer| answer.pointer("/error/message"));
        let said = inner
            .and_then(Value::as_str)
            .unwrap_or(&self.message)
            .trim();
        if said.is_empty() {
            return "Codex could not go on, and did not say why".to_owned();
        }
        said.to_owned()
    }
}

impl CodexRollout {
    /// Goes on where the context says.
    #[must_use]
    pub fn new(context: TranscriptContext) -> Self {
        let TranscriptContext {
            offset,
            baseline,
            prices,
            mode: _,
        } = context;
        Self {
            state: State::new(Totals::new(prices, &baseline)),
            file: None,
            start: (offset, baseline.clone()),
            told: baseline,
        }
    }

    /// Opens the first file, or the file of another thread.
    fn turn_to(&mut self, path: &Path) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|file| file.path() == path) {
            return Ok(());
        }
        let mut file = Tail::new(path, 0);
        let (offset, baseline) = (self.start.0, &self.start.1);
        if self.file.is_some() {
            self.state.next_thread();
            self.start.0 = 0;
        } else if offset > 0 {
            let prices = self.state.totals.prices().clone();
            let mut again = State::new(Totals::new(prices, &Usage::default()));
            file.read(Some(offset), |line| again.line(line))?;
            again.observed.clear();
            again.totals.contained_in(baseline);
            self.state = again;
        }
        self.file = Some(file);
        Ok(())
    }
}

impl Transcript for CodexRollout {
    fn read(&mut self, path: Option<&Path>) -> io::Result<Vec<Observation>> {
        let Some(path) = path else {
            return Ok(Vec::new());
        };
        self.turn_to(path)?;
        let mut offset = 0;
        if let Some(file) = &mut self.file {
            file.read(None, |line| self.state.line(line))?;
            // Of a file that is gone, what was read before stays read.
            offset = file.consumed().max(self.start.0);
        }
        let mut observed = std::mem::take(&mut self.state.observed);
        let totals = self.state.totals.usage(offset);
        with_totals(&mut observed, &mut self.told, totals);
        Ok(observed)
    }

    fn feed(&mut self, _: &[u8]) -> Vec<Observation> {
        Vec::new()
    }
}

impl State {
    const fn new(totals: Totals) -> Self {
        Self {
            totals,
            model: None,
            forked: false,
            before_fork: [0; 4],
            observed: Vec::new(),
        }
    }

    fn next_thread(&mut self) {
        self.totals.next_session();
        (self.forked, self.before_fork) = (false, [0; 4]);
    }

    fn line(&mut self, line: &[u8]) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let Ok(row) = serde_json::from_slice::<Row<'_>>(line) else {
            log::debug!(bytes = line.len(); "A line of a rollout is no record.");
            return;
        };
        let Some(payload) = row.payload.map(RawValue::get) else {
            return;
        };
        match &*row.kind {
            "session_meta" => {
                let meta = serde_json::from_str::<Meta>(payload);
                self.forked |= meta.is_ok_and(|meta| meta.forked_from_id.is_some());
            }
            "turn_context" => {
                if let Ok(Turn { model: Some(model) }) = serde_json::from_str(payload) {
                    self.totals.answered_by(&model);
                    self.model = Some(model);
                }
            }
            "event_msg" => {
                if let Ok(event) = serde_json::from_str(payload) {
                    self.event(event);
                }
            }
            _ => {}
        }
    }

    fn event(&mut self, event: Event<'_>) {
        let took = milliseconds(event.duration_ms.unwrap_or(0.0));
        let turn_id = event.turn_id;
        match &*event.kind {
            "item_completed" => self.item(event.item),
            "token_count" => self.tokens(event.info),
            // The end of a turn that went well is told by its hook, with the last message.
            "task_complete" => {
                self.totals.took(took);
                let failed = event.error.map(|failure| Observation::Ended {
                    failure: Some(failure.sentence()),
                    turn_id,
                });
                self.observed.extend(failed);
            }
            "turn_aborted" => {
                self.totals.took(took);
                if event.reason.as_deref() == Some(INTERRUPTED) {
                    self.observed.push(Observation::Interrupted { turn_id });
                }
            }
            _ => {}
        }
    }

    fn item(&mut self, item: Option<&RawValue>) {
        let item = item.and_then(|raw| serde_json::from_str::<Item<'_>>(raw.get()).ok());
        let Some(item) = item.filter(|item| item.kind == "AgentMessage") else {
            return;
        };
        let pieces: Vec<String> = item.content.into_iter().filter_map(|it| it.text).collect();
        let (text, message_id) = (pieces.concat(), item.id);
        if !text.is_empty() {
            self.observed
                .push(Observation::Message { text, message_id });
        }
    }

    fn tokens(&mut self, info: Option<Info>) {
        let Some(info) = info else { return };
        let sum = info.total_token_usage.buckets();
        if std::mem::take(&mut self.forked) {
            self.before_fork = minus(sum, info.last_token_usage.buckets());
        }
        let own = minus(sum, self.before_fork);
        self.totals.running(self.model.as_deref(), own);
    }
}

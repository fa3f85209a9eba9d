//! OpenCode's output stream in headless mode. Our plugin reports the end of a turn.

use super::{
    follow::{Record, StreamReader},
    report::Report,
    totals::Totals,
};
use crate::cli::{Transcript, TranscriptContext};
use serde::Deserialize;

/// A reader of its output stream.
#[must_use]
pub(crate) fn opencode_stream(context: TranscriptContext) -> Box<dyn Transcript> {
    Box::new(StreamReader::<Stream>::new(context))
}

#[derive(Default)]
struct Stream {
    /// Dollars of this process so far.
    cost: f64,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type", default)]
    kind: String,
    part: Option<Part>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(rename = "messageID")]
    message: Option<String>,
    text: Option<String>,
    tokens: Option<Tokens>,
    cost: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tokens {
    input: u64,
    output: u64,
    reasoning: u64,
    cache: Cache,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cache {
    read: u64,
    write: u64,
}

#[derive(Deserialize)]
struct Failure {
    name: Option<String>,
    data: Option<FailureData>,
}

#[derive(Deserialize)]
struct FailureData {
    message: Option<String>,
}

impl Record for Stream {
    type Row<'a> = Line;

    fn take(&mut self, line: Line, report: &mut Report) {
        match (&*line.kind, line.part) {
            ("text", Some(part)) => report.message(part.text.unwrap_or_default(), part.message),
            ("step_finish", Some(part)) => self.count(&part, &mut report.totals),
            ("error", _) => {
                let error = line
                    .error
                    .map(|it| it.data.and_then(|it| it.message).or(it.name));
                let said = error.flatten();
                let said = said.unwrap_or_else(|| "OpenCode could not continue".to_owned());
                report.ended(Some(said), None);
            }
            _ => {}
        }
    }
}

impl Stream {
    fn count(&mut self, part: &Part, totals: &mut Totals) {
        if let Some(it) = &part.tokens {
            let output = it.output.saturating_add(it.reasoning);
            totals.grew(None, [it.input, output, it.cache.read, it.cache.write]);
        }
        // Nothing is said about a model without a price.
        if let Some(dollars) = part.cost.filter(|dollars| *dollars > 0.0) {
            self.cost += dollars;
            totals.reported(self.cost);
        }
    }
}

//! Codex's rollout: one JSON record a line, appended while the thread goes on, also by a resume.
//!
//! Tokens come as running sums of the thread. Only the offset is kept between restarts; a new
//! reader therefore reads the part before it once more, telling nothing, and takes what it finds
//! off the totals that were told. A forked thread goes on counting from the sum of its parent.
//! Subagents are threads with files of their own; their tokens count, their texts are not the
//! agent's.
//!
//! Not handled: a subagent that began on a later day than the thread, so that its file lies in
//! another folder; the tokens of titles, which Codex writes nowhere.

use super::{
    codex_rows::{Event, Info, Item, Meta, Row, Turn},
    lines::{Tail, parsed},
    report::Report,
    rows::milliseconds,
    totals::{Tokens, Totals, minus, plus},
};
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::run::command::{Observation, Usage};
use crate::files;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// How Codex names the end of a turn that a person stopped.
const INTERRUPTED: &str = "interrupted";

/// Most subagents that are followed: each costs a look at every read.
const SUBAGENTS_MAX: usize = 1000;

/// A reader of Codex's rollout.
pub(crate) struct CodexRollout {
    progress: Progress,
    main: Option<Thread>,
    /// By thread id; none until its file is found.
    subagents: BTreeMap<String, Option<Thread>>,
    /// Where the first file is read on, and the totals up to there.
    start: (u64, Usage),
    told: Usage,
}

/// A file, and what of its thread is counted.
struct Thread {
    file: Tail,
    count: Count,
}

#[derive(Default)]
struct Count {
    /// The model of the present turn.
    model: Option<String>,
    /// The thread has a parent, whose part of the sum is not known yet.
    forked: bool,
    /// Up to this sum all is counted, or the parent's.
    counted: Tokens,
}

struct Progress {
    report: Report,
    /// Threads of subagents that were heard of.
    spawned: Vec<String>,
}

impl CodexRollout {
    /// Goes on where the context says.
    #[must_use]
    pub(crate) fn new(context: TranscriptContext) -> Self {
        let totals = Totals::new(context.prices, &context.baseline);
        Self {
            progress: Progress::new(Report::new(totals)),
            main: None,
            subagents: BTreeMap::new(),
            start: (context.offset, context.baseline.clone()),
            told: context.baseline,
        }
    }

    /// Opens the first file, or the file of another thread.
    fn turn_to(&mut self, path: &Path) -> io::Result<()> {
        if self.main.as_ref().is_some_and(|it| it.file.path() == path) {
            return Ok(());
        }
        let mut main = Thread::new(path);
        let (offset, baseline) = self.start.clone();
        if self.main.is_some() {
            self.progress.report.totals.next_session();
            self.subagents.clear();
            self.start.0 = 0;
        } else if offset > 0 {
            let mut again = Progress::new(self.progress.report.again());
            main.read(Some(offset), &mut again, true)?;
            let mut subagents = BTreeMap::new();
            read_subagents(&mut subagents, path, &mut again)?;
            again.report.told_before(&baseline);
            (self.progress, self.subagents) = (again, subagents);
        }
        self.main = Some(main);
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
        if let Some(main) = &mut self.main {
            main.read(None, &mut self.progress, true)?;
            // Of a file that is gone, what was read before stays read.
            offset = main.file.consumed().max(self.start.0);
        }
        read_subagents(&mut self.subagents, path, &mut self.progress)?;
        Ok(self.progress.report.take(&mut self.told, offset))
    }
}

/// Reads the files of subagents, which lie beside the main one, and of their own subagents.
fn read_subagents(
    subagents: &mut BTreeMap<String, Option<Thread>>,
    main: &Path,
    progress: &mut Progress,
) -> io::Result<()> {
    loop {
        for id in std::mem::take(&mut progress.spawned) {
            if subagents.len() < SUBAGENTS_MAX {
                subagents.entry(id).or_default();
            }
        }
        if subagents.values().any(Option::is_none) {
            open_subagents(subagents, main)?;
        }
        for thread in subagents.values_mut().flatten() {
            thread.read(None, progress, false)?;
        }
        if progress.spawned.is_empty() {
            return Ok(());
        }
    }
}

/// Opens the files that are there by now. A file is named by its time and its thread.
fn open_subagents(subagents: &mut BTreeMap<String, Option<Thread>>, main: &Path) -> io::Result<()> {
    let Some(folder) = main.parent() else {
        return Ok(());
    };
    let Some(entries) = files::if_there(files::list(folder))? else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let waiting = subagents.iter_mut().find(|(id, thread)| {
            thread.is_none() && name.is_some_and(|name| name.ends_with(id.as_str()))
        });
        if let Some((_, thread)) = waiting {
            *thread = Some(Thread::new(&path));
        }
    }
    Ok(())
}

impl Thread {
    fn new(path: &Path) -> Self {
        Self {
            file: Tail::new(path, 0),
            count: Count::default(),
        }
    }

    /// Reads on; `main` for the thread that a person speaks with.
    fn read(&mut self, limit: Option<u64>, progress: &mut Progress, main: bool) -> io::Result<()> {
        let Self { file, count } = self;
        file.read(limit, |line| progress.line(line, count, main))
    }
}

impl Progress {
    const fn new(report: Report) -> Self {
        Self {
            report,
            spawned: Vec::new(),
        }
    }

    fn line(&mut self, line: &[u8], count: &mut Count, main: bool) {
        let Some(row) = parsed::<Row<'_>>(line) else {
            return;
        };
        let Some(payload) = row.payload.map(RawValue::get) else {
            return;
        };
        match &*row.kind {
            "session_meta" => {
                let meta = serde_json::from_str::<Meta>(payload);
                count.forked |= meta.is_ok_and(|meta| meta.forked_from_id.is_some());
            }
            "turn_context" => {
                if let Ok(Turn { model: Some(model) }) = serde_json::from_str(payload) {
                    if main {
                        self.report.totals.answered_by(&model);
                    }
                    count.model = Some(model);
                }
            }
            "event_msg" => match serde_json::from_str::<Event<'_>>(payload) {
                Ok(event) if event.kind == "token_count" => self.tokens(event.info, count),
                Ok(event) if event.kind == "item_completed" => self.item(event.item, main),
                Ok(event) if main => self.turn_ended(event),
                Ok(_) | Err(_) => {}
            },
            _ => {}
        }
    }

    /// The end of a turn that went well is told by its hook, with the last message.
    fn turn_ended(&mut self, event: Event<'_>) {
        let took = milliseconds(event.duration_ms.unwrap_or(0.0));
        let turn_id = event.turn_id;
        match &*event.kind {
            "task_complete" => {
                self.report.totals.took(took);
                if let Some(failure) = event.error {
                    self.report.ended(Some(failure.sentence()), turn_id);
                }
            }
            "turn_aborted" => {
                self.report.totals.took(took);
                if event.reason.as_deref() == Some(INTERRUPTED) {
                    self.report.interrupted(turn_id);
                }
            }
            _ => {}
        }
    }

    fn item(&mut self, item: Option<&RawValue>, main: bool) {
        let item = item.and_then(|raw| serde_json::from_str::<Item<'_>>(raw.get()).ok());
        let Some(item) = item else { return };
        match &*item.kind {
            "AgentMessage" if main => {
                let pieces = item.content.into_iter().filter_map(|piece| piece.text);
                self.report.message(pieces.collect(), item.id);
            }
            "CollabAgentToolCall" => self.spawned.extend(item.receiver_thread_ids),
            _ => {}
        }
    }

    fn tokens(&mut self, info: Option<Info>, count: &mut Count) {
        let Some(info) = info else { return };
        let sum = info.total_token_usage.buckets();
        if std::mem::take(&mut count.forked) {
            count.counted = minus(sum, info.last_token_usage.buckets());
        }
        let grown = minus(sum, count.counted);
        count.counted = plus(count.counted, grown);
        self.report.totals.grew(count.model.as_deref(), grown);
    }
}

//! Codex's rollout: one JSON record a line, appended while the thread lasts, also by a resume.
//!
//! Tokens come as running sums of the thread. A forked thread continues counting from the sum of its
//! parent. Subagents are threads with files of their own; their tokens count, their texts are not
//! the agent's.
//!
//! Not handled: a subagent that began on a later day than the thread, so that its file lies in
//! another folder; the tokens of titles, which Codex writes nowhere.

use super::{
    codex_rows::{Event, Info, Item, Meta, Row, Turn},
    follow::{FileReader, Session},
    lines::{Tail, parsed},
    report::Report,
    totals::{Tokens, minus, plus},
};
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
pub(crate) type CodexRollout = FileReader<CodexThreads>;

/// The threads of one session.
#[derive(Default)]
pub(crate) struct CodexThreads {
    main: Count,
    /// By thread id: its file, and what of it is counted; none until the file is found.
    subagents: BTreeMap<String, Option<(Tail, Count)>>,
    /// Threads of subagents that were mentioned and not opened yet.
    spawned: Vec<String>,
}

/// What of a thread is counted.
#[derive(Default)]
struct Count {
    /// The model of the present turn.
    model: Option<String>,
    /// The thread has a parent, whose part of the sum is not known yet.
    forked: bool,
    /// Up to this sum all is counted, or the parent's.
    counted: Tokens,
}

/// What records of a thread add to.
struct Progress<'a> {
    count: &'a mut Count,
    /// It is the thread that a person speaks with.
    main: bool,
    report: &'a mut Report,
    spawned: &'a mut Vec<String>,
}

impl Session for CodexThreads {
    fn read(&mut self, main: &mut Tail, limit: Option<u64>, report: &mut Report) -> io::Result<()> {
        let mut progress = Progress {
            count: &mut self.main,
            main: true,
            report: &mut *report,
            spawned: &mut self.spawned,
        };
        main.read(limit, |line| progress.line(line))?;
        self.read_subagents(main.path(), report)
    }
}

impl CodexThreads {
    /// Reads the files of subagents, which lie beside the main one, and of their own subagents.
    fn read_subagents(&mut self, main: &Path, report: &mut Report) -> io::Result<()> {
        loop {
            for id in std::mem::take(&mut self.spawned) {
                if self.subagents.len() < SUBAGENTS_MAX {
                    self.subagents.entry(id).or_default();
                }
            }
            if self.subagents.values().any(Option::is_none) {
                self.open_subagents(main)?;
            }
            for (file, count) in self.subagents.values_mut().flatten() {
                let mut progress = Progress {
                    count,
                    main: false,
                    report: &mut *report,
                    spawned: &mut self.spawned,
                };
                file.read(None, |line| progress.line(line))?;
            }
            if self.spawned.is_empty() {
                return Ok(());
            }
        }
    }

    /// Opens the files that are there by now. A file is named by its time and its thread.
    fn open_subagents(&mut self, main: &Path) -> io::Result<()> {
        let folder = main.parent().unwrap_or(main);
        let Some(entries) = files::if_there(files::list(folder))? else {
            return Ok(());
        };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str());
            let waiting = self.subagents.iter_mut().find(|(id, thread)| {
                thread.is_none() && name.is_some_and(|name| name.ends_with(id.as_str()))
            });
            if let Some((_, thread)) = waiting {
                *thread = Some((Tail::new(&path), Count::default()));
            }
        }
        Ok(())
    }
}

impl Progress<'_> {
    fn line(&mut self, line: &[u8]) {
        let Some(row) = parsed::<Row<'_>>(line) else {
            return;
        };
        let Some(payload) = row.payload.map(RawValue::get) else {
            return;
        };
        match &*row.kind {
            "session_meta" => {
                let meta = serde_json::from_str::<Meta>(payload);
                self.count.forked |= meta.is_ok_and(|meta| meta.forked_from_id.is_some());
            }
            "turn_context" => {
                if let Ok(Turn { model: Some(model) }) = serde_json::from_str(payload) {
                    if self.main {
                        self.report.totals.answered_by(Some(&model));
                    }
                    self.count.model = Some(model);
                }
            }
            "event_msg" => match serde_json::from_str::<Event<'_>>(payload) {
                Ok(event) if event.kind == "token_count" => self.tokens(event.info),
                Ok(event) if event.kind == "item_completed" => self.item(event.item),
                Ok(event) if self.main => self.turn_ended(event),
                Ok(_) | Err(_) => {}
            },
            _ => {}
        }
    }

    /// The end of a turn that went well is reported by its hook, with the last message.
    fn turn_ended(&mut self, event: Event<'_>) {
        let turn_id = event.turn_id;
        match &*event.kind {
            "task_complete" => {
                self.report.totals.took(event.duration_ms);
                if let Some(failure) = event.error {
                    self.report.ended(Some(failure.sentence()), turn_id);
                }
            }
            "turn_aborted" => {
                self.report.totals.took(event.duration_ms);
                if event.reason.as_deref() == Some(INTERRUPTED) {
                    self.report.interrupted(turn_id);
                }
            }
            _ => {}
        }
    }

    fn item(&mut self, item: Option<&RawValue>) {
        let item = item.and_then(|raw| serde_json::from_str::<Item<'_>>(raw.get()).ok());
        let Some(item) = item else { return };
        match &*item.kind {
            "AgentMessage" if self.main => {
                let pieces = item.content.into_iter().filter_map(|piece| piece.text);
                self.report.message(pieces.collect(), item.id);
            }
            "CollabAgentToolCall" => self.spawned.extend(item.receiver_thread_ids),
            _ => {}
        }
    }

    fn tokens(&mut self, info: Option<Info>) {
        let Some(info) = info else { return };
        let count = &mut *self.count;
        let sum = info.total_token_usage.buckets();
        if std::mem::take(&mut count.forked) {
            count.counted = minus(sum, info.last_token_usage.buckets());
        }
        let grown = minus(sum, count.counted);
        count.counted = plus(count.counted, grown);
        self.report.totals.grew(count.model.as_deref(), grown);
    }
}

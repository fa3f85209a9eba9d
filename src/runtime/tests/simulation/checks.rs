//! What must hold after each step. The one thing it believes is what it saw: events that were
//! readable, and answers that callers were given.

use super::{
    clients::Acknowledged,
    server::{Handle, Mail, Server},
};
use crate::{
    domain::{
        EventId, RunId,
        run::{Event, Run, Status, event::MessageBy, view},
    },
    runtime::stream::broadcaster::write_frame,
    store::{RunFilter, StoredEvent},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::Excluded,
};

/// The log, as it could be read up to now.
#[derive(Default)]
pub struct Log {
    events: BTreeMap<EventId, Seen>,
    pub runs: BTreeMap<RunId, Run>,
    pub deleted: BTreeSet<RunId>,
    /// Messages of callers, by run and text, and how often each was recorded.
    messages: BTreeMap<(RunId, String), usize>,
    /// Events by type.
    pub types: BTreeMap<&'static str, usize>,
    pub head: EventId,
}

struct Seen {
    run_id: RunId,
    is_deletion: bool,
    frame: String,
}

impl Log {
    pub fn frame(&self, id: EventId) -> Option<&str> {
        self.events.get(&id).map(|seen| seen.frame.as_str())
    }

    /// Events strictly between two places that a reader must be given.
    pub fn between(&self, run_id: Option<RunId>, from: EventId, to: EventId) -> Vec<EventId> {
        if from >= to {
            return Vec::new();
        }
        let range = self.events.range((Excluded(from), Excluded(to)));
        let wanted = range.filter(|(_, seen)| {
            let gone = self.deleted.contains(&seen.run_id) && !seen.is_deletion;
            run_id.is_none_or(|run_id| run_id == seen.run_id) && !gone
        });
        wanted.map(|(id, _)| *id).collect()
    }

    /// How often the message was recorded.
    pub fn recorded(&self, run_id: RunId, text: &str) -> usize {
        let key = (run_id, text.to_owned());
        self.messages.get(&key).copied().unwrap_or(0)
    }

    /// Takes in what became readable; gives the runs that it is of.
    fn grow(&mut self, events: &[StoredEvent]) -> BTreeSet<RunId> {
        for stored in events {
            self.head = stored.id;
            let event = stored.event().unwrap();
            let id = stored.run_id;
            assert!(
                !self.deleted.contains(&id),
                "an event after the deletion: {stored:?}"
            );
            assert!(!stored.payload.contains("s3cret"), "a secret: {stored:?}");
            let is_deletion = matches!(event, Event::RunDeleted(_));
            self.fold(id, stored, &event);
            self.count(id, &event);
            *self.types.entry(event.event_type()).or_default() += 1;
            if is_deletion {
                self.deleted.insert(id);
            }
            let frame = frame(stored);
            let seen = Seen {
                run_id: id,
                is_deletion,
                frame,
            };
            self.events.insert(stored.id, seen);
        }
        events.iter().map(|event| event.run_id).collect()
    }

    /// Takes in a batch that readers are given. Of a run that is deleted in it, the log kept only
    /// the deletion.
    pub fn told(&mut self, batch: &[StoredEvent]) {
        let mut last: BTreeMap<RunId, u64> = BTreeMap::new();
        for stored in batch {
            if let Some(before) = last.insert(stored.run_id, stored.sequence) {
                assert_eq!(stored.sequence, before + 1, "a hole in {}", stored.run_id);
            }
            let deleted = self.deleted.contains(&stored.run_id);
            self.events.entry(stored.id).or_insert_with(|| {
                assert!(deleted, "told and not stored: {stored:?}");
                Seen {
                    run_id: stored.run_id,
                    is_deletion: false,
                    frame: frame(stored),
                }
            });
        }
    }

    fn fold(&mut self, id: RunId, stored: &StoredEvent, event: &Event) {
        match (self.runs.get_mut(&id), event) {
            // What was stored and deleted in one commit is in the batch, and never in the log.
            (Some(run), Event::RunDeleted(_)) => assert!(stored.sequence > run.last_sequence),
            (Some(run), _) => {
                assert_eq!(stored.sequence, run.last_sequence + 1, "a hole in {id}");
                run.apply(event, stored.created_at);
            }
            (None, Event::RunCreated(created)) => {
                assert_eq!(stored.sequence, 1);
                let run = Run::create(id, created, stored.created_at);
                self.runs.insert(id, run);
            }
            // A crash of the server hid what came before the deletion.
            (None, Event::RunDeleted(_)) => {}
            (None, _) => panic!("{id} begins with {stored:?}"),
        }
    }

    fn count(&mut self, id: RunId, event: &Event) {
        let text = match event {
            Event::UserMessage(message) if message.by == MessageBy::Api => &message.text,
            Event::MessageQueued(queued) => {
                let key = (id, format!("queued {}", queued.text));
                *self.messages.entry(key).or_default() += 1;
                return;
            }
            _ => return,
        };
        let key = (id, text.clone());
        *self.messages.entry(key).or_default() += 1;
    }
}

fn frame(stored: &StoredEvent) -> String {
    let mut frame = String::new();
    write_frame(&mut frame, &stored.row());
    frame
}

/// After each step.
pub fn after_step(server: &Server, log: &mut Log, acknowledged: &Acknowledged) {
    let new = server.reader.events_after(None, log.head, 10_000).unwrap();
    let touched = log.grow(&new);
    for id in touched {
        truthful(server, log, id);
    }
    for handle in &server.actors {
        same_state(handle, log);
    }
    acknowledged.check_new(server, log);
}

/// The rows of a run say what its events do, and its status does not lie.
fn truthful(server: &Server, log: &Log, id: RunId) {
    let row = server.reader.run_view(id).unwrap();
    if log.deleted.contains(&id) {
        let left = server.reader.events_of_run(id, 0, None, None).unwrap();
        assert_eq!((row, left.len()), (None, 1), "a deleted run left something");
        return;
    }
    let run = &log.runs[&id];
    assert_eq!(row, Some(view::run(run)), "the row of {id}");
    let queue = server.reader.run_queue(id).unwrap();
    assert_eq!(
        queue,
        Some(view::Documents::of(run).queue()),
        "the queue of {id}"
    );
    let works = matches!(run.status, Status::Queued | Status::Running);
    assert!(
        !works || run.is_live(),
        "{} without a process: {run:#?}",
        run.status
    );
    let live = server.reader.live_runs().unwrap().contains(&id);
    assert_eq!(
        live,
        run.needs_recovery(),
        "a restart overlooks {id}: {run:#?}"
    );
}

/// An actor with nothing under way is the fold of its log.
fn same_state(handle: &Handle, log: &Log) {
    let actor = handle.0.borrow();
    let is_sent_to_sleep = matches!(actor.mailbox.back(), Some(Mail::Passivated));
    if !is_sent_to_sleep
        && actor.connected
        && actor.core.pending() == 0
        && !log.deleted.contains(&actor.run_id)
    {
        let stored = log.runs.get(&actor.run_id);
        let believed = actor.core.run().map(AsRef::as_ref);
        assert_eq!(believed, stored, "an actor believes other things");
    }
}

/// After a crash, and at the end: everything again from the database.
pub fn whole(server: &Server, log: &Log, acknowledged: &Acknowledged) {
    let all = server.reader.events_after(None, 0, 100_000).unwrap();
    let stored: Vec<EventId> = all.iter().map(|event| event.id).collect();
    assert_eq!(
        stored,
        log.between(None, 0, EventId::MAX),
        "the log changed"
    );
    for event in &all {
        let frame = frame(event);
        assert_eq!(
            log.frame(event.id).map(str::as_bytes),
            Some(frame.as_bytes()),
            "rewritten"
        );
    }
    for (id, run) in &log.runs {
        let folded = server.reader.fold_run(*id).unwrap();
        let there = !log.deleted.contains(id);
        assert_eq!(
            folded.as_ref(),
            Some(run).filter(|_| there),
            "the fold of {id}"
        );
    }
    acknowledged.check_all(server, log);
}

/// All that the projection says.
pub fn rows(server: &Server) -> Vec<(Vec<String>, Option<String>, Option<String>)> {
    let views = server.reader.runs(&RunFilter::default()).unwrap();
    let live = server.reader.live_runs().unwrap();
    let row = |view: String| {
        let shown: Value = serde_json::from_str(&view).unwrap();
        let id: RunId = shown["id"].as_str().unwrap().parse().unwrap();
        let tasks = server.reader.run_tasks(id).unwrap();
        let live = live.contains(&id).to_string();
        (
            vec![view, live],
            server.reader.run_queue(id).unwrap(),
            tasks,
        )
    };
    views.into_iter().map(row).collect()
}

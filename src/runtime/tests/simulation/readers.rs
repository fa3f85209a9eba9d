//! Readers of the event stream: they replay, join, read slowly, leave, and come back.

use super::{checks::Log, server::Server};
use crate::{
    domain::{EventId, RunId},
    runtime::stream::{
        broadcaster::{Joined, Subscribe, Subscription},
        replay::{Next, Page, Replay},
    },
};
use std::sync::atomic::Ordering;

/// Small, so that a log has several.
const PAGE_LEN: u32 = 5;

enum Place {
    Replay,
    Paged(Page),
    Live(Subscription),
    /// The stream was ended; it comes back with the last id it has.
    Cut,
    /// Its run was deleted.
    Over,
}

pub struct Reader {
    run_id: Option<RunId>,
    /// The place that it named first.
    from: EventId,
    seen: Vec<EventId>,
    /// Of the last event that it saw in its run.
    sequence: Option<u64>,
    /// It saw that its run was deleted: the stream has to end.
    over_after_deletion: bool,
    replay: Replay,
    place: Place,
}

impl Reader {
    pub fn new(run_id: Option<RunId>, from: EventId) -> Self {
        Self {
            run_id,
            from,
            seen: Vec::new(),
            sequence: None,
            over_after_deletion: false,
            replay: Replay::new(run_id, from, PAGE_LEN),
            place: Place::Replay,
        }
    }

    fn last(&self) -> EventId {
        self.seen.last().copied().unwrap_or(self.from)
    }

    /// The connection is gone: the server crashed, or the reader was too slow.
    pub fn cut(&mut self) {
        if !matches!(self.place, Place::Over) {
            self.place = Place::Cut;
        }
    }

    /// Goes on by one step; false when there is nothing to do.
    pub fn step(&mut self, server: &mut Server, log: &Log) -> bool {
        match std::mem::replace(&mut self.place, Place::Cut) {
            Place::Over => {
                self.place = Place::Over;
                false
            }
            Place::Cut => {
                // The server answers 404 for a run that is gone.
                let there = |id| server.reader.run_exists(id).unwrap();
                self.replay = Replay::new(self.run_id, self.last(), PAGE_LEN);
                self.place = if self.run_id.is_none_or(there) {
                    Place::Replay
                } else {
                    Place::Over
                };
                true
            }
            Place::Replay => {
                self.place = Place::Paged(self.replay.read(&server.reader).unwrap());
                true
            }
            Place::Paged(page) => {
                let (bytes, next) = self.replay.take(page);
                self.see(&bytes, log);
                self.place = match next {
                    Next::Page => Place::Replay,
                    Next::End => Place::Over,
                    Next::Join => self.join(server, log),
                };
                true
            }
            Place::Live(mut live) => {
                let next = live.live.try_recv();
                if let Ok(bytes) = &next {
                    live.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
                    self.see(bytes, log);
                }
                let cut = matches!(
                    next,
                    Err(tokio::sync::mpsc::error::TryRecvError::Disconnected)
                );
                self.place = if cut { Place::Cut } else { Place::Live(live) };
                next.is_ok() || cut
            }
        }
    }

    fn join(&mut self, server: &mut Server, log: &Log) -> Place {
        let ask = Subscribe {
            run_id: self.run_id,
            after: self.replay.after,
        };
        match server.ring.join(&ask) {
            Joined::Live(mut live) => {
                for frame in std::mem::take(&mut live.backlog) {
                    self.see(&frame, log);
                }
                Place::Live(live)
            }
            Joined::Behind => Place::Replay,
            Joined::Closed => Place::Cut,
        }
    }

    /// Takes frames: each is an event of the log, the next one after the last.
    fn see(&mut self, bytes: &[u8], log: &Log) {
        let text = std::str::from_utf8(bytes).unwrap();
        for frame in text.split_inclusive("\n\n") {
            let id = frame
                .strip_prefix("id: ")
                .and_then(|rest| rest.split_once('\n'));
            let id: EventId = id.expect("a frame begins with its id").0.parse().unwrap();
            let stored = log.frame(id);
            assert_eq!(stored, Some(frame), "a reader was given what is not stored");
            assert!(
                id > self.last(),
                "{id} after {}: twice or out of order",
                self.last()
            );
            let missed = log.between(self.run_id, self.last(), id);
            assert!(
                missed.is_empty(),
                "a reader was given {id} without {missed:?}"
            );
            self.seen.push(id);
            if self.run_id.is_some() {
                let data = frame.split_once("data: ").unwrap().1;
                let data: serde_json::Value = serde_json::from_str(data).unwrap();
                let sequence = data["sequence"].as_u64().unwrap();
                let before = self.sequence.replace(sequence);
                let follows = before.is_none_or(|before| before + 1 == sequence);
                assert!(
                    follows,
                    "a hole in a run's stream: {before:?}, then {sequence}"
                );
                self.over_after_deletion = data["event_type"] == "run.deleted";
            }
        }
    }

    /// With nothing left to do it has everything.
    pub fn check_complete(&self, log: &Log) {
        let missed = log.between(self.run_id, self.last(), EventId::MAX);
        let over = matches!(self.place, Place::Over);
        assert!(
            over || !self.over_after_deletion,
            "a stream outlives its run"
        );
        assert!(over || missed.is_empty(), "a reader never gets {missed:?}");
    }
}

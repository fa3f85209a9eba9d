//! Callers of the API, `abbado hook`, and what they were promised.

use super::{checks::Log, server::Server, world::World};
use crate::{
    domain::{RunId, run::callers::Callers},
    runtime::{
        ids,
        messages::{AskError, Delivery, Key, Outcome, QueueChange, ReplySender, Request},
        run::mailbox::Ask,
    },
    store::Idempotent,
};
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::sync::oneshot;
use uuid::Uuid;

/// What an answer promises.
#[derive(Debug, Clone)]
pub enum Promise {
    /// The run exists.
    Created,
    /// A hook of this delivery is recorded.
    Hook(Uuid, Value),
    /// A message under a key is recorded once, however often it is sent.
    Message {
        key: String,
        text: String,
        queued: bool,
    },
    /// The run was deleted.
    Deleted,
    /// Its process and its request to stop are over.
    Stopped,
    /// Nothing more.
    Nothing,
}

struct Call {
    run_id: RunId,
    promise: Promise,
    outcome: oneshot::Receiver<Outcome>,
}

/// What was promised and must hold for ever.
#[derive(Default)]
pub struct Acknowledged {
    all: Vec<(RunId, Promise)>,
    fresh: usize,
    /// Runs that were said just now not to be there.
    unknown: Vec<RunId>,
    /// Hooks that were given to the spool: not promised yet, but not to be lost.
    pub kept: BTreeMap<Uuid, RunId>,
}

#[derive(Default)]
pub struct Clients {
    calls: Vec<Call>,
    /// Messages whose outcome is not known.
    pub unsure: Vec<(RunId, Promise)>,
    pub acknowledged: Acknowledged,
    /// Answers, by what they were.
    pub answers: BTreeMap<&'static str, usize>,
}

impl Clients {
    pub fn ask(&mut self, server: &mut Server, run_id: RunId, request: Request, promise: Promise) {
        self.ask_once(server, run_id, request, promise, None);
    }

    fn ask_once(
        &mut self,
        server: &mut Server,
        run_id: RunId,
        request: Request,
        promise: Promise,
        key: Key,
    ) {
        let (caller, outcome) = ReplySender::new(key);
        server.ask(Ask {
            run_id,
            request,
            caller,
        });
        self.calls.push(Call {
            run_id,
            promise,
            outcome,
        });
    }

    /// A message, the first time or again. What `http` does with a key: an answer that is
    /// remembered is given again.
    pub fn say(&mut self, server: &mut Server, run_id: RunId, promise: Promise) {
        let Promise::Message { key, text, queued } = promise.clone() else {
            return;
        };
        if server
            .reader
            .remembered(&scope(run_id), &key, server.now)
            .unwrap()
            .is_some()
        {
            return self.acknowledged.add(run_id, promise);
        }
        let key = Some(Box::new(Idempotent {
            scope: scope(run_id),
            key,
            fingerprint: Vec::new(),
            status: 200,
            answer: String::new(),
        }));
        let (id, message) = (ids::message(), text);
        let request = if queued {
            Request::Queue(QueueChange::Add { id, message })
        } else {
            Request::Continue { id, message }
        };
        self.ask_once(server, run_id, request, promise, key);
    }

    pub fn hook(&mut self, server: &mut Server, run_id: RunId, delivery: Uuid, payload: Value) {
        let promise = Promise::Hook(delivery, payload.clone());
        let request = Request::Hook(Delivery {
            id: Some(delivery),
            payload,
            callers: Callers::default(),
            waits: false,
        });
        self.ask(server, run_id, request, promise);
    }

    /// Takes the answers that are there; true when there were any.
    pub fn hear(&mut self, world: &mut World) -> bool {
        let mut heard = false;
        let mut at = 0;
        while at < self.calls.len() {
            let outcome = match self.calls[at].outcome.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => {
                    at += 1;
                    continue;
                }
                Err(oneshot::error::TryRecvError::Closed) => Err(AskError::ActorEnded),
                Ok(outcome) => outcome,
            };
            heard = true;
            let call = self.calls.remove(at);
            self.answered(world, call.run_id, call.promise, outcome);
        }
        heard
    }

    /// The server died: nobody is answered any more.
    pub fn cut(&mut self, world: &mut World) {
        for call in std::mem::take(&mut self.calls) {
            self.answered(world, call.run_id, call.promise, Err(AskError::ActorEnded));
        }
    }

    fn answered(&mut self, world: &mut World, run_id: RunId, promise: Promise, outcome: Outcome) {
        let name = match &outcome {
            Ok(_) => "done",
            Err(AskError::Rejected(_)) => "rejected",
            Err(AskError::Store(_)) => "not stored",
            Err(AskError::ActorEnded) => "unknown outcome",
            Err(AskError::UnknownRun) => "unknown run",
            Err(AskError::Busy { .. } | AskError::TooManyRuns { .. }) => "busy",
            Err(AskError::NotTaken(_)) => "not taken",
            Err(_) => "other",
        };
        *self.answers.entry(name).or_default() += 1;
        if matches!(outcome, Err(AskError::UnknownRun)) {
            self.acknowledged.unknown.push(run_id);
        }
        match (promise, outcome) {
            (promise, Ok(_)) => self.acknowledged.add(run_id, promise),
            (Promise::Hook(..), Err(AskError::UnknownRun | AskError::NoEventName)) => {}
            (Promise::Hook(delivery, payload), Err(_)) => {
                world.keep(run_id, delivery, &payload);
                self.acknowledged.kept.insert(delivery, run_id);
            }
            (promise, Err(AskError::ActorEnded | AskError::Store(_) | AskError::Busy { .. })) => {
                self.unsure.push((run_id, promise));
            }
            (_, Err(_)) => {}
        }
    }

    pub fn is_waiting(&self) -> bool {
        !self.calls.is_empty()
    }

    /// What is waited for, for a message.
    pub fn waiting(&self) -> Vec<String> {
        let one = |call: &Call| format!("{} {:?}", call.run_id, call.promise);
        self.calls.iter().map(one).collect()
    }
}

fn scope(run_id: RunId) -> String {
    format!("POST /api/runs/{run_id}")
}

impl Acknowledged {
    fn add(&mut self, run_id: RunId, promise: Promise) {
        self.all.push((run_id, promise));
        self.fresh += 1;
    }

    /// What was answered just now is stored already.
    pub fn check_new(&self, server: &Server, log: &Log) {
        for (run_id, promise) in &self.all[self.all.len() - self.fresh..] {
            holds(*run_id, promise, server, log);
            if matches!(promise, Promise::Stopped) && !log.deleted.contains(run_id) {
                let run = &log.runs[run_id];
                assert!(run.last_sequence > 1, "stopped without a word");
            }
        }
        for run_id in &self.unknown {
            let there = log.runs.contains_key(run_id) && !log.deleted.contains(run_id);
            assert!(!there, "{run_id} is there and was said not to be");
        }
    }

    pub fn checked(&mut self) {
        self.fresh = 0;
        self.unknown.clear();
    }

    pub fn check_all(&self, server: &Server, log: &Log) {
        for (run_id, promise) in &self.all {
            holds(*run_id, promise, server, log);
        }
    }

    /// With nothing left to do, what was spooled is recorded.
    pub fn check_kept(&self, server: &Server, log: &Log) {
        for (delivery, run_id) in &self.kept {
            let gone = log.deleted.contains(run_id) || !log.runs.contains_key(run_id);
            let there = server.reader.delivered(*delivery).unwrap();
            assert!(
                gone || there,
                "a spooled hook was lost: {delivery} of {run_id}"
            );
        }
    }
}

fn holds(run_id: RunId, promise: &Promise, server: &Server, log: &Log) {
    if log.deleted.contains(&run_id) {
        return;
    }
    match promise {
        Promise::Created => assert!(log.runs.contains_key(&run_id), "no run {run_id}"),
        Promise::Hook(delivery, _) => {
            let there = server.reader.delivered(*delivery).unwrap();
            assert!(there, "an acknowledged hook is not stored: {delivery}");
        }
        Promise::Message { key, text, queued } => {
            let record = server.reader.remembered(&scope(run_id), key, server.now);
            assert!(record.unwrap().is_some(), "the key {key} is forgotten");
            let name = if *queued { "queued " } else { "" };
            let count = log.recorded(run_id, &format!("{name}{text}"));
            assert_eq!(
                count, 1,
                "an acknowledged message is there {count} times: {text}"
            );
        }
        Promise::Deleted => panic!("{run_id} was said to be deleted"),
        Promise::Stopped | Promise::Nothing => {}
    }
}

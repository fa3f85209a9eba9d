//! What a run's actor works off in order: hooks, looks, the end of the process.

use super::{
    ledger::{Along, Ledger, Todo},
    messages::{Answer, AskError},
    spool,
};
use crate::{
    cli::{CliError, payload as payloads},
    domain::run::{Command, caller::Callers, command::Hook, event::Lacks},
    pty::ExitReport,
    store::Reader,
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

/// Appends of one run that may be under way before its line waits.
const PENDING_MAX: usize = 64;

/// Somebody who waits for an answer. Dropped without one, they hear that the actor ended.
#[derive(Debug)]
pub struct Reply {
    caller: oneshot::Sender<Answer>,
    /// What was admitted is under way until it is answered.
    permit: Option<OwnedSemaphorePermit>,
}

impl Reply {
    /// One, and where its answer comes out.
    #[must_use]
    pub fn new() -> (Self, oneshot::Receiver<Answer>) {
        let (caller, answer) = oneshot::channel();
        let permit = None;
        (Self { caller, permit }, answer)
    }

    /// The request is admitted.
    pub(super) fn admit(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }
}

/// Answers a caller; one that went away wants no answer.
pub(super) fn answer(reply: Option<Reply>, with: Answer) {
    if let Some(Reply { caller, permit }) = reply {
        drop(permit);
        drop(caller.send(with));
    }
}

/// A reply that the writer gives with the commit, or else the actor.
#[derive(Clone)]
pub(super) struct Held(Arc<Mutex<Option<Reply>>>);

impl Held {
    pub fn new(reply: Option<Reply>) -> Self {
        Self(Arc::new(Mutex::new(reply)))
    }

    /// The reply, for the first who takes it.
    pub fn take(&self) -> Option<Reply> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.take()
    }
}

/// Something that must keep its order.
pub(super) enum Job {
    /// A hook.
    Hook {
        payload: Value,
        delivery: Option<Uuid>,
        callers: Callers,
        from: From,
    },
    /// A hook in the spool; read when its turn comes, so that a long line costs no memory.
    Spooled(PathBuf),
    /// The transcript may have grown.
    Look,
    /// Nothing was heard of the CLI for too long, unless what waits in line is a word of it.
    Silence(Lacks),
    /// The process is gone.
    Exit {
        report: Option<ExitReport>,
        attempt: u32,
    },
}

/// Where a hook came from.
pub(super) enum From {
    /// A caller waits for it.
    Caller(Reply),
    /// A spool file, removed when its events are durable.
    Spool(PathBuf),
}

impl Ledger {
    /// Puts spooled hooks in line. What is in line already is not read again.
    pub fn take_spool(&mut self, run_dir: &Path) {
        let waiting = match self.spool.new_ones(run_dir) {
            Ok(waiting) => waiting,
            Err(error) => {
                log::error!(run_id:% = self.id; "The spool of run {} is unreadable: {error}.", self.id);
                return;
            }
        };
        for path in waiting {
            if self.spool_under_way.insert(path.clone()) {
                self.jobs.push_back(Job::Spooled(path));
            }
        }
    }

    /// The next of the line; nothing while a job waits, or enough is being stored.
    pub fn next_job(&mut self) -> Option<Job> {
        if self.working || self.pending >= PENDING_MAX {
            return None;
        }
        self.jobs.pop_front()
    }

    /// A spooled hook; nothing when the file is none or was recorded before.
    pub fn spooled(&mut self, path: PathBuf, reader: &Reader) -> Option<(Hook, Along)> {
        let spool::Spooled {
            delivery,
            callers,
            payload,
        } = spool::read(&path);
        match payload {
            Some(payload) => self.hook(payload, delivery, callers, From::Spool(path), reader),
            None => {
                self.spool_under_way.remove(&path);
                spool::set_aside(&path);
                None
            }
        }
    }

    /// A hook in abbado's words; nothing when it is none or was recorded before.
    pub fn hook(
        &mut self,
        payload: Value,
        delivery: Option<Uuid>,
        callers: Callers,
        from: From,
        reader: &Reader,
    ) -> Option<(Hook, Along)> {
        let translated = self.adapter().map(|adapter| {
            // What our hook program brings has no second copy.
            let ours = delivery.is_some() && !payloads::has_name(&payload);
            let payload = if ours {
                Value::Object(payloads::named(payload, &CliError::NoEventName.to_string()))
            } else {
                payload
            };
            adapter.hook(payload)
        });
        let Some(Ok(mut hook)) = translated else {
            match from {
                From::Caller(reply) => answer(Some(reply), Err(AskError::NoEventName)),
                From::Spool(path) => {
                    self.spool_under_way.remove(&path);
                    spool::set_aside(&path);
                }
            }
            return None;
        };
        hook.callers = callers;
        let from = match delivery {
            None => from,
            Some(delivery) => self.delivered(delivery, from, reader)?,
        };
        let (reply, spooled) = match from {
            From::Caller(reply) => (Some(reply), None),
            From::Spool(path) => (None, Some(path)),
        };
        let along = Along {
            reply,
            answer: Some(Ok(String::new())),
            with_commit: true,
            delivery,
            spooled,
            ..Along::default()
        };
        Some((hook, along))
    }

    /// Gives a delivery back that did not come before; who brings one that is not durable yet
    /// waits for that.
    fn delivered(&mut self, delivery: Uuid, from: From, reader: &Reader) -> Option<From> {
        if self.deliveries.came_before(delivery) {
            if let Some(from) = self.deliveries.wait(delivery, from) {
                self.recorded(from);
            }
            return None;
        }
        if reader.delivered(delivery).unwrap_or(false) {
            self.recorded(from);
            return None;
        }
        Some(from)
    }

    /// A delivery is in the log: says so to who brought it.
    pub fn recorded(&mut self, from: From) {
        match from {
            From::Caller(reply) => answer(Some(reply), Ok(String::new())),
            From::Spool(path) => self.spool_file_done(&path),
        }
    }

    pub fn spool_file_done(&mut self, path: &Path) {
        spool::taken(path);
        self.spool_under_way.remove(path);
    }

    /// The process is gone: said when the line before it is worked off.
    pub fn exited(&mut self, report: Option<ExitReport>, attempt: u32, run_dir: &Path) {
        self.take_spool(run_dir);
        self.jobs.push_back(Job::Exit { report, attempt });
    }

    /// A launch is known never to have happened.
    pub fn never_launched(&mut self, run_dir: &Path) -> Todo {
        let stopping = self.run.as_ref().filter(|run| run.stop.is_some());
        let Some(attempt) = stopping.map(|run| run.attempt) else {
            return Todo::Execute(Command::Relaunch, Along::default());
        };
        self.exited(None, attempt, run_dir);
        Todo::Work
    }

    /// Spool or transcript may have grown.
    pub fn look(&mut self, run_dir: &Path) {
        self.take_spool(run_dir);
        self.jobs.push_back(Job::Look);
    }
}

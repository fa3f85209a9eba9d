//! Appends events. One thread owns the write connection; everyone else asks it.
//!
//! Holds: an answer leaves after the commit that contains it; sequences of a run have no holes;
//! batches go to the broadcaster in the order of their ids.
//!
//! # Crash
//! Before the commit: nothing happened, callers see a failure. After it, before the answer: the
//! caller does not know; the log does, and a repeated delivery or key is recognised.

use super::{
    StoreError,
    catalog::{self, Idempotent},
    codec::{Payload, StoredEvent, VERSION},
    projection::{self, RunRow},
    secrets,
};
use crate::domain::{RunId, Secrets, Time};
use rusqlite::{Connection, OptionalExtension, params};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Longest list of waiting writes. A write is some KiB, so the list stays under 100 MiB even when
/// each is a large hook; behind it callers wait for room.
const QUEUE_LEN_MAX: usize = 1024;
/// Most writes in one transaction: past this, a longer batch gains nothing more per event
/// (measured: 256 a commit is 160,000 events/s) and only delays the first answer.
const BATCH_LEN_MAX: usize = 256;
/// After so many writes the statistics and the list of old keys are looked after.
const TIDY_EVERY: u64 = 10_000;

/// Events of one run to append, all or none.
#[derive(Debug)]
pub struct Append {
    /// The run.
    pub run_id: RunId,
    /// Sequence of the last event the caller knows; 0 for a new run.
    pub expected_sequence: u64,
    /// The events, in order.
    pub events: Vec<Payload>,
    /// When they happened, as the log will say.
    pub at: Time,
    /// The run after them; none when they delete it.
    pub row: Option<RunRow>,
    /// The hook delivery that brought them.
    pub delivery: Option<Uuid>,
    /// The first answer under an Idempotency-Key.
    pub idempotent: Option<Idempotent>,
    /// With `run.created`: what the log must not hold.
    pub secrets: Secrets,
}

/// Events of one commit, in the order of their ids.
pub type Batch = Arc<Vec<StoredEvent>>;

/// Says whether the commit that held a write succeeded.
type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// A catalog write: run inside the transaction, then told of the commit.
type CatalogJob = Box<dyn FnOnce(Result<&Connection, StoreError>) -> (bool, Finish) + Send>;
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

enum Write {
    Append(Append, Answer<()>),
    Catalog(CatalogJob),
}

/// The write side of the store.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Write>,
}

impl Writer {
    pub(super) fn start(connection: Connection, batches: mpsc::Sender<Batch>) -> Self {
        let (queue, writes) = mpsc::channel(QUEUE_LEN_MAX);
        let worker = Worker {
            connection,
            writes,
            batches,
            written: 0,
        };
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || worker.run())
            .expect("the process may start threads at its own start");
        Self { queue }
    }

    /// Appends. The order of calls is the order of appends; the future that comes back tells of
    /// the commit and may be awaited later or dropped.
    ///
    /// # Errors
    /// The outer error hands the append back when the queue is full: wait with
    /// [`Writer::append_waiting`].
    pub fn append(
        &self,
        append: Append,
    ) -> Result<oneshot::Receiver<Result<(), StoreError>>, Box<Append>> {
        let (answer, committed) = oneshot::channel();
        match self.queue.try_send(Write::Append(append, answer)) {
            Ok(()) => Ok(committed),
            Err(mpsc::error::TrySendError::Full(Write::Append(append, _))) => Err(Box::new(append)),
            // A closed queue drops the answer's sender: the receiver says so.
            Err(_) => Ok(committed),
        }
    }

    /// Appends, waiting for room in the queue first.
    pub async fn append_waiting(
        &self,
        append: Append,
    ) -> oneshot::Receiver<Result<(), StoreError>> {
        let (answer, committed) = oneshot::channel();
        // A closed queue drops the answer's sender: the receiver says so.
        drop(self.queue.send(Write::Append(append, answer)).await);
        committed
    }

    /// Runs `write` in the writer's thread, inside a savepoint, and answers after the commit.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, committed) = oneshot::channel();
        let job: CatalogJob = Box::new(move |connection| {
            let outcome = connection.and_then(write);
            let fine = outcome.is_ok();
            let finish: Finish = Box::new(move |commit| {
                let outcome = outcome.and_then(|value| commit.map(|()| value));
                // A caller that went away wants no answer.
                drop(answer.send(outcome));
            });
            (fine, finish)
        });
        self.queue
            .send(Write::Catalog(job))
            .await
            .map_err(|_| StoreError::Closed)?;
        committed.await.map_err(|_| StoreError::Closed)?
    }
}

struct Worker {
    connection: Connection,
    writes: mpsc::Receiver<Write>,
    batches: mpsc::Sender<Batch>,
    written: u64,
}

/// What one transaction did.
#[derive(Default)]
struct Done {
    committed: Vec<StoredEvent>,
    rows: HashMap<RunId, RunRow>,
    deleted: HashSet<RunId>,
    sequences: HashMap<RunId, u64>,
    answers: Vec<Finish>,
}

impl Worker {
    fn run(mut self) {
        while let Some(first) = self.writes.blocking_recv() {
            let mut waiting = vec![first];
            while waiting.len() < BATCH_LEN_MAX
                && let Ok(next) = self.writes.try_recv()
            {
                waiting.push(next);
            }
            self.written += waiting.len() as u64;
            let batch = self.transaction(waiting);
            if !batch.is_empty() && self.batches.blocking_send(Arc::new(batch)).is_err() {
                log::debug!("Nobody listens to the log any more.");
            }
            if self.written >= TIDY_EVERY {
                self.written = 0;
                self.tidy();
            }
        }
    }

    /// One transaction for all of `waiting`; returns the events that became visible.
    fn transaction(&mut self, waiting: Vec<Write>) -> Vec<StoredEvent> {
        crate::fault::point("store.before_commit");
        let mut done = Done::default();
        if let Err(error) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            return refuse(waiting, &error.into());
        }
        for write in waiting {
            let answer = self.one(write, &mut done);
            done.answers.push(answer);
        }
        let commit = self.write_rows(&done).and_then(|()| {
            self.connection
                .execute_batch("COMMIT")
                .map_err(StoreError::from)
        });
        crate::fault::point("store.after_commit");
        if let Err(error) = &commit {
            log::error!(batch_len = done.answers.len(); "A commit failed: {error}.");
            if !self.connection.is_autocommit()
                && let Err(error) = self.connection.execute_batch("ROLLBACK")
            {
                log::error!("A rollback failed: {error}.");
            }
            done.committed.clear();
        }
        for answer in done.answers {
            answer(commit.clone());
        }
        done.committed
    }

    /// Carries out one write in a savepoint of its own, so that its failure is its own.
    fn one(&self, write: Write, done: &mut Done) -> Finish {
        // A full disk ends the whole transaction; what follows must not run outside of it.
        let begun = if self.connection.is_autocommit() {
            Err(StoreError::Full)
        } else {
            self.connection
                .execute_batch("SAVEPOINT one")
                .map_err(StoreError::from)
        };
        match write {
            Write::Append(append, answer) => {
                let mark = done.committed.len();
                let outcome = begun
                    .and_then(|()| self.append(append, done))
                    .and_then(|()| self.release());
                if outcome.is_err() {
                    done.committed.truncate(mark);
                    self.roll_back();
                }
                Box::new(move |commit| drop(answer.send(outcome.and(commit))))
            }
            Write::Catalog(job) => {
                let (fine, finish) = job(begun.map(|()| &self.connection));
                if fine {
                    match self.release() {
                        Ok(()) => finish,
                        Err(error) => Box::new(move |_| finish(Err(error))),
                    }
                } else {
                    self.roll_back();
                    finish
                }
            }
        }
    }

    fn release(&self) -> Result<(), StoreError> {
        Ok(self.connection.execute_batch("RELEASE one")?)
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self
                .connection
                .execute_batch("ROLLBACK TO one; RELEASE one")
        {
            log::error!("A savepoint could not be rolled back: {error}.");
        }
    }

    fn append(&self, append: Append, done: &mut Done) -> Result<(), StoreError> {
        let id = append.run_id;
        let found = match done.sequences.get(&id) {
            Some(known) => *known,
            None => self.last_sequence(id)?,
        };
        if found != append.expected_sequence {
            return Err(StoreError::WrongSequence {
                expected: append.expected_sequence,
                found,
            });
        }
        if let Some(record) = &append.idempotent {
            catalog::remember(&self.connection, record, append.at)?;
        }
        if !append.secrets.is_empty() {
            secrets::keep(&self.connection, id, &append.secrets)?;
        }
        let mut sequence = found;
        let mut delivery = append.delivery;
        for payload in append.events {
            sequence += 1;
            let event_id = self.insert(id, sequence, &payload, append.at, delivery.take())?;
            done.committed.push(StoredEvent {
                id: event_id,
                run_id: id,
                sequence,
                event_type: payload.event_type.to_owned(),
                payload: payload.json,
                created_at: append.at,
            });
        }
        match append.row {
            Some(row) => {
                // The row must exist at once: the next statement may delete by it.
                done.rows.insert(id, row);
            }
            None => {
                self.delete_run(id, sequence)?;
                done.rows.remove(&id);
                done.deleted.insert(id);
            }
        }
        done.sequences.insert(id, sequence);
        Ok(())
    }

    fn last_sequence(&self, id: RunId) -> Result<u64, StoreError> {
        let mut query = self.connection.prepare_cached(
            "SELECT sequence FROM events WHERE run_id = ?1 ORDER BY sequence DESC LIMIT 1",
        )?;
        let last: Option<i64> = query
            .query_row([id.0.as_bytes()], |row| row.get(0))
            .optional()?;
        Ok(last.map_or(0, |last| u64::try_from(last).unwrap_or(0)))
    }

    fn insert(
        &self,
        id: RunId,
        sequence: u64,
        payload: &Payload,
        at: Time,
        delivery: Option<Uuid>,
    ) -> Result<i64, StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO events (run_id, sequence, event_type, version, payload, created_at,
                                     delivery)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                id.0.as_bytes(),
                sequence,
                payload.event_type,
                VERSION,
                payload.json,
                at.timestamp_millis(),
                delivery.map(Uuid::into_bytes),
            ])?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Drops a run, its secrets, and its events but the last one, which says that it was deleted.
    fn delete_run(&self, id: RunId, last: u64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM runs WHERE id = ?1")?
            .execute([id.0.as_bytes()])?;
        self.connection
            .prepare_cached("DELETE FROM events WHERE run_id = ?1 AND sequence < ?2")?
            .execute(params![id.0.as_bytes(), last])?;
        secrets::remove(&self.connection, id)
    }

    /// One row a run, however many appends of it the batch held.
    fn write_rows(&self, done: &Done) -> Result<(), StoreError> {
        for (id, row) in &done.rows {
            if !done.deleted.contains(id) {
                projection::write(&self.connection, *id, row)?;
            }
        }
        Ok(())
    }

    fn tidy(&self) {
        if let Err(error) = catalog::forget_old_keys(&self.connection) {
            log::warn!("Old idempotency keys could not be removed: {error}.");
        }
    }
}

/// Answers all with the failure to begin.
fn refuse(waiting: Vec<Write>, error: &StoreError) -> Vec<StoredEvent> {
    log::error!(batch_len = waiting.len(); "A transaction could not begin: {error}.");
    for write in waiting {
        match write {
            Write::Append(_, answer) => drop(answer.send(Err(error.clone()))),
            Write::Catalog(job) => job(Err(error.clone())).1(Err(error.clone())),
        }
    }
    Vec::new()
}

//! Appends events. One thread owns the write connection; everyone else asks it.
//!
//! Holds: an answer leaves after the commit that contains it; sequences of a run have no holes;
//! batches go to the broadcaster in the order of their ids.
//!
//! # Crash
//! Before the commit: nothing happened, callers see a failure. After it, before the answer: the
//! caller does not know; the log does, and a repeated delivery or key is recognised.
//!
//! A panic is a crash of one transaction: its callers get [`StoreError::Interrupted`], the thread
//! continues with the next one, and what was committed but not published is read from the log.

use super::{
    StoreError,
    catalog::{self, Idempotent},
    codec::{Payload, StoredEvent},
    projection::RunRow,
    reader,
};
use crate::domain::{EventId, RunId, Secrets, Time};
use rusqlite::Connection;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

#[cfg(test)]
pub mod stepped;
mod transaction;

/// Longest list of waiting writes. A write is some KiB, so the list stays under 100 MiB even when
/// each is a large hook; behind it callers wait for room.
const QUEUE_LEN_MAX: usize = 1024;
/// Most writes in one transaction: past this, a longer batch gains nothing more per event
/// (measured: 256 a commit is 160,000 events/s) and only delays the first answer.
const BATCH_LEN_MAX: usize = 256;
/// Events published at once after a panic.
const CATCH_UP_LEN: u32 = 1024;
/// Writes between two removals of old idempotency keys.
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
    /// Called right after the commit that contains it.
    pub stored: Option<Stored>,
}

impl Append {
    /// Nothing but one event is written before the commit, and then the run's row.
    fn is_one_statement(&self) -> bool {
        let only_event = self.events.len() == 1 && self.row.is_some();
        only_event && self.idempotent.is_none() && self.secrets.is_empty()
    }
}

/// Something to do right after a commit, in the writer's thread; it must not block.
pub struct Stored(Box<dyn FnOnce() + Send>);

impl Stored {
    /// What to do.
    pub fn new(then: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(then))
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Stored")
    }
}

/// Events of one commit, in the order of their ids.
pub type Batch = Arc<Vec<StoredEvent>>;

/// Says whether the commit that held an append succeeded.
type CommitSender = oneshot::Sender<Result<(), StoreError>>;

/// A catalog write: run inside the transaction; its [`Finish`] gets the outcome of the commit.
type CatalogJob = Box<dyn FnOnce(Result<&Connection, StoreError>) -> (bool, Finish) + Send>;
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

enum Write {
    Append(Append, CommitSender),
    Catalog(CatalogJob),
}

/// An entry of the writer's queue.
enum Asked {
    Write(Write),
    /// No more writes are accepted; those in the queue are still stored, then this is notified.
    Close(oneshot::Sender<()>),
}

/// The write side of the store.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Asked>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        batches: mpsc::Sender<Batch>,
    ) -> Result<Self, StoreError> {
        let (queue, asked) = mpsc::channel(QUEUE_LEN_MAX);
        let published = reader::head_of(&connection)?;
        let worker = Worker {
            connection,
            asked,
            closed: None,
            batches,
            published,
            behind: false,
            written: 0,
        };
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || worker.run())
            .expect("the process may start threads at its own start");
        Ok(Self { queue })
    }

    /// Appends. The order of calls is the order of appends; the returned [`Commit`] may be awaited
    /// later or dropped.
    ///
    /// # Errors
    /// The outer error hands the append back when the queue is full: wait with
    /// [`Writer::append_waiting`].
    pub fn append(&self, append: Append) -> Result<Commit, Box<Append>> {
        let (answer, committed) = oneshot::channel();
        let asked = Asked::Write(Write::Append(append, answer));
        match self.queue.try_send(asked) {
            Ok(()) => Ok(Commit(Some(committed))),
            Err(mpsc::error::TrySendError::Full(Asked::Write(Write::Append(append, _)))) => {
                Err(Box::new(append))
            }
            Err(_) => Ok(Commit(None)),
        }
    }

    /// Appends, waiting for room in the queue first.
    pub async fn append_waiting(&self, append: Append) -> Commit {
        let (answer, committed) = oneshot::channel();
        let asked = Asked::Write(Write::Append(append, answer));
        let sent = self.queue.send(asked).await;
        Commit(sent.is_ok().then_some(committed))
    }

    /// Stores what waits, then brings everything into the one database file: a copy of it is
    /// whole. Later writes get [`StoreError::Closed`].
    pub async fn close(&self) {
        let (answer, closed) = oneshot::channel();
        // A writer that has ended is closed.
        if self.queue.send(Asked::Close(answer)).await.is_ok() {
            drop(closed.await);
        }
    }

    /// Runs `write` in the writer's thread, inside a savepoint, and answers after the commit.
    /// An error undoes it.
    pub(super) async fn run<T, E>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, committed) = oneshot::channel();
        let job: CatalogJob = Box::new(move |connection| {
            let outcome = connection.map_err(E::from).and_then(write);
            let fine = outcome.is_ok();
            let finish: Finish = Box::new(move |commit| {
                let outcome = outcome.and_then(|value| Ok(commit.map(|()| value)?));
                // A caller that went away wants no answer.
                drop(answer.send(outcome));
            });
            (fine, finish)
        });
        let asked = self.queue.send(Asked::Write(Write::Catalog(job)));
        asked.await.map_err(|_| StoreError::Closed)?;
        committed.await.map_err(|_| StoreError::Interrupted)?
    }
}

/// The commit of an append, none when the queue was closed.
#[derive(Debug)]
pub struct Commit(Option<oneshot::Receiver<Result<(), StoreError>>>);

impl Commit {
    /// Waits for it.
    ///
    /// # Errors
    /// Why the append was not stored; [`StoreError::Interrupted`] when only the log knows.
    pub async fn outcome(self) -> Result<(), StoreError> {
        let committed = self.0.ok_or(StoreError::Closed)?;
        committed.await.map_err(|_| StoreError::Interrupted)?
    }
}

struct Worker {
    connection: Connection,
    /// Who waits for the writer to close.
    closed: Option<oneshot::Sender<()>>,
    asked: mpsc::Receiver<Asked>,
    batches: mpsc::Sender<Batch>,
    /// The last event that was published.
    published: EventId,
    /// The log may have events after `published` that were not published.
    behind: bool,
    written: u64,
}

impl Worker {
    fn run(mut self) {
        while let Some(asked) = self.asked.blocking_recv() {
            let Some(first) = self.write_of(asked) else {
                continue;
            };
            // What a panic leaves half done is rolled back, or read again from the log.
            let turn = AssertUnwindSafe(|| self.turn(first));
            if std::panic::catch_unwind(turn).is_err() {
                log::error!("The writer panicked; it continues with the next transaction.");
                self.behind = true;
                // What was committed is published without waiting for another write.
                self.catch_up();
            }
        }
        if let Some(closed) = self.closed.take() {
            self.make_whole();
            drop(self);
            // Who asked may have gone.
            closed.send(()).ok();
        }
    }

    /// The write that was asked for; none when it is the end of them.
    fn write_of(&mut self, asked: Asked) -> Option<Write> {
        match asked {
            Asked::Write(write) => Some(write),
            Asked::Close(closed) => {
                self.asked.close();
                self.closed = Some(closed);
                None
            }
        }
    }

    /// The next write that waits.
    fn next(&mut self) -> Option<Write> {
        while let Ok(asked) = self.asked.try_recv() {
            if let Some(write) = self.write_of(asked) {
                return Some(write);
            }
        }
        None
    }

    /// Moves the WAL into the database. A process that ends while SQLite does so by itself leaves
    /// a database that is whole only together with its WAL.
    fn make_whole(&self) {
        let busy = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        match busy {
            Ok(0) => {}
            Ok(_) => log::warn!("A reader keeps the end of the log in the WAL."),
            Err(error) => log::warn!("Could not move the end of the log out of the WAL: {error}."),
        }
    }

    /// Stores the first of the waiting writes and those after it, and publishes the events.
    fn turn(&mut self, first: Write) {
        let waiting = self.waiting(first);
        self.written += waiting.len() as u64;
        let visible = self.transaction(waiting);
        if self.behind {
            self.catch_up();
        } else {
            self.publish(visible);
        }
        if self.written >= TIDY_EVERY {
            self.written = 0;
            self.tidy();
        }
    }

    /// The first write and those after it that fit into one transaction.
    fn waiting(&mut self, first: Write) -> Vec<Write> {
        let mut waiting = vec![first];
        while waiting.len() < BATCH_LEN_MAX
            && let Some(next) = self.next()
        {
            waiting.push(next);
        }
        waiting
    }

    fn publish(&mut self, visible: Vec<StoredEvent>) {
        let Some(last) = visible.last().map(|event| event.id) else {
            return;
        };
        if self.batches.blocking_send(Arc::new(visible)).is_err() {
            log::debug!("No reader of the log is left.");
        }
        self.published = last;
    }

    /// Publishes what is in the log and was not published.
    fn catch_up(&mut self) {
        self.leave_transaction();
        loop {
            match reader::events_behind(&self.connection, self.published, CATCH_UP_LEN) {
                Ok(events) if events.is_empty() => {
                    self.behind = false;
                    return;
                }
                Ok(events) => self.publish(events),
                Err(error) => {
                    return log::error!(
                        "Could not announce events to the readers of the log: {error}."
                    );
                }
            }
        }
    }

    fn tidy(&self) {
        if let Err(error) = catalog::forget_old_keys(&self.connection) {
            log::warn!("Could not remove old idempotency keys: {error}.");
        }
    }
}

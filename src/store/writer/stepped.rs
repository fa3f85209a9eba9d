//! The writer a batch at a time, without its thread: on a disk that is full, under a commit that
//! fails, and in a process that dies in the middle of it. For the simulation.

use super::{BATCH_LEN_MAX, Batch, Commit, QUEUE_LEN_MAX, Worker, Write, Writer};
use crate::store::{Location, Reader, StoreError, migrate};
use rusqlite::Connection;
use std::{fs, path::Path, time::Duration};
use tokio::sync::{mpsc, oneshot::error::TryRecvError};

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is committed.
    Committed,
    /// The file may not grow: what needs a new page fails.
    DiskFull,
    /// Somebody else holds the database: no transaction begins.
    Locked,
    /// Everything is written, and the commit itself fails.
    CommitFails,
}

/// When a process dies in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Before it.
    Before,
    /// Between its writes and the commit.
    Uncommitted,
    /// While the commit is written: so many thousandths of its bytes reached the disk.
    Torn(u16),
    /// After the commit, before anybody was answered.
    Unanswered,
}

/// A writer without a thread.
pub struct Stepped {
    worker: Worker,
    batches: mpsc::Receiver<Batch>,
    location: Location,
}

impl Stepped {
    /// Opens a store as the server does; kills do not reach past the page cache, so nothing is
    /// synced.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(location: &Location) -> Result<(Self, Writer, Reader), StoreError> {
        let connection = migrate::open(location)?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        // What a kill leaves is then the database as it was opened and all that came after.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.busy_timeout(Duration::ZERO)?;
        let reader = Reader::open(location)?;
        let (queue, asked) = mpsc::channel(QUEUE_LEN_MAX);
        let (sender, batches) = mpsc::channel(QUEUE_LEN_MAX);
        let worker = Worker {
            published: reader.head()?,
            connection,
            asked,
            closed: None,
            batches: sender,
            behind: false,
            written: 0,
        };
        let stepped = Self {
            worker,
            batches,
            location: location.clone(),
        };
        Ok((stepped, Writer { queue }, reader))
    }

    /// Carries out one batch of what waits, at most so long; false when nothing does.
    ///
    /// # Errors
    /// When the fate cannot be prepared.
    pub fn step(&mut self, fate: Fate, len_max: usize) -> Result<bool, StoreError> {
        let Some(first) = self.worker.next() else {
            return Ok(false);
        };
        let mut waiting: Vec<Write> = if len_max < BATCH_LEN_MAX {
            let more = (1..len_max).map_while(|_| self.worker.next());
            std::iter::once(first).chain(more).collect()
        } else {
            self.worker.waiting(first)
        };
        let worker = &self.worker;
        let visible = match fate {
            Fate::Committed => worker.transaction(waiting),
            Fate::DiskFull => {
                let pages = |name| {
                    worker
                        .connection
                        .pragma_query_value(None, name, |r| r.get(0))
                };
                let (count, max): (i64, i64) = (pages("page_count")?, pages("max_page_count")?);
                let limit = |pages: i64| {
                    let set = format!("PRAGMA max_page_count = {pages}");
                    worker.connection.query_row(&set, [], |_| Ok(()))
                };
                limit(count)?;
                let visible = worker.transaction(waiting);
                limit(max)?;
                visible
            }
            Fate::Locked => {
                let other = Connection::open(self.location.path())?;
                other.execute_batch("BEGIN IMMEDIATE")?;
                worker.transaction(waiting)
            }
            Fate::CommitFails => {
                waiting.push(breaks_commit());
                worker.transaction(waiting)
            }
        };
        self.worker.publish(visible);
        Ok(true)
    }

    /// The next batch that was handed to the broadcaster.
    pub fn published(&mut self) -> Option<Batch> {
        self.batches.try_recv().ok()
    }

    /// Dies in the next batch. What a new process finds lies in `folder` then.
    ///
    /// # Errors
    /// When it cannot be brought about.
    pub fn die(mut self, death: Death, folder: &Path) -> Result<Location, StoreError> {
        let found = Location::of(folder);
        let failed = |error: std::io::Error| StoreError::Database(error.to_string());
        let wal = |location: &Location| {
            let mut name = location.path().as_os_str().to_owned();
            name.push("-wal");
            std::path::PathBuf::from(name)
        };
        let read = || fs::read(wal(&self.location)).map_err(failed);
        let before = read()?;
        let mut done = None;
        if death != Death::Before
            && let Some(first) = self.worker.next()
        {
            let waiting = std::iter::from_fn(|| self.worker.next());
            let waiting = std::iter::once(first).chain(waiting).collect();
            done = self.worker.begin(waiting).ok();
            if death != Death::Uncommitted
                && let Some(done) = &done
            {
                self.worker.commit(done)?;
            }
        }
        let mut after = read()?;
        if let Death::Torn(thousandths) = death {
            const BLOCK: usize = 4096;
            let blocks = before.chunks(BLOCK).zip(after.chunks(BLOCK));
            let same = blocks.take_while(|(before, after)| before == after).count() * BLOCK;
            let new = after.len().saturating_sub(same);
            let kept = after.len() - new + new * usize::from(thousandths) / 1000;
            // Behind what was written lies what lay there before.
            after.truncate(kept);
            after.extend_from_slice(before.get(kept..).unwrap_or_default());
        }
        fs::copy(self.location.path(), found.path()).map_err(failed)?;
        fs::write(wal(&found), after).map_err(failed)?;
        drop(done);
        Ok(found)
    }
}

impl Commit {
    /// What became of it, none as long as it is under way.
    pub fn told(&mut self) -> Option<Result<(), StoreError>> {
        let Some(committed) = &mut self.0 else {
            return Some(Err(StoreError::Closed));
        };
        match committed.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Closed) => Some(Err(StoreError::Interrupted)),
        }
    }
}

/// Adds a repo of no project, which only the commit notices.
fn breaks_commit() -> Write {
    Write::Catalog(Box::new(|connection| {
        let sql = "PRAGMA defer_foreign_keys = ON;
                   INSERT INTO repos VALUES (x'00', x'00', 'r', x'00', x'00')";
        let added = connection.is_ok_and(|connection| connection.execute_batch(sql).is_ok());
        (
            added,
            Box::new(|commit| assert!(commit.is_err(), "it was to fail")),
        )
    }))
}

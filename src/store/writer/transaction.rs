//! One transaction of the writer: waiting writes in, a savepoint for each that is more than one
//! statement, one commit, answers out.

use super::{Append, Finish, Stored, Worker, Write};
use crate::{
    domain::{RunId, Time},
    store::{
        StoreError, catalog,
        codec::{Payload, StoredEvent, VERSION},
        projection::{self, RunRow},
        secrets,
    },
};
use rusqlite::{OptionalExtension, params};
use std::collections::{BTreeMap, HashMap, HashSet, btree_map::Entry};
use uuid::Uuid;

/// What one transaction did.
#[derive(Default)]
pub(super) struct TransactionResult {
    committed: Vec<StoredEvent>,
    rows: BTreeMap<RunId, RunRow>,
    deleted: HashSet<RunId>,
    sequences: HashMap<RunId, u64>,
    answers: Vec<Finish>,
}

impl Worker {
    pub(super) fn leave_transaction(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            log::error!("A rollback failed: {error}.");
        }
    }

    /// One transaction for all of `waiting`; returns the events that became visible.
    pub(super) fn transaction(&self, waiting: Vec<Write>) -> Vec<StoredEvent> {
        match self.begin(waiting) {
            Err((waiting, error)) => refuse(waiting, &error),
            Ok(done) => {
                crate::fault::point("store.before_commit");
                let commit = self.commit(&done);
                crate::fault::point("store.after_commit");
                self.finish(done, &commit)
            }
        }
    }

    /// Begins a transaction and writes everything into it; nothing is visible yet.
    pub(super) fn begin(
        &self,
        waiting: Vec<Write>,
    ) -> Result<TransactionResult, (Vec<Write>, StoreError)> {
        let mut done = TransactionResult::default();
        self.leave_transaction();
        if let Err(error) = self.say("BEGIN IMMEDIATE") {
            return Err((waiting, error));
        }
        for write in waiting {
            let answer = self.one(write, &mut done);
            done.answers.push(answer);
        }
        Ok(done)
    }

    pub(super) fn commit(&self, done: &TransactionResult) -> Result<(), StoreError> {
        // A full disk has ended the transaction: rows would be written by themselves, and stay.
        if self.connection.is_autocommit() {
            return Err(StoreError::Full);
        }
        self.write_rows(done)?;
        self.say("COMMIT")
    }

    /// Answers all, and returns the events that became visible.
    fn finish(
        &self,
        mut done: TransactionResult,
        commit: &Result<(), StoreError>,
    ) -> Vec<StoredEvent> {
        if let Err(error) = commit {
            log::error!(batch_len = done.answers.len(); "A commit failed: {error}.");
            self.leave_transaction();
            done.committed.clear();
        }
        for answer in done.answers {
            answer(commit.clone());
        }
        done.committed
    }

    /// Carries out one write so that its failure is its own: in a savepoint, or as one statement,
    /// which SQLite itself undoes. A savepoint copies each page that is written to in it.
    fn one(&self, write: Write, done: &mut TransactionResult) -> Finish {
        let alone = matches!(&write, Write::Append(append, _) if append.is_one_statement());
        // A full disk ends the whole transaction; what follows must not run outside of it.
        let begun = match self.connection.is_autocommit() {
            true => Err(StoreError::Full),
            false if alone => Ok(()),
            false => self.say("SAVEPOINT one"),
        };
        match write {
            Write::Append(mut append, answer) => {
                let mark = done.committed.len();
                let stored = append.stored.take();
                let outcome = begun
                    .and_then(|()| self.append(append, done))
                    .and_then(|()| if alone { Ok(()) } else { self.release() });
                if outcome.is_err() {
                    done.committed.truncate(mark);
                    if !alone {
                        self.roll_back();
                    }
                }
                Box::new(move |commit| {
                    let outcome = outcome.and(commit);
                    if let (Ok(()), Some(Stored(then))) = (&outcome, stored) {
                        then();
                    }
                    drop(answer.send(outcome));
                })
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

    /// A statement without values; it is compiled once.
    fn say(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn release(&self) -> Result<(), StoreError> {
        self.say("RELEASE one")
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self
                .connection
                .execute_batch("ROLLBACK TO one; RELEASE one")
        {
            log::error!("Could not roll back a savepoint: {error}.");
        }
    }

    fn append(&self, append: Append, done: &mut TransactionResult) -> Result<(), StoreError> {
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
            Some(row) => match done.rows.entry(id) {
                Entry::Vacant(none) => drop(none.insert(row)),
                Entry::Occupied(earlier) => earlier.into_mut().follow(row),
            },
            None => {
                // The events of this commit are still published: live readers see no gap.
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
        projection::remove(&self.connection, id)?;
        self.connection
            .prepare_cached("DELETE FROM events WHERE run_id = ?1 AND sequence < ?2")?
            .execute(params![id.0.as_bytes(), last])?;
        secrets::remove(&self.connection, id)
    }

    /// One row a run, however many appends of it the batch held.
    fn write_rows(&self, done: &TransactionResult) -> Result<(), StoreError> {
        for (id, row) in &done.rows {
            if !done.deleted.contains(id) {
                projection::write(&self.connection, *id, row)?;
            }
        }
        Ok(())
    }
}

/// Answers all with the failure to begin.
fn refuse(waiting: Vec<Write>, error: &StoreError) -> Vec<StoredEvent> {
    log::error!(batch_len = waiting.len(); "Could not begin a transaction: {error}.");
    for write in waiting {
        match write {
            Write::Append(_, answer) => drop(answer.send(Err(error.clone()))),
            Write::Catalog(job) => job(Err(error.clone())).1(Err(error.clone())),
        }
    }
    Vec::new()
}

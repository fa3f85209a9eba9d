//! The runs table: what each run is now, written with the events that made it so.

use super::{StoreError, approvals, codec::StoredEvent, rows};
use crate::domain::{
    RunId, Time,
    run::{
        Event, Run,
        view::{self, Documents},
    },
};
use rusqlite::{Connection, params};

/// A run's row of the projection: what each event changes, and the rest where it changed.
#[derive(Debug)]
pub struct RunRow {
    head: String,
    rest: Option<Box<RunRest>>,
    approvals: approvals::Changes,
}

/// What few events change of a run's row.
#[derive(Debug)]
struct RunRest {
    project_id: uuid::Uuid,
    agent_id: uuid::Uuid,
    status: &'static str,
    live: bool,
    process_alive: bool,
    created_at: i64,
    body: String,
    tasks: String,
    queue: String,
}

/// What the rest of a run's row is made of.
#[derive(PartialEq)]
struct Shown<'r> {
    live: bool,
    process_alive: bool,
    documents: Documents<'r>,
}

impl<'r> Shown<'r> {
    fn of(run: &'r Run) -> Self {
        Self {
            live: run.needs_recovery(),
            process_alive: run.has_process(),
            documents: Documents::of(run),
        }
    }

    /// The rest of the row of this run, which was made as all the others of it.
    fn rest(&self, run: &Run) -> RunRest {
        RunRest {
            project_id: run.created.project_id.0,
            agent_id: run.created.agent_id.0,
            status: run.status.word(),
            live: self.live,
            process_alive: self.process_alive,
            created_at: run.created_at.timestamp_millis(),
            body: self.documents.body(),
            tasks: self.documents.tasks(),
            queue: self.documents.queue(),
        }
    }
}

impl RunRow {
    /// The whole row of a run as it is now.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        Self {
            head: view::head(run),
            rest: Some(Box::new(Shown::of(run).rest(run))),
            approvals: approvals::Changes::new(),
        }
    }

    /// The row of a run as it is now, with the rest where it differs from that of the run `before`,
    /// which this is then.
    #[must_use]
    pub fn since(run: &Run, before: &mut Option<Box<Run>>) -> Self {
        let shown = Shown::of(run);
        if before.as_deref().is_some_and(|run| Shown::of(run) == shown) {
            return Self {
                head: view::head(run),
                rest: None,
                approvals: approvals::Changes::new(),
            };
        }
        *before = Some(Box::new(run.clone()));
        Self::of(run)
    }

    /// This row, and what the events that led to it change of the run's approvals.
    #[must_use]
    pub fn after(mut self, events: &[Event], at: Time) -> Self {
        self.approvals = approvals::changes(events, at);
        self
    }

    /// This row, and the next one of the same run over it.
    pub(super) fn follow(&mut self, next: Self) {
        self.head = next.head;
        self.approvals.extend(next.approvals);
        if next.rest.is_some() {
            self.rest = next.rest;
        }
    }
}

/// Writes a row, new or changed.
pub(super) fn write(connection: &Connection, id: RunId, row: &RunRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO run_heads (run_id, document) VALUES (?1, ?2)
             ON CONFLICT (run_id) DO UPDATE SET document = ?2",
        )?
        .execute(params![id.0.as_bytes(), row.head])?;
    approvals::write(connection, id, &row.approvals)?;
    let Some(rest) = &row.rest else {
        return Ok(());
    };
    connection
        .prepare_cached(
            "INSERT INTO runs (id, project_id, agent_id, status, live, process_alive, created_at,
                               view, tasks, queue)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (id) DO UPDATE SET status = ?4, live = ?5, process_alive = ?6,
                               view = ?8, tasks = ?9, queue = ?10",
        )?
        .execute(params![
            id.0.as_bytes(),
            rest.project_id.as_bytes(),
            rest.agent_id.as_bytes(),
            rest.status,
            rest.live,
            rest.process_alive,
            rest.created_at,
            rest.body,
            rest.tasks,
            rest.queue,
        ])?;
    Ok(())
}

/// Takes a row away; its place in the list of runs stays known.
pub(super) fn remove(connection: &Connection, id: RunId) -> Result<(), StoreError> {
    for sql in [
        "INSERT OR IGNORE INTO deleted_runs SELECT id, created_at FROM runs WHERE id = ?1",
        "DELETE FROM runs WHERE id = ?1",
        "DELETE FROM run_heads WHERE run_id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([id.0.as_bytes()])?;
    }
    approvals::remove(connection, id)
}

/// Rebuilds all rows from the log, in one transaction. Returns the number of runs.
pub(super) fn rebuild(connection: &mut Connection) -> Result<usize, StoreError> {
    let transaction = connection.transaction()?;
    transaction.execute_batch("DELETE FROM runs; DELETE FROM run_heads; DELETE FROM approvals")?;
    let ids = rows::run_ids_in_log(&transaction)?;
    let mut count = 0;
    for id in ids {
        let log = rows::log_of(&transaction, id)?;
        let Some(run) = fold(id, &log)? else { continue };
        if !run.deleted {
            write(&transaction, id, &RunRow::of(&run))?;
            approvals::rebuild(&transaction, id, &log)?;
            count += 1;
        }
    }
    transaction.commit()?;
    Ok(count)
}

/// Folds a run's whole log; nothing when it does not begin with `run.created` (a deleted run).
pub(super) fn fold(id: RunId, log: &[StoredEvent]) -> Result<Option<Run>, StoreError> {
    let mut run: Option<Run> = None;
    for (expected, stored) in (1u64..).zip(log) {
        let event = stored.event()?;
        match (&mut run, &event) {
            (None, Event::RunCreated(created)) if stored.sequence == 1 => {
                run = Some(Run::create(id, created, stored.created_at));
            }
            (None, _) => return Ok(None),
            (Some(_), _) if stored.sequence != expected => {
                return Err(StoreError::Corrupt(format!(
                    "run {id} lacks event {expected}"
                )));
            }
            (Some(run), _) => run.apply(&event, stored.created_at),
        }
    }
    Ok(run)
}

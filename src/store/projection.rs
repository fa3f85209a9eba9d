//! The runs table: what each run is now, written with the events that made it so.

use super::{StoreError, codec::StoredEvent, reader};
use crate::domain::{
    RunId,
    run::{Event, Run, state::Process, view},
};
use rusqlite::{Connection, params};

/// A run's row of the projection.
#[derive(Debug, Clone)]
pub struct RunRow {
    project_id: uuid::Uuid,
    agent_id: uuid::Uuid,
    status: &'static str,
    live: bool,
    process_alive: bool,
    created_at: i64,
    last_sequence: u64,
    view: String,
    tasks: String,
    queue: String,
}

impl RunRow {
    /// The row of a run as it is now.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        Self {
            project_id: run.created.project_id.0,
            agent_id: run.created.agent_id.0,
            status: run.status.word(),
            live: run.needs_recovery(),
            process_alive: matches!(run.process, Process::Launching | Process::Alive { .. }),
            created_at: run.created_at.timestamp_millis(),
            last_sequence: run.last_sequence,
            view: view::run(run),
            tasks: view::tasks(run),
            queue: view::queue(run),
        }
    }

    /// The API's JSON of the run.
    #[must_use]
    pub fn view(&self) -> &str {
        &self.view
    }
}

/// Writes a row, new or changed.
pub(super) fn write(connection: &Connection, id: RunId, row: &RunRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO runs (id, project_id, agent_id, status, live, process_alive, created_at,
                               last_sequence, view, tasks, queue)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (id) DO UPDATE SET status = ?4, live = ?5, process_alive = ?6,
                               last_sequence = ?8, view = ?9, tasks = ?10, queue = ?11",
        )?
        .execute(params![
            id.0.as_bytes(),
            row.project_id.as_bytes(),
            row.agent_id.as_bytes(),
            row.status,
            row.live,
            row.process_alive,
            row.created_at,
            row.last_sequence,
            row.view,
            row.tasks,
            row.queue,
        ])?;
    Ok(())
}

/// Makes all rows again from the log, in one transaction. Returns the number of runs.
pub(super) fn rebuild(connection: &mut Connection) -> Result<usize, StoreError> {
    let transaction = connection.transaction()?;
    transaction.execute("DELETE FROM runs", [])?;
    let ids = reader::run_ids_in_log(&transaction)?;
    let mut count = 0;
    for id in ids {
        let log = reader::log_of(&transaction, id)?;
        let Some(run) = fold(id, &log)? else { continue };
        if !run.deleted {
            write(&transaction, id, &RunRow::of(&run))?;
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
                    "run {id} has a hole at {expected}"
                )));
            }
            (Some(run), _) => run.apply(&event, stored.created_at),
        }
    }
    Ok(run)
}

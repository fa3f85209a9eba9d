//! Rows of events, and the columns that they and others have.

use super::{
    StoreError,
    codec::{EventRow, StoredEvent},
    query::all,
};
use crate::domain::{RunId, Time};
use rusqlite::{Connection, Row};

/// All events of a run, oldest first.
pub(super) fn log_of(connection: &Connection, id: RunId) -> Result<Vec<StoredEvent>, StoreError> {
    let sql = "SELECT id, run_id, sequence, event_type, payload, created_at FROM events
               WHERE run_id = ?1 ORDER BY sequence";
    all(connection, sql, [id.0.as_bytes()], stored)
}

/// Every run that the log knows, deleted ones included.
pub(super) fn run_ids_in_log(connection: &Connection) -> Result<Vec<RunId>, StoreError> {
    let sql = "SELECT DISTINCT run_id FROM events";
    all(connection, sql, [], run_id)
}

/// The run that the first column names.
pub(super) fn run_id(row: &Row<'_>) -> rusqlite::Result<RunId> {
    Ok(RunId(uuid_at(row, 0)?))
}

pub(super) fn uuid_at(row: &Row<'_>, column: usize) -> rusqlite::Result<uuid::Uuid> {
    let bytes: [u8; 16] = row.get(column)?;
    Ok(uuid::Uuid::from_bytes(bytes))
}

pub(super) fn time_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Time> {
    let millis: i64 = row.get(column)?;
    Time::from_timestamp_millis(millis)
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(column, millis))
}

pub(super) fn stored(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    Ok(event_at(row)?.stored())
}

pub(super) fn event_at<'a>(row: &'a Row<'_>) -> rusqlite::Result<EventRow<'a>> {
    let sequence: i64 = row.get(2)?;
    Ok(EventRow {
        id: row.get(0)?,
        run_id: RunId(uuid_at(row, 1)?),
        sequence: u64::try_from(sequence)
            .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(2, sequence))?,
        event_type: row.get_ref(3)?.as_str()?,
        payload: row.get_ref(4)?.as_str()?,
        created_at: time_at(row, 5)?,
    })
}

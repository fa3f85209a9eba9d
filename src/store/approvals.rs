//! The approvals of all runs: a projection of their events, and its reads.

use super::{
    Reader, StoreError,
    codec::StoredEvent,
    query::{all, decode_json, encode_json, first},
};
use crate::domain::{
    ApprovalId, RunId, Time,
    run::{
        Event,
        view::{ApprovalState, ApprovalView},
    },
};
use rusqlite::{Connection, params};

/// Events about approvals, with their time.
pub(super) type Changes = Vec<(Event, Time)>;

/// The events among these that are about approvals.
pub(super) fn changes(events: &[Event], at: Time) -> Changes {
    let about = events.iter().filter(|event| event.approval_id().is_some());
    about.map(|event| (event.clone(), at)).collect()
}

/// Writes what events changed.
pub(super) fn write(
    connection: &Connection,
    run_id: RunId,
    changes: &Changes,
) -> Result<(), StoreError> {
    for (event, at) in changes {
        let Some(id) = event.approval_id() else {
            continue;
        };
        let view = if let Event::ApprovalRequested(asked) = event {
            ApprovalView::requested(run_id, asked, *at)
        } else {
            let Some(mut view) = one(connection, run_id, id)? else {
                continue;
            };
            view.apply(event, *at);
            view
        };
        connection
            .prepare_cached(
                "INSERT INTO approvals (id, run_id, state, requested_at, document)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (id) DO UPDATE SET state = ?3, document = ?5",
            )?
            .execute(params![
                id.0.as_bytes(),
                run_id.0.as_bytes(),
                view.state.word(),
                view.requested_at.timestamp_millis(),
                encode_json(&view)?,
            ])?;
    }
    Ok(())
}

/// Takes the approvals of a run away.
pub(super) fn remove(connection: &Connection, run_id: RunId) -> Result<(), StoreError> {
    let sql = "DELETE FROM approvals WHERE run_id = ?1";
    connection
        .prepare_cached(sql)?
        .execute([run_id.0.as_bytes()])?;
    Ok(())
}

/// Writes the approvals of a run whose log this is.
pub(super) fn rebuild(
    connection: &Connection,
    run_id: RunId,
    log: &[StoredEvent],
) -> Result<(), StoreError> {
    let mut changes = Changes::new();
    for stored in log
        .iter()
        .filter(|it| it.event_type.starts_with("approval."))
    {
        changes.push((stored.event()?, stored.created_at));
    }
    write(connection, run_id, &changes)
}

fn one(
    connection: &Connection,
    run_id: RunId,
    id: ApprovalId,
) -> Result<Option<ApprovalView>, StoreError> {
    let sql = "SELECT document FROM approvals WHERE id = ?1 AND run_id = ?2";
    let ids = params![id.0.as_bytes(), run_id.0.as_bytes()];
    let found: Option<String> = first(connection, sql, ids, |row| row.get(0))?;
    found.map(|document| decode_json(&document)).transpose()
}

/// Which approvals to list.
#[derive(Debug, Clone, Default)]
pub struct ApprovalFilter {
    /// Of this run.
    pub run_id: Option<RunId>,
    /// In this state.
    pub state: Option<ApprovalState>,
    /// Only those that come after this one.
    pub after: Option<ApprovalId>,
    /// At most so many.
    pub limit: u64,
}

impl Reader {
    /// Approvals as the API shows them, oldest first.
    ///
    /// # Errors
    /// `Missing` when `after` is no approval; when the database fails.
    pub fn approvals(&self, filter: &ApprovalFilter) -> Result<Vec<String>, StoreError> {
        self.with(|connection| {
            let place = |id: ApprovalId| -> Result<i64, StoreError> {
                let sql = "SELECT requested_at FROM approvals WHERE id = ?1";
                first(connection, sql, [id.0.as_bytes()], |row| row.get(0))?
                    .ok_or(StoreError::Missing)
            };
            let after = filter.after.map(place).transpose()?;
            // A condition that may be absent would keep SQLite from the indexes.
            let run = filter.run_id.map_or("", |_| "AND run_id = ?1");
            let state = filter.state.map_or("", |_| "AND state = ?2");
            let later = filter
                .after
                .map_or("", |_| "AND (requested_at, id) > (?4, ?3)");
            let sql = format!(
                "SELECT document FROM approvals WHERE TRUE {run} {state} {later}
                 ORDER BY requested_at, id LIMIT ?5"
            );
            let params = params![
                filter.run_id.map(|id| id.0.into_bytes()),
                filter.state.map(ApprovalState::word),
                filter.after.map(|id| id.0.into_bytes()),
                after,
                i64::try_from(filter.limit).unwrap_or(i64::MAX),
            ];
            all(connection, &sql, params, |row| row.get(0))
        })
    }

    /// One approval of a run; nothing for an unknown one.
    ///
    /// # Errors
    /// When the database fails.
    pub fn approval(
        &self,
        run_id: RunId,
        id: ApprovalId,
    ) -> Result<Option<ApprovalView>, StoreError> {
        self.with(|connection| one(connection, run_id, id))
    }
}

//! Reads, through a pool of connections that cannot write.
//!
//! All calls block: callers on an actor's thread go through a blocking thread.

use super::{
    Location, StoreError,
    codec::{EventRow, StoredEvent},
    projection,
    query::{all, first, one},
    rows::{event_at, log_of, run_id, stored},
};
use crate::domain::{
    AgentId, EventId, ProjectId, RunId,
    run::{Run, Status, view},
};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OpenFlags, Row, params};
use std::{ops::ControlFlow, path::Path};

/// Memory for pages of a read connection, in KiB: scans gain nothing from it, and the system keeps the
/// file's pages for all. SQLite's own 2 MB each would fill for half an hour.
const CACHE_KIB: i64 = 512;

/// The read side of the store.
#[derive(Clone)]
pub struct Reader {
    pool: r2d2::Pool<SqliteConnectionManager>,
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this project.
    pub project_id: Option<ProjectId>,
    /// Of this agent.
    pub agent_id: Option<AgentId>,
    /// In this state.
    pub status: Option<Status>,
    /// The most to list.
    pub limit: Option<u64>,
    /// Only runs older than this one, which may be a deleted one.
    pub before: Option<RunId>,
}

impl Reader {
    /// Read connections. Reads are short; eight keep two cores busy while one waits for the disk.
    pub const CONNECTIONS_MAX: u32 = 8;

    pub(super) fn open(location: &Location) -> Result<Self, StoreError> {
        Self::open_at(location.path())
    }

    /// Of a path, or of a `file:` URI.
    pub(super) fn open_at(name: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let manager = SqliteConnectionManager::file(name)
            .with_flags(flags)
            .with_init(|connection| {
                connection.busy_timeout(std::time::Duration::from_secs(10))?;
                // Below zero it is no number of pages.
                connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
                connection.pragma_update(None, "query_only", true)
            });
        let pool = r2d2::Pool::builder()
            .max_size(Self::CONNECTIONS_MAX)
            .min_idle(Some(1))
            // Connections to a file do not age; r2d2 would look for old ones every 30 s, and its
            // threads outlive a dropped pool until they have.
            .max_lifetime(None)
            .idle_timeout(None)
            .build(manager)?;
        Ok(Self { pool })
    }

    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        read(&*self.pool.get()?)
    }

    /// The first damage that SQLite finds in the file; nothing when it is whole.
    pub fn damage(&self) -> Result<Option<String>, StoreError> {
        self.with(|connection| {
            let found: String = one(connection, "PRAGMA quick_check(1)", [], |row| row.get(0))?;
            Ok(Some(found).filter(|found| found != "ok"))
        })
    }

    /// The run as the API shows it; nothing for an unknown one.
    pub fn run_view(&self, id: RunId) -> Result<Option<String>, StoreError> {
        self.with(|connection| {
            let sql = "SELECT view, document FROM runs JOIN run_heads ON run_id = id WHERE id = ?1";
            first(connection, sql, [id.0.as_bytes()], view_at)
        })
    }

    /// The run's waiting messages as the API shows them; nothing for an unknown run.
    pub fn run_queue(&self, id: RunId) -> Result<Option<String>, StoreError> {
        self.run_column(id, "SELECT queue FROM runs WHERE id = ?1")
    }

    /// The run's tasks as the API shows them; nothing for an unknown run.
    pub fn run_tasks(&self, id: RunId) -> Result<Option<String>, StoreError> {
        self.run_column(id, "SELECT tasks FROM runs WHERE id = ?1")
    }

    /// True when the run exists.
    pub fn run_exists(&self, id: RunId) -> Result<bool, StoreError> {
        let found = self.run_column(id, "SELECT '' FROM runs WHERE id = ?1")?;
        Ok(found.is_some())
    }

    fn run_column(&self, id: RunId, sql: &str) -> Result<Option<String>, StoreError> {
        self.with(|connection| first(connection, sql, [id.0.as_bytes()], |row| row.get(0)))
    }

    /// Runs as the API shows them, newest first.
    ///
    /// # Errors
    /// `Missing` when `before` is no run of this log; when the database fails.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<String>, StoreError> {
        self.with(|connection| {
            let before = filter.before.map(|id| age_of(connection, id)).transpose()?;
            let sql = "SELECT view, document FROM runs JOIN run_heads ON run_id = id
                       WHERE (?1 IS NULL OR project_id = ?1) AND (?2 IS NULL OR agent_id = ?2)
                         AND (?3 IS NULL OR status = ?3)
                         AND (?4 IS NULL OR (created_at, id) < (?6, ?4))
                       ORDER BY created_at DESC, id DESC LIMIT ?5";
            let params = params![
                filter.project_id.map(|id| id.0.into_bytes()),
                filter.agent_id.map(|id| id.0.into_bytes()),
                filter.status.map(Status::word),
                filter.before.map(|id| id.0.into_bytes()),
                at_most(filter.limit),
                before,
            ];
            all(connection, sql, params, view_at)
        })
    }

    /// Runs that a restart must recover.
    pub fn live_runs(&self) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT id FROM runs WHERE live = 1";
        self.with(|connection| all(connection, sql, [], run_id))
    }

    /// Runs with a worktree whose path does not begin so.
    pub fn runs_with_worktrees_outside(&self, folder: &str) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT DISTINCT runs.id FROM runs, json_each(runs.view, '$.repos') AS repo
                   WHERE substr(repo.value ->> '$.worktree', 1, length(?1)) <> ?1";
        self.with(|connection| all(connection, sql, [folder], run_id))
    }

    /// A run folded from its log; nothing for an unknown or deleted one.
    ///
    /// # Errors
    /// When the database fails or the log does not decode.
    pub fn fold_run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        let log = self.with(|connection| log_of(connection, id))?;
        Ok(projection::fold(id, &log)?.filter(|run| !run.deleted))
    }

    /// Events of one run after a sequence, oldest first, at most `limit`, of one type when given.
    pub fn events_of_run(
        &self,
        id: RunId,
        after_sequence: u64,
        limit: Option<u64>,
        event_type: Option<&str>,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.with(|connection| {
            let sql = "SELECT id, run_id, sequence, event_type, payload, created_at FROM events
                       WHERE run_id = ?1 AND sequence > ?2 AND (?3 IS NULL OR event_type = ?3)
                       ORDER BY sequence LIMIT ?4";
            let after = i64::try_from(after_sequence).unwrap_or(i64::MAX);
            let params = params![id.0.as_bytes(), after, event_type, at_most(limit)];
            all(connection, sql, params, stored)
        })
    }

    /// Events after a place in the log, oldest first, at most `limit`; of one run when given.
    pub fn events_after(
        &self,
        run: Option<RunId>,
        after: EventId,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let mut events = Vec::new();
        self.visit_after(run, after, limit, |event| {
            events.push(event.stored());
            ControlFlow::Continue(())
        })?;
        Ok(events)
    }

    /// Shows events after a place in the log to `visit`, oldest first, at most `limit`, until it
    /// breaks off; of one run when given.
    pub fn visit_after(
        &self,
        run: Option<RunId>,
        after: EventId,
        limit: u32,
        mut visit: impl FnMut(EventRow<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        // Two statements: with the run's index an id bound is a filter, without it a range.
        const ALL: &str = "SELECT id, run_id, sequence, event_type, payload, created_at
                           FROM events WHERE id > ?1 ORDER BY id LIMIT ?2";
        const RUN: &str = "SELECT id, run_id, sequence, event_type, payload, created_at
                           FROM events WHERE run_id = ?3 AND sequence > CASE WHEN ?1 <= 0 THEN 0 ELSE COALESCE(
                             (SELECT sequence FROM events WHERE id = ?1 AND run_id = ?3),
                             (SELECT sequence FROM events WHERE run_id = ?3 AND id <= ?1
                              ORDER BY sequence DESC LIMIT 1), 0) END
                           ORDER BY sequence LIMIT ?2";
        self.with(|connection| {
            let mut query = connection.prepare_cached(run.map_or(ALL, |_| RUN))?;
            let mut rows = match run {
                None => query.query(params![after, limit])?,
                Some(run) => query.query(params![after, limit, run.0.as_bytes()])?,
            };
            while let Some(row) = rows.next()? {
                if visit(event_at(row)?).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Id of the last event of the log; 0 for an empty one.
    pub fn head(&self) -> Result<EventId, StoreError> {
        self.with(head_of)
    }

    /// The id of the log. A new data folder has another one.
    pub fn log_id(&self) -> Result<uuid::Uuid, StoreError> {
        self.with(|connection| {
            let sql = "SELECT id FROM log_identity";
            let bytes = one(connection, sql, [], |row| row.get(0))?;
            Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
        })
    }

    /// True when a hook delivery was recorded.
    pub fn delivered(&self, delivery: uuid::Uuid) -> Result<bool, StoreError> {
        self.with(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE delivery = ?1)";
            one(connection, sql, [delivery.as_bytes()], |row| row.get(0))
        })
    }

    /// True for a run that was deleted: its last event says so, and is all that is left of it.
    pub fn is_deleted(&self, id: RunId) -> Result<bool, StoreError> {
        self.with(|connection| {
            let sql = "SELECT event_type = 'run.deleted' FROM events
                       WHERE run_id = ?1 ORDER BY sequence DESC LIMIT 1";
            let last = first(connection, sql, [id.0.as_bytes()], |row| row.get(0))?;
            Ok(last.unwrap_or(false))
        })
    }
}

/// Id of the last event of the log; 0 for an empty one.
pub(super) fn head_of(connection: &Connection) -> Result<EventId, StoreError> {
    let sql = "SELECT COALESCE(MAX(id), 0) FROM events";
    one(connection, sql, [], |row| row.get(0))
}

/// True when a run of this project (or of this agent) has a process.
pub(super) fn has_live_process(
    connection: &Connection,
    project: Option<ProjectId>,
    agent: Option<AgentId>,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM runs WHERE live = 1
                 AND (?1 IS NULL OR project_id = ?1) AND (?2 IS NULL OR agent_id = ?2))";
    let ids = params![
        project.map(|id| id.0.into_bytes()),
        agent.map(|id| id.0.into_bytes())
    ];
    one(connection, sql, ids, |row| row.get(0))
}

/// When a run was created, in milliseconds since 1970; also of deleted ones.
fn age_of(connection: &Connection, id: RunId) -> Result<i64, StoreError> {
    let sql = "SELECT created_at FROM runs WHERE id = ?1
               UNION ALL SELECT created_at FROM deleted_runs WHERE id = ?1";
    one(connection, sql, [id.0.as_bytes()], |row| row.get(0))
}

/// Events behind a place in the log, oldest first, at most `limit`.
pub(super) fn events_behind(
    connection: &Connection,
    after: EventId,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let sql = "SELECT id, run_id, sequence, event_type, payload, created_at FROM events
               WHERE id > ?1 ORDER BY id LIMIT ?2";
    all(connection, sql, params![after, limit], stored)
}

/// A limit as SQLite takes it; below zero there is none.
fn at_most(limit: Option<u64>) -> i64 {
    limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

/// A run's document, of its body and its head.
fn view_at(row: &Row<'_>) -> rusqlite::Result<String> {
    let (body, head) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
    Ok(view::joined(body, head))
}

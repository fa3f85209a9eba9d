//! Opens the database and brings its schema up to date.
//!
//! # Crash
//! Each step is one transaction with its version number: it is applied or it is not.

use super::{Location, StoreError};
use crate::files;
use rusqlite::{Connection, OpenFlags};
use std::{
    io::ErrorKind,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Schema steps in order; the version of a database is how many of them it has.
const STEPS: &[&str] = &[
    include_str!("../../schema/0001_initial.sql"),
    include_str!("../../schema/0002_notified.sql"),
    include_str!("../../schema/0003_queue.sql"),
    include_str!("../../schema/0004_run_secrets.sql"),
    include_str!("../../schema/0005_spare_worktrees.sql"),
    include_str!("../../schema/0006_run_heads.sql"),
    include_str!("../../schema/0007_telling_events.sql"),
    include_str!("../../schema/0008_log_identity.sql"),
    include_str!("../../schema/0009_cost.sql"),
    include_str!("../../schema/0010_trusted_filters.sql"),
    include_str!("../../schema/0011_approvals.sql"),
];

/// Pages of the WAL (4 KiB each) at which they are copied into the database.
const WAL_PAGES: u32 = 4096;

/// Opens (or makes) the database for writing.
pub(super) fn open(location: &Location) -> Result<Connection, StoreError> {
    let found = found(location)?;
    if found == 0 {
        refuse_beside_runs(location)?;
    }
    if found > 0 && found < known() {
        keep_copy(location, found)?;
    }
    // The writer's thread alone uses it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(location.path(), flags)?;
    restrict(location)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A reader that stays long must not let the WAL grow without end between checkpoints.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    // A page that many commits change is copied into the database once for all of them. The WAL
    // has 16 MiB then, which a start after a crash reads in some milliseconds.
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    for (at, step) in (1u32..).zip(STEPS).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", at)?;
        transaction.commit()?;
    }
    Ok(connection)
}

/// Refuses to begin an empty log where runs have been: theirs is missing, or was emptied.
fn refuse_beside_runs(location: &Location) -> Result<(), StoreError> {
    let folder = location.path().parent();
    let runs = ["runs", "worktrees"].map(|name| folder.map(|folder| folder.join(name)));
    let used = runs.into_iter().flatten().any(|folder| {
        let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.any(|entry| {
            let name = entry.file_name();
            let is_id = name
                .to_str()
                .is_some_and(|name| uuid::Uuid::try_parse(name).is_ok());
            is_id && entry.file_type().is_ok_and(|kind| kind.is_dir())
        })
    });
    if used {
        Err(StoreError::LogGone {
            path: location.path().display().to_string(),
        })
    } else {
        Ok(())
    }
}

/// Whether the database has all steps; it is not changed.
pub(super) fn is_current(location: &Location) -> Result<bool, StoreError> {
    Ok(found(location)? == known())
}

/// The version that a database has after all steps.
fn known() -> u32 {
    u32::try_from(STEPS.len()).expect("a handful of steps")
}

/// Version of the database, unless it is newer than we know.
fn found(location: &Location) -> Result<u32, StoreError> {
    let (found, known) = (version(location)?, known());
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    Ok(found)
}

/// Version of the database, read without changing it; 0 when there is no database.
fn version(location: &Location) -> Result<u32, StoreError> {
    check_files(location)?;
    if !location.path().exists() {
        return Ok(0);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(location.untouched(), flags)?;
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Refuses files that SQLite would wait at, or refuse in words that do not say which and why.
fn check_files(location: &Location) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut path = location.path().as_os_str().to_owned();
        path.push(suffix);
        match files::open_linked(Path::new(&path)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::Unusable {
                    path: Path::new(&path).display().to_string(),
                    why: error.to_string(),
                });
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Keeps a consistent copy beside the database before its schema changes.
fn keep_copy(location: &Location, found: u32) -> Result<(), StoreError> {
    let copy = location.path().with_extension(format!("db.v{found}.bak"));
    if copy.exists() {
        return Ok(());
    }
    // SQLite writes into an empty file, whose mode is ours; the name says that it is whole.
    let aside = copy.with_extension("bak.new");
    make_private(&aside).map_err(|error| StoreError::Database(error.to_string()))?;
    let connection = Connection::open(location.path())?;
    connection.execute("VACUUM INTO ?1", [aside.to_string_lossy()])?;
    std::fs::rename(&aside, &copy).map_err(|error| StoreError::Database(error.to_string()))
}

/// An empty file that is its owner's alone, in the place of any other.
fn make_private(path: &Path) -> std::io::Result<()> {
    files::remove(path)?;
    let mut options = std::fs::File::options();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(())
}

/// The database is its owner's alone.
fn restrict(location: &Location) -> Result<(), StoreError> {
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(location.path(), mode)
        .map_err(|error| StoreError::Database(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database as it was after so many steps.
    fn old(location: &Location, steps: u32) -> Connection {
        let connection = Connection::open(location.path()).unwrap();
        for step in &STEPS[..steps as usize] {
            connection.execute_batch(step).unwrap();
        }
        connection
            .pragma_update(None, "user_version", steps)
            .unwrap();
        connection
    }

    #[test]
    fn a_newer_database_is_refused_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::of(folder.path());
        let connection = open(&location).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let before = std::fs::read(location.path()).unwrap();
        let refused = open(&location).err();
        assert!(
            matches!(refused, Some(StoreError::Newer { found: 99, .. })),
            "{refused:?}"
        );
        assert_eq!(std::fs::read(location.path()).unwrap(), before);
    }

    #[test]
    fn a_copy_is_kept_before_a_step() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::of(folder.path());
        drop(old(&location, 1));
        let version = |connection: &Connection| -> usize {
            let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
            version.unwrap()
        };
        assert_eq!(version(&open(&location).unwrap()), STEPS.len());
        let copy = folder.path().join("abbado.db.v1.bak");
        assert_eq!(version(&Connection::open(&copy).unwrap()), 1);
        let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds what the database holds");
    }

    #[test]
    fn old_answers_to_new_agents_lose_their_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::of(folder.path());
        let old = old(&location, 3);
        let agent = r#"{"id":"a","provider_config":{"env":{"KEY":"sk-1","B":"x"},"bin":"b"}}"#;
        let answers = [
            (
                agent,
                r#"{"id":"a","provider_config":{"env":{"KEY":"***","B":"***"},"bin":"b"}}"#,
            ),
            (r#"{"id":"p"}"#, r#"{"id":"p"}"#),
            ("", ""),
        ];
        for (at, (answer, _)) in answers.iter().enumerate() {
            let row = rusqlite::params![at.to_string(), answer];
            old.execute(
                "INSERT INTO idempotency VALUES ('s', ?1, x'00', 201, ?2, 0)",
                row,
            )
            .unwrap();
        }
        drop(old);
        let new = open(&location).unwrap();
        let mut query = new
            .prepare("SELECT answer FROM idempotency ORDER BY key")
            .unwrap();
        let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let rows: Vec<String> = rows.map(Result::unwrap).collect();
        assert_eq!(rows, answers.map(|(_, masked)| masked.to_owned()));
    }

    #[test]
    fn runs_of_old_rows_are_shown_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::of(folder.path());
        let old = old(&location, 5);
        let shown = r#"{"id":"a","task":"é \" /","updated_at":"2026-01-02T03:04:05.678Z","cost_usd":0.1,"model":null,"activity":{"what":"tool \"Bash\"","since":"2026-01-02T03:04:05.000Z"},"work":"nothing","last_sequence":7}"#;
        let ids = [1, 2].map(uuid::Uuid::from_u128);
        for id in ids {
            old.execute(
                "INSERT INTO runs VALUES (?1, x'00', x'00', 'running', 1, 1, 5, 7, ?2, '[]', '[]')",
                rusqlite::params![id.as_bytes(), shown],
            )
            .unwrap();
        }
        let result = r#"{"cost_usd":0.1,"cost_source":"reported","tokens_in":1,"tokens_out":1,"tokens_cache_read":0,"tokens_cache_write":0}"#;
        old.execute(
            "INSERT INTO events (run_id, sequence, event_type, version, payload, created_at)
             VALUES (?1, 1, 'run.result', 1, ?2, 0)",
            rusqlite::params![ids[0].as_bytes(), result],
        )
        .unwrap();
        drop(old);
        drop(open(&location).unwrap());
        let reader = super::super::Reader::open(&location).unwrap();
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let costs = [
            r#"{"usd":0.1,"known_usd":0.1,"source":"reported","prices_as_of":null}"#,
            r#"{"usd":null,"known_usd":0.0,"source":"unknown","prices_as_of":null}"#,
        ];
        for (id, cost) in ids.into_iter().zip(costs) {
            let view = reader.run_view(crate::domain::RunId(id)).unwrap().unwrap();
            let mut expected = value(shown);
            expected["cost"] = value(cost);
            assert_eq!(value(&view), expected);
        }
    }

    #[test]
    fn the_database_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::of(folder.path());
        drop(open(&location).unwrap());
        let mode = std::fs::metadata(location.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

//! The log and what is kept beside it, in SQLite.
//!
//! One thread writes ([`writer`]), a pool reads ([`reader`]). Only [`codec`] knows stored bytes.
//! Whatever answers a [`StoreError`] may fail because the database does; its other errors are said
//! beside it. No SQLite type leaves this room, so that another engine could stand behind the same calls.

mod approvals;
mod catalog;
mod codec;
mod migrate;
mod notified;
mod projection;
mod query;
mod reader;
mod rows;
mod run_repos;
mod secrets;
#[cfg(test)]
mod tests;
mod writer;

pub use approvals::ApprovalFilter;
pub use catalog::Idempotent;
pub use codec::{EventRow, Payload, StoredEvent, encode};
pub(crate) use notified::NextToNotify;
pub use projection::RunRow;
pub use reader::{Reader, RunFilter};
pub(crate) use run_repos::{RunRepo, StoredCheckpoint};
#[cfg(test)]
pub(crate) use writer::stepped;
pub use writer::{Append, Batch, Commit, Stored, Writer};

use std::path::{Path, PathBuf};

/// Name of the database in the data folder.
pub const DATABASE: &str = "abbado.db";

/// Why a call to the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk or the database is full; it works again when there is space.
    #[error("the disk is full")]
    Full,
    /// Another append came first.
    #[error("expected sequence {expected}, found {found}")]
    WrongSequence {
        /// What the caller believed.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// This delivery was recorded before.
    #[error("this delivery is already recorded")]
    Duplicate,
    /// A unique name, path or key is taken; the constraint's columns.
    #[error("not unique: {0}")]
    Taken(String),
    /// The row is not there.
    #[error("the row does not exist")]
    Missing,
    /// The database was written by a newer program.
    #[error("the database has schema {found}, newer than this program's {known}")]
    Newer {
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// There are folders of runs and no log of them.
    #[error(
        "{path} is missing or empty although there are runs beside it; restore the database from a backup, or move the folders runs and worktrees away to start over"
    )]
    LogGone {
        /// The database.
        path: String,
    },
    /// The database cannot be used in its present state.
    #[error("the database {path} cannot be used: {why}")]
    Unusable {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file system lacks something that a database needs.
    #[error(
        "the file system of the database does not support locks or shared memory ({0}); choose a folder on a local disk with --data-dir"
    )]
    Unsuited(String),
    /// The database is there and takes no writes; it works again when it does.
    #[error("the database cannot be written: {0}")]
    Unwritable(String),
    /// The writer failed during the transaction: only the log shows whether it was stored.
    #[error("the writer failed during the transaction")]
    Interrupted,
    /// The writer thread has ended.
    #[error("the store is closed")]
    Closed,
    /// Anything else SQLite or the pool said.
    #[error("the database failed: {0}")]
    Database(String),
    /// Stored bytes that do not decode.
    #[error("the log is corrupt: {0}")]
    Corrupt(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{ErrorCode, ffi};
        if matches!(error, rusqlite::Error::QueryReturnedNoRows) {
            return Self::Missing;
        }
        let extended = error.sqlite_error().map_or(0, |it| it.extended_code);
        // Other I/O errors are those of reading.
        let on_writing = matches!(
            extended,
            ffi::SQLITE_IOERR_WRITE
                | ffi::SQLITE_IOERR_FSYNC
                | ffi::SQLITE_IOERR_DIR_FSYNC
                | ffi::SQLITE_IOERR_TRUNCATE
                | ffi::SQLITE_IOERR_SHMSIZE
        );
        let unsuited = matches!(
            extended,
            ffi::SQLITE_PROTOCOL
                | ffi::SQLITE_NOLFS
                | ffi::SQLITE_IOERR_LOCK
                | ffi::SQLITE_IOERR_RDLOCK
                | ffi::SQLITE_IOERR_CHECKRESERVEDLOCK
                | ffi::SQLITE_IOERR_SHMOPEN
                | ffi::SQLITE_IOERR_SHMLOCK
                | ffi::SQLITE_IOERR_SHMMAP
        );
        match error.sqlite_error_code() {
            Some(_) if unsuited => Self::Unsuited(error.to_string()),
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly) => Self::Unwritable(error.to_string()),
            Some(_) if on_writing => Self::Unwritable(error.to_string()),
            Some(ErrorCode::ConstraintViolation) => {
                let text = error.to_string();
                if text.contains("events.delivery") {
                    Self::Duplicate
                } else if text.contains("FOREIGN KEY") {
                    // What the row belongs to was removed meanwhile.
                    Self::Missing
                } else {
                    Self::Taken(text)
                }
            }
            Some(_) | None => Self::Database(error.to_string()),
        }
    }
}

impl StoreError {
    /// True when the log takes nothing now and may later.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::Full | Self::Unwritable(_))
    }

    /// Names the database where something is wrong with it as a whole.
    fn of(self, location: &Location) -> Self {
        if let Self::Database(why) = self {
            let path = location.0.display().to_string();
            return Self::Unusable { path, why };
        }
        self
    }
}

impl From<r2d2::Error> for StoreError {
    fn from(error: r2d2::Error) -> Self {
        Self::Database(error.to_string())
    }
}

/// Where a store is.
#[derive(Debug, Clone)]
pub struct Location(PathBuf);

impl Location {
    /// The store of a data folder.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(DATABASE))
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What SQLite opens for reading, so that no file is created or changed: when nothing is
    /// in the WAL the database alone is read. SQLite would make a WAL, or give one the mode of the
    /// database.
    fn untouched(&self) -> PathBuf {
        let mut wal = self.0.clone().into_os_string();
        wal.push("-wal");
        match self.0.to_str() {
            Some(path) if std::fs::metadata(wal).map_or(0, |wal| wal.len()) == 0 => {
                let escaped = path
                    .replace('%', "%25")
                    .replace('?', "%3f")
                    .replace('#', "%23");
                format!("file:{escaped}?immutable=1").into()
            }
            Some(_) | None => self.0.clone(),
        }
    }
}

/// Opens the store: applies missing schema steps, starts the writer thread, makes the read pool.
/// Committed batches go to `batches` in id order.
///
/// # Errors
/// When the file cannot be opened, is newer than the program, or a step fails.
pub fn open(
    location: &Location,
    batches: tokio::sync::mpsc::Sender<Batch>,
) -> Result<(Writer, Reader), StoreError> {
    let connection = migrate::open(location).map_err(|error| error.of(location))?;
    let reader = Reader::open(location)?;
    Ok((Writer::start(connection, batches)?, reader))
}

/// Opens the store for reading, and changes nothing; nothing when its schema is older than ours.
///
/// # Errors
/// When there is no such file, or it is newer than the program.
pub fn look(location: &Location) -> Result<Option<Reader>, StoreError> {
    Ok(match migrate::is_current(location)? {
        true => Some(Reader::open_at(&location.untouched())?),
        false => None,
    })
}

/// Rebuilds the read model from the log. Returns the number of runs.
///
/// # Errors
/// When the log cannot be read or the projection not be written.
pub fn rebuild(location: &Location) -> Result<usize, StoreError> {
    let mut connection = migrate::open(location).map_err(|error| error.of(location))?;
    projection::rebuild(&mut connection)
}

//! The bytes of a run's terminal, bounded, at absolute offsets.
//!
//! Written by the holder alone; read by its viewers and by the server (`GET logs`). An offset is
//! the place in `output.log`: the file is sparse, and when it holds more than its bound the oldest
//! half becomes a hole, so offsets stay what they were. Later attempts append to the same log.
//!
//! Holds: `output.base` is moved before the bytes below it go, so a reader that finds its offset
//! at or above the base after reading has read real bytes.
//!
//! Not handled: a file system without holes (the log then grows; said once in `holder.log`).
//!
//! # Crash
//! Bytes that were written are in the page cache and survive the holder; a power cut may lose the
//! last ones, which no event depends on.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, fallocate};

use super::run_files::write_atomic;
use crate::files;

/// How many bytes of output a run keeps before the oldest half goes.
pub const LOG_LEN_MAX: u64 = 64 * 1024 * 1024;

const LOG: &str = "output.log";
const BASE: &str = "output.base";
/// Holes are made in whole blocks, else the kernel zeroes the rest instead of freeing it.
const BLOCK_LEN: u64 = 4096;

/// Which offsets of the output are kept.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first byte that is kept.
    pub base: u64,
    /// One past the last byte.
    pub end: u64,
}

/// Tells which offsets are kept; `None` when the run has no output log.
///
/// # Errors
/// As reading files does.
pub fn extent(run_dir: &Path) -> io::Result<Option<Extent>> {
    let found = files::if_there(fs::symlink_metadata(run_dir.join(LOG)))?;
    let Some(log) = found.filter(fs::Metadata::is_file) else {
        return Ok(None);
    };
    let end = log.len();
    let base = read_base(run_dir)?.min(end);
    Ok(Some(Extent { base, end }))
}

/// Reads up to `len` bytes at `offset`; fewer at the end, none beyond it.
///
/// # Errors
/// `NotFound` when there is no log, `InvalidInput` when the offset is no longer kept.
pub fn read_at(run_dir: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let file = files::open(&run_dir.join(LOG))?;
    let mut bytes = vec![0; len];
    let filled = read_full(&file, &mut bytes, offset)?;
    bytes.truncate(filled);
    if read_base(run_dir)? > offset {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "this output is no longer kept",
        ));
    }
    Ok(bytes)
}

fn read_full(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(filled)
}

fn read_base(run_dir: &Path) -> io::Result<u64> {
    let text = files::read_text(&run_dir.join(BASE), files::SMALL);
    let Some(text) = files::if_regular(text)? else {
        return Ok(0);
    };
    let number = text.trim().parse();
    number.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "output.base is not a number"))
}

/// What an append did to the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Appended {
    /// What is kept now.
    pub extent: Extent,
    /// The oldest half should have gone and could not, for the first time.
    pub grows: bool,
}

/// The writing end.
#[derive(Debug)]
pub struct OutputLog {
    run_dir: PathBuf,
    file: File,
    extent: Extent,
    len_max: u64,
    /// Set once holes turned out to be impossible here.
    grows: bool,
}

impl OutputLog {
    /// Opens the run's log, at its end.
    ///
    /// # Errors
    /// As opening files does.
    pub fn open(run_dir: &Path, len_max: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let file = files::open_own(&mut options, &run_dir.join(LOG))?;
        let end = file.metadata()?.len();
        let base = read_base(run_dir)?.min(end);
        let extent = Extent { base, end };
        Ok(Self {
            run_dir: run_dir.to_owned(),
            file,
            extent,
            len_max,
            grows: false,
        })
    }

    /// Tells what is kept.
    #[must_use]
    pub const fn extent(&self) -> Extent {
        self.extent
    }

    /// Tells the bound.
    #[must_use]
    pub const fn len_max(&self) -> u64 {
        self.len_max
    }

    /// Opens a reading end that sees what this one appends.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn reader(&self) -> io::Result<LogReader> {
        Ok(LogReader {
            file: self.file.try_clone()?,
        })
    }

    /// Appends output, then drops the oldest half when the log is over its bound. On a full disk
    /// the oldest half goes early, and the append is tried once more.
    ///
    /// # Errors
    /// When the bytes could not be written: none of them count, the end stays where it was.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<Appended> {
        if let Err(err) = self.file.write_all_at(bytes, self.extent.end) {
            let full = err.kind() == io::ErrorKind::StorageFull;
            if !full || self.drop_oldest().is_err() {
                return self.give_up(err);
            }
            if let Err(err) = self.file.write_all_at(bytes, self.extent.end) {
                return self.give_up(err);
            }
        }
        self.extent.end += bytes.len() as u64;
        let over = self.extent.end - self.extent.base > self.len_max;
        let mut grows = false;
        if over && !self.grows && self.drop_oldest().is_err() {
            self.grows = true;
            grows = true;
        }
        Ok(Appended {
            extent: self.extent,
            grows,
        })
    }

    /// Cuts a half-written piece off: readers take the file's length for the end of the output.
    fn give_up(&self, err: io::Error) -> io::Result<Appended> {
        self.file.set_len(self.extent.end)?;
        Err(err)
    }

    fn drop_oldest(&mut self) -> io::Result<()> {
        let keep = self.len_max / 2;
        let base = self.extent.end.saturating_sub(keep) / BLOCK_LEN * BLOCK_LEN;
        if base <= self.extent.base {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let old = self.extent.base / BLOCK_LEN * BLOCK_LEN;
        write_atomic(&self.run_dir.join(BASE), base.to_string().as_bytes())?;
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        self.extent.base = base;
        fallocate(
            &self.file,
            flags,
            old.cast_signed(),
            (base - old).cast_signed(),
        )?;
        Ok(())
    }

    /// Makes the output durable, at the end of a run.
    ///
    /// # Errors
    /// As syncing a file does.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A reading end inside the holder, which knows the extent from elsewhere.
#[derive(Debug)]
pub struct LogReader {
    file: File,
}

impl LogReader {
    /// Reads up to `buffer.len()` bytes at `offset`; fewer at the end.
    ///
    /// # Errors
    /// As reading a file does.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_full(&self.file, buffer, offset)
    }

    /// Opens another one.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    /// Every byte tells its own offset, so that any misplaced one shows.
    fn pattern(range: std::ops::Range<u64>) -> Vec<u8> {
        range.map(|at| (at.wrapping_mul(31) >> 3) as u8).collect()
    }

    #[test]
    fn a_bounded_log_keeps_offsets_and_frees_what_it_drops() {
        let dir = tempfile::tempdir().unwrap();
        let bound = 256 * 1024;
        let mut log = OutputLog::open(dir.path(), bound).unwrap();
        let piece = 10_000;
        for start in (0..2_000_000).step_by(piece) {
            let start = start as u64;
            let done = log.append(&pattern(start..start + piece as u64)).unwrap();
            assert!(done.extent.end - done.extent.base <= bound, "{done:?}");
            assert!(!done.grows, "the test folder's file system makes no holes");
        }
        let seen = extent(dir.path()).unwrap().unwrap();
        assert_eq!(seen, log.extent());
        assert_eq!(seen.end, 2_000_000);
        assert!(seen.base > 1_700_000);
        let kept = read_at(dir.path(), seen.base, 10 * bound as usize).unwrap();
        assert_eq!(kept, pattern(seen.base..seen.end));
        let gone = read_at(dir.path(), seen.base - 1, 10).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::InvalidInput);
        assert!(read_at(dir.path(), seen.end, 10).unwrap().is_empty());
        let on_disk = fs::metadata(dir.path().join(LOG)).unwrap().blocks() * 512;
        assert!(
            on_disk <= bound + 2 * BLOCK_LEN,
            "{on_disk} bytes are still on disk"
        );
    }

    #[test]
    fn a_second_attempt_goes_on_where_the_first_ended() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(extent(dir.path()).unwrap(), None);
        OutputLog::open(dir.path(), LOG_LEN_MAX)
            .unwrap()
            .append(b"first ")
            .unwrap();
        let mut log = OutputLog::open(dir.path(), LOG_LEN_MAX).unwrap();
        assert_eq!(log.extent(), Extent { base: 0, end: 6 });
        log.append(b"second").unwrap();
        assert_eq!(read_at(dir.path(), 0, 100).unwrap(), b"first second");
        assert_eq!(read_at(dir.path(), 3, 5).unwrap(), b"st se");
    }
}

//! Compares all files of a worktree with what its index knows of them, by their metadata.
//!
//! Folders with tracked files are listed in parallel; what is in them and in no index is reported, and
//! not descended into. In doubt a file counts as touched: then git itself is asked about it.

use super::{
    Context, GitError,
    index::{Index, Item},
    large,
    surroundings::RULES,
};
use nix::{
    dir::{Dir, Type},
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat},
    sys::stat::{FileStat, Mode, SFlag, fstat, fstatat},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A file that is not older than the index by more than this may have been changed again within
/// one tick of the clock that file times come from, which is 10 ms on the slowest kernels.
const TICK_NANOS: i128 = 20_000_000;
/// Threads at most: more only wait for the file system.
const THREADS_MAX: usize = 4;
const LOOKING: &str = "inspecting a worktree's files";

/// What was found of a tracked file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// As the index knows it.
    Same,
    /// A file or link that may be another, or is.
    Touched,
    /// Nothing, or something below a link.
    Gone,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Of each file of the index, in its order.
    pub(super) found: Vec<Found>,
    /// Files and links that are in no index, ignored ones too.
    pub(super) files: Vec<Vec<u8>>,
    /// Folders without a tracked file.
    pub(super) folders: Vec<Vec<u8>>,
    /// There is something that git cannot store, such as a pipe.
    pub(super) strange: bool,
    /// A folder stands at the path of a file, or a repository inside, or one cannot be read; or git
    /// would wait at a file of rules, or choke on it.
    pub(super) odd: bool,
    /// A file has a second name, or a folder another file system: changes may go unnoticed.
    pub(super) unwatchable: bool,
}

impl Seen {
    /// Adds what was seen elsewhere of files that are in no index.
    fn add(&mut self, other: Self) {
        self.files.extend(other.files);
        self.folders.extend(other.folders);
        self.strange |= other.strange;
        self.odd |= other.odd;
        self.unwatchable |= other.unwatchable;
    }
}

/// Whether a worktree is as its index says, with nothing else in it, however new its files are.
///
/// # Errors
/// `Io` when a folder cannot be looked into.
pub(super) fn is_clean(root: &Path, index: &Index) -> Result<bool, GitError> {
    let seen = look(root, index, i128::MAX, &|_| ())?;
    let others = !seen.files.is_empty() || !seen.folders.is_empty();
    let same = |found: &Found| *found == Found::Same;
    Ok(seen.found.iter().all(same) && !others && !seen.strange && !seen.odd)
}

/// The paths of an index whose files may differ from it. `path` is that of the index.
///
/// # Errors
/// `Io` when a folder cannot be looked into for another reason than that it may not be read.
pub(super) fn touched(
    root: &Path,
    index: &Index,
    path: &Path,
) -> Result<BTreeSet<Vec<u8>>, GitError> {
    let seen = look(root, index, written(path)?, &|_| ())?;
    let items = index.items().iter().zip(&seen.found);
    let touched = items.filter(|(item, found)| item.special || **found != Found::Same);
    Ok(touched.map(|(item, _)| index.path(item).to_vec()).collect())
}

/// Whether a file is as an index knows it, however new it is.
pub(super) fn as_known(root: &Path, index: &Index, path: &[u8]) -> bool {
    let full = root.join(OsStr::from_bytes(path));
    let item = index.find(path).filter(|item| !item.special);
    let stat = fstatat(nix::fcntl::AT_FDCWD, &full, AtFlags::AT_SYMLINK_NOFOLLOW);
    let found = item.zip(stat.ok());
    found.is_some_and(|(item, stat)| is_same(item, &stat, i128::MAX))
}

/// A folder: its path with a slash at the end (empty for the root), and its files by name.
type Folders<'i> = BTreeMap<&'i [u8], Vec<(&'i [u8], usize)>>;

/// The folders that hold tracked files, at any depth below.
fn folders(index: &Index) -> Folders<'_> {
    let mut folders = Folders::from([(&b""[..], Vec::new())]);
    // Files of one folder mostly come one after the other.
    let (mut last, mut files): (&[u8], Vec<(&[u8], usize)>) = (b"", Vec::new());
    for (at, item) in index.items().iter().enumerate() {
        let path = index.path(item);
        let end = path.iter().rposition(|byte| *byte == b'/');
        let (folder, name) = path.split_at(end.map_or(0, |end| end + 1));
        if folder != last {
            folders.entry(last).or_default().append(&mut files);
            last = folder;
        }
        files.push((name, at));
    }
    folders.entry(last).or_default().append(&mut files);
    let known: Vec<&[u8]> = folders.keys().copied().collect();
    for folder in known {
        let mut above = folder;
        while let Some(upper) = parent(above) {
            above = upper;
            folders.entry(above).or_default();
        }
    }
    folders
}

/// The folder above; none above the root.
fn parent(folder: &[u8]) -> Option<&[u8]> {
    let name = folder.strip_suffix(b"/")?;
    let end = name.iter().rposition(|byte| *byte == b'/');
    Some(&folder[..end.map_or(0, |end| end + 1)])
}

/// When the index was written, in nanoseconds since 1970.
pub(super) fn written(index: &Path) -> Result<i128, GitError> {
    let found = fs::metadata(index).context("inspecting a worktree's index")?;
    Ok(nanos(found.mtime(), found.mtime_nsec()))
}

/// Looks at all of them. `written` is when the index was, in nanoseconds since 1970; `watch` is told
/// all folders before the first is looked into.
///
/// # Errors
/// `Io` when a folder cannot be looked into.
pub(super) fn look(
    root: &Path,
    index: &Index,
    written: i128,
    watch: &dyn Fn(&[u8]),
) -> Result<Seen, GitError> {
    let folders = folders(index);
    // Those above come first: one that is moved away meanwhile is noticed.
    folders.keys().for_each(|folder| watch(folder));
    let looking = Looking {
        root: open(root).context(LOOKING)?,
        index,
        written,
        folders: &folders,
    };
    let all: Vec<_> = folders.iter().collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.clamp(1, THREADS_MAX).min(1 + all.len() / 16);
    let (next, parts) = (
        AtomicUsize::new(0),
        Mutex::new(Vec::with_capacity(all.len())),
    );
    let work = || {
        while let Some((folder, files)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let part = looking.folder(folder, files);
            let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
            parts.push((**folder, part));
        }
    };
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    let parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    join(index, parts).context(LOOKING)
}

fn open(folder: &Path) -> Result<OwnedFd, Errno> {
    openat(nix::fcntl::AT_FDCWD, folder, HOW, Mode::empty())
}

const HOW: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// What was found in one folder; `None` when it does not exist.
type Part = Result<Option<InFolder>, Errno>;

#[derive(Default)]
struct InFolder {
    found: Vec<(usize, Found)>,
    seen: Seen,
}

/// Puts the parts together. What is below a link is not part of the worktree.
fn join(index: &Index, mut parts: Vec<(&[u8], Part)>) -> Result<Seen, Errno> {
    parts.sort_unstable_by_key(|(folder, _)| *folder);
    let mut all = Seen {
        found: vec![Found::Gone; index.items().len()],
        ..Seen::default()
    };
    let mut gone: BTreeSet<&[u8]> = BTreeSet::new();
    for (folder, part) in parts {
        let below = parent(folder).is_some_and(|above| gone.contains(above));
        let Some(part) = part?.filter(|_| !below) else {
            gone.insert(folder);
            continue;
        };
        for (at, found) in part.found {
            if let Some(place) = all.found.get_mut(at) {
                *place = found;
            }
        }
        all.add(part.seen);
    }
    Ok(all)
}

struct Looking<'a> {
    root: OwnedFd,
    index: &'a Index,
    written: i128,
    folders: &'a Folders<'a>,
}

impl Looking<'_> {
    fn folder(&self, folder: &[u8], files: &[(&[u8], usize)]) -> Part {
        let path = folder.strip_suffix(b"/").unwrap_or(b".");
        let mut open = match Dir::openat(&self.root, OsStr::from_bytes(path), HOW, Mode::empty()) {
            Ok(open) => open,
            // A link fails with ENOTDIR or ELOOP.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(None),
            // Nothing is known of what is in it, and it may well be as it was.
            Err(Errno::EACCES | Errno::EPERM) => {
                let mut part = InFolder::default();
                part.seen.odd = true;
                part.found
                    .extend(files.iter().map(|(_, at)| (*at, Found::Same)));
                return Ok(Some(part));
            }
            Err(error) => return Err(error),
        };
        let mut part = InFolder::default();
        let (here, root) = (fstat(&open)?, fstat(&self.root)?);
        part.seen.unwatchable = here.st_dev != root.st_dev;
        let mut names = Vec::with_capacity(files.len());
        for entry in open.iter() {
            let entry = entry?;
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
        for (name, kind) in names {
            let bytes = name.to_bytes();
            match bytes {
                b"." | b".." => continue,
                b".git" if folder.is_empty() => continue,
                // A repository inside.
                b".git" => part.seen.odd = true,
                _ => {}
            }
            let tracked = files.binary_search_by_key(&bytes, |(name, _)| *name).ok();
            let item = tracked.and_then(|place| files.get(place));
            if let Some((_, at)) = item {
                let stat = match fstatat(&open, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                    Ok(stat) => stat,
                    Err(Errno::ENOENT) => continue,
                    Err(error) => return Err(error),
                };
                part.seen.odd |= has_endless_rules(bytes, &stat);
                self.tracked(*at, &stat, &mut part);
            } else {
                self.other(folder, bytes, kind, &open, &mut part.seen)?;
            }
        }
        Ok(Some(part))
    }

    fn tracked(&self, at: usize, stat: &FileStat, part: &mut InFolder) {
        let kind = kind_of(stat);
        if kind != SFlag::S_IFREG && kind != SFlag::S_IFLNK {
            part.seen.odd = true;
        }
        part.seen.unwatchable |= stat.st_nlink > 1;
        let item = self.index.items().get(at);
        let same = item.is_some_and(|item| is_same(item, stat, self.written));
        let found = if same { Found::Same } else { Found::Touched };
        part.found.push((at, found));
    }

    /// What is in no index.
    fn other(
        &self,
        folder: &[u8],
        name: &[u8],
        kind: Option<Type>,
        open: &Dir,
        seen: &mut Seen,
    ) -> Result<(), Errno> {
        let mut path = [folder, name].concat();
        let kind = match kind {
            Some(kind) => kind,
            // The file system does not return it with the name.
            None => match fstatat(open, OsStr::from_bytes(name), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) => type_of(&stat),
                Err(Errno::ENOENT) => return Ok(()),
                Err(error) => return Err(error),
            },
        };
        match kind {
            Type::File | Type::Symlink => {
                if RULES.contains(&name) {
                    let stat = fstatat(open, OsStr::from_bytes(name), AtFlags::AT_SYMLINK_NOFOLLOW);
                    seen.odd |= stat.is_ok_and(|stat| has_endless_rules(name, &stat));
                }
                seen.files.push(path);
            }
            Type::Directory => {
                path.push(b'/');
                if !self.folders.contains_key(path.as_slice()) {
                    seen.folders.push(path);
                }
            }
            Type::Fifo | Type::CharacterDevice | Type::BlockDevice | Type::Socket => {
                seen.strange = true;
                // It would block git until somebody writes.
                seen.odd |= RULES.contains(&name);
            }
        }
        Ok(())
    }
}

/// What is in a folder that holds no tracked file.
///
/// # Errors
/// `Io` when it cannot be looked into.
pub(super) fn look_into(root: &Path, folder: &[u8], seen: &mut Seen) -> Result<(), GitError> {
    let index = Index::default();
    let looking = Looking {
        root: open(root).context(LOOKING)?,
        index: &index,
        written: 0,
        folders: &Folders::new(),
    };
    if let Some(part) = looking.folder(folder, &[]).context(LOOKING)? {
        seen.add(part.seen);
    }
    Ok(())
}

fn has_endless_rules(name: &[u8], stat: &FileStat) -> bool {
    large::are_endless_rules(name, stat.st_size.try_into().unwrap_or_default())
}

fn kind_of(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

fn type_of(stat: &FileStat) -> Type {
    match kind_of(stat) {
        SFlag::S_IFDIR => Type::Directory,
        SFlag::S_IFLNK => Type::Symlink,
        SFlag::S_IFREG => Type::File,
        _ => Type::Fifo,
    }
}

fn is_same(item: &Item, stat: &FileStat, written: i128) -> bool {
    let kind = kind_of(stat);
    let runs = item.mode & 0o100 != 0;
    let times = (
        nanos(stat.st_mtime, stat.st_mtime_nsec),
        nanos(stat.st_ctime, stat.st_ctime_nsec),
    );
    kind.bits() == item.mode & SFlag::S_IFMT.bits()
        && (kind == SFlag::S_IFLNK || runs == (stat.st_mode & 0o100 != 0))
        && low(stat.st_size) == item.size
        && low(stat.st_ino) == item.ino
        && (stat.st_uid, stat.st_gid) == item.owner
        && times == item.times
        && times.0 < written - TICK_NANOS
}

/// The lower half, as an index keeps it.
fn low<T: TryInto<i128>>(number: T) -> u32 {
    let number = number.try_into().unwrap_or_default() & i128::from(u32::MAX);
    u32::try_from(number).unwrap_or_default()
}

/// A time of a file in nanoseconds since 1970.
pub(super) fn nanos(seconds: i64, nanos: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanos)
}

//! Counts that are remembered for as long as nothing changed (decision 16).
//!
//! An answer is valid while everything that it was computed from is unchanged: the files, which are
//! watched from before they are read; the index and HEAD; the configuration, and the files that say what
//! is ignored and how contents are read. In doubt it is counted again.

use super::{
    ChangesOf, DiffStats, GitError, listing,
    quick::{Identity, Looked, Quick, identity},
    watched::{Budget, Watched, WatchedChange, folders_max},
};
use crate::domain::TrustedFilter;
use crate::git::{
    configuration::Configuration, open_worktree::OpenWorktree, place::Place, text::os_string,
    trusted::trusted,
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Worktrees that are watched at once; the least recently requested one is forgotten first.
const WATCHED_MAX: usize = 16;
/// Longest time that an answer is reused, whether or not changes are reported.
const AGE_MAX: Duration = Duration::from_secs(60);
/// Longest time that a worktree is watched without a request.
const UNASKED_MAX: Duration = Duration::from_secs(5 * 60);

/// The counts of all worktrees that somebody is viewing.
#[derive(Debug)]
pub struct StatsCache {
    slots: Mutex<HashMap<PathBuf, Slot>>,
    budget: Budget,
    /// The user's own files of rules, in their usual places, and the user's home.
    rules: Vec<PathBuf>,
    home: PathBuf,
}

/// One worktree; requests wait for the one that is counting.
#[derive(Debug)]
struct Slot {
    asked: Instant,
    kept: Arc<Mutex<Option<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    base: String,
    ground: Ground,
    watched: Watched,
    /// None when only the watch is of use.
    answer: Option<CachedStats>,
}

#[derive(Debug)]
struct CachedStats {
    stats: DiffStats,
    made: Instant,
    /// The files that may have changed. Changes are reported as well; this is a second check.
    files: Vec<(PathBuf, Identity)>,
}

/// What an answer depends on, except for the files of the worktree.
#[derive(Debug, PartialEq, Eq)]
struct Ground {
    admin: PathBuf,
    common_dir: PathBuf,
    configuration: Configuration,
    filters: Vec<TrustedFilter>,
    files: Vec<(PathBuf, Identity)>,
}

impl StatsCache {
    /// Begins with none. `home` is the user's, `configs` where programs keep their settings.
    #[must_use]
    pub fn new(home: &Path, configs: &[PathBuf]) -> Self {
        let names = ["git/ignore", "git/attributes", "git/config"];
        let own = configs
            .iter()
            .flat_map(|at| names.map(|name| at.join(name)));
        let system = [
            "/etc/gitattributes",
            "/usr/local/etc/gitattributes",
            "/etc/gitconfig",
        ];
        Self {
            slots: Mutex::default(),
            budget: Budget::new(folders_max()),
            rules: own.chain(system.map(PathBuf::from)).collect(),
            home: home.to_owned(),
        }
    }

    /// Counts what was changed, or returns the last count when nothing changed since.
    ///
    /// # Errors
    /// `NotARepository`, `UnknownRevision`, and those of starting `git`.
    pub fn diff_stats(&self, of: ChangesOf<'_>) -> Result<DiffStats, GitError> {
        let slot = self.slot(&of.at.worktree);
        let mut kept = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let news = match kept.as_mut() {
            Some(former) => match self.still(former, of) {
                Ok(stats) => return Ok(stats),
                Err(news) => news,
            },
            None => WatchedChange::Folders,
        };
        // Removed, so that an error leaves nothing behind.
        let former = kept.take().filter(|_| news == WatchedChange::Files);
        match self.count(of, former) {
            Ok(Some((stats, fresh))) => {
                *kept = fresh;
                return Ok(stats);
            }
            Ok(None) => {}
            Err(error) => {
                log::debug!(error:% = error; "A worktree has to be staged to be counted.");
            }
        }
        super::staged_stats(of)
    }

    /// Forgets a worktree, which is about to go or is no longer of interest.
    pub fn forget(&self, worktree: &Path) {
        self.slots().remove(worktree);
    }

    /// Forgets what nobody asked for lately.
    pub fn forget_unasked(&self) {
        self.slots()
            .retain(|_, slot| slot.asked.elapsed() < UNASKED_MAX);
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, worktree: &Path) -> Arc<Mutex<Option<Kept>>> {
        let mut slots = self.slots();
        let asked = Instant::now();
        if slots.len() >= WATCHED_MAX && !slots.contains_key(worktree) {
            let oldest = slots.iter().min_by_key(|(_, slot)| slot.asked);
            if let Some(oldest) = oldest.map(|(path, _)| path.clone()) {
                slots.remove(&oldest);
            }
        }
        let slot = slots.entry(worktree.to_owned()).or_insert_with(|| Slot {
            asked,
            kept: Arc::default(),
        });
        slot.asked = asked;
        Arc::clone(&slot.kept)
    }

    /// The answer, if it is still valid; else what changed.
    fn still(&self, kept: &mut Kept, of: ChangesOf<'_>) -> Result<DiffStats, WatchedChange> {
        let (worktree, ground) = (&of.at.worktree, &kept.ground);
        let now = Place::open(&ground.admin, worktree).ok().and_then(|place| {
            let index = identity(&ground.admin.join("index"));
            self.ground(&place, &ground.common_dir, index)
        });
        if now.as_ref() != Some(ground) {
            return Err(WatchedChange::Folders);
        }
        let answer = kept.answer.take().filter(|answer| {
            kept.base == of.base_commit
                && answer.made.elapsed() < AGE_MAX
                && answer.files.iter().all(is_same)
        });
        match (kept.watched.news(), answer) {
            (WatchedChange::Nothing, Some(answer)) => Ok(kept.answer.insert(answer).stats),
            (WatchedChange::Folders, _) => Err(WatchedChange::Folders),
            (WatchedChange::Nothing | WatchedChange::Files, _) => Err(WatchedChange::Files),
        }
    }

    /// Counts, and keeps the count if nothing happened meanwhile.
    fn count(
        &self,
        of: ChangesOf<'_>,
        former: Option<Kept>,
    ) -> Result<Option<(DiffStats, Option<Kept>)>, GitError> {
        let open = OpenWorktree::open(of.at, of.repo_path)?;
        // Before it is read.
        let index = identity(&open.record.admin.join("index"));
        let Some(quick) = Quick::open(of)? else {
            return Ok(None);
        };
        let ground = self.ground(quick.place(), &open.common_dir, index);
        let known = former.filter(|former| Some(&former.ground) == ground.as_ref());
        let (watched, whole) = match known {
            Some(former) => (Some(former.watched), true),
            None => (Watched::begin(&of.at.worktree, &self.budget), false),
        };
        // Folders that are watched already are read after all their events.
        let adding = watched.as_ref().filter(|_| !whole);
        let Some(looked) = quick.look(adding)? else {
            return Ok(None);
        };
        let stats = listing::total(&looked.entries);
        let kept = ground
            .zip(watched)
            .and_then(|(ground, watched)| self.keep(of, stats, looked, ground, watched));
        Ok(Some((stats, kept)))
    }

    fn keep(
        &self,
        of: ChangesOf<'_>,
        stats: DiffStats,
        looked: Looked,
        ground: Ground,
        watched: Watched,
    ) -> Option<Kept> {
        if looked.unwatchable || !watched.is_whole() {
            return None;
        }
        let files = looked.files;
        let one_name = |(_, found): &(PathBuf, Identity)| found.is_none_or(|it| it[4] == 1);
        // The configuration is read when it is asked for again; its files are among these.
        let steady = ground.files.iter().all(is_same);
        // Last: whatever happened before is in it.
        let news = watched.news();
        if !steady || news == WatchedChange::Folders || !files.iter().all(one_name) {
            return None;
        }
        let answer = (news == WatchedChange::Nothing).then(|| CachedStats {
            stats,
            made: Instant::now(),
            files,
        });
        Some(Kept {
            base: of.base_commit.to_owned(),
            ground,
            watched,
            answer,
        })
    }

    /// What an answer depends on now; `None` when it depends on a file whose path is not known.
    fn ground(&self, place: &Place, common_dir: &Path, index: Identity) -> Option<Ground> {
        let admin = place.git_dir();
        let mut paths = self.rules.clone();
        paths.extend(["HEAD", "gitdir", "config.worktree"].map(|name| admin.join(name)));
        let names = ["config", "info/exclude", "info/attributes"];
        paths.extend(names.map(|name| common_dir.join(name)));
        paths.push(self.home.join(".gitconfig"));
        for key in [&b"core.excludesfile"[..], b"core.attributesfile"] {
            match place.value(key) {
                None | Some(b"") => {}
                Some([b'~', b'/', below @ ..]) => paths.push(self.home.join(os_string(below))),
                Some(path @ [b'/', ..]) => paths.push(PathBuf::from(os_string(path))),
                Some(_) => return None,
            }
        }
        let mut files = vec![(admin.join("index"), index)];
        files.extend(paths.into_iter().map(|path| {
            // A link is often kept among a user's own files.
            let target = path.canonicalize().unwrap_or(path);
            let found = identity(&target);
            (target, found)
        }));
        Some(Ground {
            admin: admin.to_owned(),
            common_dir: common_dir.to_owned(),
            configuration: place.configuration().clone(),
            filters: trusted(admin),
            files,
        })
    }
}

/// Whether a file is as it was seen before.
fn is_same((path, known): &(PathBuf, Identity)) -> bool {
    identity(path) == *known
}

#[cfg(test)]
impl StatsCache {
    /// Whether an answer is remembered.
    pub(in crate::git) fn remembers(&self, worktree: &Path) -> bool {
        let slots = self.slots();
        let kept = slots.get(worktree).map(|slot| Arc::clone(&slot.kept));
        drop(slots);
        kept.is_some_and(|kept| {
            let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.as_ref().is_some_and(|kept| kept.answer.is_some())
        })
    }
}

//! What all actors share.

use super::{
    clock,
    reads::Reads,
    services::{
        kept_hooks::KeptHooks, notifier::Notifier, programs::Programs, spares::table::Spares,
        unrecorded::Unrecorded, watch::Watch,
    },
    threads,
};
use crate::{
    config::Config,
    domain::{RunId, settings::ModelSettings},
    forge::{ForgeConfig, Forges},
    git::{RepoLocks, StatsCache},
    store::{Reader, StoreError, Writer},
};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};

/// Set-ups and other heavy git jobs at once: more only fight for the disk.
pub(super) const HEAVY_JOBS_MAX: usize = 2;

/// What every actor needs.
pub(crate) struct Shared {
    /// Bounds, paths, the server's environment.
    pub config: Config,
    /// Where the server can be reached, once it listens.
    pub base_url: OnceLock<String>,
    /// The write side of the log.
    pub writer: Writer,
    /// The read side.
    pub reader: Reader,
    /// The read side for handlers, which must not block.
    pub reads: Reads,
    /// One lock a repository.
    pub repo_locks: RepoLocks,
    /// Sizes of runs' changes, while nothing changes.
    pub stats: StatsCache,
    /// Permits for heavy git jobs.
    pub heavy_jobs: tokio::sync::Semaphore,
    /// Worktrees that are ready for the next run.
    pub spares: Spares,
    /// Who tells people what happened.
    pub notifier: Arc<Notifier>,
    /// Where pull requests are opened.
    pub(super) forges: Forges,
    /// Which CLIs are installed.
    pub(super) programs: Programs,
    /// Hooks that the log could not take.
    pub(super) kept_hooks: KeptHooks,
    /// Stops that are carried out and not in the log.
    pub(super) unrecorded: Unrecorded,
    /// File notification.
    pub(super) watch: Watch,
    /// Stored prices; readers of transcripts take them when they begin.
    prices: RwLock<Arc<ModelSettings>>,
    /// Attached terminals by run; an idle CLI with a viewer is left alone.
    viewers: Mutex<HashMap<RunId, usize>>,
}

/// Counts one viewer of a run for as long as it lives.
pub(crate) struct ViewerGuard {
    shared: Arc<Shared>,
    run_id: RunId,
}

impl Drop for ViewerGuard {
    fn drop(&mut self) {
        let mut viewers = self
            .shared
            .viewers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = viewers.get_mut(&self.run_id) {
            *count -= 1;
            if *count == 0 {
                viewers.remove(&self.run_id);
            }
        }
    }
}

impl Shared {
    /// What all actors share.
    ///
    /// # Errors
    /// When the stored prices cannot be read.
    pub(super) fn new(
        config: Config,
        writer: Writer,
        reader: Reader,
        notifier: Arc<Notifier>,
        watch: Watch,
    ) -> Result<Self, StoreError> {
        let stats = stats_cache(&config);
        let forges = forges(&config);
        let prices = RwLock::new(Arc::new(reader.model_settings()?));
        Ok(Self {
            config,
            base_url: OnceLock::new(),
            writer,
            reads: Reads::new(reader.clone()),
            reader,
            repo_locks: RepoLocks::default(),
            stats,
            heavy_jobs: tokio::sync::Semaphore::new(HEAVY_JOBS_MAX),
            spares: Spares::default(),
            notifier,
            forges,
            programs: Programs::default(),
            kept_hooks: KeptHooks::default(),
            unrecorded: Unrecorded::default(),
            watch,
            prices,
            viewers: Mutex::default(),
        })
    }

    /// Runs something that blocks, beside the runs. A panic in it is logged: it could not do this.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        what: &str,
        job: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let shared = Arc::clone(self);
        let done = threads::run(move || job(&shared)).await;
        done.inspect_err(|error| log::error!("Could not {what}: {error}."))
            .ok()
    }

    /// Removes the folder of a deleted run.
    pub(super) fn remove_run_dir(&self, run_id: RunId) {
        if let Err(error) = std::fs::remove_dir_all(self.run_dir(run_id))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            log::warn!(run_id:%; "Could not remove the folder of deleted run {run_id}: {error}.");
        }
    }

    /// Folder of a run's own files.
    #[must_use]
    pub(crate) fn run_dir(&self, run_id: RunId) -> PathBuf {
        self.config.run_dir(run_id)
    }

    /// Folder that holds a run's worktrees, one a repo.
    #[must_use]
    pub(crate) fn worktrees_dir(&self, run_id: RunId) -> PathBuf {
        self.config
            .data_dir
            .join("worktrees")
            .join(run_id.to_string())
    }

    /// The prices that are stored.
    #[must_use]
    pub(crate) fn prices(&self) -> Arc<ModelSettings> {
        let held = self.prices.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held)
    }

    /// Other prices were stored. Reads them again, so that of two changes at once the one that
    /// was stored last is held. Blocks.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn prices_changed(&self) -> Result<(), StoreError> {
        let mut held = self.prices.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(self.reader.model_settings()?);
        Ok(())
    }

    /// Counts a viewer of a run, or refuses: the bound is reached.
    #[must_use]
    pub(crate) fn viewer(self: &Arc<Self>, run_id: RunId) -> Option<ViewerGuard> {
        let mut viewers = self.viewers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = viewers.entry(run_id).or_default();
        if *count >= self.config.viewers_max {
            return None;
        }
        *count += 1;
        Some(ViewerGuard {
            shared: Arc::clone(self),
            run_id,
        })
    }

    /// Viewers of a run.
    #[must_use]
    pub(crate) fn viewer_count(&self, run_id: RunId) -> usize {
        let viewers = self.viewers.lock().unwrap_or_else(PoisonError::into_inner);
        viewers.get(&run_id).copied().unwrap_or(0)
    }
}

fn forges(config: &Config) -> Forges {
    let mut at_forges = ForgeConfig::new(config.server_env.clone(), clock::now);
    at_forges.github_api.clone_from(&config.github_api);
    at_forges.gitlab_api.clone_from(&config.gitlab_api);
    Forges::new(at_forges)
}

/// The cache knows where the user's own files lie that git reads.
fn stats_cache(config: &Config) -> StatsCache {
    let named = |name: &str| {
        let mut variables = config.server_env.iter();
        let found = variables.find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| PathBuf::from(value))
    };
    let home = named("HOME").unwrap_or_default();
    let configs: Vec<_> = named("XDG_CONFIG_HOME").into_iter().collect();
    let configs = [configs, vec![home.join(".config")]].concat();
    StatsCache::new(&home, &configs)
}

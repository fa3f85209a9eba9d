//! What all actors share, and the handle the rest of the program asks through.

use super::{
    messages::{Answer, Ask, AskError, Request},
    reads::Reads,
    registry::{Count, Counts, Drain, Recover, Registry, revive},
    run::reply::Reply,
    services::{self, notifier::Notifier, spares::Spares, watch::Watch},
    stream::broadcaster::{Broadcaster, Close, Joined, Subscribe},
};
use crate::{
    config::Config,
    domain::{EventId, RunId, settings::ModelSettings},
    git::{RepoLocks, StatsCache},
    store::{Batch, Reader, StoreError, Writer},
};
use actix::Addr;
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};
use tokio::sync::mpsc;

/// Set-ups and other heavy git jobs at once: more only fight for the disk.
pub(super) const HEAVY_JOBS_MAX: usize = 2;

/// What every actor needs.
pub struct Shared {
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
    /// Hooks that the log could not take.
    pub(super) kept_hooks: services::kept_hooks::KeptHooks,
    /// Stops that are carried out and not in the log.
    pub(super) unrecorded: services::unrecorded::Unrecorded,
    /// File notification.
    pub(super) watch: Watch,
    /// Stored prices; readers of transcripts take them when they begin.
    prices: RwLock<Arc<ModelSettings>>,
    /// Attached terminals by run; an idle CLI with a viewer is left alone.
    viewers: Mutex<HashMap<RunId, usize>>,
}

/// Counts one viewer of a run for as long as it lives.
pub struct ViewerGuard {
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
    /// Folder of a run's own files.
    #[must_use]
    pub fn run_dir(&self, run_id: RunId) -> PathBuf {
        self.config.run_dir(run_id)
    }

    /// Folder that holds a run's worktrees, one a repo.
    #[must_use]
    pub fn worktrees_dir(&self, run_id: RunId) -> PathBuf {
        self.config
            .data_dir
            .join("worktrees")
            .join(run_id.to_string())
    }

    /// The prices that are stored.
    #[must_use]
    pub fn prices(&self) -> Arc<ModelSettings> {
        let held = self.prices.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held)
    }

    /// Other prices were stored. Reads them again, so that of two changes at once the one that
    /// was stored last is held. Blocks.
    ///
    /// # Errors
    /// When the database fails.
    pub fn prices_changed(&self) -> Result<(), StoreError> {
        let mut held = self.prices.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(self.reader.model_settings()?);
        Ok(())
    }

    /// Viewers of a run.
    #[must_use]
    pub fn viewer_count(&self, run_id: RunId) -> usize {
        let viewers = self.viewers.lock().unwrap_or_else(PoisonError::into_inner);
        viewers.get(&run_id).copied().unwrap_or(0)
    }
}

/// The running actors.
#[derive(Clone)]
pub struct Runtime {
    /// What they share.
    pub shared: Arc<Shared>,
    registry: Addr<Registry>,
    broadcaster: Addr<Broadcaster>,
    /// The log's head when the server started.
    floor: EventId,
}

impl Runtime {
    /// Starts the actors on the present thread's arbiter. `batches` is fed by the writer.
    ///
    /// # Errors
    /// When the log's head cannot be read.
    pub fn start(
        config: Config,
        writer: Writer,
        reader: Reader,
        batches: mpsc::Receiver<Batch>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let floor = reader.head()?;
        let notifier = Notifier::start(reader.clone(), writer.clone());
        let broadcaster = Broadcaster::start(floor, batches, Arc::clone(&notifier));
        let (watch, changed) = Watch::start();
        let stats = stats_cache(&config);
        let prices = RwLock::new(Arc::new(reader.model_settings()?));
        let shared = Arc::new(Shared {
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
            kept_hooks: services::kept_hooks::KeptHooks::default(),
            unrecorded: services::unrecorded::Unrecorded::default(),
            watch,
            prices,
            viewers: Mutex::default(),
        });
        let registry = Registry::start(Arc::clone(&shared), changed);
        Ok(Self {
            shared,
            registry,
            broadcaster,
            floor,
        })
    }

    /// Looks after every run that had a process or an open request when the last server ended,
    /// and from now on once a day after what deleted runs left.
    ///
    /// # Errors
    /// When the database cannot tell which.
    pub async fn recover(&self) -> Result<usize, AskError> {
        super::trust_filters(&self.shared.reader)?;
        services::moved::mend(self).await?;
        let runs = self.shared.reader.live_runs()?;
        let count = runs.len();
        for run_id in runs {
            self.registry
                .send(Recover { run_id })
                .await
                .map_err(|_| AskError::ShuttingDown)?;
        }
        let (shared, registry) = (Arc::clone(&self.shared), self.registry.clone());
        actix::spawn(revive::release_holders(shared, registry));
        actix::spawn(services::prune::run(Arc::clone(&self.shared)));
        actix::spawn(services::spares::run(Arc::clone(&self.shared)));
        actix::spawn(forget_unasked(Arc::clone(&self.shared)));
        Ok(count)
    }

    /// Asks a run. The request is carried out also when the caller goes away meanwhile.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask(&self, run_id: RunId, request: Request) -> Answer {
        let (reply, answer) = Reply::new();
        let ask = Ask {
            run_id,
            request,
            reply,
        };
        // A message that was sent is carried out, whoever waits for its answer.
        if self.registry.try_send(ask).is_err() {
            return Err(AskError::ShuttingDown);
        }
        answer.await.unwrap_or(Err(AskError::ActorEnded))
    }

    /// Joins the live stream after a place.
    pub async fn subscribe(&self, run_id: Option<RunId>, after: EventId) -> Joined {
        self.broadcaster
            .send(Subscribe { run_id, after })
            .await
            .unwrap_or(Joined::Closed)
    }

    /// Counts a viewer of a run, or refuses: the bound is reached.
    #[must_use]
    pub fn viewer(&self, run_id: RunId) -> Option<ViewerGuard> {
        let mut viewers = self
            .shared
            .viewers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = viewers.entry(run_id).or_default();
        if *count >= self.shared.config.viewers_max {
            return None;
        }
        *count += 1;
        Some(ViewerGuard {
            shared: Arc::clone(&self.shared),
            run_id,
        })
    }

    /// What the registry holds; nothing when it is gone.
    pub async fn counts(&self) -> Option<Counts> {
        self.registry.send(Count).await.ok()
    }

    /// Events committed since the server started.
    ///
    /// # Errors
    /// When the database fails.
    pub fn events_appended(&self) -> Result<u64, StoreError> {
        let head = self.shared.reader.head()?;
        Ok(u64::try_from(head - self.floor).unwrap_or(0))
    }

    /// Ends all event streams.
    pub async fn close_streams(&self) {
        // A broadcaster that is gone has ended them.
        self.broadcaster.send(Close).await.ok();
    }

    /// Waits until no request is under way, and takes no more.
    pub async fn drain(&self) {
        // A registry that is gone is drained.
        self.registry.send(Drain).await.ok();
    }
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

/// Ends the watch of worktrees that nobody looks at any more.
async fn forget_unasked(shared: Arc<Shared>) {
    let mut minutes = tokio::time::interval(std::time::Duration::from_secs(60));
    loop {
        minutes.tick().await;
        shared.stats.forget_unasked();
    }
}

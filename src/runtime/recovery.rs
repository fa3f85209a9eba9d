//! What an actor built from the log does first: make the world fit it again.
//!
//! The road is the same after a crash of the server, an upgrade, a panic or a nap: look at the
//! last word of the log, ask the holder, and tell the actor what was found.

use super::{
    effects::Beside,
    messages::News,
    reach::reach,
    registry::{Recover, Registry},
    run_actor::RunActor,
    shared::Shared,
};
use crate::{
    domain::{
        RunId,
        run::{Effect, Run, event::StopBy, state::Process},
    },
    pty::{self, Probe},
};
use actix::{Addr, Context};
use std::{path::Path, sync::Arc, time::Duration};

/// What an actor built from the log begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// Find out what became of the launch that the log speaks of.
    Reach {
        /// Which.
        attempt: u32,
    },
    /// Carry out once more what may have been lost after its commit.
    Again(Effect),
    /// A holder may still wait for the word that its exit was recorded.
    Release,
}

/// What is outstanding of a run, as its log says.
pub(super) const fn plan(run: &Run) -> Plan {
    match run.process {
        Process::Launching | Process::Alive { .. } => Plan::Reach {
            attempt: run.attempt,
        },
        Process::None | Process::Exited { .. } => match run.stop {
            Some(StopBy::Delete) => Plan::Again(Effect::Delete),
            Some(_) => Plan::Again(Effect::StopSetUp),
            None if run.launch_wanted => Plan::Again(Effect::SetUp),
            None => Plan::Release,
        },
    }
}

/// What was seen of a run's holder, by its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Live(u32),
    Exited(u32),
    Gone(Option<u32>),
}

impl Seen {
    pub(super) fn of(probe: &Probe) -> Self {
        match probe {
            Probe::Live(session) => Self::Live(session.hello().attempt),
            Probe::Exited(report) => Self::Exited(report.attempt),
            Probe::Gone { recorded_attempt } => Self::Gone(*recorded_attempt),
        }
    }
}

/// What that means for the attempt that the log speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// The holder of an earlier attempt is still there: it goes first.
    Earlier,
    Attached,
    Exited,
    NeverLaunched,
    /// It ran, and nobody knows how it ended.
    Lost,
}

/// What the log has seen alive was launched, whatever became of the run folder.
pub(super) const fn finding(seen: Seen, attempt: u32, spawned: bool) -> Finding {
    match seen {
        Seen::Live(earlier) if earlier < attempt => Finding::Earlier,
        Seen::Live(_) => Finding::Attached,
        Seen::Exited(of) if of >= attempt => Finding::Exited,
        Seen::Exited(_) | Seen::Gone(_) if spawned => Finding::Lost,
        Seen::Exited(of) if of + 1 == attempt => Finding::NeverLaunched,
        Seen::Gone(None) if attempt > 0 => Finding::NeverLaunched,
        Seen::Gone(Some(recorded)) if recorded < attempt => Finding::NeverLaunched,
        Seen::Exited(_) | Seen::Gone(_) => Finding::Lost,
    }
}

/// What to do with a holder that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attachment {
    /// Its exit is in the log: it goes, and so does a CLI in it, of a launch that came about after
    /// all. Another launch may wait for that.
    Release,
    /// The launch succeeded.
    Spawned,
    /// Somebody asked for its end.
    End,
    Watch,
    /// Its exit is in the log: the holder waits only for our word.
    Acknowledge,
}

pub(super) const fn attachment(run: &Run, attempt: u32, cli_lives: bool) -> Attachment {
    if attempt < run.attempt {
        return Attachment::Release;
    }
    match run.process {
        Process::Launching => Attachment::Spawned,
        Process::Alive { .. } if run.stop.is_some() => Attachment::End,
        Process::Alive { .. } => Attachment::Watch,
        Process::None | Process::Exited { .. } if cli_lives => Attachment::Release,
        Process::None | Process::Exited { .. } => Attachment::Acknowledge,
    }
}

impl RunActor {
    /// Looks after whatever was outstanding when the last actor of this run ended.
    pub(super) fn look_after(&mut self, context: &mut Context<Self>) {
        self.record_stop(context);
        self.hear(News::Look, context);
        self.look_after_typing(context);
        let Some(run) = &self.ledger.run else { return };
        match plan(run) {
            Plan::Reach { attempt } => self.beside(context, move |beside| async move {
                reach(&beside, attempt).await;
            }),
            Plan::Again(Effect::SetUp) => self.start_set_up(true, context),
            Plan::Again(effect) => self.carry_out(effect, context),
            Plan::Release => self.beside(context, release_holder),
        }
    }
}

/// A holder may still wait for the word that its exit was recorded.
async fn release_holder(beside: Beside) {
    let run_dir = beside.shared.run_dir(beside.run.id);
    if pty::has_socket(&run_dir) {
        reach(&beside, beside.run.attempt).await;
    }
}

/// Between the end of an actor whose events were not stored and its next life.
const REVIVE: Duration = Duration::from_secs(2);

/// Has the actor of a run built again after a while, also when nobody speaks to the run: what it
/// could not record, such as the end of its process, is found out once more.
pub(super) fn revive_later(run_id: RunId, registry: &Addr<Registry>) {
    let registry = registry.clone();
    actix::spawn(async move {
        tokio::time::sleep(REVIVE).await;
        if let Err(error) = registry.send(Recover { run_id }).await {
            log::debug!(run_id:%; "Run {run_id} is not looked after: {error}.");
        }
    });
}

/// Removes the folder of a deleted run.
pub(super) fn remove_folder(shared: &Shared, run_id: RunId) {
    if let Err(error) = std::fs::remove_dir_all(shared.run_dir(run_id))
        && error.kind() != std::io::ErrorKind::NotFound
    {
        log::warn!(run_id:%; "The folder of deleted run {run_id} stays: {error}.");
    }
}

/// Run folders that are looked at before anything else of this thread pool may have its turn, or
/// the server its end.
const LOOKED_AT_ONCE: usize = 256;

/// Removes folders of deleted runs that a crash left, and has the actors of ended runs built whose
/// holder still waits, or whose spool holds hooks that came late.
///
/// It goes on while the server serves, so that a start does not last longer the more runs have
/// ended: who speaks to such a run meanwhile has its actor built, which does the same first.
pub(super) async fn release_holders(shared: Arc<Shared>, registry: Addr<Registry>) {
    let of_list = Arc::clone(&shared);
    let list = move || {
        let runs = of_list.config.data_dir.join("runs");
        name_strays(&of_list, &runs);
        run_ids_in(&runs)
    };
    let run_ids = beside_all(list).await;
    for some in run_ids.chunks(LOOKED_AT_ONCE) {
        let (shared, some) = (Arc::clone(&shared), some.to_vec());
        let look = move || {
            some.into_iter()
                .filter(|id| is_left(&shared, *id))
                .collect()
        };
        for run_id in beside_all(look).await {
            if let Err(error) = registry.send(Recover { run_id }).await {
                log::debug!(run_id:%; "Run {run_id} is not looked after: {error}.");
            }
        }
    }
}

/// Finds runs on a thread where it may block.
async fn beside_all(find: impl FnOnce() -> Vec<RunId> + Send + 'static) -> Vec<RunId> {
    let found = super::threads::run(find).await;
    found.unwrap_or_else(|error| {
        log::error!("Some ended runs are not looked after: {error}.");
        Vec::new()
    })
}

/// Says which holders are of no run.
fn name_strays(shared: &Shared, runs: &Path) {
    for holder in pty::holders(runs).unwrap_or_default() {
        let known = holder.run_id().map(RunId);
        if known.is_none_or(|id| shared.reader.run_exists(id).is_ok_and(|known| !known)) {
            let (pid, path) = (holder.pid, holder.run_dir.display());
            log::warn!(pid; "A holder of no run lives ({path}); `abbado doctor` says how to end it.");
        }
    }
}

/// The runs that have a folder.
fn run_ids_in(runs: &Path) -> Vec<RunId> {
    let Ok(entries) = std::fs::read_dir(runs) else {
        return Vec::new();
    };
    let id = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.flatten().filter_map(id).collect()
}

/// Whether a run's holder or its late hooks wait for its actor. The folder of a deleted run goes.
fn is_left(shared: &Shared, run_id: RunId) -> bool {
    match shared.reader.is_deleted(run_id) {
        Ok(false) => {
            let folder = shared.run_dir(run_id);
            pty::has_socket(&folder) || !super::spool::is_empty(&folder)
        }
        Ok(true) => {
            remove_folder(shared, run_id);
            false
        }
        Err(error) => {
            log::warn!(run_id:%; "Run {run_id} is not looked after: {error}.");
            false
        }
    }
}

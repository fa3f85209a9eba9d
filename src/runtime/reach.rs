//! Finding a run's holder, and ending one that cannot be spoken with.
//!
//! A holder may be stopped, be of a version that this server does not speak, or be broken. Its
//! process goes on all the same, so the run stays as it is, and the holder is looked for again and
//! again. A stop needs no words: every holder ends its tree and leaves word of it on SIGTERM, and
//! one that does not is killed, with what it leaves.

use super::{
    effects::{BETWEEN_KEYS, Beside, GRACE},
    messages::{News, Timer},
    recovery::{self, Finding, Seen},
    run_actor::RunActor,
};
use crate::{
    domain::{RunId, run::state::Process},
    fault,
    pty::{self, Probe, Session},
};
use actix::Context;
use std::time::Duration;

/// Between two looks for a holder that cannot be spoken with: at first, and at most.
const AGAIN: Duration = Duration::from_secs(5);
const AGAIN_MAX: Duration = Duration::from_secs(60);
/// A holder that was told to stop has ended its tree by then, unless it is stuck.
const STUCK: Duration = Duration::from_secs(15);

/// How the run's holder is reached.
#[derive(Default)]
pub(super) struct Reach {
    /// Looks in a row that found none to speak with; none of them is under way when it is 0.
    failed: u32,
}

impl Reach {
    pub const fn found(&mut self) {
        self.failed = 0;
    }
}

impl RunActor {
    /// Whether a process of this attempt may live.
    fn may_live(&self, attempt: u32) -> bool {
        self.ledger.run.as_ref().is_some_and(|run| {
            let living = matches!(run.process, Process::Launching | Process::Alive { .. });
            living && run.attempt == attempt
        })
    }

    /// The holder is there and cannot be spoken with: ends it when a stop waits, else looks again.
    pub(super) fn out_of_reach(&mut self, attempt: u32, why: &str, context: &mut Context<Self>) {
        if !self.may_live(attempt) {
            return;
        }
        self.session = None;
        let first = self.reach.failed == 0;
        self.reach.failed = self.reach.failed.saturating_add(1);
        let stopping = self
            .ledger
            .run
            .as_ref()
            .is_some_and(|run| run.stop.is_some());
        if first {
            log::error!(run_id:% = self.id, attempt; "The holder of run {} is out of reach: {why}.", self.id);
            if stopping {
                return self.end_out_of_reach(context);
            }
        }
        let again = fault::wait("holder.again", AGAIN);
        let doubled = 1_u32.checked_shl(self.reach.failed - 1).unwrap_or(u32::MAX);
        let wait = again.saturating_mul(doubled).min(AGAIN_MAX);
        self.after(wait, Timer::Reach { attempt }, context);
    }

    /// Looks for it again.
    pub(super) fn reach_again(&mut self, attempt: u32, context: &mut Context<Self>) {
        if self.session.is_some() || !self.may_live(attempt) {
            return;
        }
        if self
            .ledger
            .run
            .as_ref()
            .is_some_and(|run| run.stop.is_some())
        {
            return self.end_out_of_reach(context);
        }
        self.beside(context, move |beside| async move {
            reach(&beside, attempt).await;
        });
    }

    /// Ends a holder without a word, when it was looked for in vain; one that is just being looked
    /// for is told as soon as it is found.
    pub(super) fn end_out_of_reach(&mut self, context: &mut Context<Self>) {
        if self.reach.failed > 0 {
            self.beside(context, |beside| async move {
                end(&beside).await;
                reach(&beside, beside.run.attempt).await;
            });
        }
    }

    /// Looks later whether the holder did what it was told.
    pub(super) fn watch_ending(&self, context: &mut Context<Self>) {
        let Some(run) = &self.ledger.run else { return };
        let attempt = run.attempt;
        let wait = fault::wait("holder.stuck", STUCK);
        self.after(wait, Timer::Stuck { attempt }, context);
    }

    /// It did not.
    pub(super) fn ending_stuck(&mut self, attempt: u32, context: &mut Context<Self>) {
        if self.may_live(attempt) && self.session.is_some() {
            log::warn!(run_id:% = self.id, attempt; "The holder of run {} does not end its tree.", self.id);
            // Whoever waits for its exit hears of its end.
            self.beside(context, |beside| async move { end(&beside).await });
        }
    }
}

/// Lets a holder go that waits for a word that it does not understand, or cannot take now.
pub(super) async fn let_go(beside: Beside) {
    if pty::is_held(&beside.shared.run_dir(beside.run.id)) {
        end(&beside).await;
    }
}

/// Ends the holder by signals.
async fn end(beside: &Beside) {
    let run_id = beside.run.id;
    let run_dir = beside.shared.run_dir(run_id);
    if let Err(error) = pty::end_holder(&run_dir, fault::wait("holder.end", 2 * GRACE)).await {
        log::error!(run_id:%; "The holder of run {run_id} was not ended: {error}.");
    }
}

/// Lets the holder of an earlier attempt go, whose exit is in the log.
pub(super) async fn release(id: RunId, mut session: Session) {
    let handle = session.handle();
    let released = async {
        if session.hello().exit.is_none() {
            handle.stop(GRACE).await?;
        }
        session.wait_exit().await?;
        handle.ack_exit().await
    };
    if let Err(error) = released.await {
        log::debug!(run_id:% = id; "An earlier holder of run {id} was gone: {error}.");
    }
}

/// The same, when a launch found it in its way: waits until it has gone, and has the run launched
/// again.
async fn wait_released(beside: &Beside, session: Session) {
    let (run_id, attempt) = (beside.run.id, session.hello().attempt);
    release(run_id, session).await;
    let run_dir = beside.shared.run_dir(run_id);
    let begun = std::time::Instant::now();
    while matches!(pty::probe(&run_dir, run_id.0).await, Ok(Probe::Live(_))) {
        if begun.elapsed() > 2 * GRACE {
            log::error!(run_id:%, attempt; "An earlier holder of run {run_id} does not go.");
            break;
        }
        tokio::time::sleep(BETWEEN_KEYS / 4).await;
    }
    beside.tell(News::NeverLaunched).await;
}

/// Finds out what became of the run's process, and tells.
pub(super) async fn reach(beside: &Beside, attempt: u32) {
    let run_id = beside.run.id;
    let run_dir = beside.shared.run_dir(run_id);
    let probe = match pty::probe(&run_dir, run_id.0).await {
        Ok(probe) => probe,
        Err(error) => {
            let why = error.to_string();
            return beside.tell(News::OutOfReach { attempt, why }).await;
        }
    };
    let spawned = matches!(beside.run.process, Process::Alive { .. });
    let found = recovery::finding(Seen::of(&probe), attempt, spawned);
    let news = match (found, probe) {
        (Finding::Earlier, Probe::Live(session)) => return wait_released(beside, session).await,
        (_, Probe::Live(session)) => News::Attached(Box::new(session)),
        (Finding::NeverLaunched, _) => News::NeverLaunched,
        (Finding::Exited, Probe::Exited(report)) => News::Exited {
            report: Some(report),
            attempt,
        },
        (_, Probe::Exited(_) | Probe::Gone { .. }) => {
            end_leftovers(beside).await;
            News::Exited {
                report: None,
                attempt,
            }
        }
    };
    beside.tell(news).await;
}

/// Ends what a lost holder, or a set-up of a server that was killed, left behind.
pub(super) async fn end_leftovers(beside: &Beside) {
    let run_id = beside.run.id;
    let run_dir = beside.shared.run_dir(run_id);
    let end = move || {
        pty::end_stray(&run_dir)?;
        pty::end_leftovers(run_id.0)
    };
    match beside.blocking(end).await {
        Ok(Ok(0)) => {}
        Ok(Ok(count)) => {
            log::warn!(run_id:%, count; "{count} processes that were left of run {run_id} were ended.");
        }
        Ok(Err(error)) => log::error!(run_id:%; "Leftovers of run {run_id} stay: {error}."),
        Err(error) => log::error!(run_id:%; "Leftovers of run {run_id} stay: {error}."),
    }
}

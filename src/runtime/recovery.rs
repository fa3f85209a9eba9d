//! What an actor built from the log does first: make the world fit it again.
//!
//! The road is the same after a crash of the server, an upgrade, a panic or a nap: look at the
//! last word of the log, ask the holder, and tell the actor what was found.

use super::{
    effects::{Beside, reach},
    messages::News,
    registry::{Recover, Registry},
    run_actor::RunActor,
    shared::Shared,
};
use crate::domain::{
    RunId,
    run::{Effect, event::StopBy, state::Process},
};
use actix::{Addr, Context};

impl RunActor {
    /// Looks after whatever was outstanding when the last actor of this run ended.
    pub(super) fn look_after(&mut self, context: &mut Context<Self>) {
        self.hear(News::Look, context);
        self.look_after_typing(context);
        let Some(run) = &self.run else { return };
        let attempt = run.attempt;
        match run.process {
            Process::Launching | Process::Alive { .. } => {
                self.beside(context, move |beside| async move {
                    reach(&beside, attempt).await;
                });
            }
            Process::None | Process::Exited { .. } => match run.stop {
                Some(StopBy::Delete) => self.carry_out(Effect::Delete, context),
                Some(_) => self.carry_out(Effect::StopSetUp, context),
                None if run.launch_wanted => self.carry_out(Effect::SetUp, context),
                None => self.beside(context, release_holder),
            },
        }
    }
}

/// A holder may still wait for the word that its exit was recorded.
async fn release_holder(beside: Beside) {
    let run_dir = beside.shared.run_dir(beside.run.id);
    if run_dir.join("holder.sock").exists() {
        reach(&beside, beside.run.attempt).await;
    }
}

/// Has the actors of ended runs built whose holder still waits.
pub(super) async fn release_holders(shared: &Shared, registry: &Addr<Registry>) {
    let runs = shared.config.data_dir.join("runs");
    let Ok(entries) = std::fs::read_dir(runs) else {
        return;
    };
    for entry in entries.flatten() {
        let run_id = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<RunId>().ok());
        let Some(run_id) = run_id else { continue };
        if entry.path().join("holder.sock").exists()
            && let Err(error) = registry.send(Recover { run_id }).await
        {
            log::debug!(run_id:%; "Run {run_id} is not looked after: {error}.");
        }
    }
}

//! What follows from stored events. Recovery may ask for each again; each is written so that this
//! does no harm.

use super::Core;
use crate::{
    domain::{
        MessageId,
        run::{Command, Effect, state::Process},
    },
    runtime::{
        messages::Reply,
        run::output::{HolderCommand, Job, Output, Timer},
    },
};
use std::time::Duration;

/// How long a process may linger after its session ended.
const LINGER: Duration = Duration::from_secs(5);

impl Core {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::SetUp => self.set_up(false),
            Effect::Launch { attempt } => {
                self.setting_up = false;
                self.start(Job::Launch { attempt });
            }
            Effect::StopSetUp if self.setting_up => self.emit(Output::StopSetUp),
            Effect::StopSetUp => self.fact(Command::SetUpStopped),
            Effect::EndProcess => self.end_process(),
            Effect::EndLingering { attempt } => {
                self.set_timer(LINGER, Timer::Lingering { attempt });
            }
            Effect::Type { id, .. } => self.type_in(id),
            Effect::Checkpoint { reason } => {
                self.start(Job::Checkpoint { reason });
                self.watch_idleness();
            }
            Effect::AwaitDecision { id } => self.await_decision(id),
            Effect::AckExit => self.acknowledge(),
            Effect::Delete => {
                self.deleting = true;
                let force = self.delete_forced;
                self.start(Job::Delete { force });
            }
            Effect::Forget => {
                self.emit(Output::Forget);
                self.deletion_over(&Ok(Reply::Done));
            }
        }
    }

    pub(super) fn set_up(&mut self, again: bool) {
        if !self.setting_up {
            self.setting_up = true;
            self.start(Job::SetUp { again });
        }
    }

    pub(super) fn set_timer(&mut self, wait: Duration, timer: Timer) {
        self.emit(Output::SetTimer(wait, timer));
    }

    /// Sets the idle limit going for a CLI that now waits at its prompt.
    pub(super) fn watch_idleness(&mut self) {
        let (Some(run), Some(wait)) = (&self.run, self.waits.idle) else {
            return;
        };
        if matches!(run.process, Process::Alive { .. }) {
            let sequence = run.last_sequence;
            self.set_timer(wait, Timer::Idle { sequence });
        }
    }

    pub(super) fn hold(&mut self, command: HolderCommand) {
        if self.session {
            self.emit(Output::Holder(command));
        }
    }

    /// Gives a message up, or lets it wait until its prompt is free.
    pub(super) fn not_taken(&mut self, id: MessageId, reason: &str, until_free: bool) {
        let reason = reason.to_owned();
        self.fact(Command::NotTaken {
            id,
            reason,
            until_free,
        });
    }
}

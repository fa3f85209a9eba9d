//! Requests: creation, stops, orders.

use super::{Core, commits::ReplyContext};
use crate::{
    domain::{
        Secrets,
        run::{
            Command, Effect, Run,
            admission::{WorkKind, admit},
            command::NewRun,
            create, decide,
            event::StopBy,
        },
    },
    runtime::{
        messages::{AskError, Reply, ReplySender, Stop},
        order::Order,
        run::output::{HolderCommand, Job},
    },
};
use std::sync::{Arc, atomic::Ordering};

impl Core {
    pub(super) fn create(&mut self, mut new: NewRun, mut context: ReplyContext) {
        context.secrets = Secrets::take(&mut new.agent.provider_config);
        match create::create(new) {
            Ok(events) => self.record(events, context),
            Err(rejection) => {
                // A run that is not created is not one of those that are live.
                self.live.store(false, Ordering::Relaxed);
                self.reply(context.caller, Err(rejection.into()));
            }
        }
    }

    pub(super) fn stop_by(&mut self, stop: Stop, caller: ReplySender) {
        if let Stop::Delete { force } = stop {
            // Who waits for it already and did not force it gets the same reply.
            self.delete_forced = force || self.delete_forced && !self.delete_waiters.is_empty();
        }
        // Who deletes what is deleted already would wait for an end that has been.
        let Some(run) = self.run.as_ref().filter(|run| !run.deleted) else {
            return self.reply_in_order(Some(caller), Err(AskError::UnknownRun));
        };
        let by = stop.by();
        let events = match decide::decide(run, Command::Stop { by }) {
            Err(rejection) => return self.reply_in_order(Some(caller), Err(rejection.into())),
            Ok(events) => events,
        };
        if by == StopBy::Delete {
            self.delete_waiters.push(caller);
        } else {
            self.stop_waiters.push(caller);
        }
        if !events.is_empty() {
            self.record(events, ReplyContext::default());
        } else if by == StopBy::Delete && !self.deleting && !self.session {
            // An earlier deletion failed: once more.
            self.carry_out(Effect::Delete);
        }
    }

    /// Continues a stopped CLI without a message; one that is not stopped needs one.
    pub(super) fn resume_program(&mut self, caller: ReplySender) {
        self.continue_program();
        let outcome = match &self.run {
            None => return self.reply(Some(caller), Err(AskError::UnknownRun)),
            Some(run) if run.stopped.is_some() => Ok(Reply::Run(Arc::clone(run))),
            Some(_) => {
                let why = "is required, because the CLI is not suspended".to_owned();
                Err(AskError::Undeliverable(why))
            }
        };
        self.reply_in_order(Some(caller), outcome);
    }

    /// Continues a stopped CLI, unless it is being ended.
    pub(super) fn continue_program(&mut self) {
        let run = self.run.as_ref();
        if run.is_some_and(|run| run.stopped.is_some() && run.stop.is_none()) {
            self.hold(HolderCommand::Continue);
        }
    }

    pub(super) fn is_at_work(&self) -> bool {
        self.run.as_deref().is_some_and(Run::is_at_work)
    }

    fn admit(&self, kind: WorkKind) -> Result<(), AskError> {
        let run = self.run.as_deref().ok_or(AskError::UnknownRun)?;
        Ok(admit(run, kind)?)
    }

    /// Takes an order; a job carries it out.
    pub(super) fn order(&mut self, order: Order, caller: ReplySender) {
        match self.admit(order.kind()) {
            Err(refusal) => self.reply_in_order(Some(caller), Err(refusal)),
            Ok(()) => self.start(Job::Work { order, caller }),
        }
    }

    /// A job that waited for others, unless they changed what it needs: then its caller gets a refusal.
    pub(super) fn admitted(&mut self, job: Job) -> Option<Job> {
        let Job::Work { order, caller } = job else {
            return Some(job);
        };
        match self.admit(order.kind()) {
            Ok(()) => Some(Job::Work { order, caller }),
            Err(refusal) => {
                self.reply(Some(caller), Err(refusal));
                None
            }
        }
    }
}

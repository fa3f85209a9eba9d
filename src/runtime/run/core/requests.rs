//! What callers ask.

use super::{
    Core,
    commits::ReplyContext,
    inbox::{Hooked, Item},
};
use crate::{
    domain::{
        Secrets,
        run::{
            Command, Effect, Status, admission::admit, decide, event::StopBy, view, work::WorkKind,
        },
    },
    runtime::{
        messages::{AskError, Idempotency, Request},
        order::Order,
        reply::Reply,
        run::{
            deliveries::Bringer,
            output::{HolderCommand, Job},
        },
    },
};

impl Core {
    pub(super) fn asked(&mut self, request: Request, reply: Reply) {
        let context = |reply, idempotent| ReplyContext {
            reply: Some(reply),
            idempotent,
            ..ReplyContext::default()
        };
        match request {
            Request::Create {
                mut new,
                idempotent,
            } => {
                let context = ReplyContext {
                    secrets: Secrets::take(&mut new.agent.provider_config),
                    ..context(reply, idempotent)
                };
                self.record(vec![(*new).into()], context);
            }
            Request::Continue {
                id,
                message,
                idempotent,
            } => self.say(id, &message, idempotent, reply),
            Request::LetGoOn => self.let_go_on(reply),
            Request::Retry { idempotent } => {
                self.execute(Command::Retry, context(reply, idempotent));
            }
            Request::Queue { change, idempotent } => {
                self.change_queue(change, context(reply, idempotent));
            }
            Request::Stop { by } => self.stop_by(by, reply),
            Request::Delete { force } => {
                // Who waits for it already and did not force it gets the same answer.
                self.delete_forced = force || self.delete_forced && !self.delete_waiters.is_empty();
                self.stop_by(StopBy::Delete, reply);
            }
            Request::SetNotify { notify, idempotent } => {
                self.execute(Command::SetNotify { notify }, context(reply, idempotent));
            }
            Request::Order { order, idempotent } => self.order(order, idempotent, reply),
            Request::Hook { .. } if self.run.as_ref().is_some_and(|run| run.deleted) => {
                self.tell(Some(reply), Err(AskError::UnknownRun), None);
            }
            Request::Hook {
                payload,
                delivery,
                callers,
            } => {
                self.inbox.push_back(Item::Hook(Box::new(Hooked {
                    payload,
                    delivery,
                    callers,
                    bringer: Bringer::Caller(reply),
                })));
                self.work();
            }
        }
    }

    fn stop_by(&mut self, by: StopBy, reply: Reply) {
        // Who deletes what is deleted already would wait for an end that has been.
        let Some(run) = self.run.as_ref().filter(|run| !run.deleted) else {
            return self.tell(Some(reply), Err(AskError::UnknownRun), None);
        };
        let events = match decide::decide(run, Command::Stop { by }) {
            Err(rejection) => return self.tell(Some(reply), Err(rejection.into()), None),
            Ok(events) => events,
        };
        if by == StopBy::Delete {
            self.delete_waiters.push(reply);
        } else {
            self.stop_waiters.push(reply);
        }
        if !events.is_empty() {
            self.record(events, ReplyContext::default());
        } else if by == StopBy::Delete && !self.deleting && !self.session {
            // An earlier deletion failed: once more.
            self.carry_out(Effect::Delete);
        }
    }

    /// A stopped CLI goes on without a message; one that runs needs one.
    fn let_go_on(&mut self, reply: Reply) {
        self.let_program_go_on();
        let told = match &self.run {
            None => return self.reply(Some(reply), Err(AskError::UnknownRun)),
            Some(run) if run.stopped.is_some() => Ok(view::run(run)),
            Some(_) => {
                let why = "must be given: the CLI is not stopped".to_owned();
                Err(AskError::Undeliverable(why))
            }
        };
        self.tell(Some(reply), told, None);
    }

    /// Lets a stopped CLI go on, unless it is being ended.
    pub(super) fn let_program_go_on(&mut self) {
        let run = self.run.as_ref();
        if run.is_some_and(|run| run.stopped.is_some() && run.stop.is_none()) {
            self.hold(HolderCommand::Continue);
        }
    }

    pub(super) fn is_at_work(&self) -> bool {
        let run = self.run.as_ref();
        run.is_some_and(|run| matches!(run.status, Status::Queued | Status::Running))
    }

    fn admit(&self, kind: WorkKind) -> Result<(), AskError> {
        let run = self.run.as_deref().ok_or(AskError::UnknownRun)?;
        Ok(admit(run, kind)?)
    }

    /// Takes an order; a job carries it out.
    fn order(&mut self, order: Order, idempotent: Option<Box<Idempotency>>, reply: Reply) {
        match self.admit(order.kind()) {
            Err(refusal) => self.tell(Some(reply), Err(refusal), None),
            Ok(()) => self.start(Job::Work {
                order,
                idempotent,
                reply,
            }),
        }
    }

    /// A job that waited for others, unless they changed what it needs: then who ordered it is told.
    pub(super) fn admitted(&mut self, job: Job) -> Option<Job> {
        let Job::Work { order, .. } = &job else {
            return Some(job);
        };
        let Err(refusal) = self.admit(order.kind()) else {
            return Some(job);
        };
        if let Job::Work { reply, .. } = job {
            self.reply(Some(reply), Err(refusal));
        }
        None
    }
}

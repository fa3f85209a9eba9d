//! From a command to its events, and from their commit to what follows.

use super::Core;
use crate::{
    domain::{
        Secrets,
        run::{Command, Event, Run, decide, effect, view::RunView},
    },
    runtime::{
        messages::{AskError, Outcome, PendingReply, Reply, ReplySender, ReplyWith},
        run::output::{AfterCommit, Output},
    },
    store::{self, Append, Idempotent, RunRow, StoreError},
};
use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};
use uuid::Uuid;

/// A reply to what changed nothing: true once the state it was decided on is durable.
pub(super) struct DeferredReply {
    /// So many appends come first.
    behind: usize,
    reply: Option<(ReplySender, Outcome)>,
    spooled: Option<PathBuf>,
}

/// What goes with a command.
#[derive(Default)]
pub(super) struct ReplyContext {
    pub caller: Option<ReplySender>,
    pub with: ReplyWith,
    /// The writer replies: the actor has nothing to add.
    pub with_commit: bool,
    pub delivery: Option<Uuid>,
    /// With `run.created`: what the log must not hold.
    pub secrets: Secrets,
    /// A spool file to take away after the commit.
    pub spooled: Option<PathBuf>,
}

impl Core {
    /// Decides a command, and has its events stored.
    pub(super) fn execute(&mut self, command: Command, context: ReplyContext) {
        let Some(run) = &self.run else {
            return self.reply(context.caller, Err(AskError::UnknownRun));
        };
        match decide::decide(run, command) {
            Err(rejection) => self.reply_in_order(context.caller, Err(rejection.into())),
            Ok(events) if events.is_empty() => {
                let with = context.with;
                let reply = context.caller.map(|caller| (caller, with.of(run)));
                self.defer(reply, context.spooled);
            }
            Ok(mut events) => {
                self.name_request(&mut events);
                self.record(events, context);
            }
        }
    }

    /// Decides a fact that nobody waits for.
    pub(super) fn fact(&mut self, command: Command) {
        self.execute(command, ReplyContext::default());
    }

    /// Applies events, and has them stored.
    pub(super) fn record(&mut self, events: Vec<Event>, context: ReplyContext) {
        // An append that was under way before somebody asked for a stop is no answer to it.
        let stop = |event: &Event| matches!(event, Event::StopRequested(_));
        let stopping = self.is_stopping() || events.iter().any(stop);
        let encoded = events.into_iter().map(store::encode).collect();
        let appended = match encoded {
            Ok(encoded) => self.appended(encoded, context, stopping),
            Err(error) => {
                let told = AskError::Store(StoreError::clone(&error));
                self.reply(context.caller, Err(told));
                Err(error)
            }
        };
        match appended {
            Ok((append, after)) => {
                self.watch_silence();
                self.look_at_answer();
                self.emit(Output::Append(Box::new(append), Box::new(after)));
                self.look_at_prompt();
            }
            Err(error) => {
                self.fail(&error);
                self.emit(Output::End);
            }
        }
    }

    fn appended(
        &mut self,
        encoded: Vec<(Event, store::Payload)>,
        context: ReplyContext,
        stopping: bool,
    ) -> Result<(Append, AfterCommit), StoreError> {
        let expected_sequence = self.run.as_ref().map_or(0, |run| run.last_sequence);
        let (applied, payloads): (Vec<Event>, Vec<_>) = encoded.into_iter().unzip();
        let typed = self.run.as_ref().and_then(|run| run.outbox.typing.clone());
        let run = self.apply(&applied)?;
        let effects = effect::after(&run, &applied);
        let row = RunRow::since(&run, &mut self.shown).after(&applied, self.now);
        let settled = self.settle(&applied, &run);
        let stopped = stopping && run.stop.is_none();
        let request = Self::request_done(typed, &applied);
        let mut reply = context.caller.map(|caller| (caller, context.with.of(&run)));
        let idempotent = if let Some((caller, Ok(reply))) = &mut reply
            && let Some(key) = caller.key.take()
        {
            Some(key.with_answer(reply)?)
        } else if let Some(request) = request {
            Some(Idempotent::of(&request).with_answer(&RunView::of(&run))?)
        } else {
            None
        };
        let reply = PendingReply::new(reply);
        let append = Append {
            run_id: self.id,
            expected_sequence,
            events: payloads,
            at: self.now,
            row: (!run.deleted).then_some(row),
            delivery: context.delivery,
            idempotent,
            secrets: context.secrets,
            stored: context.with_commit.then(|| reply.when_stored()),
        };
        let after = AfterCommit {
            effects,
            stopped: stopped.then(|| Arc::clone(&run)),
            settled,
            reply,
            spooled: context.spooled,
            delivery: context.delivery,
        };
        self.live.store(run.is_live(), Ordering::Relaxed);
        self.run = Some(run);
        self.pending += 1;
        self.deliveries.begin(append.delivery);
        Ok((append, after))
    }

    /// Takes the run out, with these events folded.
    fn apply(&mut self, events: &[Event]) -> Result<Arc<Run>, StoreError> {
        let mut rest = events.iter();
        let mut run = match (self.run.take(), events.first()) {
            (Some(run), _) => run,
            (None, Some(Event::RunCreated(created))) => {
                rest.next();
                Arc::new(Run::create(self.id, created, self.now))
            }
            (None, _) => return Err(StoreError::Missing),
        };
        // Copied while a reply shows it as it was.
        let applied = Arc::make_mut(&mut run);
        rest.for_each(|event| applied.apply(event, self.now));
        Ok(run)
    }

    /// An append came to this: replies, then carries the effects out.
    pub(super) fn committed(&mut self, outcome: Result<(), StoreError>, after: AfterCommit) {
        self.pending -= 1;
        if let Err(error) = outcome {
            self.fail(&error);
            // What failed first is the cause; a wrong sequence behind it only follows from it.
            let cause = self.failed.clone().unwrap_or(error);
            let caller = after.reply.take().map(|(caller, _)| caller);
            self.reply(caller, Err(cause.into()));
            return self.emit(Output::End);
        }
        if let Some(path) = after.spooled {
            self.spooled_is_stored(path);
        }
        if let Some((caller, outcome)) = after.settled {
            self.reply(Some(caller), outcome);
        }
        if let Some(run) = after.stopped {
            for caller in std::mem::take(&mut self.stop_waiters) {
                self.reply(Some(caller), Ok(Reply::Run(Arc::clone(&run))));
            }
        }
        if let Some((caller, outcome)) = after.reply.take() {
            self.reply(Some(caller), outcome);
        }
        for bringer in self.deliveries.durable(after.delivery) {
            self.is_recorded(bringer);
        }
        self.deferred.iter_mut().for_each(|reply| reply.behind -= 1);
        self.send_deferred();
        for effect in after.effects {
            self.carry_out(effect);
        }
        self.work();
    }

    /// Replies behind the appends under way, so that what the reply says survives a crash.
    pub(super) fn reply_in_order(&mut self, caller: Option<ReplySender>, outcome: Outcome) {
        self.defer(caller.map(|caller| (caller, outcome)), None);
    }

    fn defer(&mut self, reply: Option<(ReplySender, Outcome)>, spooled: Option<PathBuf>) {
        self.deferred.push(DeferredReply {
            behind: self.pending,
            reply,
            spooled,
        });
        self.send_deferred();
    }

    fn send_deferred(&mut self) {
        let durable = |reply: &mut DeferredReply| reply.behind == 0;
        let durable: Vec<_> = self.deferred.extract_if(.., durable).collect();
        for deferred in durable {
            if let Some((caller, outcome)) = deferred.reply {
                self.reply(Some(caller), outcome);
            }
            if let Some(path) = deferred.spooled {
                self.spooled_is_stored(path);
            }
        }
    }

    /// Something could not be stored: replies to those who wait. The actor ends.
    fn fail(&mut self, error: &StoreError) {
        if self.failed.is_none() {
            log::error!(run_id:% = self.id; "Could not store events of run {}: {error}.", self.id);
            self.failed = Some(error.clone());
        }
        self.answer_waiters(&AskError::Store(error.clone()));
    }

    /// Replies this error to all who wait.
    pub(super) fn answer_waiters(&mut self, error: &AskError) {
        let waiters: Vec<ReplySender> = self
            .stop_waiters
            .drain(..)
            .chain(self.delete_waiters.drain(..))
            .chain(self.deliveries.give_up())
            .chain(self.deferred.drain(..).filter_map(|it| Some(it.reply?.0)))
            .chain(self.waiting.take().map(|waiting| waiting.caller))
            .collect();
        for waiter in waiters {
            self.reply(Some(waiter), Err(error.clone()));
        }
    }

    /// A deletion is over: replies to those who waited for it.
    pub(super) fn deletion_over(&mut self, outcome: &Outcome) {
        self.deleting = false;
        for waiter in std::mem::take(&mut self.delete_waiters) {
            self.reply(Some(waiter), outcome.clone());
        }
    }
}

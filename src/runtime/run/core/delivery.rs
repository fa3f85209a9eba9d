//! Types a message into a live CLI and waits until the CLI's own prompt hook confirms it.
//!
//! The log has `message.typing` before a byte is typed, and `user.message` only after the hook.
//! The text is typed once: when no hook comes, Enter is pressed once more, then it is given up.
//!
//! # Crash
//! After a restart nobody knows whether it was typed: it is never typed again. The hook, spooled
//! meanwhile, confirms it, or it is given up and the queue halts.

use super::{Core, commits::ReplyContext};
use crate::{
    domain::{
        MessageId,
        run::{Command, Event, Run, event::RequestKey, outbox::Typing},
    },
    runtime::{
        messages::{AskError, Outcome, QueueChange, Reply, ReplySender, ReplyWith},
        run::output::{HolderCommand, Job, OUT_OF_REACH, Timer},
    },
};
use std::{sync::Arc, time::Duration};

/// From the decision to type to the second Enter; the first is pressed by the holder, at most 4.3 s after it was
/// given the text.
const ENTER_AGAIN: Duration = Duration::from_secs(6);
/// From there to giving it up.
const GIVE_UP: Duration = Duration::from_secs(12);

const UNCONFIRMED: &str = "the CLI did not confirm the message within 12 s; it may still be at the prompt, or a question may be open: check the terminal";
const ASKED: &str = "a question appeared in the CLI's terminal before anything was typed";

/// A caller of continue whose message is being typed.
pub(super) struct Waiting {
    id: MessageId,
    pub caller: ReplySender,
    /// Goes into the log with the message.
    request: Option<RequestKey>,
}

impl Core {
    /// Puts the message into the form in which the run's CLI takes it.
    fn prepared(&self, message: &str) -> Result<String, AskError> {
        let adapter = self.adapter().ok_or(AskError::UnknownRun)?;
        adapter.prepare(message).map_err(AskError::Undeliverable)
    }

    /// A message to continue with; a caller whose message is to be typed waits for its confirmation.
    pub(super) fn say(&mut self, id: MessageId, message: &str, mut caller: ReplySender) {
        let message = match self.prepared(message) {
            Ok(message) => message,
            Err(refusal) => return self.reply(Some(caller), Err(refusal)),
        };
        if let Some((refusal, _)) = self.occupied() {
            return self.reply(Some(caller), Err(refusal.into()));
        }
        // At its prompt the holder continues it, and waits until it takes a message.
        if self.is_at_work() {
            self.continue_program();
        }
        let types = self.run.as_ref().is_some_and(|run| {
            // Whatever is refused is answered at once.
            let free = run.outbox.under_way().is_none() && run.stop.is_none();
            free && run.takes_typing() && !run.asks_a_person()
        });
        let mut context = ReplyContext::default();
        if types {
            self.waiting = Some(Waiting {
                id,
                request: caller.key.take().map(|key| key.request()),
                caller,
            });
        } else {
            context.caller = Some(caller);
        }
        self.execute(Command::Continue { id, message }, context);
    }

    /// A change of the messages that wait.
    pub(super) fn change_queue(&mut self, change: QueueChange, mut context: ReplyContext) {
        context.with = ReplyWith::Queue;
        let command = match change {
            QueueChange::Add { id, message } => match self.prepared(&message) {
                Err(refusal) => return self.reply(context.caller, Err(refusal)),
                Ok(message) => {
                    context.with = ReplyWith::Queued(id);
                    Command::Enqueue { id, message }
                }
            },
            QueueChange::Remove { id } => Command::Unqueue { id },
            QueueChange::Reorder { order } => Command::Reorder { order },
        };
        self.execute(command, context);
    }

    /// Takes the caller whose message these events decide on, with its outcome.
    pub(super) fn settle(
        &mut self,
        events: &[Event],
        run: &Arc<Run>,
    ) -> Option<(ReplySender, Outcome)> {
        let id = self.waiting.as_ref()?.id;
        let outcome = events.iter().find_map(|event| {
            if let Event::UserMessage(message) = event {
                let taken = message.message_id == Some(id);
                taken.then(|| Ok(Reply::Run(Arc::clone(run))))
            } else if let Event::MessageNotTaken(missed) = event {
                let why = || Err(AskError::NotTaken(missed.reason.clone()));
                (missed.message_id == id).then(why)
            } else {
                None
            }
        })?;
        Some((self.waiting.take()?.caller, outcome))
    }

    /// Notes in the log which request brought the message that is to be typed.
    pub(super) fn name_request(&mut self, events: &mut [Event]) {
        let Some(waiting) = &mut self.waiting else {
            return;
        };
        for event in events {
            if let Event::MessageTyping(typing) = event
                && typing.message_id == waiting.id
            {
                typing.request = waiting.request.take();
            }
        }
    }

    /// The request whose message these events say was taken: its answer is remembered. One that
    /// was not taken may be tried again with the same key.
    pub(super) fn request_done(typed: Option<Typing>, events: &[Event]) -> Option<RequestKey> {
        let typed = typed?;
        let taken = events.iter().any(|event| {
            matches!(event, Event::UserMessage(message) if message.message_id == Some(typed.id))
        });
        typed.request.filter(|_| taken)
    }

    /// A message is to be typed, once the CLI shows its prompt.
    pub(super) fn type_in(&mut self, id: MessageId) {
        if !self.session {
            return self.not_taken(id, OUT_OF_REACH, false);
        }
        if let Some((_, reason)) = self.occupied() {
            return self.not_taken(id, reason, true);
        }
        self.start(Job::AwaitPrompt { id });
        self.set_timer(ENTER_AGAIN, Timer::EnterAgain { id });
        self.set_timer(GIVE_UP, Timer::GiveUp { id });
    }

    pub(super) fn type_now(&mut self, id: MessageId) {
        let Some(run) = &self.run else { return };
        let Some(typing) = run.outbox.under_way().filter(|typing| typing.id == id) else {
            return;
        };
        // A question that came up meanwhile would take the text for an answer.
        if run.asks_a_person() {
            return self.not_taken(id, ASKED, true);
        }
        if !self.session {
            return self.not_taken(id, OUT_OF_REACH, false);
        }
        let text = typing.text.clone();
        self.hold(HolderCommand::Paste { id, text });
    }

    /// A message that was being typed when the last actor ended is confirmed late or given up.
    pub(super) fn resume_typing(&mut self) {
        let run = self.run.as_ref();
        if let Some(id) = run.and_then(|run| Some(run.outbox.under_way()?.id)) {
            self.set_timer(GIVE_UP, Timer::GiveUp { id });
        }
    }

    /// Presses Enter once more: a CLI that took text and key in one read has not sent it off. Not
    /// into a question, nor into a turn that works.
    pub(super) fn enter_again(&mut self, id: MessageId) {
        let Some(run) = &self.run else { return };
        let waits = run.outbox.under_way().is_some_and(|typing| typing.id == id);
        let quiet = run.takes_typing() && run.attention.is_none() && run.stop.is_none();
        if waits && quiet && run.stopped.is_none() {
            self.hold(HolderCommand::Enter);
        }
    }

    pub(super) fn give_up(&mut self, id: MessageId) {
        self.not_taken(id, UNCONFIRMED, false);
    }
}

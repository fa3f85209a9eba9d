//! Types a message into a live CLI and waits until the CLI's own prompt hook confirms it.
//!
//! The log has `message.typing` before a byte is typed, and `user.message` only after the hook.
//! The text is typed once: when no hook comes, Enter is pressed once more, then it is given up.
//!
//! # Crash
//! After a restart nobody knows whether it was typed: it is never typed again. The hook, spooled
//! meanwhile, confirms it, or it is given up and the queue halts.

use super::{
    jobs::{Reply, answer},
    ledger::{Along, Ledger, Todo},
    messages::{AskError, Idempotency, News, QueueChange, Timer},
    run_actor::RunActor,
};
use crate::domain::{
    MessageId,
    run::{Command, Event, Run, event::RequestKey, outbox::Typing, view},
};
use actix::Context;
use bytes::Bytes;
use std::time::Duration;

/// From the end of a turn to the first byte: a CLI takes its Stop hook's answer before it shows its
/// prompt again.
const SETTLE: Duration = Duration::from_millis(200);
/// From there to the second Enter; the first is pressed by the holder, at most 4.3 s after it was
/// given the text.
const ENTER_AGAIN: Duration = Duration::from_secs(6);
/// From there to giving it up.
const GIVE_UP: Duration = Duration::from_secs(12);

const UNCONFIRMED: &str = "the CLI did not confirm within 12 s that it took the message; it may \
                           stand at its prompt, or a question may be open: look at the terminal";
const ASKED: &str = "a question came up in the CLI's terminal; nothing was typed yet";
const OUT_OF_REACH: &str = "the CLI's terminal is out of reach; nothing was typed";

/// A caller of continue whose message is being typed.
pub(super) struct Waiting {
    id: MessageId,
    reply: Reply,
    /// Goes into the log with the message.
    request: Option<RequestKey>,
}

/// What a caller is shown of the run.
#[derive(Debug, Clone, Default)]
pub(super) enum Shown {
    /// All of it.
    #[default]
    Run,
    /// The messages that wait.
    Queue,
    /// One of them.
    Queued(MessageId),
    /// All of it, and the paths that the checkpoint before a change of its files does not hold.
    LeftOut(Vec<serde_json::Value>),
}

impl Shown {
    /// The JSON of what is shown; nothing for the run as it is.
    pub(super) fn of(&self, run: &Run) -> Option<String> {
        match self {
            Self::Run => None,
            Self::Queue => Some(view::Documents::of(run).queue()),
            Self::Queued(id) => view::queued(run, *id),
            Self::LeftOut(paths) => Some(view::with_left_out(run, paths)),
        }
    }
}

/// What the caller is told once the events that decide it are stored.
pub(super) struct Settled {
    reply: Reply,
    /// None when the message was delivered: then the answer is the run.
    refusal: Option<AskError>,
}

impl Settled {
    pub(super) fn tell(self, view: &str) {
        let told = self.refusal.map_or_else(|| Ok(view.to_owned()), Err);
        answer(Some(self.reply), told);
    }
}

impl Ledger {
    /// Puts the message into the form in which the run's CLI takes it.
    fn prepared(&self, message: &str) -> Result<String, AskError> {
        let adapter = self.adapter().ok_or(AskError::UnknownRun)?;
        adapter.prepare(message).map_err(AskError::Undeliverable)
    }

    /// A message to go on with; a caller whose message is to be typed waits for its confirmation.
    pub(super) fn go_on(
        &mut self,
        message: &str,
        idempotent: Option<Box<Idempotency>>,
        reply: Reply,
    ) -> Todo {
        let message = match self.prepared(message) {
            Ok(message) => message,
            Err(refusal) => {
                answer(Some(reply), Err(refusal));
                return Todo::Nothing;
            }
        };
        let id = super::ids::message();
        let types = self.run.as_ref().is_some_and(|run| {
            // Whatever is refused is answered at once.
            let free = run.outbox.under_way().is_none() && run.stop.is_none();
            free && run.takes_typing() && !run.asks_a_person()
        });
        let mut along = Along::default();
        if types {
            self.waiting = Some(Waiting {
                id,
                reply,
                request: idempotent.map(|key| key.request()),
            });
        } else {
            along.reply = Some(reply);
            along.idempotent = idempotent;
        }
        Todo::Execute(Command::Continue { id, message }, along)
    }

    /// A change of the messages that wait.
    pub(super) fn change_queue(&self, change: QueueChange, mut along: Along) -> Todo {
        along.shown = Shown::Queue;
        let command = match change {
            QueueChange::Add { message } => match self.prepared(&message) {
                Err(refusal) => {
                    answer(along.reply, Err(refusal));
                    return Todo::Nothing;
                }
                Ok(message) => {
                    let id = super::ids::message();
                    along.shown = Shown::Queued(id);
                    Command::Enqueue { id, message }
                }
            },
            QueueChange::Remove { id } => Command::Unqueue { id },
            QueueChange::Reorder { order } => Command::Reorder { order },
        };
        Todo::Execute(command, along)
    }

    /// Takes the caller whose message these events decide on.
    pub(super) fn settle(&mut self, events: &[Event]) -> Option<Settled> {
        let id = self.waiting.as_ref()?.id;
        let refusal = events.iter().find_map(|event| {
            if let Event::UserMessage(message) = event {
                (message.message_id == Some(id)).then_some(None)
            } else if let Event::MessageNotTaken(missed) = event {
                let why = AskError::NotTaken(missed.reason.clone());
                (missed.message_id == id).then_some(Some(why))
            } else {
                None
            }
        })?;
        let waiting = self.waiting.take()?;
        Some(Settled {
            reply: waiting.reply,
            refusal,
        })
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

    /// The caller of a message that is being typed, when the actor ends before it is decided.
    pub(super) fn waiting_reply(&mut self) -> Option<Reply> {
        self.waiting.take().map(|waiting| waiting.reply)
    }
}

impl RunActor {
    pub(super) fn type_in(&mut self, id: MessageId, text: String, context: &mut Context<Self>) {
        let Some(session) = self.session.clone() else {
            let command = not_taken(id, OUT_OF_REACH, false);
            return self.execute(command, Along::default(), context);
        };
        if let Some((_, reason)) = self.occupied() {
            let command = not_taken(id, reason, true);
            return self.execute(command, Along::default(), context);
        }
        self.after(ENTER_AGAIN, Timer::EnterAgain { id }, context);
        self.after(GIVE_UP, Timer::GiveUp { id }, context);
        self.beside(context, move |beside| async move {
            super::set_up::fill_in_stored(&beside).await;
            tokio::time::sleep(SETTLE).await;
            let now = beside
                .actor
                .send(super::run_actor::Now)
                .await
                .ok()
                .flatten();
            let typing = |run: &Run| run.outbox.under_way().is_some_and(|it| it.id == id);
            if now.as_ref().is_some_and(|run| !typing(run)) {
                return; // given up meanwhile
            }
            // A question that came up meanwhile would take the text for an answer.
            if now.is_some_and(|run| run.asks_a_person()) {
                let command = not_taken(id, ASKED, true);
                return beside.tell(News::Fact(command)).await;
            }
            if let Err(error) = session.paste(&text).await {
                let run_id = beside.run.id;
                log::warn!(run_id:%; "A message was not typed into run {run_id}: {error}.");
                let command = not_taken(id, OUT_OF_REACH, false);
                beside.tell(News::Fact(command)).await;
            }
        });
    }

    /// A message that was being typed when the last actor ended is confirmed late or given up.
    pub(super) fn look_after_typing(&self, context: &mut Context<Self>) {
        let run = self.ledger.run.as_ref();
        if let Some(typing) = run.and_then(|run| run.outbox.under_way()) {
            self.after(GIVE_UP, Timer::GiveUp { id: typing.id }, context);
        }
    }

    /// Presses Enter once more: a CLI that took text and key in one read has not sent it off. Not
    /// into a question, nor into a turn that works.
    pub(super) fn enter_again(&mut self, id: MessageId, context: &mut Context<Self>) {
        let Some(run) = &self.ledger.run else { return };
        let waits = run.outbox.under_way().is_some_and(|typing| typing.id == id);
        let quiet = run.takes_typing() && run.attention.is_none() && run.stop.is_none();
        let quiet = quiet && run.stopped.is_none();
        let Some(session) = self.session.clone().filter(|_| waits && quiet) else {
            return;
        };
        self.beside(context, |beside| async move {
            if let Err(error) = session.input(Bytes::from_static(b"\r")).await {
                let id = beside.run.id;
                log::debug!(run_id:% = id; "Enter was not pressed again in run {id}: {error}.");
            }
        });
    }

    pub(super) fn give_up(&mut self, id: MessageId, context: &mut Context<Self>) {
        let command = not_taken(id, UNCONFIRMED, false);
        self.execute(command, Along::default(), context);
    }
}

/// The command that gives a message up.
pub(super) fn not_taken(id: MessageId, reason: &str, until_free: bool) -> Command {
    let reason = reason.to_owned();
    Command::NotTaken {
        id,
        reason,
        until_free,
    }
}

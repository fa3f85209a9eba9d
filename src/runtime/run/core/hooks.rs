//! Hooks: translated into a signal, recognised when a delivery is repeated, and decided on in order.

use super::{
    Core,
    commits::ReplyContext,
    inbox::{Bringer, Hooked, Item, Then, WaitsFor},
};
use crate::{
    cli::{CliError, payload as payloads},
    domain::run::{
        Command,
        command::{Hook, Signal},
    },
    runtime::{
        messages::{AskError, Reply},
        reply::ReplySender,
        run::{output::Output, spool::Spooled},
    },
};
use serde_json::Value;
use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
};
use uuid::Uuid;

/// Deliveries remembered, to recognise one that comes twice within moments. Older ones are looked
/// up in the log, whose index is the last word.
const SEEN_MAX: usize = 256;

/// Deliveries that this core knows: each is recorded once, and acknowledged once it is durable.
#[derive(Default)]
pub(super) struct Deliveries {
    seen: VecDeque<Uuid>,
    /// Not durable yet, and who brought the same again meanwhile.
    under_way: HashMap<Uuid, Vec<Bringer>>,
}

/// Hooks at whose moment the transcript is read up to its end.
const fn reads_transcript(signal: &Signal) -> bool {
    matches!(
        signal,
        Signal::TurnEnded { .. }
            | Signal::TurnFailed { .. }
            | Signal::SessionEnded { .. }
            | Signal::Interrupted
    )
}

impl Core {
    /// Queues a hook.
    pub(super) fn hook(&mut self, hook: Hooked) {
        self.inbox.push_back(Item::Hook(Box::new(hook)));
        self.work();
    }

    /// Queues spooled hooks that are not in the inbox yet.
    pub(super) fn spool(&mut self, paths: Vec<PathBuf>) {
        for path in paths {
            if self.spool_under_way.insert(path.clone()) {
                self.inbox.push_back(Item::Spooled(path));
            }
        }
        self.work();
    }

    pub(super) fn spool_read(&mut self, spooled: Spooled) {
        let Some(WaitsFor::Spool(path)) = self.waits_for.take() else {
            return;
        };
        let Spooled {
            delivery,
            callers,
            payload,
        } = spooled;
        match payload {
            None => self.set_aside(path),
            Some(payload) => self.translate(Hooked {
                payload,
                delivery,
                callers,
                bringer: Bringer::Spool(path),
            }),
        }
        self.work();
    }

    fn set_aside(&mut self, path: PathBuf) {
        self.spool_under_way.remove(&path);
        self.emit(Output::SetSpooledAside(path));
    }

    /// Translates a hook into a signal, unless it is none or was recorded before.
    pub(super) fn translate(&mut self, hooked: Hooked) {
        let Hooked {
            payload,
            delivery,
            callers,
            bringer,
        } = hooked;
        let translated = self.adapter().map(|adapter| {
            // What our hook program brings has no second copy.
            let ours = delivery.is_some() && !payloads::has_name(&payload);
            let payload = if ours {
                Value::Object(payloads::named(payload, &CliError::NoEventName.to_string()))
            } else {
                payload
            };
            adapter.hook(payload)
        });
        let Some(Ok(mut hook)) = translated else {
            return match bringer {
                Bringer::Caller(caller) => self.reply(Some(caller), Err(AskError::NoEventName)),
                Bringer::Spool(path) => self.set_aside(path),
            };
        };
        hook.callers = callers;
        let Some(delivery) = delivery else {
            return self.take_hook(hook, None, bringer);
        };
        if self.deliveries.came_before(delivery) {
            // Who brings one that is not durable yet waits for that.
            if let Some(bringer) = self.deliveries.wait(delivery, bringer) {
                self.is_recorded(bringer);
            }
            return;
        }
        self.emit(Output::LookUp(delivery));
        self.waits_for = Some(WaitsFor::LookUp(Box::new(hook), delivery, bringer));
    }

    pub(super) fn looked_up(&mut self, before: bool) {
        let Some(WaitsFor::LookUp(hook, delivery, bringer)) = self.waits_for.take() else {
            return;
        };
        if before {
            self.is_recorded(bringer);
        } else {
            self.take_hook(*hook, Some(delivery), bringer);
        }
        self.work();
    }

    /// A delivery is in the log: replies to its caller, or removes its spool file.
    pub(super) fn is_recorded(&mut self, bringer: Bringer) {
        match bringer {
            Bringer::Caller(caller) => self.reply(Some(caller), Ok(Reply::Done)),
            Bringer::Spool(path) => self.spooled_is_stored(path),
        }
    }

    pub(super) fn spooled_is_stored(&mut self, path: PathBuf) {
        self.spool_under_way.remove(&path);
        self.emit(Output::RemoveSpooled(path));
    }

    fn take_hook(&mut self, hook: Hook, delivery: Option<Uuid>, bringer: Bringer) {
        let (caller, spooled) = match bringer {
            Bringer::Caller(caller) => (Some(caller), None),
            Bringer::Spool(path) => (None, Some(path)),
        };
        let context = ReplyContext {
            caller,
            with: Reply::Done.into(),
            with_commit: true,
            delivery,
            spooled,
            ..ReplyContext::default()
        };
        let nested = self.run.as_ref().is_some_and(|run| run.is_nested(&hook));
        // What a nested CLI writes down is none of the run's.
        if !nested && reads_transcript(&hook.signal) {
            let path = hook.transcript_path.clone();
            let then = Then::Hook(Box::new(hook), Box::new(context));
            return self.read_transcript(path, then);
        }
        // Where it will be is watched from the first hook that names it, and looked at again when
        // anything changes there.
        if !nested && hook.transcript_path != self.transcript_named {
            self.transcript_named.clone_from(&hook.transcript_path);
            self.watch_transcript();
        }
        let observed = Vec::new();
        self.execute(Command::Hook { hook, observed }, context);
    }
}

impl Deliveries {
    /// True for one that came before; remembers it otherwise.
    pub(super) fn came_before(&mut self, delivery: Uuid) -> bool {
        if self.seen.contains(&delivery) {
            return true;
        }
        if self.seen.len() == SEEN_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(delivery);
        false
    }

    /// Its events are being stored.
    pub(super) fn begin(&mut self, delivery: Option<Uuid>) {
        if let Some(delivery) = delivery {
            self.under_way.entry(delivery).or_default();
        }
    }

    /// Puts who brought it again behind the commit; gives them back when it is durable already.
    pub(super) fn wait(&mut self, delivery: Uuid, bringer: Bringer) -> Option<Bringer> {
        match self.under_way.get_mut(&delivery) {
            Some(waiting) => {
                waiting.push(bringer);
                None
            }
            None => Some(bringer),
        }
    }

    /// Its events are durable: gives those who brought it again.
    pub(super) fn durable(&mut self, delivery: Option<Uuid>) -> Vec<Bringer> {
        let waiting = delivery.and_then(|delivery| self.under_way.remove(&delivery));
        waiting.unwrap_or_default()
    }

    /// Nothing under way will become durable: gives the callers who wait. A spool file stays where it is.
    pub(super) fn give_up(&mut self) -> Vec<ReplySender> {
        let waiting = self.under_way.drain().flat_map(|(_, waiting)| waiting);
        let caller = |bringer| match bringer {
            Bringer::Caller(caller) => Some(caller),
            Bringer::Spool(_) => None,
        };
        waiting.filter_map(caller).collect()
    }
}

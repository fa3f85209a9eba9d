//! The inbox: hooks, spooled hooks, looks at the transcript and the exit of the process wait in one
//! queue, so that they keep their order. A hook is translated into a signal, recognised when its
//! delivery is repeated, and decided on.

use super::{Core, commits::ReplyContext};
use crate::{
    cli::{CliError, payload as payloads},
    domain::{
        AgentMode,
        run::{
            Command,
            command::{Hook, Observation, Signal},
            event::Missing,
        },
    },
    pty::ExitReport,
    runtime::{
        messages::{AskError, Delivery, Reply, ReplySender},
        run::output::{Job, Output, TranscriptRead, Watched},
    },
};
use serde_json::Value;
use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
};
use uuid::Uuid;

/// Appends of one run that may be under way before its inbox waits.
const PENDING_MAX: usize = 64;

/// Deliveries remembered, to recognise one that comes twice within moments. Older ones are looked
/// up in the log, whose index is the last word.
const SEEN_MAX: usize = 256;

/// An entry of the inbox.
pub(super) enum Item {
    Hook(Box<Delivery>, ReplySender),
    /// A hook in the spool; read when its turn comes, so that a long queue costs no memory.
    Spooled(PathBuf),
    /// Something that only needs what the transcript says up to its present end.
    Transcript(Then),
}

/// Who brought a hook, and waits until it is recorded.
pub(super) enum Bringer {
    /// A caller waits for it.
    Caller(ReplySender),
    /// A spool file, removed when its events are durable.
    Spool(PathBuf),
}

/// What the first entry waits for.
pub(super) enum WaitsFor {
    /// The content of a spool file.
    Spool(PathBuf),
    /// Whether the log has the hook.
    LookUp(Box<Hook>, Uuid, Bringer),
    /// What the transcript says up to its present end.
    Transcript(Then),
}

/// What the transcript is read for.
pub(super) enum Then {
    /// It may have grown.
    Look,
    /// The CLI sent nothing for too long, unless something of it waits in the inbox.
    Silence(Missing),
    Hook(Box<Hook>, Box<ReplyContext>),
    /// The process is gone.
    Exit {
        report: Option<ExitReport>,
        attempt: u32,
    },
}

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
    /// Puts an entry at the end.
    pub(super) fn queue(&mut self, item: Item) {
        self.inbox.push_back(item);
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

    /// Handles the entries in order, until the inbox is empty, its first entry waits, or enough appends are
    /// under way; each commit continues here.
    pub(super) fn work(&mut self) {
        while self.waits_for.is_none() && self.pending < PENDING_MAX {
            let Some(item) = self.inbox.pop_front() else {
                return;
            };
            match item {
                Item::Hook(delivery, caller) => {
                    self.translate(*delivery, Bringer::Caller(caller));
                }
                Item::Spooled(path) => {
                    self.emit(Output::ReadSpool(path.clone()));
                    self.waits_for = Some(WaitsFor::Spool(path));
                }
                Item::Transcript(then) => self.read_transcript(None, then),
            }
        }
    }

    /// A spool file was read; what is no hook is set aside.
    pub(super) fn spool_read(&mut self, delivery: Option<Delivery>) {
        let Some(WaitsFor::Spool(path)) = self.waits_for.take() else {
            return;
        };
        match delivery {
            None => self.set_aside(path),
            Some(delivery) => self.translate(delivery, Bringer::Spool(path)),
        }
        self.work();
    }

    fn set_aside(&mut self, path: PathBuf) {
        self.spool_under_way.remove(&path);
        self.emit(Output::SetSpooledAside(path));
    }

    /// Translates a hook into a signal, unless it is none or was recorded before.
    fn translate(&mut self, delivery: Delivery, bringer: Bringer) {
        let Delivery {
            id,
            payload,
            callers,
            waits,
        } = delivery;
        let translated = self.adapter().map(|adapter| {
            // What our hook program brings has no second copy.
            let ours = id.is_some() && !payloads::has_name(&payload);
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
        hook.terms = id.filter(|_| waits).and_then(|id| self.terms(id));
        let Some(id) = id else {
            return self.take_hook(hook, None, bringer);
        };
        if self.deliveries.came_before(id) {
            // Who brings one that is not durable yet waits for that.
            if let Some(bringer) = self.deliveries.wait(id, bringer) {
                self.is_recorded(bringer);
            }
            return;
        }
        self.emit(Output::LookUp(id));
        self.waits_for = Some(WaitsFor::LookUp(Box::new(hook), id, bringer));
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

    /// Follows the transcript of the session, and the one that the last hook named.
    pub(super) fn watch_transcript(&mut self) {
        let session = self.run.as_ref().and_then(|run| run.session.as_ref());
        let known = session.and_then(|session| session.transcript_path.clone());
        let named = self.transcript_named.clone();
        let other = named.filter(|path| Some(path) != known.as_ref());
        for path in known.into_iter().chain(other) {
            self.emit(Output::Watch(Watched::Transcript(path)));
        }
    }

    /// Follows the output of a CLI whose output is its transcript.
    pub(super) fn watch_output(&mut self) {
        let run = self.run.as_ref();
        if run.is_some_and(|run| run.created.agent.mode() == AgentMode::Headless) {
            self.emit(Output::Watch(Watched::Output));
        }
    }

    /// Has the transcript read up to its present end. The inbox waits for that.
    pub(super) fn read_transcript(&mut self, path: Option<PathBuf>, then: Then) {
        let (Some(run), Some(adapter)) = (&self.run, self.adapter()) else {
            return self.then(then, Vec::new());
        };
        let mode = run.created.agent.mode();
        let known = || run.session.as_ref()?.transcript_path.clone();
        let read = TranscriptRead {
            adapter,
            path: path.or_else(known),
            // A stream has one reader a process; a file one a session.
            session: match mode {
                AgentMode::Headless => format!("output {}", run.attempt),
                AgentMode::Interactive => run.session_id().unwrap_or_default().to_owned(),
            },
            mode,
            usage: run.usage.clone(),
            model: run.model.clone(),
            output_offset: run.output_offset,
        };
        self.emit(Output::ReadTranscript(Box::new(read)));
        self.waits_for = Some(WaitsFor::Transcript(then));
    }

    pub(super) fn transcript_read(&mut self, observed: Vec<Observation>) {
        let Some(WaitsFor::Transcript(then)) = self.waits_for.take() else {
            return;
        };
        self.then(then, observed);
        self.work();
    }

    fn then(&mut self, then: Then, observed: Vec<Observation>) {
        match then {
            Then::Look => self.observe(observed),
            Then::Silence(missing) => {
                self.observe(observed);
                self.check_silence(missing);
            }
            Then::Hook(hook, context) => {
                let hook = *hook;
                self.execute(Command::Hook { hook, observed }, *context);
            }
            Then::Exit { report, attempt } => self.start(Job::Ended {
                report,
                attempt,
                observed,
            }),
        }
    }

    fn observe(&mut self, observed: Vec<Observation>) {
        if !observed.is_empty() {
            self.fact(Command::Observed(observed));
        }
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

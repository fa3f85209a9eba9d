//! What must keep its order waits in one list: hooks, spooled hooks, looks at the transcript, the
//! end of the process.

use super::{Core, commits::ReplyContext};
use crate::{
    cli::{CliError, payload as payloads},
    domain::{
        AgentMode,
        run::{
            Command,
            callers::Callers,
            command::{Hook, Observation, Signal},
            event::Lacks,
        },
    },
    pty::ExitReport,
    runtime::{
        messages::{AskError, Reply},
        run::{
            deliveries::Bringer,
            output::{Job, Output, TranscriptRead, Watched},
            spool::Spooled,
        },
    },
};
use serde_json::Value;
use std::path::PathBuf;
use uuid::Uuid;

/// Appends of one run that may be under way before its list waits.
const PENDING_MAX: usize = 64;

/// Something that must keep its order.
pub(super) enum Item {
    Hook(Box<Hooked>),
    /// A hook in the spool; read when its turn comes, so that a long list costs no memory.
    Spooled(PathBuf),
    /// The transcript may have grown.
    Look,
    /// Nothing was heard of the CLI for too long, unless what waits in the list is a word of it.
    Silence(Lacks),
    /// The process is gone.
    Exit {
        report: Option<ExitReport>,
        attempt: u32,
    },
}

/// A hook as it came.
pub(super) struct Hooked {
    pub payload: Value,
    pub delivery: Option<Uuid>,
    pub callers: Callers,
    pub bringer: Bringer,
}

/// What the first of the list waits for.
pub(super) enum WaitsFor {
    /// The content of a spool file.
    Spool(PathBuf),
    /// Whether the log has the hook.
    LookUp(Box<Hook>, Uuid, Bringer),
    /// What the transcript says up to its present end.
    Transcript(Then),
}

/// What it is read for.
pub(super) enum Then {
    Look,
    Silence(Lacks),
    Hook(Box<Hook>, Box<ReplyContext>),
    Exit {
        report: Option<ExitReport>,
        attempt: u32,
    },
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
    /// Works the list off, in order, until it is empty, its first waits, or enough is being stored:
    /// each commit goes on here.
    pub(super) fn work(&mut self) {
        while self.waits_for.is_none() && self.pending < PENDING_MAX {
            let Some(item) = self.inbox.pop_front() else {
                return;
            };
            match item {
                Item::Hook(hooked) => self.translate(*hooked),
                Item::Spooled(path) => {
                    self.emit(Output::ReadSpool(path.clone()));
                    self.waits_for = Some(WaitsFor::Spool(path));
                }
                Item::Look => self.read_transcript(None, Then::Look),
                Item::Silence(lacks) => self.read_transcript(None, Then::Silence(lacks)),
                Item::Exit { report, attempt } => {
                    self.read_transcript(None, Then::Exit { report, attempt });
                }
            }
        }
    }

    /// Puts spooled hooks into the list. What is in it already is not read again.
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

    /// A hook in abbado's words, unless it is none or was recorded before.
    fn translate(&mut self, hooked: Hooked) {
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

    /// A delivery is in the log: says so to who brought it.
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

    /// Has the transcript read up to its present end. The list waits for it.
    fn read_transcript(&mut self, path: Option<PathBuf>, then: Then) {
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
            Then::Silence(lacks) => {
                self.observe(observed);
                self.notice_silence(lacks);
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

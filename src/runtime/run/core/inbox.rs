//! The inbox: hooks, spooled hooks, looks at the transcript and the exit of the process wait in one
//! queue, so that they keep their order.

use super::{Core, commits::ReplyContext};
use crate::{
    domain::{
        AgentMode,
        run::{
            Command,
            callers::Callers,
            command::{Hook, Observation},
            event::Missing,
        },
    },
    pty::ExitReport,
    runtime::{
        reply::ReplySender,
        run::output::{Job, Output, TranscriptRead, Watched},
    },
};
use serde_json::Value;
use std::path::PathBuf;
use uuid::Uuid;

/// Appends of one run that may be under way before its inbox waits.
const PENDING_MAX: usize = 64;

/// An entry of the inbox.
pub(super) enum Item {
    Hook(Box<Hooked>),
    /// A hook in the spool; read when its turn comes, so that a long queue costs no memory.
    Spooled(PathBuf),
    /// The transcript may have grown.
    Look,
    /// The CLI sent nothing for too long, unless something of it waits in the inbox.
    Silence(Missing),
    /// The process is gone.
    Exit {
        report: Option<ExitReport>,
        attempt: u32,
    },
}

/// A hook as it arrived.
pub(super) struct Hooked {
    pub payload: Value,
    pub delivery: Option<Uuid>,
    pub callers: Callers,
    pub bringer: Bringer,
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
    Look,
    Silence(Missing),
    Hook(Box<Hook>, Box<ReplyContext>),
    Exit {
        report: Option<ExitReport>,
        attempt: u32,
    },
}

impl Core {
    /// Handles the entries in order, until the inbox is empty, its first entry waits, or enough appends are
    /// under way; each commit continues here.
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
                Item::Silence(missing) => self.read_transcript(None, Then::Silence(missing)),
                Item::Exit { report, attempt } => {
                    self.read_transcript(None, Then::Exit { report, attempt });
                }
            }
        }
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
                self.notice_silence(missing);
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

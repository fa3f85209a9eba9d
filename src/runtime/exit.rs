//! What must keep its order (hooks, spooled hooks, the end), and the end of a process.

use super::{
    effects::Beside,
    keeping::take_checkpoint,
    messages::{AskError, News},
    output,
    run_actor::{Along, From, Job, RunActor, answer},
    spool,
};
use crate::{
    cli::TranscriptContext,
    domain::AgentMode,
    domain::run::{
        Command,
        command::{Exit, Observation, Signal},
        event::StopBy,
    },
    pty::ExitReport,
    store::StoreError,
};
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use std::path::{Path, PathBuf};

impl RunActor {
    /// Puts spooled hooks in line. What is in line already is not read again.
    pub(super) fn take_spool(&mut self) {
        let waiting = match spool::waiting(&self.shared.run_dir(self.id)) {
            Ok(waiting) => waiting,
            Err(error) => {
                log::error!(run_id:% = self.id; "The spool of run {} is unreadable: {error}.", self.id);
                return;
            }
        };
        for spooled in waiting {
            let in_line = self.jobs.iter().any(|job| {
                matches!(job, Job::Hook { from: From::Spool(path), .. } if *path == spooled.path)
            });
            if in_line || self.spool_under_way.contains(&spooled.path) {
                continue;
            }
            let Some(payload) = spooled.payload else {
                spool::set_aside(&spooled.path);
                continue;
            };
            let recorded = spooled
                .delivery
                .is_some_and(|id| self.shared.reader.delivered(id).unwrap_or(false));
            if recorded {
                spool::taken(&spooled.path);
                continue;
            }
            self.spool_under_way.insert(spooled.path.clone());
            let (delivery, from) = (spooled.delivery, From::Spool(spooled.path));
            self.jobs.push_back(Job::Hook {
                payload,
                delivery,
                from,
            });
        }
    }

    /// Works off the line, in order, until it is empty or a job waits.
    pub(super) fn work(&mut self, context: &mut Context<Self>) {
        while !self.working
            && let Some(job) = self.jobs.pop_front()
        {
            match job {
                Job::Hook {
                    payload,
                    delivery,
                    from,
                } => {
                    self.hook(payload, delivery, from, context);
                }
                Job::Look => self.read_transcript(None, context, |observed, actor, context| {
                    if !observed.is_empty() {
                        let command = Command::Observed(observed);
                        actor.execute(command, Along::default(), context);
                    }
                }),
                Job::Silence(lacks) => {
                    self.read_transcript(None, context, move |observed, actor, context| {
                        if !observed.is_empty() {
                            let command = Command::Observed(observed);
                            actor.execute(command, Along::default(), context);
                        }
                        actor.notice_silence(lacks, context);
                    });
                }
                Job::Exit { report, attempt } => {
                    self.read_transcript(None, context, move |observed, actor, context| {
                        actor.beside(context, move |beside| {
                            ended(beside, report, attempt, observed)
                        });
                    });
                }
            }
        }
    }

    fn hook(
        &mut self,
        payload: serde_json::Value,
        delivery: Option<uuid::Uuid>,
        from: From,
        context: &mut Context<Self>,
    ) {
        let (reply, spooled) = match from {
            From::Caller(reply) => (Some(reply), None),
            From::Spool(path) => (None, Some(path)),
        };
        let translated = self.adapter().map(|adapter| adapter.hook(payload));
        let Some(Ok(hook)) = translated else {
            if let Some(path) = spooled {
                spool::set_aside(&path);
            }
            return answer(reply, Err(AskError::NoEventName));
        };
        if self.delivered(delivery) {
            if let Some(path) = spooled {
                spool::taken(&path);
            }
            return answer(reply, Ok(String::new()));
        }
        let along = Along {
            reply,
            delivery,
            spooled,
            ..Along::default()
        };
        if reads_transcript(&hook.signal) {
            let path = hook.transcript_path.clone();
            self.read_transcript(path, context, move |observed, actor, context| {
                actor.execute(Command::Hook { hook, observed }, along, context);
            });
        } else {
            self.watch_transcript(hook.transcript_path.as_deref());
            let observed = Vec::new();
            self.execute(Command::Hook { hook, observed }, along, context);
        }
    }

    /// Follows a transcript by file notification: that of a hook, or else of the session.
    pub(super) fn watch_transcript(&self, told: Option<&Path>) {
        let session = self.run.as_ref().and_then(|run| run.session.as_ref());
        let known = session.and_then(|session| session.transcript_path.as_deref());
        if let Some(path) = told.or(known) {
            self.shared.watch.add(self.id, path);
        }
    }

    /// True for a CLI whose output is its transcript.
    fn reads_output(&self) -> bool {
        self.run
            .as_ref()
            .is_some_and(|run| run.created.agent.mode() == AgentMode::Headless)
    }

    /// Follows the output of such a CLI.
    pub(super) fn watch_output(&self) {
        if self.reads_output() {
            self.shared
                .watch
                .add(self.id, &self.shared.run_dir(self.id).join("output.log"));
        }
    }

    /// Reads the transcript up to its present end on a blocking thread, then goes on. The line
    /// waits for it, the mailbox does not.
    fn read_transcript(
        &mut self,
        path: Option<PathBuf>,
        context: &mut Context<Self>,
        then: impl FnOnce(Vec<Observation>, &mut Self, &mut Context<Self>) + 'static,
    ) {
        let path = path.or_else(|| self.run.as_ref()?.session.as_ref()?.transcript_path.clone());
        let Some((session, mut reader)) = self.transcript_reader() else {
            return then(Vec::new(), self, context);
        };
        if let Some(model) = self.run.as_ref().and_then(|run| run.model.as_deref()) {
            reader.model_is(model);
        }
        let from = self
            .reads_output()
            .then(|| (self.shared.run_dir(self.id), self.output_read));
        self.working = true;
        let read = tokio::task::spawn_blocking(move || {
            let outcome = match from {
                Some((run_dir, from)) => output::feed(&run_dir, from, reader.as_mut()),
                None => reader.read(path.as_deref()).map(|observed| (observed, 0)),
            };
            (reader, outcome)
        });
        context.spawn(
            read.into_actor(self)
                .map(move |outcome, actor: &mut Self, context| {
                    actor.working = false;
                    let id = actor.id;
                    let observed = match outcome {
                        Ok((reader, outcome)) => {
                            actor.transcript = Some((session, reader));
                            outcome.map(|(observed, read)| {
                                actor.output_read = actor.output_read.max(read);
                                observed
                            })
                        }
                        Err(error) => Err(std::io::Error::other(error)),
                    };
                    let observed = observed.unwrap_or_else(|error| {
                log::warn!(run_id:% = id; "The transcript of run {id} is unreadable: {error}.");
                Vec::new()
            });
                    then(observed, actor, context);
                    actor.work(context);
                }),
        );
    }

    /// The reader of the present session's transcript, taken out of the actor.
    fn transcript_reader(&mut self) -> Option<(String, Box<dyn crate::cli::Transcript>)> {
        let run = self.run.as_ref()?;
        // A stream has one reader a process; a file one a session.
        let session = match run.created.agent.mode() {
            AgentMode::Headless => format!("output {}", run.attempt),
            AgentMode::Interactive => run.session_id().unwrap_or_default().to_owned(),
        };
        if let Some((of, reader)) = self.transcript.take()
            && of == session
        {
            return Some((of, reader));
        }
        let context = TranscriptContext::new(run.created.agent.mode(), run.usage.clone())
            .priced(self.shared.prices());
        let output = run.output_offset;
        let reader = self.adapter()?.transcript(context)?;
        self.output_read = output + reader.output_read();
        Some((session, reader))
    }

    /// Takes a checkpoint beside the actor.
    pub(super) fn start_checkpoint(&mut self, reason: &'static str, context: &mut Context<Self>) {
        self.beside(context, move |mut beside| async move {
            let _alone = beside.alone().await;
            let taken = take_checkpoint(&beside, reason).await;
            beside.tell(News::CheckpointTaken(taken)).await;
        });
    }
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

/// The process is gone: what it leaves is kept, then its end is told.
async fn ended(
    mut beside: Beside,
    report: Option<ExitReport>,
    attempt: u32,
    observed: Vec<Observation>,
) {
    let _alone = beside.alone().await;
    let checkpoint = match beside.run.stop {
        Some(StopBy::Cancel) => take_checkpoint(&beside, "cancel").await,
        Some(StopBy::Pause) => take_checkpoint(&beside, "pause").await,
        Some(StopBy::Idle) => take_checkpoint(&beside, "idle").await,
        // A deletion keeps the work by itself; the other ends change nothing.
        Some(StopBy::Delete) | None => None,
    };
    let run_dir = beside.shared.run_dir(beside.run.id);
    let failed = report.as_ref().is_none_or(|report| report.code != Some(0));
    let detail = if failed {
        let (reader, id) = (beside.shared.reader.clone(), beside.run.id);
        let lines = beside.blocking(move || {
            let secrets = reader.run_secrets(id)?;
            Ok::<_, StoreError>(output::last_lines(&run_dir, &secrets))
        });
        lines
            .await
            .and_then(|lines| lines.map_err(|error| error.to_string()))
            .unwrap_or_else(|why| {
                log::warn!(run_id:% = id; "The last lines of run {id} are left out: {why}.");
                String::new()
            })
    } else {
        String::new()
    };
    let lost = report.is_none();
    let (code, signal) = report.map_or((None, None), |report| (report.code, report.signal));
    let exit = Exit {
        attempt,
        code,
        signal,
        lost,
        detail,
        observed,
        checkpoint,
    };
    beside.tell(News::Fact(Command::Exited(exit))).await;
}

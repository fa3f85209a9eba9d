//! What must keep its order (hooks, spooled hooks, the end), and the end of a process.

use super::{
    effects::Beside, jobs::Job, keeping::take_checkpoint, ledger::Along, messages::News, output,
    run_actor::RunActor,
};
use crate::{
    cli::TranscriptContext,
    domain::AgentMode,
    domain::run::{
        Command,
        command::{Exit, Hook, Observation, Signal},
        event::StopBy,
    },
    pty::ExitReport,
    store::StoreError,
};
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use std::path::PathBuf;

impl RunActor {
    /// Works off the line, in order, until it is empty, a job waits, or enough is being stored:
    /// each commit goes on here.
    pub(super) fn work(&mut self, context: &mut Context<Self>) {
        while let Some(job) = self.ledger.next_job() {
            match job {
                Job::Hook {
                    payload,
                    delivery,
                    callers,
                    from,
                } => {
                    let reader = &self.shared.reader;
                    let hook = self.ledger.hook(payload, delivery, callers, from, reader);
                    self.take_hook(hook, context);
                }
                Job::Spooled(path) => {
                    let hook = self.ledger.spooled(path, &self.shared.reader);
                    self.take_hook(hook, context);
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

    fn take_hook(&mut self, hook: Option<(Hook, Along)>, context: &mut Context<Self>) {
        let Some((hook, along)) = hook else { return };
        let run = self.ledger.run.as_ref();
        if run.is_some_and(|run| run.is_nested(&hook)) {
            // What that CLI writes down is none of the run's.
            let observed = Vec::new();
            self.execute(Command::Hook { hook, observed }, along, context);
        } else if reads_transcript(&hook.signal) {
            let path = hook.transcript_path.clone();
            self.read_transcript(path, context, move |observed, actor, context| {
                actor.execute(Command::Hook { hook, observed }, along, context);
            });
        } else {
            // Where it will be is watched from the first hook that names it, and looked at again
            // when anything changes there.
            if hook.transcript_path != self.transcript_named {
                self.transcript_named.clone_from(&hook.transcript_path);
                self.watch_transcript();
            }
            let observed = Vec::new();
            self.execute(Command::Hook { hook, observed }, along, context);
        }
    }

    /// Follows the transcript of the session, and the one that the last hook named, by file
    /// notification.
    pub(super) fn watch_transcript(&self) {
        let run = self.ledger.run.as_ref();
        let session = run.and_then(|run| run.session.as_ref());
        let known = session.and_then(|session| session.transcript_path.as_ref());
        let named = self.transcript_named.as_ref();
        for path in known
            .into_iter()
            .chain(named.filter(|path| Some(*path) != known))
        {
            self.shared.watch.add(self.id, path);
        }
    }

    /// True for a CLI whose output is its transcript.
    fn reads_output(&self) -> bool {
        self.ledger
            .run
            .as_ref()
            .is_some_and(|run| run.created.agent.mode() == AgentMode::Headless)
    }

    /// Follows the output of such a CLI.
    pub(super) fn watch_output(&self) {
        if self.reads_output() {
            self.shared
                .watch
                .add(self.id, &self.run_dir.join("output.log"));
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
        let path = path.or_else(|| {
            self.ledger
                .run
                .as_ref()?
                .session
                .as_ref()?
                .transcript_path
                .clone()
        });
        let Some((session, mut reader)) = self.transcript_reader() else {
            return then(Vec::new(), self, context);
        };
        if let Some(model) = self
            .ledger
            .run
            .as_ref()
            .and_then(|run| run.model.as_deref())
        {
            reader.model_is(model);
        }
        let from = self
            .reads_output()
            .then(|| (self.run_dir.clone(), self.output_read));
        self.ledger.working = true;
        let read = super::threads::run(move || {
            let outcome = match from {
                Some((run_dir, from)) => output::feed(&run_dir, from, reader.as_mut()),
                None => reader.read(path.as_deref()).map(|observed| (observed, 0)),
            };
            (reader, outcome)
        });
        context.spawn(
            read.into_actor(self)
                .map(move |outcome, actor: &mut Self, context| {
                    actor.ledger.working = false;
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
        let run = self.ledger.run.as_ref()?;
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
        let reader = self.ledger.adapter()?.transcript(context)?;
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
pub(super) const fn reads_transcript(signal: &Signal) -> bool {
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

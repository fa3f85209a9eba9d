//! What must keep its order (hooks, spooled hooks, the end), the end of a process, checkpoints,
//! and the deletion of a run.

use super::{
    effects::Beside,
    messages::{AskError, News},
    output,
    run_actor::{Along, From, Job, RunActor, answer},
    spool,
};
use crate::{
    cli::TranscriptContext,
    domain::AgentMode,
    domain::run::{
        Command, Run,
        command::{Checkpoint, Exit, Observation, Signal},
        event::{CheckpointAt, RepoBase, StopBy, WorktreeAt},
    },
    git,
    pty::ExitReport,
};
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

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
            idempotent: None,
            answer: None,
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
        let context = TranscriptContext::new(run.created.agent.mode(), run.usage.clone());
        self.output_read = run.output_offset + context.offset;
        let reader = self.adapter()?.transcript(context)?;
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
        beside
            .blocking(move || output::last_lines(&run_dir))
            .await
            .unwrap_or_default()
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

/// Keeps the present work of all repos under hidden refs; nothing when nothing changed.
async fn take_checkpoint(beside: &Beside, reason: &'static str) -> Option<Checkpoint> {
    let run = beside.run.clone();
    let id = run.id;
    if run.worktrees.is_empty() {
        return None;
    }
    let Ok(_permit) = beside.shared.heavy_jobs.acquire().await else {
        return None;
    };
    match beside.blocking(move || checkpoint_now(&run, reason)).await {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            log::error!(run_id:% = id; "A checkpoint of run {id} was not taken: {error}.");
            None
        }
    }
}

/// Takes the checkpoint, repo by repo; one that fails is logged and the others are still kept.
fn checkpoint_now(run: &Run, reason: &str) -> Option<Checkpoint> {
    let number = run.checkpoint_number + 1;
    let mut repos: Vec<CheckpointAt> = Vec::new();
    let mut changed = false;
    for at in &run.worktrees {
        let Some(base) = run
            .created
            .repos
            .iter()
            .find(|base| base.repo_id == at.repo_id)
        else {
            continue;
        };
        let previous = run
            .checkpoint
            .iter()
            .find(|kept| kept.repo_id == at.repo_id);
        let tree = previous.map(|kept| kept.tree.as_str());
        match git::take(at, &base.repo_path, run.id, number, reason, tree) {
            Ok(Some(taken)) => {
                changed = true;
                repos.push(taken);
            }
            // Unchanged: the former commit still holds it.
            Ok(None) => repos.extend(previous.cloned()),
            Err(error) => {
                let id = run.id;
                log::error!(run_id:% = id; "Repo {} of run {id} was not kept: {error}.", at.name);
            }
        }
    }
    changed.then(|| Checkpoint {
        number,
        reason: reason.to_owned(),
        repos,
    })
}

/// Keeps unmerged work, then removes worktrees, branches and checkpoints.
pub(super) async fn delete(mut beside: Beside) {
    let _alone = beside.alone().await;
    let begun = Instant::now();
    // Keeping comes first and must succeed: nothing is removed that is not kept.
    let kept = take_checkpoint_for_delete(&beside).await;
    let outcome = match kept {
        Ok(last) => {
            let (run, shared) = (beside.run.clone(), std::sync::Arc::clone(&beside.shared));
            let job = move || remove_all(&run, &shared, last.as_ref());
            beside.blocking(job).await.and_then(|outcome| outcome)
        }
        Err(why) => Err(why),
    };
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    beside
        .tell(match outcome {
            Ok(removed) => News::Removed { removed, millis },
            Err(why) => News::NotRemoved { why },
        })
        .await;
}

/// The last work of a run, kept before its worktrees go; the former checkpoint when unchanged.
async fn take_checkpoint_for_delete(beside: &Beside) -> Result<Option<Checkpoint>, String> {
    let run = beside.run.clone();
    beside
        .blocking(move || {
            for at in &run.worktrees {
                let base = run
                    .created
                    .repos
                    .iter()
                    .find(|base| base.repo_id == at.repo_id);
                let Some(base) = base.filter(|_| at.worktree.exists()) else {
                    continue;
                };
                let previous = run
                    .checkpoint
                    .iter()
                    .find(|kept| kept.repo_id == at.repo_id);
                let tree = previous.map(|kept| kept.tree.as_str());
                let number = run.checkpoint_number + 1;
                git::take(at, &base.repo_path, run.id, number, "delete", tree).map_err(
                    |error| format!("the work in {} could not be kept: {error}", at.name),
                )?;
            }
            Ok(checkpoint_now(&run, "delete"))
        })
        .await
        .and_then(|outcome| outcome)
}

fn remove_all(
    run: &Run,
    shared: &super::shared::Shared,
    last: Option<&Checkpoint>,
) -> Result<Vec<WorktreeAt>, String> {
    let kept = last.map_or(&run.checkpoint, |checkpoint| &checkpoint.repos);
    let mut removed = Vec::new();
    for base in &run.created.repos {
        // The repository itself may be gone: then there is nothing of ours to remove in it.
        let Ok(inspected) = git::inspect(&base.repo_path) else {
            continue;
        };
        let at = run.worktrees.iter().find(|at| at.repo_id == base.repo_id);
        let commit = kept
            .iter()
            .find(|kept| kept.repo_id == base.repo_id)
            .map(|kept| kept.commit.as_str());
        let job = || remove_one(run, base, at, commit, &shared.config.data_dir);
        let gone = shared.repo_locks.with(&[inspected.git_dir], job);
        let gone = gone.map_err(|error| format!("repo '{}': {error}", base.name))?;
        removed.extend(at.filter(|_| gone).cloned());
    }
    let folder = shared.worktrees_dir(run.id);
    // Empty by now, unless something in it is not ours: then it stays.
    if let Err(error) = std::fs::remove_dir(&folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        log::warn!(run_id:% = run.id; "The worktree folder of run {} stays: {error}.", run.id);
    }
    Ok(removed)
}

/// Under the repository's lock. True when the worktree was removed.
fn remove_one(
    run: &Run,
    base: &RepoBase,
    at: Option<&WorktreeAt>,
    commit: Option<&str>,
    data_dir: &std::path::Path,
) -> Result<bool, git::GitError> {
    git::keep_deleted(&base.repo_path, run.id, &base.name, &run.run_branch, commit)?;
    let Some(at) = at else { return Ok(false) };
    let gone = git::remove(at, &base.repo_path, data_dir)?;
    git::delete_branch(&base.repo_path, &run.run_branch)?;
    git::drop_checkpoints(&base.repo_path, run.id)?;
    Ok(gone)
}

//! New runs, stops also while the log takes nothing, and deletion with a look at what it would drop.

use super::{OperationError, blocking, changes, no_repo, read};
use crate::{
    domain::{
        Agent, AgentId, Project, RunId,
        run::{command::NewRun, create, event::RepoBase},
    },
    git::{self, ErrorKind, GitError},
    pty::{self, Probe},
    runtime::{
        AskError, Reply, Request, Runtime, Stop, ids,
        jobs::holder::GRACE,
        messages::{Key, Outcome},
        order::{self, OrderError},
        services::unrecorded::word,
        threads,
    },
    store::StoreError,
};
use serde::Deserialize;
use std::time::Duration;

/// Longest time for telling a holder of a stop; its processes are ended all the same.
const TELL_MAX: Duration = Duration::from_secs(2);

/// The fields of a new run.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewRunFields)]
pub(crate) struct RunFields {
    pub agent_id: AgentId,
    /// What the agent is to do; not blank.
    pub task: String,
    /// What the run branch starts from.
    #[serde(default = "head")]
    pub source_branch: String,
    /// Whether to notify when it goes idle or ends.
    #[serde(default)]
    pub notify: bool,
    /// The run that it follows.
    pub parent_run_id: Option<RunId>,
}

fn head() -> String {
    "HEAD".to_owned()
}

/// Creates a run, which begins at once.
///
/// # Errors
/// `Unknown` agent, project or parent run; `Invalid` source branch; a conflict when a repository cannot
/// take the run; those of [`Runtime::ask`], whose core decides the rest.
pub(crate) async fn create(
    runtime: &Runtime,
    fields: RunFields,
    key: Key,
) -> Result<Reply, OperationError> {
    create::check_text("task", &fields.task).map_err(AskError::from)?;
    let (agent_id, parent) = (fields.agent_id, fields.parent_run_id);
    let found = read(runtime, move |reader| {
        let Some(agent) = reader.agent(agent_id)? else {
            return Ok(Err(OperationError::Unknown("agent")));
        };
        let Some(project) = reader.project(agent.project_id)? else {
            return Ok(Err(OperationError::Unknown("project")));
        };
        if let Some(parent) = parent
            && !reader.run_exists(parent)?
        {
            return Ok(Err(OperationError::Unknown("parent run")));
        }
        Ok(Ok((agent, project)))
    });
    let (agent, project) = found.await??;
    if project.repos.is_empty() {
        return Err(no_repo(&project));
    }
    let run_id = ids::run();
    let new = blocking(move || new_run(run_id, fields, agent, project)).await??;
    let request = Request::Create(Box::new(new));
    Ok(runtime.ask(run_id, request, key).await?)
}

/// Everything that can be known before the answer: repos open, commits exist, the branch is free.
fn new_run(
    run_id: RunId,
    fields: RunFields,
    agent: Agent,
    project: Project,
) -> Result<NewRun, OperationError> {
    let run_branch = run_id.default_branch();
    let mut repos = Vec::new();
    for repo in &project.repos {
        let fault = |error: GitError| repo_fault(&repo.name, &error);
        git::inspect(&repo.repo_path).map_err(fault)?;
        let base_commit =
            git::resolve_commit(&repo.repo_path, &fields.source_branch).map_err(fault)?;
        git::check_branch_free(&repo.repo_path, &run_branch).map_err(fault)?;
        repos.push(RepoBase {
            repo_id: repo.id,
            name: repo.name.clone(),
            repo_path: repo.repo_path.clone(),
            base_commit,
            source: git::source_of(&repo.repo_path, &fields.source_branch),
        });
    }
    Ok(NewRun {
        task: fields.task,
        source_branch: fields.source_branch,
        run_branch,
        project_id: project.id,
        agent_id: agent.id,
        parent_run_id: fields.parent_run_id,
        notify: fields.notify,
        agent,
        repos,
        set_up: project.set_up,
    })
}

fn repo_fault(name: &str, error: &GitError) -> OperationError {
    let why = format!("Repo '{name}': {error}.");
    match error.kind() {
        ErrorKind::Conflict | ErrorKind::Unusable => OperationError::conflict(why),
        ErrorKind::Unknown | ErrorKind::Invalid => {
            OperationError::invalid("source_branch", format!("is wrong. {why}"))
        }
        ErrorKind::TimedOut | ErrorKind::Fault => OrderError::Invalid(why).into(),
    }
}

/// Cancels, pauses or deletes a run. When the log takes nothing, its processes are ended first.
///
/// # Errors
/// Those of [`Runtime::ask`]; `Unrecorded` when it is done and not in the log.
pub(crate) async fn stop(runtime: &Runtime, run_id: RunId, stop: Stop) -> Outcome {
    match runtime.ask(run_id, Request::Stop(stop), None).await {
        Err(AskError::Store(cause)) if cause.may_pass() => {
            Err(end_unrecorded(runtime, run_id, stop, cause).await)
        }
        outcome => outcome,
    }
}

async fn end_unrecorded(
    runtime: &Runtime,
    run_id: RunId,
    stop: Stop,
    cause: StoreError,
) -> AskError {
    let unrecorded = &runtime.shared.unrecorded;
    // Known before anything ends: the end of the CLI is not to be taken for its own.
    let earlier = unrecorded.stops().insert(run_id, stop);
    tell_holder(runtime, run_id, stop).await;
    let ended = threads::run(move || pty::end_leftovers(run_id.0)).await;
    match ended {
        // A stop is refused without a process: one that is not there any more was ended by the
        // request, whose outcome found no room.
        Ok(Ok(0)) if earlier.is_none() && matches!(stop, Stop::Delete { .. }) => {
            unrecorded.stops().remove(&run_id);
            AskError::Store(cause)
        }
        Ok(Ok(count)) => {
            log::warn!(run_id:%, count; "Stopped run {run_id} while the log cannot be written ({cause}): ended {count} processes.");
            AskError::Unrecorded(cause)
        }
        Ok(Err(error)) => {
            AskError::JobFailed(format!("could not end processes of the run: {error}"))
        }
        Err(error) => error.into(),
    }
}

/// Has the holder say with the exit why it came.
async fn tell_holder(runtime: &Runtime, run_id: RunId, stop: Stop) {
    let run_dir = runtime.shared.run_dir(run_id);
    let told = async {
        if let Probe::Live(session) = pty::probe(&run_dir, run_id.0).await? {
            let because = Some(word(stop).to_owned());
            session.handle().stop_because(GRACE, because).await?;
        }
        Ok::<_, pty::PtyError>(())
    };
    match tokio::time::timeout(TELL_MAX, told).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            log::warn!(run_id:%; "Could not send a command to the holder of run {run_id}: {error}.");
        }
        Err(_) => log::warn!(run_id:%; "The holder of run {run_id} does not respond."),
    }
}

/// Deletes a run with its worktrees; live processes are ended first. Without `force` nothing is
/// done when some of its work cannot be kept.
///
/// # Errors
/// `Unknown` run; [`OrderError::NotKept`]; those of [`stop`].
pub(crate) async fn remove(
    runtime: &Runtime,
    id: RunId,
    force: bool,
) -> Result<(), OperationError> {
    if !force {
        // Before the process is ended: a refusal changes nothing.
        check_all_is_kept(runtime, id).await?;
    }
    stop(runtime, id, Stop::Delete { force }).await?;
    Ok(())
}

async fn check_all_is_kept(runtime: &Runtime, id: RunId) -> Result<(), OperationError> {
    let repos = changes::repos(runtime, id).await?;
    let looked = blocking(move || {
        let mut left_out = Vec::new();
        for repo in &repos {
            // What fails for all of a repo is told by the deletion itself.
            let found = git::left_out(&repo.at(), &repo.repo_path).unwrap_or_default();
            left_out.extend(found.into_iter().map(|left| (repo.name.clone(), left)));
        }
        let named = left_out.iter().map(|(name, left)| (name.as_str(), left));
        order::not_kept(&named.collect::<Vec<_>>(), &[])
    });
    looked.await?.map_or(Ok(()), |fault| Err(fault.into()))
}

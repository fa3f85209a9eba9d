//! New runs, and deletion with a look at what it would drop.

use super::{Key, OperationError, blocking, changes, read};
use crate::{
    domain::{
        Agent, AgentId, Project, RunId,
        run::{command::NewRun, create, event::RepoBase},
    },
    git::{self, ErrorKind, GitError},
    runtime::{
        AskError, Reply, Request, Runtime, Stop, ids,
        order::{self, OrderError},
    },
};

/// What a caller says of a new run.
#[derive(Debug)]
pub(crate) struct RunFields {
    /// Its agent.
    pub agent_id: AgentId,
    /// What the agent is to do; not blank.
    pub task: String,
    /// What the run branch starts from.
    pub source_branch: String,
    /// Whether people are told when it goes idle or ends.
    pub notify: bool,
    /// The run that it follows up.
    pub parent_run_id: Option<RunId>,
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
    let run_id = ids::run();
    let new = blocking(move || new_run(run_id, fields, agent, project)).await??;
    let request = Request::Create {
        new: Box::new(new),
        idempotent: key,
    };
    Ok(runtime.ask(run_id, request).await?)
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

/// Deletes a run with its worktrees; live processes are ended first. Without `force` nothing is
/// done when some of its work cannot be kept.
///
/// # Errors
/// `Unknown` run; [`OrderError::NotKept`]; those of [`Runtime::stop`].
pub(crate) async fn remove(
    runtime: &Runtime,
    id: RunId,
    force: bool,
) -> Result<(), OperationError> {
    if !force {
        // Before the process is ended: a refusal changes nothing.
        check_all_is_kept(runtime, id).await?;
    }
    runtime.stop(id, Stop::Delete { force }).await?;
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

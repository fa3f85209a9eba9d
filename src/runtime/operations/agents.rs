//! Agents: made, changed, deleted.

use super::{OperationError, project, record};
use crate::{
    cli,
    domain::{Agent, AgentId, ProjectId, Secrets, agent::AgentFields},
    runtime::{Runtime, clock, ids, messages::Key},
};

/// Puts stored values back where the caller left masks.
fn unmask(agent: &mut Agent, stored: &Secrets) -> Result<(), OperationError> {
    let filled = stored.fill(&mut agent.provider_config);
    filled.map_err(|name| {
        let field = format!("provider_config.env.{name}");
        OperationError::invalid(field, "is a mask, and no value of it is stored")
    })
}

/// Checks the fields of an agent, those of its CLI too.
///
/// # Errors
/// [`OperationError::Invalid`] for the first that breaks a rule.
pub(crate) fn check(agent: &Agent) -> Result<(), OperationError> {
    let fault = agent
        .validate(&cli::NAMES)
        .or_else(|| cli::adapter(&agent.cli_name)?.validate_config(&agent.provider_config))
        .or_else(|| cli::remote_approvals_fault(agent));
    fault.map_or(Ok(()), |why| Err(OperationError::breaks(&why)))
}

/// Creates an agent of a project. Answers it as it may be shown.
///
/// # Errors
/// `Unknown` project; `Invalid` fields; when the database fails.
pub(crate) async fn create(
    runtime: &Runtime,
    project_id: ProjectId,
    fields: AgentFields,
    key: Key,
) -> Result<Agent, OperationError> {
    project(runtime, project_id).await?;
    let mut agent = Agent::unnamed(ids::agent(), project_id, clock::now());
    fields.apply(&mut agent);
    unmask(&mut agent, &Secrets::default())?;
    check(&agent)?;
    let shown = agent.clone().masked();
    let record = record(key, &shown)?;
    let added = runtime.shared.writer.add_agent(agent, record).await;
    added.map_err(OperationError::lacking("project"))?;
    Ok(shown)
}

/// Changes the given fields of an agent. Answers it as it may be shown.
///
/// # Errors
/// `Unknown` agent; `Invalid` fields, and then nothing is changed; when the database fails.
pub(crate) async fn change(
    runtime: &Runtime,
    id: AgentId,
    fields: AgentFields,
) -> Result<Agent, OperationError> {
    let changed = runtime.shared.writer.change_agent(id, move |agent| {
        let stored = Secrets::of(&agent.provider_config);
        fields.apply(agent);
        unmask(agent, &stored)?;
        check(agent)?;
        agent.updated_at = clock::now();
        Ok::<_, OperationError>(())
    });
    let agent = changed.await.map_err(OperationError::lacking("agent"))?;
    Ok(agent.masked())
}

/// Deletes an agent that has no live run.
///
/// # Errors
/// `Unknown` agent; a conflict when one of its runs has a process; when the database fails.
pub(crate) async fn remove(runtime: &Runtime, id: AgentId) -> Result<(), OperationError> {
    let removed = runtime.shared.writer.remove_agent(id).await;
    if removed.map_err(OperationError::lacking("agent"))? {
        return Ok(());
    }
    Err(OperationError::conflict(
        "A run of this agent has a live process; cancel that run first.",
    ))
}

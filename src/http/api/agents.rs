//! Agents, and templates for them.

use crate::{
    domain::{Agent, AgentId, ProjectId, agent::AgentFields},
    http::wire::{ApiError, ApiResult, Id, Idempotent, JsonBody, created, find, no_content, ok},
    runtime::{Runtime, operations::agents},
};
use actix_web::{delete, get, post, put, web::Data};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Creates an agent of a project.
#[utoipa::path(tag = "agents", request_body = AgentFields,
    responses((status = 201, body = Agent), (status = 404)))]
#[post("/api/agents")]
pub(crate) async fn create(
    runtime: Data<Runtime>,
    Idempotent { body, key }: Idempotent<AgentFields, 201>,
) -> ApiResult {
    let given = body
        .project_id
        .as_deref()
        .ok_or_else(|| ApiError::invalid("project_id", "is missing"))?;
    let project_id: ProjectId = given
        .parse()
        .map_err(|_| ApiError::invalid("project_id", "must be a UUID"))?;
    created(&agents::create(&runtime, project_id, body, key).await?)
}

/// One agent.
#[utoipa::path(tag = "agents", responses((status = 200, body = Agent)))]
#[get("/api/agents/{id}")]
pub(crate) async fn get(runtime: Data<Runtime>, Id(id): Id<AgentId>) -> ApiResult {
    let agent = find(&runtime, "agent", move |reader| reader.agent(id)).await?;
    ok(&agent.masked())
}

/// Changes the given fields of an agent; runs that exist keep the configuration they began with.
#[utoipa::path(tag = "agents", request_body = AgentFields,
    responses((status = 200, body = Agent)))]
#[put("/api/agents/{id}")]
pub(crate) async fn change(
    runtime: Data<Runtime>,
    Id(id): Id<AgentId>,
    JsonBody(fields): JsonBody<AgentFields>,
) -> ApiResult {
    ok(&agents::change(&runtime, id, fields).await?)
}

/// Deletes an agent that has no live run.
#[utoipa::path(tag = "agents", responses((status = 204), (status = 409)))]
#[delete("/api/agents/{id}")]
pub(crate) async fn remove(runtime: Data<Runtime>, Id(id): Id<AgentId>) -> ApiResult {
    agents::remove(&runtime, id).await?;
    Ok(no_content())
}

/// The agents of a project.
#[utoipa::path(tag = "agents", responses((status = 200, body = [Agent])))]
#[get("/api/projects/{id}/agents")]
pub(crate) async fn list(runtime: Data<Runtime>, Id(id): Id<ProjectId>) -> ApiResult {
    let agents = find(&runtime, "project", move |reader| {
        let known = reader.project(id)?.is_some();
        known.then(|| reader.agents(id)).transpose()
    });
    let agents = agents.await?.into_iter().map(Agent::masked);
    ok(&agents.collect::<Vec<_>>())
}

/// What a template is for; pages list the templates by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TemplateGroupView)]
enum TemplateGroup {
    Review,
    Coding,
    Testing,
    Documentation,
    Maintenance,
    Planning,
}

/// The beginning of an agent.
#[derive(Debug, Clone, Deserialize, Serialize, utoipa::ToSchema)]
#[schema(as = TemplateView)]
struct Template {
    group: TemplateGroup,
    name: String,
    role: String,
    description: String,
    allowed_tools: String,
    instructions: String,
}

static TEMPLATES: LazyLock<Vec<Template>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("agent_templates.json"))
        .expect("agent_templates.json is checked by a test")
});

/// Ready-made configurations to create agents from.
#[utoipa::path(tag = "agents", responses((status = 200, body = [Template])))]
#[get("/api/agent-templates")]
pub(crate) async fn list_templates() -> ApiResult {
    ok(&*TEMPLATES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{clock, ids};
    use std::collections::HashSet;

    #[test]
    fn templates_cover_six_groups_and_each_is_a_valid_agent() {
        let templates = &*TEMPLATES;
        assert!(templates.len() >= 14);
        let groups: HashSet<_> = templates.iter().map(|t| t.group).collect();
        assert_eq!(groups.len(), 6);
        let names: HashSet<_> = templates.iter().map(|t| &t.name).collect();
        assert_eq!(names.len(), templates.len(), "a name is there twice");
        for template in templates.clone() {
            assert!(!template.description.is_empty() && !template.allowed_tools.is_empty());
            let report = template.instructions.contains("eport ");
            assert!(report, "{} says nothing to report", template.name);
            let mut agent = Agent::unnamed(ids::agent(), ids::project(), clock::now());
            agent.name = template.name;
            agent.instructions = template.instructions;
            agent.allowed_tools = template.allowed_tools;
            agent.role = template.role;
            assert!(agents::check(&agent).is_ok(), "{}", agent.name);
        }
    }
}

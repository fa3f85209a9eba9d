//! Agents, and templates for them.

use super::{
    answer::{Refused, json, ok, read, text, unknown},
    error::ApiError,
    extract::{Id, JsonBody},
    idempotent::Idempotent,
};
use crate::{
    cli,
    domain::{
        Agent, AgentId, ProjectId, Secrets,
        agent::{ALLOWED_TOOLS_DEFAULT, CLI_NAME_DEFAULT, MAX_TURNS_DEFAULT, ROLE_DEFAULT},
    },
    runtime::{Runtime, clock, ids},
    store::StoreError,
};
use actix_web::{HttpResponse, delete, get, http::StatusCode, post, put, web};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// Fields of a new or changed agent. An absent field is left alone; null restores the default.
#[derive(Deserialize, Default, utoipa::ToSchema)]
pub(super) struct AgentFields {
    /// Only for a new agent.
    #[schema(value_type = Option<uuid::Uuid>)]
    project_id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    cli_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 200)]
    model: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    instructions: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    allowed_tools: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    max_turns: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    provider_config: Option<Option<Map<String, Value>>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    role: Option<Option<String>>,
}

/// Tells a null apart from an absent field.
#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things here"
)]
fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

impl AgentFields {
    fn change(self, agent: &mut Agent) {
        fn set<T>(field: &mut T, given: Option<Option<T>>, default: impl FnOnce() -> T) {
            if let Some(value) = given {
                *field = value.unwrap_or_else(default);
            }
        }
        // A name has no default: null is as wrong as an empty one.
        set(&mut agent.name, self.name, String::new);
        set(&mut agent.cli_name, self.cli_name, || {
            CLI_NAME_DEFAULT.into()
        });
        set(&mut agent.model, self.model.map(Some), || None);
        set(&mut agent.instructions, self.instructions, String::new);
        set(&mut agent.allowed_tools, self.allowed_tools, || {
            ALLOWED_TOOLS_DEFAULT.into()
        });
        set(&mut agent.max_turns, self.max_turns, || MAX_TURNS_DEFAULT);
        set(&mut agent.provider_config, self.provider_config, Map::new);
        set(&mut agent.role, self.role, || ROLE_DEFAULT.into());
    }
}

/// Puts stored values back where the caller left masks.
fn unmask(agent: &mut Agent, stored: &Secrets) -> Result<(), ApiError> {
    let filled = stored.fill(&mut agent.provider_config);
    filled.map_err(|name| {
        let field = format!("provider_config.env.{name}");
        ApiError::invalid(&field, "is a mask, and no value of it is stored")
    })
}

fn check(agent: &Agent) -> Result<(), ApiError> {
    let fault = agent
        .fault(|name| cli::adapter(name).is_some())
        .or_else(|| cli::adapter(&agent.cli_name)?.config_fault(&agent.provider_config));
    fault.map_or(Ok(()), |why| Err(ApiError::breaks(&why)))
}

/// Creates an agent of a project.
#[utoipa::path(tag = "agents", request_body = AgentFields,
    responses((status = 201, body = Agent), (status = 400), (status = 404)))]
#[post("/api/agents")]
pub(super) async fn create(
    runtime: web::Data<Runtime>,
    Idempotent { body, key }: Idempotent<AgentFields, 201>,
) -> Result<HttpResponse, ApiError> {
    let given = body
        .project_id
        .as_deref()
        .ok_or_else(|| ApiError::invalid("project_id", "is missing"))?;
    let project_id: ProjectId = given
        .parse()
        .map_err(|_| ApiError::invalid("project_id", "must be a UUID"))?;
    if read(&runtime, move |reader| reader.project(project_id))
        .await?
        .is_none()
    {
        return Err(unknown("project"));
    }
    let now = clock::now();
    let mut agent = Agent {
        id: ids::agent(),
        project_id,
        name: String::new(),
        cli_name: CLI_NAME_DEFAULT.into(),
        model: None,
        instructions: String::new(),
        allowed_tools: ALLOWED_TOOLS_DEFAULT.into(),
        max_turns: MAX_TURNS_DEFAULT,
        provider_config: Map::new(),
        role: ROLE_DEFAULT.into(),
        created_at: now,
        updated_at: now,
    };
    body.change(&mut agent);
    unmask(&mut agent, &Secrets::default())?;
    check(&agent)?;
    let answer = text(&agent.clone().masked())?;
    let record = key.map(|key| key.answered(&answer));
    match runtime.shared.writer.add_agent(agent, record).await {
        Ok(()) => Ok(json(StatusCode::CREATED, answer)),
        Err(StoreError::Missing) => Err(unknown("project")),
        Err(error) => Err(error.into()),
    }
}

async fn agent(runtime: &Runtime, id: AgentId) -> Result<Agent, ApiError> {
    read(runtime, move |reader| reader.agent(id))
        .await?
        .ok_or_else(|| unknown("agent"))
}

/// One agent.
#[utoipa::path(tag = "agents",
    responses((status = 200, body = Agent), (status = 404)))]
#[get("/api/agents/{id}")]
pub(super) async fn get(
    runtime: web::Data<Runtime>,
    Id(id): Id<AgentId>,
) -> Result<HttpResponse, ApiError> {
    ok(&agent(&runtime, id).await?.masked())
}

/// Changes the given fields of an agent; runs that exist keep the configuration they began with.
#[utoipa::path(tag = "agents", request_body = AgentFields,
    responses((status = 200, body = Agent), (status = 400), (status = 404)))]
#[put("/api/agents/{id}")]
pub(super) async fn change(
    runtime: web::Data<Runtime>,
    Id(id): Id<AgentId>,
    body: JsonBody<AgentFields>,
) -> Result<HttpResponse, ApiError> {
    let changed = runtime.shared.writer.change_agent(id, move |agent| {
        let stored = Secrets::of(&agent.provider_config);
        body.0.change(agent);
        unmask(agent, &stored)?;
        check(agent)?;
        agent.updated_at = clock::now();
        Ok::<_, Refused>(())
    });
    let agent = changed.await.map_err(|error| error.of("agent"))?;
    ok(&agent.masked())
}

/// Deletes an agent that has no live run.
#[utoipa::path(tag = "agents", responses((status = 204), (status = 404), (status = 409)))]
#[delete("/api/agents/{id}")]
pub(super) async fn remove(
    runtime: web::Data<Runtime>,
    Id(id): Id<AgentId>,
) -> Result<HttpResponse, ApiError> {
    match runtime.shared.writer.remove_agent(id).await {
        Ok(true) => Ok(HttpResponse::NoContent().finish()),
        Ok(false) => Err(ApiError::conflict(
            "A run of this agent has a live process; cancel it first.",
        )),
        Err(StoreError::Missing) => Err(unknown("agent")),
        Err(error) => Err(error.into()),
    }
}

/// The agents of a project.
#[utoipa::path(tag = "agents",
    responses((status = 200, body = [Agent]), (status = 404)))]
#[get("/api/projects/{id}/agents")]
pub(super) async fn list(
    runtime: web::Data<Runtime>,
    Id(id): Id<ProjectId>,
) -> Result<HttpResponse, ApiError> {
    let found = read(&runtime, move |reader| {
        let known = reader.project(id)?.is_some();
        known.then(|| reader.agents(id)).transpose()
    });
    let agents = found.await?.ok_or_else(|| unknown("project"))?;
    ok(&agents.into_iter().map(Agent::masked).collect::<Vec<_>>())
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
pub(super) async fn list_templates() -> Result<HttpResponse, ApiError> {
    ok(&*TEMPLATES)
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let now = clock::now();
            let agent = Agent {
                id: ids::agent(),
                project_id: ids::project(),
                name: template.name,
                cli_name: CLI_NAME_DEFAULT.into(),
                model: None,
                instructions: template.instructions,
                allowed_tools: template.allowed_tools,
                max_turns: MAX_TURNS_DEFAULT,
                provider_config: Map::new(),
                role: template.role,
                created_at: now,
                updated_at: now,
            };
            assert!(check(&agent).is_ok(), "{}", agent.name);
        }
    }
}

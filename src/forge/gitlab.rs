//! GitLab's API: REST for what the user asks for, GraphQL for the state of merge requests, since
//! a list over REST takes one branch only and says nothing of pipelines.

use super::{
    api::{Api, NewPullRequest, PullRequest},
    config::ForgeConfig,
    error::ForgeError,
    head::Head,
    remote::{Remote, in_url},
    session::Session,
    status::{Checks, PrState, PrStatus, web_url},
};
use async_trait::async_trait;
use awc::http::Method;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

/// Sorted from new to old; GitLab gives at most 100.
const QUERY: &str = "query($path: ID!, $branches: [String!]) { project(fullPath: $path) { \
    mergeRequests(sourceBranches: $branches, sort: CREATED_DESC, first: 100) { nodes { \
    iid title webUrl state draft sourceBranch sourceProjectId targetProjectId \
    headPipeline { status } } } } }";

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
    web_url: String,
    description: Option<String>,
    source_branch: String,
    /// Null when the fork is gone.
    source_project_id: Option<u64>,
    target_project_id: u64,
}

#[derive(Deserialize)]
struct Project {
    id: u64,
    /// Null in an empty repository.
    default_branch: Option<String>,
}

/// A project is addressed by its whole path, as one part of the URL.
fn path(remote: &Remote, rest: &str) -> String {
    format!("/projects/{}{rest}", remote.full_name().replace('/', "%2F"))
}

/// The id of a project that has the branch and is not the one merged into.
async fn id_of_fork(
    session: &Session<'_>,
    fork: Option<&Remote>,
) -> Result<Option<u64>, ForgeError> {
    let Some(fork) = fork else {
        return Ok(None);
    };
    let project: Project = session.get(&path(fork, ""), &[]).await?;
    Ok(Some(project.id))
}

/// gitlab.com, and GitLab on hosts of one's own.
#[derive(Debug)]
pub(super) struct GitLab;

#[async_trait(?Send)]
impl Api for GitLab {
    fn is_spoken_by(&self, host: &str, config: &ForgeConfig) -> bool {
        let names = config.hosts("GITLAB_HOST");
        host.starts_with("gitlab.") || names.iter().any(|name| name == host)
    }

    fn own_url(&self, remote: &Remote) -> String {
        format!("https://{}/api/v4", remote.web_authority())
    }

    fn configured_url<'c>(&self, config: &'c ForgeConfig) -> Option<&'c str> {
        config.gitlab_api.as_deref()
    }

    fn version(&self) -> &'static str {
        "/v4"
    }

    fn budget<'r>(&self, _: &'r str) -> &'r str {
        "api"
    }

    fn token_variables(&self, host: &str, config: &ForgeConfig) -> &'static [&'static str] {
        let hosts = config.hosts("GITLAB_HOST");
        let mine = if hosts.is_empty() {
            host == "gitlab.com"
        } else {
            hosts.iter().any(|name| name == host)
        };
        // Who set the URL chose where the token goes.
        if mine || config.gitlab_api.is_some() {
            &["GITLAB_TOKEN"]
        } else {
            &[]
        }
    }

    fn token_command<'h>(&self, host: &'h str) -> Vec<&'h str> {
        vec!["glab", "config", "get", "token", "--host", host]
    }

    async fn find_open(
        &self,
        session: &Session<'_>,
        head: Head<'_>,
    ) -> Result<Option<PullRequest>, ForgeError> {
        let fork = id_of_fork(session, head.fork(session.remote)).await?;
        let query = [
            ("state", "opened"),
            ("source_branch", head.branch),
            ("per_page", "100"),
        ];
        let found: Vec<MergeRequest> = session
            .get(&path(session.remote, "/merge_requests"), &query)
            .await?;
        // Several forks can have a branch of that name.
        let ours = |mr: &MergeRequest| {
            let from = fork.unwrap_or(mr.target_project_id);
            mr.source_branch == head.branch && mr.source_project_id == Some(from)
        };
        Ok(found.into_iter().find(ours).map(|mr| PullRequest {
            number: mr.iid,
            url: web_url(mr.web_url),
            existed: true,
        }))
    }

    async fn default_branch(&self, session: &Session<'_>) -> Result<String, ForgeError> {
        let project: Project = session.get(&path(session.remote, ""), &[]).await?;
        let empty = || session.refused(404, "the project has no default branch".to_owned());
        project.default_branch.ok_or_else(empty)
    }

    async fn create(
        &self,
        session: &Session<'_>,
        new: &NewPullRequest<'_>,
    ) -> Result<PullRequest, ForgeError> {
        let title = if new.draft {
            format!("Draft: {}", new.title)
        } else {
            new.title.to_owned()
        };
        let mut body = json!({
            "title": title,
            "description": new.body,
            "source_branch": new.head.branch,
            "target_branch": new.base,
        });
        // It is asked of the project that has the branch.
        let fork = new.head.fork(session.remote);
        if fork.is_some() {
            let target: Project = session.get(&path(session.remote, ""), &[]).await?;
            body["target_project_id"] = json!(target.id);
        }
        let path = path(fork.unwrap_or(session.remote), "/merge_requests");
        let mr: MergeRequest = session.send(Method::POST, &path, &body).await?;
        Ok(PullRequest {
            number: mr.iid,
            url: web_url(mr.web_url),
            existed: false,
        })
    }

    async fn body(&self, session: &Session<'_>, number: u64) -> Result<String, ForgeError> {
        let path = path(session.remote, &format!("/merge_requests/{number}"));
        let mr: MergeRequest = session.get(&path, &[]).await?;
        Ok(mr.description.unwrap_or_default())
    }

    async fn set_body(
        &self,
        session: &Session<'_>,
        number: u64,
        body: &str,
    ) -> Result<(), ForgeError> {
        let path = path(session.remote, &format!("/merge_requests/{number}"));
        let body = json!({"description": body});
        let _mr: MergeRequest = session.send(Method::PUT, &path, &body).await?;
        Ok(())
    }

    async fn branch(&self, session: &Session<'_>, branch: &str) -> Result<(), ForgeError> {
        let path = path(
            session.remote,
            &format!("/repository/branches/{}", in_url(branch)),
        );
        session.get(&path, &[]).await.map(|_: IgnoredAny| ())
    }

    async fn statuses(
        &self,
        session: &Session<'_>,
        fork: Option<&Remote>,
        branches: &[&String],
    ) -> Result<Vec<PrStatus>, ForgeError> {
        let fork = id_of_fork(session, fork).await?;
        let variables = json!({"path": session.remote.full_name(), "branches": branches});
        let mut answer = session.graphql(QUERY, variables).await?;
        let list = answer
            .data
            .pointer_mut("/project/mergeRequests")
            .map(Value::take);
        let Some(list) = list.filter(|list| !list.is_null()) else {
            // GitLab says no more about what it does not show.
            let gone = || session.refused(404, "no such project for this token".to_owned());
            return Err(answer.error.unwrap_or_else(gone));
        };
        answer.log_error();
        let list: Nodes = session.shape(list)?;
        let ours = list.nodes.into_iter().flatten();
        let ours = ours.filter(|node| {
            let from = node.source_project_id;
            from == Some(node.target_project_id) || from.is_some() && from == fork
        });
        Ok(ours.filter_map(Node::status).collect())
    }
}

#[derive(Deserialize)]
struct Nodes {
    nodes: Vec<Option<Node>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    /// A number, as text.
    iid: String,
    title: String,
    web_url: String,
    state: String,
    draft: bool,
    source_branch: String,
    source_project_id: Option<u64>,
    target_project_id: u64,
    head_pipeline: Option<Pipeline>,
}

#[derive(Deserialize)]
struct Pipeline {
    status: String,
}

impl Node {
    fn status(self) -> Option<PrStatus> {
        Some(PrStatus {
            number: self.iid.parse().ok()?,
            branch: self.source_branch,
            title: self.title,
            state: match self.state.as_str() {
                "merged" => PrState::Merged,
                "closed" => PrState::Closed,
                _ if self.draft => PrState::Draft,
                // "opened", and "locked" while it is being merged.
                _ => PrState::Open,
            },
            url: web_url(self.web_url),
            checks: self.head_pipeline.map_or(Checks::None, |pipeline| {
                match pipeline.status.as_str() {
                    "SUCCESS" => Checks::Success,
                    "FAILED" | "CANCELED" => Checks::Failure,
                    "SKIPPED" => Checks::None,
                    _ => Checks::Pending,
                }
            }),
        })
    }
}

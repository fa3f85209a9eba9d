//! GitLab's API: REST for what the user requests, GraphQL for the state of merge requests, since
//! a list over REST takes one branch only and says nothing of pipelines.

use super::{
    api::{Api, NewPullRequest, Nodes, PullRequest},
    config::ForgeConfig,
    error::ForgeError,
    head::Head,
    remote::{Remote, in_url},
    session::Session,
    status::{Checks, PrState, PrStatus, web_url},
};
use async_trait::async_trait;
use awc::http::Method;
use serde::Deserialize;
use serde_json::json;

/// Sorted from new to old; GitLab gives at most 100.
const QUERY: &str = "query($path: ID!, $branches: [String!]) { project(fullPath: $path) { \
    mergeRequests(sourceBranches: $branches, sort: CREATED_DESC, first: 100) { nodes { \
    iid title webUrl state draft sourceBranch sourceProjectId targetProjectId \
    headPipeline { status } } } } }";

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
    web_url: String,
    source_branch: String,
    /// Null when the fork was deleted.
    source_project_id: Option<u64>,
    target_project_id: u64,
}

#[derive(Deserialize)]
struct Project {
    id: u64,
}

impl MergeRequest {
    fn into_pull_request(self, existed: bool) -> PullRequest {
        PullRequest {
            number: self.iid,
            url: web_url(self.web_url),
            existed,
        }
    }
}

/// The id of a project that has the branch and is not the one merged into.
async fn id_of_fork(
    session: &Session<'_>,
    fork: Option<&Remote>,
) -> Result<Option<u64>, ForgeError> {
    let Some(fork) = fork else {
        return Ok(None);
    };
    let project: Project = session.get(&GitLab.repository(fork), &[]).await?;
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

    fn budgets(&self) -> [&'static str; 2] {
        ["api", "api"]
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

    /// A project is addressed by its whole path, as one part of the URL.
    fn repository(&self, remote: &Remote) -> String {
        format!("/projects/{}", remote.full_name().replace('/', "%2F"))
    }

    fn branch(&self, branch: &str) -> String {
        format!("/repository/branches/{}", in_url(branch))
    }

    fn pull_request(&self, number: u64) -> String {
        format!("/merge_requests/{number}")
    }

    fn text(&self) -> (Method, &'static str) {
        (Method::PUT, "description")
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
        let path = format!("{}/merge_requests", session.repository);
        let found: Vec<MergeRequest> = session.get(&path, &query).await?;
        // Several forks can have a branch of that name.
        let ours = |mr: &MergeRequest| {
            let from = fork.unwrap_or(mr.target_project_id);
            mr.source_branch == head.branch && mr.source_project_id == Some(from)
        };
        let found = found.into_iter().find(ours);
        Ok(found.map(|mr| mr.into_pull_request(true)))
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
            let target: Project = session.get(&session.repository, &[]).await?;
            body["target_project_id"] = json!(target.id);
        }
        let source = self.repository(fork.unwrap_or(session.remote));
        let path = format!("{source}/merge_requests");
        let mr: MergeRequest = session.send(Method::POST, &path, &body).await?;
        Ok(mr.into_pull_request(false))
    }

    async fn statuses(
        &self,
        session: &Session<'_>,
        fork: Option<&Remote>,
        branches: &[&String],
    ) -> Result<Vec<PrStatus>, ForgeError> {
        let fork = id_of_fork(session, fork).await?;
        let variables = json!({"path": session.remote.full_name(), "branches": branches});
        // GitLab says no more about what it does not show.
        let (list, gone) = (
            "/data/project/mergeRequests",
            "no such project for this token",
        );
        let list = session.graphql(QUERY, variables, list, gone).await?;
        let list: Nodes<Node> = session.shape(list)?;
        let ours = list.nodes.into_iter().flatten();
        let ours = ours.filter(|node| {
            let from = node.source_project_id;
            from == Some(node.target_project_id) || from.is_some() && from == fork
        });
        Ok(ours.filter_map(Node::status).collect())
    }
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

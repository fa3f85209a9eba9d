//! GitHub's API: REST for what the user requests, GraphQL for the state of pull requests. REST
//! would need a request a branch for them, and one or two more for the checks of each.

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
use serde_json::{Map, Value, json};
use std::{collections::HashMap, fmt::Write as _};

/// Pull requests requested for each branch, the newest first.
const PRS_A_BRANCH: usize = 3;
const FIELDS: &str = "fragment pr on PullRequest { number title url state isDraft isCrossRepository \
    headRepository { nameWithOwner } \
    commits(last: 1) { nodes { commit { statusCheckRollup { state } } } } }";

#[derive(Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    /// Null when the fork was deleted.
    repo: Option<Repo>,
    /// `owner:branch`.
    label: Option<String>,
}

#[derive(Deserialize)]
struct Repo {
    id: u64,
    full_name: Option<String>,
}

impl Pull {
    fn into_pull_request(self, existed: bool) -> PullRequest {
        PullRequest {
            number: self.number,
            url: web_url(self.html_url),
            existed,
        }
    }
}

/// github.com, or a company's own part of it.
fn is_github_com(host: &str) -> bool {
    host == "github.com" || host.ends_with(".ghe.com")
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// GitHub, also Enterprise.
#[derive(Debug)]
pub(super) struct GitHub;

#[async_trait(?Send)]
impl Api for GitHub {
    fn is_spoken_by(&self, host: &str, config: &ForgeConfig) -> bool {
        is_github_com(host) || config.hosts("GH_HOST").iter().any(|name| name == host)
    }

    fn own_url(&self, remote: &Remote) -> String {
        match remote.host.as_str() {
            "github.com" => "https://api.github.com".to_owned(),
            host if is_github_com(host) => format!("https://api.{host}"),
            _ => format!("https://{}/api/v3", remote.web_authority()),
        }
    }

    fn configured_url<'c>(&self, config: &'c ForgeConfig) -> Option<&'c str> {
        config.github_api.as_deref()
    }

    fn version(&self) -> &'static str {
        "/v3"
    }

    fn budgets(&self) -> [&'static str; 2] {
        ["graphql", "core"]
    }

    fn token_variables(&self, host: &str, _: &ForgeConfig) -> &'static [&'static str] {
        if is_github_com(host) {
            &["GITHUB_TOKEN", "GH_TOKEN"]
        } else {
            &["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"]
        }
    }

    fn token_command<'h>(&self, host: &'h str) -> Vec<&'h str> {
        vec!["gh", "auth", "token", "--hostname", host]
    }

    fn repository(&self, remote: &Remote) -> String {
        format!("/repos/{}", remote.full_name())
    }

    fn branch(&self, branch: &str) -> String {
        let parts: Vec<_> = branch.split('/').map(in_url).collect();
        format!("/branches/{}", parts.join("/"))
    }

    fn pull_request(&self, number: u64) -> String {
        format!("/pulls/{number}")
    }

    fn text(&self) -> (Method, &'static str) {
        (Method::PATCH, "body")
    }

    async fn find_open(
        &self,
        session: &Session<'_>,
        head: Head<'_>,
    ) -> Result<Option<PullRequest>, ForgeError> {
        let remote = session.remote;
        let fork = head.fork(remote);
        let owner = &fork.unwrap_or(remote).owner_path;
        let owned = format!("{owner}:{}", head.branch);
        let query = [
            ("state", "open"),
            ("head", owned.as_str()),
            ("per_page", "100"),
        ];
        let path = format!("{}/pulls", session.repository);
        let pulls: Vec<Pull> = session.get(&path, &query).await?;
        // GitHub leaves out a filter that it does not understand, and a fork can have the branch too.
        let from_there = |pull: &Pull| match (fork, pull.head.repo.as_ref()) {
            (None, Some(from)) => pull.base.repo.as_ref().is_some_and(|to| from.id == to.id),
            (Some(fork), Some(from)) => match &from.full_name {
                Some(name) => same(name, &fork.full_name()),
                None => {
                    let label = pull.head.label.as_ref();
                    label.is_some_and(|label| same(label, &owned))
                }
            },
            (_, None) => false,
        };
        let ours = |pull: &Pull| pull.head.branch == head.branch && from_there(pull);
        let found = pulls.into_iter().find(ours);
        Ok(found.map(|pull| pull.into_pull_request(true)))
    }

    async fn create(
        &self,
        session: &Session<'_>,
        new: &NewPullRequest<'_>,
    ) -> Result<PullRequest, ForgeError> {
        let fork = new.head.fork(session.remote);
        let head = fork.map_or_else(
            || new.head.branch.to_owned(),
            |fork| format!("{}:{}", fork.owner_path, new.head.branch),
        );
        let mut body = json!({
            "title": new.title,
            "body": new.body,
            "head": head,
            "base": new.base,
            "draft": new.draft,
        });
        // An organisation can have several repositories of one network.
        if let Some(fork) = fork.filter(|fork| same(&fork.owner_path, &session.remote.owner_path)) {
            body["head_repo"] = json!(fork.repo);
        }
        let path = format!("{}/pulls", session.repository);
        let pull: Pull = session.send(Method::POST, &path, &body).await?;
        Ok(pull.into_pull_request(false))
    }

    async fn statuses(
        &self,
        session: &Session<'_>,
        fork: Option<&Remote>,
        branches: &[&String],
    ) -> Result<Vec<PrStatus>, ForgeError> {
        let mut variables = Map::new();
        variables.insert("owner".to_owned(), json!(session.remote.owner_path));
        variables.insert("name".to_owned(), json!(session.remote.repo));
        let (mut declared, mut asked) = (String::new(), String::new());
        for (at, branch) in branches.iter().enumerate() {
            variables.insert(format!("b{at}"), json!(branch));
            // Writing to a String does not fail.
            write!(declared, ", $b{at}: String!").ok();
            let order = "orderBy: {field: CREATED_AT, direction: DESC}";
            write!(
                asked,
                "p{at}: pullRequests(headRefName: $b{at}, first: {PRS_A_BRANCH}, {order}) \
                 {{ nodes {{ ...pr }} }} "
            )
            .ok();
        }
        let query = format!(
            "query($owner: String!, $name: String!{declared}) {{ \
             repository(owner: $owner, name: $name) {{ {asked}}} }} {FIELDS}"
        );
        // For a token that may not see checks, everything else is there.
        let (data, gone) = ("/data/repository", "no such repository");
        let found = session
            .graphql(&query, variables.into(), data, gone)
            .await?;
        let mut found: HashMap<String, Option<Nodes<Node>>> = session.shape(found)?;
        let mut statuses = Vec::new();
        for (at, branch) in branches.iter().enumerate() {
            let Some(list) = found.remove(&format!("p{at}")).flatten() else {
                continue;
            };
            let ours = list.nodes.into_iter().flatten();
            let ours = ours.filter(|node| match (fork, &node.head_repository) {
                _ if !node.is_cross_repository => true,
                (Some(fork), Some(from)) => same(&from.name_with_owner, &fork.full_name()),
                (None, _) | (_, None) => false,
            });
            statuses.extend(ours.map(|node| node.status(branch)));
        }
        Ok(statuses)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    number: u64,
    title: String,
    url: String,
    state: PullRequestState,
    is_draft: bool,
    is_cross_repository: bool,
    /// Null when the fork was deleted.
    head_repository: Option<Named>,
    /// The last one. Its checks are null when there are none, and when the token may not see them.
    commits: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    name_with_owner: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum PullRequestState {
    Open,
    Closed,
    Merged,
}

impl Node {
    fn status(self, branch: &str) -> PrStatus {
        let checks = "/nodes/0/commit/statusCheckRollup/state";
        let checks = self.commits.pointer(checks).and_then(Value::as_str);
        PrStatus {
            branch: branch.to_owned(),
            number: self.number,
            title: self.title,
            state: match self.state {
                PullRequestState::Open if self.is_draft => PrState::Draft,
                PullRequestState::Open => PrState::Open,
                PullRequestState::Closed => PrState::Closed,
                PullRequestState::Merged => PrState::Merged,
            },
            url: web_url(self.url),
            checks: match checks {
                None => Checks::None,
                Some("SUCCESS") => Checks::Success,
                Some("FAILURE" | "ERROR") => Checks::Failure,
                Some(_) => Checks::Pending,
            },
        }
    }
}

//! GitHub's API: REST for what the user asks for, GraphQL for the state of pull requests. REST
//! would need a request a branch for them, and one or two more for the checks of each.

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
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Pull requests looked at a branch, the newest first.
const PRS_A_BRANCH: usize = 3;
const FIELDS: &str = "fragment pr on PullRequest { number title url state isDraft isCrossRepository \
    headRepository { nameWithOwner } \
    commits(last: 1) { nodes { commit { statusCheckRollup { state } } } } }";

#[derive(Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    body: Option<String>,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    /// Null when the fork is gone.
    repo: Option<Repo>,
    /// `owner:branch`.
    label: Option<String>,
}

#[derive(Deserialize)]
struct Repo {
    id: u64,
    full_name: Option<String>,
}

#[derive(Deserialize)]
struct Repository {
    default_branch: String,
}

fn path(remote: &Remote, rest: &str) -> String {
    format!("/repos/{}{rest}", remote.full_name())
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

    fn budget<'r>(&self, resource: &'r str) -> &'r str {
        // GraphQL is paid from a budget of its own.
        resource
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
        let pulls: Vec<Pull> = session.get(&path(session.remote, "/pulls"), &query).await?;
        // GitHub leaves out a filter that it does not understand, and a fork can have the branch too.
        let from_there = |pull: &Pull| match (fork, pull.head.repo.as_ref()) {
            (None, Some(from)) => pull.base.repo.as_ref().is_some_and(|to| from.id == to.id),
            (Some(fork), Some(from)) => match &from.full_name {
                Some(name) => same(name, &fork.full_name()),
                None => pull
                    .head
                    .label
                    .as_ref()
                    .is_some_and(|label| same(label, &owned)),
            },
            (_, None) => false,
        };
        let ours = |pull: &Pull| pull.head.branch == head.branch && from_there(pull);
        let found = pulls.into_iter().find(ours);
        Ok(found.map(|pull| PullRequest {
            number: pull.number,
            url: web_url(pull.html_url),
            existed: true,
        }))
    }

    async fn default_branch(&self, session: &Session<'_>) -> Result<String, ForgeError> {
        let repository: Repository = session.get(&path(session.remote, ""), &[]).await?;
        Ok(repository.default_branch)
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
        let pull: Pull = session
            .send(Method::POST, &path(session.remote, "/pulls"), &body)
            .await?;
        Ok(PullRequest {
            number: pull.number,
            url: web_url(pull.html_url),
            existed: false,
        })
    }

    async fn body(&self, session: &Session<'_>, number: u64) -> Result<String, ForgeError> {
        let pull: Pull = session
            .get(&path(session.remote, &format!("/pulls/{number}")), &[])
            .await?;
        Ok(pull.body.unwrap_or_default())
    }

    async fn set_body(
        &self,
        session: &Session<'_>,
        number: u64,
        body: &str,
    ) -> Result<(), ForgeError> {
        let path = path(session.remote, &format!("/pulls/{number}"));
        let _pull: Pull = session
            .send(Method::PATCH, &path, &json!({"body": body}))
            .await?;
        Ok(())
    }

    async fn branch(&self, session: &Session<'_>, branch: &str) -> Result<(), ForgeError> {
        let branch = branch.split('/').map(in_url).collect::<Vec<_>>().join("/");
        let path = path(session.remote, &format!("/branches/{branch}"));
        session.get(&path, &[]).await.map(|_: IgnoredAny| ())
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
        let mut answer = session.graphql(&query, Value::Object(variables)).await?;
        let found = answer.data.get_mut("repository").map(Value::take);
        let Some(Value::Object(mut found)) = found else {
            let gone = || session.refused(404, "no such repository".to_owned());
            return Err(answer.error.unwrap_or_else(gone));
        };
        // A token that may not see checks: everything else is there.
        answer.log_error();
        let mut statuses = Vec::new();
        for (at, branch) in branches.iter().enumerate() {
            let Some(list) = found
                .remove(&format!("p{at}"))
                .filter(|list| !list.is_null())
            else {
                continue;
            };
            let list: Nodes<Node> = session.shape(list)?;
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
struct Nodes<T> {
    nodes: Vec<Option<T>>,
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
    /// Null when the fork is gone.
    head_repository: Option<Named>,
    commits: Nodes<CommitNode>,
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

#[derive(Deserialize)]
struct CommitNode {
    commit: Commit,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Commit {
    /// Null without checks, and when the token may not see them.
    status_check_rollup: Option<Rollup>,
}

#[derive(Deserialize)]
struct Rollup {
    state: String,
}

impl Node {
    fn status(self, branch: &str) -> PrStatus {
        let last = self.commits.nodes.into_iter().flatten().next_back();
        let rollup = last.and_then(|last| last.commit.status_check_rollup);
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
            checks: rollup.map_or(Checks::None, |rollup| match rollup.state.as_str() {
                "SUCCESS" => Checks::Success,
                "FAILURE" | "ERROR" => Checks::Failure,
                _ => Checks::Pending,
            }),
        }
    }
}

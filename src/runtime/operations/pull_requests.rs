//! Pull requests of a run, and those of a project's branches.

use super::{OperationError, blocking, branches, changes, project};
use crate::{
    domain::{
        ProjectId, RepoId, RunId,
        run::{
            event::{PullRequestAt, WorktreeAt},
            prompt::is_blank,
        },
    },
    forge::{Forge, ForgeError, Head, PrStatus, PullRequest, Remote, cross_reference},
    git,
    runtime::{
        Reply, Request, Runtime,
        messages::Key,
        order::{Order, OrderError},
    },
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What the pull requests of a run are made of, the same for each repo.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub(crate) struct NewPullRequest {
    /// Not blank.
    title: String,
    #[serde(default)]
    body: String,
    /// The branch to merge into; when left out, the one that the run came from if the forge has it,
    /// else the forge's default branch.
    base: Option<String>,
    #[serde(default)]
    draft: bool,
}

/// The pull request of a branch.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PrStatusView {
    repo_id: RepoId,
    #[serde(flatten)]
    status: PrStatus,
}

/// A repo whose remotes are at a forge that we can ask.
struct AtForge {
    name: String,
    /// Where its branches are pushed.
    head: Remote,
    /// Where pull requests of them are opened.
    base: Remote,
    /// The branch that they are merged into, when the configuration names one.
    into: Option<String>,
    forge: Forge,
}

fn fault(error: &ForgeError) -> OperationError {
    match error {
        ForgeError::UnknownForge { .. } | ForgeError::NoToken { .. } => {
            OperationError::conflict(format!("There is {error}."))
        }
        ForgeError::RateLimited { .. }
        | ForgeError::Refused { .. }
        | ForgeError::Unreachable { .. }
        | ForgeError::TimedOut { .. }
        | ForgeError::Unusable { .. } => {
            OrderError::Remote(format!("The forge failed: {error}.")).into()
        }
    }
}

/// Finds the forge behind a repo's remotes, and that there is a token for it.
async fn at_forge(
    runtime: &Runtime,
    name: String,
    repo_path: PathBuf,
    at: Option<WorktreeAt>,
    branch: String,
) -> Result<AtForge, OperationError> {
    let forges = &runtime.shared.forges;
    let of = name.clone();
    let found = blocking(move || git::remotes_of(&repo_path, at.as_ref(), &of, &branch)).await?;
    let found = found.map_err(|error| OperationError::conflict(format!("Repo {error}.")))?;
    let ssh = found.ssh_command.as_deref();
    let (head, forge) = forges.find(&found.push.urls, ssh).await.map_err(|error| {
        let nowhere = || {
            let why = format!("The remote of repo '{name}' is not on a known forge.");
            OperationError::conflict(why)
        };
        error.map_or_else(nowhere, |error| fault(&error))
    })?;
    let mut place = AtForge {
        name,
        base: head.clone(),
        head,
        into: found.base_branch,
        forge,
    };
    for base in &found.bases {
        // A remote at another forge cannot take a branch of this one.
        if let Ok((base, forge)) = forges.find(&base.urls, ssh).await
            && base.host == place.head.host
        {
            let chosen = found.chosen.filter(|chosen| chosen.split('/').count() == 2);
            let chosen = chosen.map(|chosen| format!("https://{}/{chosen}", base.host));
            let chosen = chosen.and_then(|url| Remote::parse(&url));
            place.base = chosen.unwrap_or(base);
            place.forge = forge;
            break;
        }
    }
    let token = place.forge.check_token().await;
    token.map_err(|error| fault(&error))?;
    Ok(place)
}

impl AtForge {
    /// Opens a pull request of a pushed branch: into the branch that is asked for, else into the
    /// configured one, else into the one that the run came from if it is there, else into the
    /// forge's default.
    async fn propose(
        &self,
        branch: &str,
        source: Option<&str>,
        new: &NewPullRequest,
    ) -> Result<PullRequest, ForgeError> {
        let mut into = new.base.as_deref().or(self.into.as_deref());
        if into.is_none()
            && let Some(source) = source.filter(|source| *source != branch)
            && self.forge.has_branch(&self.base, source).await?
        {
            into = Some(source);
        }
        let head = Head {
            branch,
            at: Some(&self.head),
        };
        let (title, body) = (&new.title, &new.body);
        let opened = self
            .forge
            .open_pull_request(&self.base, head, into, title, body, new.draft);
        opened.await
    }
}

/// Pushes the run's branches and opens a pull request of each.
///
/// # Errors
/// `Invalid` title; `Unknown` run; a conflict when a repo is at no known forge or there is no token;
/// [`OrderError::Remote`] when no pull request was opened; those of a push.
pub(crate) async fn open(
    runtime: &Runtime,
    id: RunId,
    new: NewPullRequest,
    key: Key,
) -> Result<Reply, OperationError> {
    if is_blank(&new.title) {
        return Err(OperationError::invalid("title", "must not be blank"));
    }
    let repos = changes::repos(runtime, id).await?;
    // Forge and token are looked for before anything leaves this machine.
    let mut places = Vec::new();
    for repo in &repos {
        let (name, branch) = (repo.name.clone(), repo.branch.clone());
        let path = repo.repo_path.clone();
        places.push(at_forge(runtime, name, path, Some(repo.at()), branch).await?);
    }
    let push = Request::Order(Order::Push);
    let Reply::Pushed(pushed) = runtime.ask(id, push, None).await? else {
        return Err(OperationError::failed(
            "a push got the reply of another request",
        ));
    };
    let mut opened = Vec::new();
    let mut all = Vec::new();
    for (repo, place) in repos.iter().zip(&places) {
        let of_repo = pushed.iter().find(|at| at.repo_name == repo.name);
        let branch = of_repo.map_or(&repo.branch, |at| {
            at.remote_branch.as_ref().unwrap_or(&at.branch)
        });
        let made = place.propose(branch, repo.source.as_deref(), &new).await;
        all.push(PullRequestAt {
            repo_id: repo.repo_id,
            repo_name: repo.name.clone(),
            number: made.as_ref().ok().map(|made| made.number),
            url: made.as_ref().ok().map(|made| made.url.clone()),
            error: made.as_ref().err().map(ToString::to_string),
        });
        opened.push(made);
    }
    refer_to_each_other(&places, &opened).await;
    let failed = opened.iter().find_map(|made| made.as_ref().err());
    let refused = failed
        .filter(|_| opened.iter().all(Result::is_err))
        .map(fault);
    let order = Order::PullRequests {
        title: new.title,
        repos: all,
    };
    let key = key.filter(|_| refused.is_none());
    let reply = runtime.ask(id, Request::Order(order), key).await?;
    refused.map_or(Ok(reply), Err)
}

/// Pull requests of several repos name each other; one that cannot be told of it is logged.
async fn refer_to_each_other(places: &[AtForge], opened: &[Result<PullRequest, ForgeError>]) {
    let made: Vec<_> = places
        .iter()
        .zip(opened)
        .filter_map(|(place, made)| Some((place, made.as_ref().ok()?)))
        .collect();
    if made.len() < 2 {
        return;
    }
    let named: Vec<_> = made
        .iter()
        .map(|(place, made)| (place.name.clone(), (*made).clone()))
        .collect();
    let block = cross_reference(&named);
    for (place, made) in made {
        let told = place
            .forge
            .add_cross_reference(&place.base, made.number, &block);
        if let Err(error) = told.await {
            log::warn!(
                "Could not link pull request {} to the others: {error}.",
                made.url
            );
        }
    }
}

/// The pull requests of a project's branches, as their forges tell.
///
/// # Errors
/// `Unknown` project; those of the first repo that is at no known forge, when none is at one; those
/// of a forge.
pub(crate) async fn status(
    runtime: &Runtime,
    id: ProjectId,
) -> Result<Vec<PrStatusView>, OperationError> {
    let project = project(runtime, id).await?;
    let mut shown = Vec::new();
    let mut failed = None;
    let mut asked = false;
    for repo in project.repos {
        let repo_path = repo.repo_path.clone();
        let branches = blocking(move || git::branches(&repo_path)).await?;
        let branches = branches.map_err(|why| branches::fault(&repo.name, why))?;
        let names = branches.into_iter().filter(|branch| !branch.is_default);
        let names: Vec<_> = names.map(|branch| branch.name).collect();
        let first = names.first().cloned().unwrap_or_default();
        let place = match at_forge(runtime, repo.name.clone(), repo.repo_path, None, first).await {
            Ok(place) => place,
            Err(error) => {
                failed.get_or_insert(error);
                continue;
            }
        };
        let (base, head) = (&place.base, Some(&place.head));
        let known = place.forge.pull_request_status(base, head, &names).await;
        let known = known.map_err(|error| fault(&error))?;
        asked = true;
        shown.extend(known.statuses.into_iter().map(|status| PrStatusView {
            repo_id: repo.id,
            status,
        }));
    }
    // A project with a repo elsewhere is told of the others.
    match failed {
        Some(error) if !asked => Err(error),
        Some(_) | None => Ok(shown),
    }
}

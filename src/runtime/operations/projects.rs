//! Projects and their repositories: made, changed, deleted.

use super::{OperationError, blocking, project, record};
use crate::{
    domain::{
        Project, ProjectId, Repo, RepoId, TrustedFilter,
        project::{ProjectChange, SetUp, validate_project_name, validate_repo_name},
    },
    git,
    runtime::{Runtime, clock, ids, messages::Key, services::trusted_filters},
    store::StoreError,
};
use std::path::PathBuf;

fn follows(rule: Option<&str>) -> Result<(), OperationError> {
    rule.map_or(Ok(()), |why| Err(OperationError::breaks(why)))
}

/// Creates a project without repos.
///
/// # Errors
/// `Invalid` name; when the database fails.
pub(crate) async fn create(
    runtime: &Runtime,
    name: String,
    key: Key,
) -> Result<Project, OperationError> {
    follows(validate_project_name(&name))?;
    let project = Project {
        id: ids::project(),
        name,
        repos: Vec::new(),
        created_at: clock::now(),
        spare_worktrees: false,
        trusted_filters: Vec::new(),
        set_up: SetUp::default(),
    };
    let record = record(key, &project)?;
    let writer = &runtime.shared.writer;
    writer.add_project(project.clone(), record).await?;
    Ok(project)
}

/// Changes the given fields of a project.
///
/// # Errors
/// `Unknown` project; `Invalid` fields; a conflict when a repository cannot be read; when the
/// database fails.
pub(crate) async fn change(
    runtime: &Runtime,
    id: ProjectId,
    mut change: ProjectChange,
) -> Result<Project, OperationError> {
    follows(change.validate().as_deref())?;
    let trusted = match change.trusted_filters.take() {
        Some(names) => Some(definitions(runtime, id, names).await?),
        None => None,
    };
    let changed = runtime.shared.writer.change_project(id, move |project| {
        change.apply(project);
        if let Some(trusted) = trusted {
            project.trusted_filters = trusted;
        }
        Ok::<_, OperationError>(())
    });
    let project = changed.await.map_err(OperationError::lacking("project"))?;
    repos_changed(runtime).await?;
    Ok(project)
}

/// The filters of these names in all repos of a project, as they are defined now.
async fn definitions(
    runtime: &Runtime,
    id: ProjectId,
    names: Vec<String>,
) -> Result<Vec<TrustedFilter>, OperationError> {
    let repos = project(runtime, id).await?.repos;
    let found = blocking(move || {
        let mut all = Vec::new();
        for repo in repos {
            let found = git::filter_drivers(&repo.repo_path, &names).map_err(|error| {
                OperationError::conflict(format!("Repo '{}': {error}.", repo.name))
            })?;
            let of_repo = |found| TrustedFilter {
                repo_id: Some(repo.id),
                ..found
            };
            all.extend(found.into_iter().map(of_repo));
        }
        Ok(all)
    });
    found.await?
}

/// Has others know that repos, or what is set for them, are others now.
async fn repos_changed(runtime: &Runtime) -> Result<(), OperationError> {
    let reader = runtime.shared.reader.clone();
    blocking(move || trusted_filters::announce(&reader)).await??;
    runtime.shared.spares.projects_changed();
    Ok(())
}

/// Deletes a project that has no live run.
///
/// # Errors
/// `Unknown` project; a conflict when one of its runs has a process; when the database fails.
pub(crate) async fn remove(runtime: &Runtime, id: ProjectId) -> Result<(), OperationError> {
    let removed = runtime.shared.writer.remove_project(id).await;
    if !removed.map_err(OperationError::lacking("project"))? {
        return Err(OperationError::conflict(
            "A run of this project has a live process; cancel that run first.",
        ));
    }
    repos_changed(runtime).await?;
    Ok(())
}

/// Adds a git repository of this machine to a project.
///
/// # Errors
/// `Unknown` project; `Invalid` name or path; a conflict when the project has that name or
/// repository; when the database fails.
pub(crate) async fn add_repo(
    runtime: &Runtime,
    id: ProjectId,
    name: String,
    repo_path: PathBuf,
    key: Key,
) -> Result<Repo, OperationError> {
    project(runtime, id).await?;
    follows(validate_repo_name(&name))?;
    if !repo_path.is_absolute() {
        let why = "must be an absolute path";
        return Err(OperationError::invalid("repo_path", why));
    }
    let path = repo_path.clone();
    let inspected = blocking(move || git::inspect(&path))
        .await?
        .map_err(|error| {
            OperationError::invalid(
                "repo_path",
                format!("is not a usable git checkout: {error}"),
            )
        })?;
    let repo = Repo {
        id: ids::repo(),
        name,
        repo_path,
    };
    let record = record(key, &repo)?;
    let writer = &runtime.shared.writer;
    let added = writer.add_repo(id, repo.clone(), inspected.git_dir, clock::now(), record);
    added.await.map_err(|error| {
        let is_taken = |column| matches!(&error, StoreError::Taken(it) if it.contains(column));
        if is_taken("repos.git_dir") {
            OperationError::RepositoryTaken
        } else if is_taken("repos.name") {
            OperationError::NameTaken
        } else {
            OperationError::lacking("project")(error)
        }
    })?;
    runtime.shared.spares.projects_changed();
    Ok(repo)
}

/// Removes a repository from a project; the repository itself stays as it is.
///
/// # Errors
/// `Unknown` repo; when the database fails.
pub(crate) async fn remove_repo(
    runtime: &Runtime,
    project: ProjectId,
    id: RepoId,
) -> Result<(), OperationError> {
    let removed = runtime.shared.writer.remove_repo(project, id).await;
    removed.map_err(OperationError::lacking("repo"))?;
    repos_changed(runtime).await?;
    Ok(())
}

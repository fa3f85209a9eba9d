//! Projects and their repositories.

use super::{
    answer::{Refused, json, ok, read, text, unknown},
    error::ApiError,
    extract::{Id, JsonBody},
    idempotent::Idempotent,
};
use crate::{
    domain::{
        Project, ProjectId, Repo, RepoId, TrustedFilter,
        project::{SetUp, project_name_fault, repo_name_fault},
    },
    git::{self, GitError},
    runtime::{Runtime, clock, ids, trust_filters},
    store::StoreError,
};
use actix_web::{HttpResponse, delete, get, http::StatusCode, post, put, web};
use serde::Deserialize;
use std::path::PathBuf;

/// Most globs of `copy_files`, and the longest script in bytes.
const GLOBS_MAX: usize = 100;
const SCRIPT_BYTES_MAX: usize = 64 * 1024;
/// Longest name of a filter, in bytes.
const FILTER_BYTES_MAX: usize = 200;

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct NewProject {
    /// 1 to 200 characters, not blank.
    name: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct ProjectChange {
    name: Option<String>,
    /// Shell script run in each new worktree before the CLI.
    setup_script: Option<String>,
    /// Shell script run in each worktree before it is removed.
    cleanup_script: Option<String>,
    /// Globs of ignored files copied from the user's checkout.
    copy_files: Option<Vec<String>>,
    /// Whether a worktree of each repo is kept ready for the next run: runs begin sooner, for the
    /// disk space of one checkout a repo.
    spare_worktrees: Option<bool>,
    /// Names of filter drivers that may run though only the repositories' own configurations define them
    /// (git-crypt), as they are defined now; when a definition changes, the name has to be sent again. Of
    /// a filter that is not defined at all: that files may be committed without it.
    trusted_filters: Option<Vec<String>>,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct NewRepo {
    /// 1 to 64 of `A-Za-z0-9._-`, not starting with `.` or `-`.
    name: String,
    /// Absolute path of a checkout.
    repo_path: String,
}

impl ProjectChange {
    fn check(&self) -> Result<(), ApiError> {
        if let Some(name) = &self.name {
            name_fault(project_name_fault(name))?;
        }
        for (field, script) in [
            ("setup_script", &self.setup_script),
            ("cleanup_script", &self.cleanup_script),
        ] {
            let fits = |script: &String| script.len() <= SCRIPT_BYTES_MAX && !script.contains('\0');
            if !script.as_ref().is_none_or(fits) {
                return Err(ApiError::invalid(field, "must be text of at most 64 KiB"));
            }
        }
        let filters = self.trusted_filters.as_deref().unwrap_or_default();
        let wrong = |name: &String| {
            name.is_empty() || name.len() > FILTER_BYTES_MAX || name.contains(['\0', '\n'])
        };
        if filters.len() > GLOBS_MAX {
            return Err(ApiError::invalid(
                "trusted_filters",
                "must have at most 100 names",
            ));
        }
        if let Some(at) = filters.iter().position(wrong) {
            let field = format!("trusted_filters[{at}]");
            return Err(ApiError::invalid(&field, "must be the name of a filter"));
        }
        let globs = self.copy_files.as_deref().unwrap_or_default();
        if globs.len() > GLOBS_MAX {
            return Err(ApiError::invalid(
                "copy_files",
                "must have at most 100 globs",
            ));
        }
        let fine = |glob: &String| {
            let inside = !glob.starts_with('/') && !glob.split('/').any(|part| part == "..");
            inside && !glob.is_empty() && globset::Glob::new(glob).is_ok()
        };
        match globs.iter().position(|glob| !fine(glob)) {
            Some(at) => Err(ApiError::invalid(
                &format!("copy_files[{at}]"),
                "must be a glob of files inside the checkout",
            )),
            None => Ok(()),
        }
    }

    fn apply(self, project: &mut Project) {
        fn set<T>(field: &mut T, given: Option<T>) {
            if let Some(value) = given {
                *field = value;
            }
        }
        set(&mut project.name, self.name);
        set(&mut project.spare_worktrees, self.spare_worktrees);
        set(&mut project.set_up.setup_script, self.setup_script);
        set(&mut project.set_up.cleanup_script, self.cleanup_script);
        set(&mut project.set_up.copy_files, self.copy_files);
    }
}

fn name_fault(fault: Option<&'static str>) -> Result<(), ApiError> {
    fault.map_or(Ok(()), |why| Err(ApiError::breaks(why)))
}

/// Creates a project without repos.
#[utoipa::path(tag = "projects", request_body = NewProject,
    responses((status = 201, body = Project), (status = 400), (status = 409)))]
#[post("/api/projects")]
pub(super) async fn create(
    runtime: web::Data<Runtime>,
    Idempotent { body, key }: Idempotent<NewProject, 201>,
) -> Result<HttpResponse, ApiError> {
    name_fault(project_name_fault(&body.name))?;
    let project = Project {
        id: ids::project(),
        name: body.name,
        repos: Vec::new(),
        created_at: clock::now(),
        spare_worktrees: false,
        trusted_filters: Vec::new(),
        set_up: SetUp::default(),
    };
    let answer = text(&project)?;
    let record = key.map(|key| key.answered(&answer));
    runtime.shared.writer.add_project(project, record).await?;
    Ok(json(StatusCode::CREATED, answer))
}

/// All projects.
#[utoipa::path(tag = "projects", responses((status = 200, body = [Project])))]
#[get("/api/projects")]
pub(super) async fn list(runtime: web::Data<Runtime>) -> Result<HttpResponse, ApiError> {
    ok(&read(&runtime, crate::store::Reader::projects).await?)
}

async fn project(runtime: &Runtime, id: ProjectId) -> Result<Project, ApiError> {
    read(runtime, move |reader| reader.project(id))
        .await?
        .ok_or_else(|| unknown("project"))
}

/// One project.
#[utoipa::path(tag = "projects",
    responses((status = 200, body = Project), (status = 404)))]
#[get("/api/projects/{id}")]
pub(super) async fn get(
    runtime: web::Data<Runtime>,
    Id(id): Id<ProjectId>,
) -> Result<HttpResponse, ApiError> {
    ok(&project(&runtime, id).await?)
}

/// Changes the given fields of a project.
#[utoipa::path(tag = "projects", request_body = ProjectChange,
    responses((status = 200, body = Project), (status = 400), (status = 404)))]
#[put("/api/projects/{id}")]
pub(super) async fn change(
    runtime: web::Data<Runtime>,
    Id(id): Id<ProjectId>,
    body: JsonBody<ProjectChange>,
) -> Result<HttpResponse, ApiError> {
    let mut change = body.0;
    change.check()?;
    let trusted = match change.trusted_filters.take() {
        Some(names) => Some(drivers(&runtime, id, names).await?),
        None => None,
    };
    let changed = runtime.shared.writer.change_project(id, move |project| {
        change.apply(project);
        if let Some(trusted) = trusted {
            project.trusted_filters = trusted;
        }
        Ok::<_, Refused>(())
    });
    let project = changed.await.map_err(|error| error.of("project"))?;
    trust(&runtime).await?;
    runtime.shared.spares.projects_changed();
    ok(&project)
}

/// The drivers of these names in all repos of a project, as they are defined now.
async fn drivers(
    runtime: &Runtime,
    id: ProjectId,
    names: Vec<String>,
) -> Result<Vec<TrustedFilter>, ApiError> {
    let project = read(runtime, move |reader| reader.project(id)).await?;
    let repos = project.ok_or_else(|| unknown("project"))?.repos;
    let looked = web::block(move || {
        let mut all = Vec::new();
        for repo in repos {
            let found = git::filter_drivers(&repo.repo_path, &names)
                .map_err(|error| ApiError::conflict(format!("Repo '{}': {error}.", repo.name)))?;
            let of_repo = |found| TrustedFilter {
                repo_id: Some(repo.id),
                ..found
            };
            all.extend(found.into_iter().map(of_repo));
        }
        Ok(all)
    });
    looked.await.map_err(ApiError::fault)?
}

/// Tells git's room what is trusted now.
async fn trust(runtime: &Runtime) -> Result<(), ApiError> {
    let reader = runtime.shared.reader.clone();
    let told = web::block(move || trust_filters(&reader));
    Ok(told.await.map_err(ApiError::fault)??)
}

/// Deletes a project that has no live run.
#[utoipa::path(tag = "projects", responses((status = 204), (status = 404), (status = 409)))]
#[delete("/api/projects/{id}")]
pub(super) async fn remove(
    runtime: web::Data<Runtime>,
    Id(id): Id<ProjectId>,
) -> Result<HttpResponse, ApiError> {
    match runtime.shared.writer.remove_project(id).await {
        Ok(true) => {}
        Ok(false) => {
            let why = "A run of this project has a live process; cancel it first.";
            return Err(ApiError::conflict(why));
        }
        Err(StoreError::Missing) => return Err(unknown("project")),
        Err(error) => return Err(error.into()),
    }
    trust(&runtime).await?;
    runtime.shared.spares.projects_changed();
    Ok(HttpResponse::NoContent().finish())
}

/// Adds a git repository of this machine to a project.
#[utoipa::path(tag = "projects", request_body = NewRepo,
    responses((status = 201, body = Repo), (status = 400), (status = 404),
              (status = 409)))]
#[post("/api/projects/{id}/repos")]
pub(super) async fn add_repo(
    runtime: web::Data<Runtime>,
    Id(id): Id<ProjectId>,
    Idempotent { body, key }: Idempotent<NewRepo, 201>,
) -> Result<HttpResponse, ApiError> {
    let project = project(&runtime, id).await?;
    name_fault(repo_name_fault(&body.name))?;
    let repo_path = PathBuf::from(&body.repo_path);
    if !repo_path.is_absolute() {
        return Err(ApiError::invalid("repo_path", "must be an absolute path"));
    }
    let inspected = web::block(move || git::inspect(&repo_path))
        .await
        .map_err(ApiError::fault)?
        .map_err(|error| ApiError::invalid("repo_path", repo_fault(&error)))?;
    let repo = Repo {
        id: ids::repo(),
        name: body.name,
        repo_path: PathBuf::from(body.repo_path),
    };
    let answer = text(&repo)?;
    let record = key.map(|key| key.answered(&answer));
    let writer = &runtime.shared.writer;
    match writer
        .add_repo(project.id, repo, inspected.git_dir, clock::now(), record)
        .await
    {
        Ok(()) => {
            runtime.shared.spares.projects_changed();
            Ok(json(StatusCode::CREATED, answer))
        }
        Err(StoreError::Missing) => Err(unknown("project")),
        Err(StoreError::Taken(what)) if what.contains("repos.git_dir") => Err(ApiError::conflict(
            "This repository is in the project already.",
        )),
        Err(StoreError::Taken(what)) if what.contains("repos.name") => Err(ApiError::conflict(
            "A repo of that name is in the project already.",
        )),
        Err(error) => Err(error.into()),
    }
}

fn repo_fault(error: &GitError) -> String {
    format!("is no usable git checkout: {error}")
}

/// Removes a repository from a project; the repository itself stays as it is.
#[utoipa::path(tag = "projects", responses((status = 204), (status = 404)))]
#[delete("/api/projects/{id}/repos/{repo_id}")]
pub(super) async fn remove_repo(
    runtime: web::Data<Runtime>,
    Id(project): Id<ProjectId>,
    Id(repo): Id<RepoId>,
) -> Result<HttpResponse, ApiError> {
    match runtime.shared.writer.remove_repo(project, repo).await {
        Ok(()) => {
            trust(&runtime).await?;
            runtime.shared.spares.projects_changed();
            Ok(HttpResponse::NoContent().finish())
        }
        Err(StoreError::Missing) => Err(unknown("repo")),
        Err(error) => Err(error.into()),
    }
}

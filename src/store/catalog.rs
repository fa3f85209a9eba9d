//! Projects, repos, agents, settings and remembered answers: plain rows, no history.

use super::{
    Reader, StoreError, Writer,
    query::{all, decode_json, encode_json, first},
    reader::has_live_process,
    rows::{time_at, uuid_at},
};
use crate::domain::{
    Agent, AgentId, Project, ProjectId, Repo, RepoId, Time, project::SetUp, run::event::RequestKey,
    settings::ModelSettings,
};
use data_encoding::HEXLOWER;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

/// Name of the settings document with models and prices.
const MODELS: &str = "models";
/// How long a first answer is remembered: a day.
const IDEMPOTENCY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The Idempotency-Key of a write, and its first answer, which a repetition gets again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotent {
    /// Method and path.
    pub scope: String,
    /// The client's key.
    pub key: String,
    /// SHA-256 of the body.
    pub fingerprint: Vec<u8>,
    /// HTTP status of a successful answer.
    pub status: u16,
    /// Its body; empty until it is known.
    pub answer: String,
}

impl Idempotent {
    /// The key as the log has it.
    pub(crate) fn request(&self) -> RequestKey {
        RequestKey {
            scope: self.scope.clone(),
            key: self.key.clone(),
            fingerprint: HEXLOWER.encode(&self.fingerprint),
            status: self.status,
        }
    }

    /// The key that the log has; a fingerprint that is no hex is that of no request.
    pub(crate) fn of(request: &RequestKey) -> Self {
        let fingerprint = HEXLOWER.decode(request.fingerprint.as_bytes());
        Self {
            scope: request.scope.clone(),
            key: request.key.clone(),
            fingerprint: fingerprint.unwrap_or_default(),
            status: request.status,
            answer: String::new(),
        }
    }

    /// With this answer, unless it has one.
    ///
    /// # Errors
    /// When the answer cannot be encoded.
    pub(crate) fn with_answer(mut self, answer: &impl Serialize) -> Result<Self, StoreError> {
        if self.answer.is_empty() {
            self.answer = encode_json(answer)?;
        }
        Ok(self)
    }
}

pub(super) fn remember(
    connection: &Connection,
    record: &Idempotent,
    at: Time,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO idempotency (scope, key, fingerprint, status, answer, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            record.scope,
            record.key,
            record.fingerprint,
            record.status,
            record.answer,
            at.timestamp_millis()
        ])?;
    Ok(())
}

fn remember_any(
    connection: &Connection,
    record: Option<&Idempotent>,
    at: Time,
) -> Result<(), StoreError> {
    record.map_or(Ok(()), |record| remember(connection, record, at))
}

pub(super) fn forget_old_keys(connection: &Connection) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM idempotency
         WHERE created_at < (SELECT COALESCE(MAX(created_at), 0) FROM idempotency) - ?1",
        [IDEMPOTENCY_MILLIS],
    )?;
    Ok(())
}

impl Writer {
    /// Adds a project.
    ///
    /// # Errors
    /// When the database fails, or the key was used meanwhile.
    pub async fn add_project(
        &self,
        project: Project,
        idempotent: Option<Idempotent>,
    ) -> Result<(), StoreError> {
        self.run(move |connection| {
            connection.execute(
                "INSERT INTO projects (id, name, created_at) VALUES (?1, ?2, ?3)",
                params![
                    project.id.0.as_bytes(),
                    project.name,
                    project.created_at.timestamp_millis()
                ],
            )?;
            remember_any(connection, idempotent.as_ref(), project.created_at)
        })
        .await
    }

    /// Changes a project's name and set-up: read, changed and written in one transaction, so that
    /// two changes at a time both last. Answers the project as it is then.
    ///
    /// # Errors
    /// What `change` says, and then nothing is changed; `Missing` for an unknown project.
    pub async fn change_project<E: From<StoreError> + Send + 'static>(
        &self,
        id: ProjectId,
        change: impl FnOnce(&mut Project) -> Result<(), E> + Send + 'static,
    ) -> Result<Project, E> {
        self.run(move |connection| {
            let mut project = project_of(connection, id)?.ok_or(StoreError::Missing)?;
            change(&mut project)?;
            update_project(connection, &project)?;
            Ok(project)
        })
        .await
    }

    /// Removes a project with its repos and agents. Answers false, and removes nothing, when one of
    /// its runs has a process.
    ///
    /// # Errors
    /// `Missing` for an unknown project.
    pub async fn remove_project(&self, id: ProjectId) -> Result<bool, StoreError> {
        self.run(move |connection| {
            if has_live_process(connection, Some(id), None)? {
                return Ok(false);
            }
            found(connection.execute("DELETE FROM projects WHERE id = ?1", [id.0.as_bytes()])?)?;
            Ok(true)
        })
        .await
    }

    /// Adds a repo; `git_dir` is the real git folder, which identifies a repository.
    ///
    /// # Errors
    /// `Taken` when name or repository is in the project already.
    pub async fn add_repo(
        &self,
        project: ProjectId,
        repo: Repo,
        git_dir: PathBuf,
        at: Time,
        idempotent: Option<Idempotent>,
    ) -> Result<(), StoreError> {
        self.run(move |connection| {
            connection.execute(
                "INSERT INTO repos (id, project_id, name, repo_path, git_dir)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    repo.id.0.as_bytes(),
                    project.0.as_bytes(),
                    repo.name,
                    repo.repo_path.as_os_str().as_bytes(),
                    git_dir.as_os_str().as_bytes()
                ],
            )?;
            remember_any(connection, idempotent.as_ref(), at)
        })
        .await
    }

    /// Removes a repo.
    ///
    /// # Errors
    /// `Missing` when the project has no such repo.
    pub async fn remove_repo(&self, project: ProjectId, id: RepoId) -> Result<(), StoreError> {
        self.run(move |connection| {
            found(connection.execute(
                "DELETE FROM repos WHERE id = ?1 AND project_id = ?2",
                params![id.0.as_bytes(), project.0.as_bytes()],
            )?)
        })
        .await
    }

    /// Adds an agent.
    ///
    /// # Errors
    /// `Missing` for an unknown project; when the key was used meanwhile.
    pub async fn add_agent(
        &self,
        agent: Agent,
        idempotent: Option<Idempotent>,
    ) -> Result<(), StoreError> {
        self.run(move |connection| {
            connection.execute(
                "INSERT INTO agents (id, project_id, document, created_at) VALUES (?1, ?2, ?3, ?4)",
                params![
                    agent.id.0.as_bytes(),
                    agent.project_id.0.as_bytes(),
                    encode_json(&agent)?,
                    agent.created_at.timestamp_millis()
                ],
            )?;
            remember_any(connection, idempotent.as_ref(), agent.updated_at)
        })
        .await
    }

    /// Changes an agent, as [`Writer::change_project`] does a project.
    ///
    /// # Errors
    /// What `change` says, and then nothing is changed; `Missing` for an unknown agent.
    pub async fn change_agent<E: From<StoreError> + Send + 'static>(
        &self,
        id: AgentId,
        change: impl FnOnce(&mut Agent) -> Result<(), E> + Send + 'static,
    ) -> Result<Agent, E> {
        self.run(move |connection| {
            let mut agent = agent_of(connection, id)?.ok_or(StoreError::Missing)?;
            change(&mut agent)?;
            update_agent(connection, &agent)?;
            Ok(agent)
        })
        .await
    }

    /// Removes an agent. Answers false, and removes nothing, when one of its runs has a process.
    ///
    /// # Errors
    /// `Missing` for an unknown agent.
    pub async fn remove_agent(&self, id: AgentId) -> Result<bool, StoreError> {
        self.run(move |connection| {
            if has_live_process(connection, None, Some(id))? {
                return Ok(false);
            }
            found(connection.execute("DELETE FROM agents WHERE id = ?1", [id.0.as_bytes()])?)?;
            Ok(true)
        })
        .await
    }

    /// Remembers a first answer whose write could not carry it.
    ///
    /// # Errors
    /// `Taken` when the key was used meanwhile.
    pub async fn remember(&self, record: Idempotent, at: Time) -> Result<(), StoreError> {
        self.run(move |connection| remember(connection, &record, at))
            .await
    }

    /// Stores the models and their prices.
    pub async fn put_model_settings(&self, settings: &ModelSettings) -> Result<(), StoreError> {
        let document = encode_json(settings)?;
        self.run(move |connection| put_setting(connection, MODELS, &document))
            .await
    }
}

impl Reader {
    /// All projects, oldest first, with their repos.
    pub fn projects(&self) -> Result<Vec<Project>, StoreError> {
        self.with(|connection| {
            let sql = "SELECT id, name, setup_script, cleanup_script, copy_files, created_at,
                              spare_worktrees, trusted_filters
                       FROM projects ORDER BY created_at, rowid";
            let mut projects = all(connection, sql, [], project)?;
            for project in &mut projects {
                project.repos = repos(connection, project.id)?;
            }
            Ok(projects)
        })
    }

    /// One project; nothing for an unknown one.
    pub fn project(&self, id: ProjectId) -> Result<Option<Project>, StoreError> {
        self.with(|connection| project_of(connection, id))
    }

    /// One agent; nothing for an unknown one.
    ///
    /// # Errors
    /// When the database fails or its document does not decode.
    pub fn agent(&self, id: AgentId) -> Result<Option<Agent>, StoreError> {
        self.with(|connection| agent_of(connection, id))
    }

    /// Agents of a project, oldest first.
    ///
    /// # Errors
    /// When the database fails or a document does not decode.
    pub fn agents(&self, project: ProjectId) -> Result<Vec<Agent>, StoreError> {
        self.with(|connection| {
            let sql = "SELECT document FROM agents WHERE project_id = ?1
                       ORDER BY created_at, rowid";
            let documents: Vec<String> =
                all(connection, sql, [project.0.as_bytes()], |row| row.get(0))?;
            let agents = documents.iter();
            agents.map(|document| decode_json(document)).collect()
        })
    }

    /// The models and their prices; the defaults when they were never changed.
    ///
    /// # Errors
    /// When the database fails or the document does not decode.
    pub fn model_settings(&self) -> Result<ModelSettings, StoreError> {
        let document = self.with(|connection| setting_of(connection, MODELS))?;
        document.map_or_else(|| Ok(ModelSettings::defaults()), |it| decode_json(&it))
    }

    /// The first answer under a key, younger than a day at `now`.
    pub fn remembered(
        &self,
        scope: &str,
        key: &str,
        now: Time,
    ) -> Result<Option<Idempotent>, StoreError> {
        self.with(|connection| {
            let sql = "SELECT fingerprint, status, answer FROM idempotency
                       WHERE scope = ?1 AND key = ?2 AND created_at > ?3";
            let since = now.timestamp_millis() - IDEMPOTENCY_MILLIS;
            first(connection, sql, params![scope, key, since], |row| {
                Ok(Idempotent {
                    scope: scope.to_owned(),
                    key: key.to_owned(),
                    fingerprint: row.get(0)?,
                    status: row.get(1)?,
                    answer: row.get(2)?,
                })
            })
        })
    }
}

fn found(changed: usize) -> Result<(), StoreError> {
    match changed {
        0 => Err(StoreError::Missing),
        _ => Ok(()),
    }
}

fn project_of(connection: &Connection, id: ProjectId) -> Result<Option<Project>, StoreError> {
    let sql = "SELECT id, name, setup_script, cleanup_script, copy_files, created_at,
                      spare_worktrees, trusted_filters
               FROM projects WHERE id = ?1";
    let Some(mut project) = first(connection, sql, [id.0.as_bytes()], project)? else {
        return Ok(None);
    };
    project.repos = repos(connection, id)?;
    Ok(Some(project))
}

fn update_project(connection: &Connection, project: &Project) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE projects SET name = ?2, setup_script = ?3, cleanup_script = ?4,
                copy_files = ?5, spare_worktrees = ?6, trusted_filters = ?7
         WHERE id = ?1",
        params![
            project.id.0.as_bytes(),
            project.name,
            project.set_up.setup_script,
            project.set_up.cleanup_script,
            encode_json(&project.set_up.copy_files)?,
            project.spare_worktrees,
            encode_json(&project.trusted_filters)?
        ],
    )?;
    Ok(())
}

fn project(row: &Row<'_>) -> rusqlite::Result<Project> {
    let (globs, filters): (String, String) = (row.get(4)?, row.get(7)?);
    Ok(Project {
        id: ProjectId(uuid_at(row, 0)?),
        name: row.get(1)?,
        repos: Vec::new(),
        created_at: time_at(row, 5)?,
        spare_worktrees: row.get(6)?,
        trusted_filters: serde_json::from_str(&filters).unwrap_or_default(),
        set_up: SetUp {
            setup_script: row.get(2)?,
            cleanup_script: row.get(3)?,
            copy_files: serde_json::from_str(&globs).unwrap_or_default(),
        },
    })
}

fn repos(connection: &Connection, project: ProjectId) -> Result<Vec<Repo>, StoreError> {
    let sql = "SELECT id, name, repo_path FROM repos WHERE project_id = ?1 ORDER BY rowid";
    all(connection, sql, [project.0.as_bytes()], |row| {
        let path: Vec<u8> = row.get(2)?;
        Ok(Repo {
            id: RepoId(uuid_at(row, 0)?),
            name: row.get(1)?,
            repo_path: PathBuf::from(OsString::from_vec(path)),
        })
    })
}

fn agent_of(connection: &Connection, id: AgentId) -> Result<Option<Agent>, StoreError> {
    let sql = "SELECT document FROM agents WHERE id = ?1";
    let found: Option<String> = first(connection, sql, [id.0.as_bytes()], |row| row.get(0))?;
    found.map(|document| decode_json(&document)).transpose()
}

fn update_agent(connection: &Connection, agent: &Agent) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE agents SET document = ?2 WHERE id = ?1",
        params![agent.id.0.as_bytes(), encode_json(agent)?],
    )?;
    Ok(())
}

/// A settings document as stored; nothing when it was never changed.
pub(super) fn setting_of(
    connection: &Connection,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT document FROM settings WHERE name = ?1";
    first(connection, sql, [name], |row| row.get(0))
}

/// Stores a settings document.
pub(super) fn put_setting(
    connection: &Connection,
    name: &str,
    document: &str,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO settings (name, document) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET document = ?2",
        params![name, document],
    )?;
    Ok(())
}

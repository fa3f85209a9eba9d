//! What a run changed: the diff, its size, and the checkpoints.

use super::{
    answer::{ok, read, unknown},
    error::ApiError,
    extract::Id,
};
use crate::{
    domain::{
        RepoId, RunId, Time,
        run::{
            Event,
            event::{CheckpointAt, WorktreeAt},
            view::{self, LeftOutView},
        },
        time,
    },
    git::{self, ChangesOf, DiffStats, ErrorKind, FileChange, FileStatus, GitError},
    runtime::{Runtime, messages::AskError, order},
    store::{Reader, StoreError},
};
use actix_web::{HttpResponse, get, web};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{borrow::Cow, path::PathBuf};
use tokio::sync::mpsc;

/// Bytes of an answer that are gathered before they leave.
const PIECE_LEN: usize = 256 * 1024;
/// Pieces that may wait for a slow reader.
const PIECES_MAX: usize = 4;

/// A repo of a run, as its row tells.
#[derive(Deserialize)]
pub(super) struct RepoRow {
    pub repo_id: RepoId,
    pub name: String,
    pub repo_path: PathBuf,
    worktree: Option<PathBuf>,
    pub branch: String,
    base_commit: String,
    #[serde(default)]
    source: Option<String>,
    #[serde(skip)]
    checkpoint: Option<String>,
}

impl RepoRow {
    pub(super) fn at(&self) -> WorktreeAt {
        WorktreeAt {
            repo_id: self.repo_id,
            name: self.name.clone(),
            worktree: self.worktree.clone().unwrap_or_default(),
            branch: self.branch.clone(),
        }
    }

    /// What its changes are compared with: itself, with the base commit that leaves the run's own.
    fn on_own_base(mut self) -> Result<Self, GitError> {
        let source = self.source.as_deref();
        self.base_commit = git::own_base(&self.at(), &self.repo_path, &self.base_commit, source)?;
        Ok(self)
    }

    fn of<'a>(&'a self, at: &'a WorktreeAt) -> ChangesOf<'a> {
        ChangesOf {
            at,
            repo_path: &self.repo_path,
            base_commit: &self.base_commit,
            checkpoint: self.checkpoint.as_deref(),
        }
    }
}

#[derive(Deserialize)]
struct RunRow {
    repos: Vec<RepoRow>,
}

/// The repos of a run, each with its last checkpoint; nothing for an unknown run.
pub(super) fn repos(reader: &Reader, id: RunId) -> Result<Option<Vec<RepoRow>>, StoreError> {
    let Some(view) = reader.run_view(id)? else {
        return Ok(None);
    };
    let row: RunRow =
        serde_json::from_str(&view).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let mut repos = row.repos;
    for (_, _, kept) in checkpoints(reader, id)? {
        for repo in &mut repos {
            let of_repo = kept.iter().find(|kept| kept.repo_id == repo.repo_id);
            if let Some(kept) = of_repo {
                repo.checkpoint = Some(kept.commit.clone());
            }
        }
    }
    Ok(Some(repos))
}

/// Refuses when some of a run's work cannot be kept.
pub(super) async fn whole(runtime: &Runtime, id: RunId) -> Result<(), ApiError> {
    let repos = read(runtime, move |reader| repos(reader, id)).await?;
    let repos = repos.ok_or_else(|| unknown("run"))?;
    let looked = web::block(move || {
        let mut left_out = Vec::new();
        for repo in &repos {
            // What fails for all of a repo is told by the deletion itself.
            let found = git::left_out(&repo.at(), &repo.repo_path).unwrap_or_default();
            left_out.extend(found.into_iter().map(|left| (repo.name.clone(), left)));
        }
        let named = left_out.iter().map(|(name, left)| (name.as_str(), left));
        order::not_kept(&named.collect::<Vec<_>>(), &[])
    });
    match looked.await.map_err(ApiError::fault)? {
        Some(fault) => Err(AskError::Work(fault).into()),
        None => Ok(()),
    }
}

type Kept = ((u32, String), Time, Vec<CheckpointAt>);

/// Checkpoints of a run, oldest first: number and reason, time, commits.
fn checkpoints(reader: &Reader, id: RunId) -> Result<Vec<Kept>, StoreError> {
    let mut all = Vec::new();
    for stored in reader.events_of_run(id, 0, None, Some("run.checkpointed"))? {
        if let Event::RunCheckpointed(kept) = stored.event()? {
            all.push(((kept.number, kept.reason), stored.created_at, kept.repos));
        }
    }
    Ok(all)
}

fn fault(name: &str, error: GitError) -> ApiError {
    match error.kind() {
        ErrorKind::Fault => ApiError::fault(error),
        ErrorKind::Invalid
        | ErrorKind::Unknown
        | ErrorKind::Unusable
        | ErrorKind::Conflict
        | ErrorKind::TimedOut => ApiError::conflict(format!("Repo '{name}': {error}.")),
    }
}

/// How much a run has changed.
#[utoipa::path(tag = "changes",
    responses((status = 200, body = DiffStats), (status = 404), (status = 409)))]
#[get("/api/runs/{id}/diff-stats")]
pub(super) async fn diff_stats(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let repos = read(&runtime, move |reader| repos(reader, id)).await?;
    let repos = repos.ok_or_else(|| unknown("run"))?;
    let shared = std::sync::Arc::clone(&runtime.shared);
    let counted = web::block(move || {
        let mut total = DiffStats::default();
        for repo in repos {
            let name = repo.name.clone();
            let stats = repo
                .on_own_base()
                .and_then(|repo| shared.stats.diff_stats(repo.of(&repo.at())));
            total.add(stats.map_err(|error| fault(&name, error))?);
        }
        Ok::<_, ApiError>(total)
    });
    let total = counted.await.map_err(ApiError::fault)??;
    ok(&total)
}

/// What a run has changed, file by file.
#[utoipa::path(tag = "changes",
    responses((status = 200, body = ChangesView), (status = 404), (status = 409)))]
#[get("/api/runs/{id}/changes")]
pub(super) async fn changes(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let repos = read(&runtime, move |reader| repos(reader, id)).await?;
    let repos = repos.ok_or_else(|| unknown("run"))?;
    let (sender, mut pieces) = mpsc::channel(PIECES_MAX);
    let job = tokio::task::spawn_blocking(move || {
        let mut out = Out {
            sender,
            piece: Vec::new(),
        };
        let told = tell(repos, &mut out);
        told.and_then(|()| out.leave().map_err(ApiError::fault))
    });
    // Until the first piece has left, a failure is an answer of its own.
    let Some(first) = pieces.recv().await else {
        job.await.map_err(ApiError::fault)??;
        return Err(ApiError::fault("an answer without a byte"));
    };
    let rest = futures_util::stream::unfold((pieces, Some(job)), |(mut pieces, job)| async move {
        if let Some(piece) = pieces.recv().await {
            return Some((Ok(piece), (pieces, job)));
        }
        // Cut off rather than completed: the reader sees that it is not all.
        match job?.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some((Err(std::io::Error::other(error)), (pieces, None))),
            Err(error) => Some((Err(std::io::Error::other(error)), (pieces, None))),
        }
    });
    let all = futures_util::stream::once(async { Ok(first) }).chain(rest);
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .streaming(Box::pin(all)))
}

/// The way to a reader, piece by piece.
struct Out {
    sender: mpsc::Sender<Bytes>,
    piece: Vec<u8>,
}

impl Out {
    fn text(&mut self, text: &str) {
        self.piece.extend_from_slice(text.as_bytes());
    }

    fn value(&mut self, value: &impl Serialize) -> Result<(), GitError> {
        serde_json::to_writer(&mut self.piece, value).map_err(|error| GitError::Io {
            doing: "writing a change as JSON",
            source: error.into(),
        })?;
        if self.piece.len() >= PIECE_LEN {
            self.leave()?;
        }
        Ok(())
    }

    /// Sends what was gathered; fails when the reader went away.
    fn leave(&mut self) -> Result<(), GitError> {
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        let sent = self.sender.blocking_send(piece);
        sent.map_err(|_| GitError::Cancelled)
    }
}

fn tell(repos: Vec<RepoRow>, out: &mut Out) -> Result<(), ApiError> {
    let mut total = DiffStats::default();
    let mut left_out = Vec::new();
    out.text("{\"repos\":[");
    for (number, repo) in repos.into_iter().enumerate() {
        let name = repo.name.clone();
        let told = |error| fault(&name, error);
        let repo = repo.on_own_base().map_err(told)?;
        if number > 0 {
            out.text(",");
        }
        let mut head = json!({
            "repo_id": repo.repo_id, "repo_name": repo.name,
            "branch": repo.branch, "base_commit": repo.base_commit,
        })
        .to_string();
        head.pop();
        out.text(&head);
        out.text(",\"files\":[");
        let mut between = "";
        let changed = git::changes(repo.of(&repo.at()), &mut |file| {
            out.text(std::mem::replace(&mut between, ","));
            out.value(&FileChangeView::of(&file))
        });
        let changed = changed.map_err(told)?;
        total.add(changed.total);
        left_out.extend(
            changed
                .left_out
                .iter()
                .map(|left| view::left_out(&repo.name, left)),
        );
        out.text(&format!("],\"uncommitted\":{}}}", changed.uncommitted));
    }
    let DiffStats {
        files_changed,
        insertions,
        deletions,
    } = total;
    out.text(&format!(
        "],\"files_changed\":{files_changed},\"insertions\":{insertions},\"deletions\":{deletions},\
         \"left_out\":{}}}",
        json!(left_out)
    ));
    Ok(())
}

/// Everything since the base commit, committed or not.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "written piece by piece")]
struct ChangesView<'a> {
    repos: Vec<RepoChangesView<'a>>,
    files_changed: u64,
    insertions: u64,
    deletions: u64,
    /// Paths that cannot be read, and so are not among the files.
    left_out: Vec<LeftOutView>,
}

#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "written piece by piece")]
struct RepoChangesView<'a> {
    repo_id: RepoId,
    repo_name: String,
    branch: String,
    base_commit: String,
    files: Vec<FileChangeView<'a>>,
    /// The worktree holds something that no commit of its branch has.
    uncommitted: bool,
}

/// A changed file on the wire. Bytes that are no text are shown as well as they can be.
#[derive(Serialize, utoipa::ToSchema)]
struct FileChangeView<'a> {
    path: Cow<'a, str>,
    /// In base64; only of a path that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    #[schema(required)]
    old_path: Option<Cow<'a, str>>,
    /// In base64; only of a path that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_path_bytes: Option<String>,
    status: FileStatus,
    binary: bool,
    insertions: u64,
    deletions: u64,
    /// What `git apply` takes; empty when truncated.
    diff: Cow<'a, str>,
    #[schema(required)]
    old_content: Option<Cow<'a, str>>,
    #[schema(required)]
    new_content: Option<Cow<'a, str>>,
    /// Over 1 MiB: no contents.
    truncated: bool,
}

impl<'a> FileChangeView<'a> {
    fn of(file: &'a FileChange) -> Self {
        let lossy = String::from_utf8_lossy;
        Self {
            path: lossy(&file.path),
            path_bytes: odd(&file.path),
            old_path: file.old_path.as_deref().map(lossy),
            old_path_bytes: file.old_path.as_deref().and_then(odd),
            status: file.status,
            binary: file.binary,
            insertions: file.insertions,
            deletions: file.deletions,
            diff: lossy(&file.diff),
            old_content: file.old_content.as_deref().map(lossy),
            new_content: file.new_content.as_deref().map(lossy),
            truncated: file.truncated,
        }
    }
}

/// A path that is not UTF-8, in base64.
fn odd(path: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(path);
    text.is_err().then(|| data_encoding::BASE64.encode(path))
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CheckpointView {
    number: u32,
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    reason: String,
    repos: Vec<CheckpointRepoView>,
    /// Paths that could not be read when it was taken, and so are not in it.
    left_out: Vec<LeftOutView>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct CheckpointRepoView {
    repo_name: String,
    commit: String,
}

impl CheckpointView {
    fn of(((number, reason), created_at, repos): Kept) -> Self {
        let left_out = view::left_out_of_all(&repos);
        let repos = repos.into_iter().map(|kept| CheckpointRepoView {
            repo_name: kept.repo_name,
            commit: kept.commit,
        });
        Self {
            number,
            created_at,
            reason,
            repos: repos.collect(),
            left_out,
        }
    }
}

/// The checkpoints of a run, oldest first.
#[utoipa::path(tag = "changes",
    responses((status = 200, body = [CheckpointView]), (status = 404)))]
#[get("/api/runs/{id}/checkpoints")]
pub(super) async fn list_checkpoints(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let kept = read(&runtime, move |reader| {
        let known = reader.run_exists(id)?;
        known.then(|| checkpoints(reader, id)).transpose()
    });
    let kept = kept.await?.ok_or_else(|| unknown("run"))?;
    ok(&kept.into_iter().map(CheckpointView::of).collect::<Vec<_>>())
}

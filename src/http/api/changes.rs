//! What a run changed: the diff, its size, and the checkpoints.

use crate::{
    domain::{
        RepoId, RunId, Time,
        run::view::{self, LeftOutView},
        time,
    },
    http::wire::{ApiError, ApiResult, Id, ok, read_of_run},
    runtime::{
        Runtime,
        operations::{
            OperationError,
            changes::{self, Change, Compared, DiffStats, FileChange, FileStatus},
        },
    },
    store::StoredCheckpoint,
};
use actix_web::{HttpResponse, get, web::Data};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::json;
use std::{borrow::Cow, io};
use tokio::sync::mpsc;

/// Bytes of an answer that are gathered before they leave.
const PIECE_LEN: usize = 256 * 1024;
/// Pieces that may wait for a slow reader.
const PIECES_MAX: usize = 4;

/// How much a run has changed.
#[utoipa::path(tag = "changes", responses((status = 200, body = DiffStats), (status = 409)))]
#[get("/api/runs/{id}/diff-stats")]
pub(crate) async fn diff_stats(runtime: Data<Runtime>, Id(id): Id<RunId>) -> ApiResult {
    ok(&changes::diff_stats(&runtime, id).await?)
}

/// What a run has changed, file by file.
#[utoipa::path(tag = "changes", responses((status = 200, body = ChangesView), (status = 409)))]
#[get("/api/runs/{id}/changes")]
pub(crate) async fn list(runtime: Data<Runtime>, Id(id): Id<RunId>) -> ApiResult {
    let repos = changes::compared(&runtime, id).await?;
    let (sender, mut pieces) = mpsc::channel(PIECES_MAX);
    let job = tokio::task::spawn_blocking(move || {
        let mut out = Out {
            sender,
            piece: Vec::new(),
        };
        write(repos, &mut out)
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
            Ok(Err(error)) => Some((Err(io::Error::other(ApiError::from(error))), (pieces, None))),
            Err(error) => Some((Err(io::Error::other(error)), (pieces, None))),
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

    fn value(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.piece, value)?;
        if self.piece.len() >= PIECE_LEN {
            self.leave()?;
        }
        Ok(())
    }

    /// Sends what was gathered; fails when the reader went away.
    fn leave(&mut self) -> io::Result<()> {
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        let sent = self.sender.blocking_send(piece);
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Writes one change into the list of repos, with what stands before it.
    fn change(&mut self, change: Change<'_>, between: &mut Between) -> io::Result<()> {
        match change {
            Change::Repo(repo) => {
                self.text(std::mem::replace(&mut between.repos, ","));
                between.files = "";
                let mut head = json!({
                    "repo_id": repo.repo_id, "repo_name": repo.name,
                    "branch": repo.branch, "base_commit": repo.base_commit,
                })
                .to_string();
                head.pop();
                self.text(&head);
                self.text(",\"files\":[");
                Ok(())
            }
            Change::File(file) => {
                self.text(std::mem::replace(&mut between.files, ","));
                self.value(&FileChangeView::of(file))
            }
            Change::RepoEnd { uncommitted } => {
                self.text(&format!("],\"uncommitted\":{uncommitted}}}"));
                Ok(())
            }
        }
    }
}

/// What stands before the next of a list: nothing, then commas.
#[derive(Default)]
struct Between {
    repos: &'static str,
    files: &'static str,
}

fn write(repos: Vec<Compared>, out: &mut Out) -> Result<(), OperationError> {
    let mut between = Between::default();
    out.text("{\"repos\":[");
    let walked = changes::walk(repos, &mut |change| out.change(change, &mut between))?;
    let left_out = walked.left_out.iter();
    let left_out: Vec<_> = left_out
        .map(|(repo, left)| view::left_out(repo, left))
        .collect();
    // The fields of the sum, without its brace.
    let total = json!(walked.total).to_string();
    out.text(&format!(
        "],{},\"left_out\":{}}}",
        &total[1..total.len() - 1],
        json!(left_out)
    ));
    out.leave()
        .map_err(|error| OperationError::Failed(error.into()))
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
pub(crate) struct CheckpointView {
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
    fn of(checkpoint: StoredCheckpoint) -> Self {
        let left_out = view::left_out_of_all(&checkpoint.repos);
        let repos = checkpoint.repos.into_iter().map(|kept| CheckpointRepoView {
            repo_name: kept.repo_name,
            commit: kept.commit,
        });
        Self {
            number: checkpoint.number,
            created_at: checkpoint.created_at,
            reason: checkpoint.reason,
            repos: repos.collect(),
            left_out,
        }
    }
}

/// The checkpoints of a run, oldest first.
#[utoipa::path(tag = "changes", responses((status = 200, body = [CheckpointView])))]
#[get("/api/runs/{id}/checkpoints")]
pub(crate) async fn list_checkpoints(runtime: Data<Runtime>, Id(id): Id<RunId>) -> ApiResult {
    let kept = read_of_run(&runtime, id, move |reader| reader.checkpoints(id));
    let shown = kept.await?.into_iter().map(CheckpointView::of);
    ok(&shown.collect::<Vec<_>>())
}

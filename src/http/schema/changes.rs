//! Shapes of a run's changes and checkpoints.

#![expect(dead_code, reason = "these types are read by utoipa only")]

use utoipa::ToSchema;
use uuid::Uuid;

#[derive(ToSchema)]
pub(in crate::http) struct DiffStatsView {
    files_changed: u64,
    insertions: u64,
    deletions: u64,
}

/// Everything since the base commit, committed or not.
#[derive(ToSchema)]
pub(in crate::http) struct ChangesView {
    repos: Vec<RepoChangesView>,
    files_changed: u64,
    insertions: u64,
    deletions: u64,
    /// Paths that cannot be read, and so are not among the files.
    left_out: Vec<LeftOutView>,
}

/// A path of a worktree that cannot be read.
#[derive(ToSchema)]
pub(in crate::http) struct LeftOutView {
    repo_name: String,
    /// A folder's ends with a slash.
    path: String,
    why: String,
}

/// A run after its files were replaced.
#[derive(ToSchema)]
pub(in crate::http) struct ReplacedView {
    #[serde(flatten)]
    run: super::RunView,
    /// Paths that the checkpoint taken before does not hold. Always empty without `force`.
    left_out: Vec<LeftOutView>,
}

#[derive(ToSchema)]
pub(in crate::http) struct RepoChangesView {
    repo_id: Uuid,
    repo_name: String,
    branch: String,
    base_commit: String,
    files: Vec<FileChangeView>,
    /// The worktree holds something that no commit of its branch has.
    uncommitted: bool,
}

#[derive(ToSchema)]
pub(in crate::http) struct FileChangeView {
    path: String,
    /// In base64; only of a path that is not UTF-8.
    path_bytes: Option<String>,
    #[schema(required)]
    old_path: Option<String>,
    /// In base64; only of a path that is not UTF-8.
    old_path_bytes: Option<String>,
    status: FileStatusView,
    binary: bool,
    insertions: u64,
    deletions: u64,
    /// What `git apply` takes; empty when truncated.
    diff: String,
    #[schema(required)]
    old_content: Option<String>,
    #[schema(required)]
    new_content: Option<String>,
    /// Over 1 MiB: no contents.
    truncated: bool,
}

#[derive(ToSchema)]
pub(in crate::http) struct CheckpointView {
    number: u32,
    #[schema(format = DateTime)]
    created_at: String,
    reason: String,
    repos: Vec<CheckpointRepoView>,
    /// Paths that could not be read when it was taken, and so are not in it.
    left_out: Vec<LeftOutView>,
}

#[derive(ToSchema)]
pub(in crate::http) struct CheckpointRepoView {
    repo_name: String,
    commit: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::http) enum FileStatusView {
    Added,
    Modified,
    Deleted,
    Renamed,
}

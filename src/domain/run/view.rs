//! The run as the API shows it: the projection, the same JSON from the same state every time.
//!
//! It is written with every event, so the documents are typed and go straight into text. What nearly
//! every event changes is a document of its own, the head.

mod approval;
mod shipped;

pub use approval::{ApprovalState, ApprovalView};
pub use shipped::{CommittedView, PullRequestView, PushedView};

use super::{
    event::{CheckpointAt, LeftOut},
    outbox::Queued,
    state::{Activity, Attention, Changed, Process, Run, Status},
    tasks::Task,
    usage::Cost,
};
use crate::domain::{AgentId, MessageId, ProjectId, RepoId, RunId, Time, time};
use serde::Serialize;
use std::path::Path;
use utoipa::ToSchema;

/// The run as the API shows it.
#[derive(Serialize, ToSchema)]
pub struct RunView<'r> {
    #[serde(flatten)]
    body: RunBody<'r>,
    #[serde(flatten)]
    head: RunHead,
}

#[derive(PartialEq, Serialize, ToSchema)]
struct RunBody<'r> {
    id: RunId,
    project_id: ProjectId,
    agent_id: AgentId,
    task: &'r str,
    status: Status,
    source_branch: &'r str,
    run_branch: &'r str,
    cli_name: &'r str,
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    tokens_in: u64,
    tokens_out: u64,
    /// The part of the cost that is known, in US dollars.
    cost_usd: f64,
    cost: Cost<'r>,
    #[schema(required)]
    parent_run_id: Option<RunId>,
    notify: bool,
    /// The CLI's own session.
    #[schema(required)]
    session_id: Option<&'r str>,
    #[schema(required)]
    model: Option<&'r str>,
    /// Why it failed or paused.
    #[schema(required)]
    reason: Option<&'r str>,
    #[schema(required, value_type = Option<Attention>)]
    attention: Option<&'r Attention>,
    process: ProcessView,
    tokens_cache_read: u64,
    tokens_cache_write: u64,
    /// What there is to ship: nothing, changes, or changes that were pushed or accepted.
    work: Changed,
    queue: QueueView<'r>,
    repos: Vec<RunRepoView<'r>>,
}

#[derive(Serialize, ToSchema)]
struct RunHead {
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    activity: Activity,
    last_sequence: u64,
}

#[derive(PartialEq, Serialize, ToSchema)]
struct ProcessView {
    alive: bool,
    #[schema(required)]
    pid: Option<u32>,
    #[schema(required)]
    exit_code: Option<i32>,
    /// Suspended by Ctrl+Z or a signal; `activity` says by which. A continue, or a key in the
    /// terminal, resumes it.
    stopped: bool,
}

/// Messages that wait for the end of the turn.
#[derive(PartialEq, Serialize, ToSchema)]
struct QueueView<'r> {
    #[schema(value_type = u64)]
    length: usize,
    /// Why none is sent until somebody acts.
    #[schema(required)]
    halted: Option<&'r str>,
}

#[derive(PartialEq, Serialize, ToSchema)]
struct RunRepoView<'r> {
    repo_id: RepoId,
    name: &'r str,
    #[schema(value_type = String)]
    repo_path: &'r Path,
    /// Null while there is none.
    #[schema(required, value_type = Option<String>)]
    worktree: Option<&'r Path>,
    branch: &'r str,
    /// The commit that the run's changes are compared with; a requested rebase moves it.
    base_commit: &'r str,
    /// The branch that pointed there, without its remote.
    #[schema(required)]
    source: Option<&'r str>,
}

/// A message that waits.
#[derive(PartialEq, Serialize, ToSchema)]
pub struct QueuedView<'r> {
    id: MessageId,
    message: &'r str,
    /// 1 goes out first.
    #[schema(value_type = u64)]
    position: usize,
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

/// A run after its files were replaced.
#[derive(Serialize, ToSchema)]
pub struct ReplacedView<'r> {
    #[serde(flatten)]
    run: RunView<'r>,
    /// Paths that the checkpoint taken before does not hold. Always empty without `force`.
    left_out: &'r [LeftOutView],
}

/// A path of a worktree that cannot be read.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LeftOutView {
    repo_name: String,
    /// A folder's ends with a slash.
    path: String,
    why: String,
}

/// What a run's documents but its head are made of, so that it can be seen whether they changed
/// without writing them.
#[derive(PartialEq)]
pub struct Documents<'r> {
    body: RunBody<'r>,
    tasks: Vec<&'r Task>,
    queue: Vec<QueuedView<'r>>,
}

impl<'r> Documents<'r> {
    /// Those of a run as it is now.
    #[must_use]
    pub fn of(run: &'r Run) -> Self {
        Self {
            body: body(run),
            tasks: run.tasks.shown().collect(),
            queue: QueuedView::all(&run.outbox.queue),
        }
    }

    /// The run's document without its head.
    #[must_use]
    pub fn body(&self) -> String {
        text(&self.body)
    }

    /// The task list's JSON document.
    #[must_use]
    pub fn tasks(&self) -> String {
        text(&self.tasks)
    }

    /// The JSON document of the messages that wait, in the order in which they go out.
    #[must_use]
    pub fn queue(&self) -> String {
        text(&self.queue)
    }
}

/// JSON of a document of this file.
fn text(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("paths were read from JSON, keys are names")
}

impl<'r> RunView<'r> {
    /// The run as it is now, all fields always present.
    #[must_use]
    pub fn of(run: &'r Run) -> Self {
        Self {
            body: body(run),
            head: run_head(run),
        }
    }
}

impl<'r> QueuedView<'r> {
    /// A message at its place, of which the first is 1.
    #[must_use]
    pub fn of(queued: &'r Queued, position: usize) -> Self {
        Self {
            id: queued.id,
            message: &queued.text,
            position,
            created_at: queued.created_at,
        }
    }

    /// All that wait, in the order in which they go out.
    #[must_use]
    pub fn all(queue: &'r [Queued]) -> Vec<Self> {
        let placed = queue.iter().zip(1..);
        placed
            .map(|(queued, position)| Self::of(queued, position))
            .collect()
    }
}

impl<'r> ReplacedView<'r> {
    /// The run as it is now, with the paths that were left out.
    #[must_use]
    pub fn of(run: &'r Run, left_out: &'r [LeftOutView]) -> Self {
        Self {
            run: RunView::of(run),
            left_out,
        }
    }
}

/// The run's JSON document.
#[must_use]
pub fn run(run: &Run) -> String {
    text(&RunView::of(run))
}

/// The run's JSON document, of its body and its head.
#[must_use]
pub fn joined(body: &str, head: &str) -> String {
    let fields = body.strip_suffix('}').unwrap_or(body);
    let others = head.strip_prefix('{').unwrap_or(head);
    format!("{fields},{others}")
}

/// A path that no checkpoint can hold.
#[must_use]
pub fn left_out(repo_name: &str, left: &LeftOut) -> LeftOutView {
    LeftOutView {
        repo_name: repo_name.to_owned(),
        path: left.path.clone(),
        why: left.why.clone(),
    }
}

/// All such paths of a checkpoint.
#[must_use]
pub fn left_out_of_all(repos: &[CheckpointAt]) -> Vec<LeftOutView> {
    let paths = |kept: &CheckpointAt| {
        let of_repo = kept.left_out.iter();
        let shown = of_repo.map(|left| left_out(&kept.repo_name, left));
        shown.collect::<Vec<_>>()
    };
    repos.iter().flat_map(paths).collect()
}

/// What nearly every event changes of the run's document.
#[must_use]
pub fn head(run: &Run) -> String {
    text(&run_head(run))
}

fn run_head(run: &Run) -> RunHead {
    RunHead {
        updated_at: run.updated_at,
        activity: run.activity(),
        last_sequence: run.last_sequence,
    }
}

fn body(run: &Run) -> RunBody<'_> {
    let created = &run.created;
    RunBody {
        id: run.id,
        project_id: created.project_id,
        agent_id: created.agent_id,
        task: &created.task,
        status: run.status,
        source_branch: &created.source_branch,
        run_branch: &run.run_branch,
        cli_name: &created.agent.cli_name,
        created_at: run.created_at,
        tokens_in: run.usage.tokens_in,
        tokens_out: run.usage.tokens_out,
        cost_usd: run.usage.cost_usd,
        cost: run.usage.cost(),
        parent_run_id: created.parent_run_id,
        notify: run.notify,
        session_id: run.session_id(),
        model: run.model.as_deref(),
        reason: run.reason.as_deref(),
        attention: run.attention.as_ref(),
        process: process(run),
        tokens_cache_read: run.usage.tokens_cache_read,
        tokens_cache_write: run.usage.tokens_cache_write,
        work: run.changed,
        queue: QueueView {
            length: run.outbox.queue.len(),
            halted: run.outbox.halted.as_deref(),
        },
        repos: repos(run),
    }
}

const fn process(run: &Run) -> ProcessView {
    let (alive, pid, exit_code) = match run.process {
        Process::None | Process::Launching => (false, None, None),
        Process::Alive { pid } => (true, Some(pid), None),
        Process::Exited { pid, code, .. } => (false, pid, code),
    };
    ProcessView {
        alive,
        pid,
        exit_code,
        stopped: run.stopped.is_some(),
    }
}

fn repos(run: &Run) -> Vec<RunRepoView<'_>> {
    let worktree = |repo| run.worktrees.iter().find(|at| at.repo_id == repo);
    let bases = run.created.repos.iter();
    bases
        .map(|base| RunRepoView {
            repo_id: base.repo_id,
            name: &base.name,
            repo_path: &base.repo_path,
            worktree: worktree(base.repo_id).map(|at| at.worktree.as_path()),
            branch: &run.run_branch,
            base_commit: &base.base_commit,
            source: base.source.as_deref(),
        })
        .collect()
}

//! The run as the API shows it: the projection, the same JSON from the same state every time.
//!
//! It is written with every event, so the documents are typed and go straight into text. What nearly
//! every event changes is a document of its own, the head.

use super::{
    cost::Cost,
    event::{CheckpointAt, LeftOut},
    outbox::Queued,
    state::{Activity, Attention, Changed, Process, Run, Status},
    tasks::Task,
};
use crate::domain::{AgentId, MessageId, ProjectId, RepoId, RunId, Time, time};
use serde::Serialize;
use std::path::Path;

#[derive(PartialEq, Serialize)]
struct RunView<'r> {
    id: RunId,
    project_id: ProjectId,
    agent_id: AgentId,
    task: &'r str,
    status: Status,
    source_branch: &'r str,
    run_branch: &'r str,
    cli_name: &'r str,
    #[serde(with = "time")]
    created_at: Time,
    tokens_in: u64,
    tokens_out: u64,
    cost_usd: f64,
    cost: Cost<'r>,
    parent_run_id: Option<RunId>,
    notify: bool,
    session_id: Option<&'r str>,
    model: Option<&'r str>,
    reason: Option<&'r str>,
    attention: Option<&'r Attention>,
    process: ProcessView,
    tokens_cache_read: u64,
    tokens_cache_write: u64,
    work: Changed,
    queue: QueueView<'r>,
    repos: Vec<RepoView<'r>>,
}

#[derive(Serialize)]
struct RunHead {
    #[serde(with = "time")]
    updated_at: Time,
    activity: Activity,
    last_sequence: u64,
}

#[derive(PartialEq, Serialize)]
struct ProcessView {
    alive: bool,
    pid: Option<u32>,
    exit_code: Option<i32>,
    stopped: bool,
}

#[derive(PartialEq, Serialize)]
struct QueueView<'r> {
    length: usize,
    halted: Option<&'r str>,
}

#[derive(PartialEq, Serialize)]
struct RepoView<'r> {
    repo_id: RepoId,
    name: &'r str,
    repo_path: &'r Path,
    worktree: Option<&'r Path>,
    branch: &'r str,
    base_commit: &'r str,
    source: Option<&'r str>,
}

#[derive(PartialEq, Serialize)]
struct QueuedView<'r> {
    id: MessageId,
    message: &'r str,
    position: usize,
    #[serde(with = "time")]
    created_at: Time,
}

/// What a run's documents but its head are made of, so that it can be seen whether they changed
/// without writing them.
#[derive(PartialEq)]
pub struct Documents<'r> {
    body: RunView<'r>,
    tasks: Vec<&'r Task>,
    queue: Vec<QueuedView<'r>>,
}

impl<'r> Documents<'r> {
    /// Those of a run as it is now.
    #[must_use]
    pub fn of(run: &'r Run) -> Self {
        Self {
            body: run_view(run),
            tasks: run.tasks.shown().collect(),
            queue: run.outbox.queue.iter().zip(1..).map(waiting).collect(),
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

/// The run's JSON document, all fields always present.
#[must_use]
pub fn run(run: &Run) -> String {
    joined(&text(&run_view(run)), &head(run))
}

/// The run's JSON document, of its body and its head.
#[must_use]
pub fn joined(body: &str, head: &str) -> String {
    let fields = body.strip_suffix('}').unwrap_or(body);
    let others = head.strip_prefix('{').unwrap_or(head);
    format!("{fields},{others}")
}

/// The run's JSON document, with what the checkpoint of before the last change of its files does not hold.
#[must_use]
pub fn with_left_out(run: &Run, left_out: &[serde_json::Value]) -> String {
    let others = serde_json::json!({ "left_out": left_out }).to_string();
    joined(&self::run(run), &others)
}

/// A path that no checkpoint can hold.
#[must_use]
pub fn left_out(repo_name: &str, left: &LeftOut) -> serde_json::Value {
    serde_json::json!({"repo_name": repo_name, "path": left.path, "why": left.why})
}

/// All such paths of a checkpoint.
#[must_use]
pub fn left_out_of_all(repos: &[CheckpointAt]) -> Vec<serde_json::Value> {
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
    text(&RunHead {
        updated_at: run.updated_at,
        activity: run.activity(),
        last_sequence: run.last_sequence,
    })
}

fn run_view(run: &Run) -> RunView<'_> {
    let created = &run.created;
    RunView {
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

fn repos(run: &Run) -> Vec<RepoView<'_>> {
    let worktree = |repo| run.worktrees.iter().find(|at| at.repo_id == repo);
    let bases = run.created.repos.iter();
    bases
        .map(|base| RepoView {
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

/// One message that waits, at its place; nothing when it does not.
#[must_use]
pub fn queued(run: &Run, id: MessageId) -> Option<String> {
    let mut queue = run.outbox.queue.iter().zip(1..);
    let found = queue.find(|(queued, _)| queued.id == id)?;
    Some(text(&waiting(found)))
}

fn waiting((queued, position): (&Queued, usize)) -> QueuedView<'_> {
    QueuedView {
        id: queued.id,
        message: &queued.text,
        position,
        created_at: queued.created_at,
    }
}

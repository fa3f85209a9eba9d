//! The run as the API shows it: the projection, the same JSON from the same state every time.

use super::{
    event::{RepoBase, WorktreeAt},
    outbox::Queued,
    state::{Process, Run},
};
use crate::domain::{MessageId, time};
use serde_json::{Value, json};

/// The run's JSON document, all fields always present.
#[must_use]
pub fn run(run: &Run) -> Value {
    let created = &run.created;
    let (alive, pid, exit_code) = match run.process {
        Process::None | Process::Launching => (false, None, None),
        Process::Alive { pid } => (true, Some(pid), None),
        Process::Exited { pid, code, .. } => (false, pid, code),
    };
    json!({
        "id": run.id,
        "project_id": created.project_id,
        "agent_id": created.agent_id,
        "task": created.task,
        "status": run.status,
        "source_branch": created.source_branch,
        "run_branch": run.run_branch,
        "cli_name": created.agent.cli_name,
        "created_at": time::format(&run.created_at),
        "updated_at": time::format(&run.updated_at),
        "tokens_in": run.usage.tokens_in,
        "tokens_out": run.usage.tokens_out,
        "cost_usd": run.usage.cost_usd,
        "parent_run_id": created.parent_run_id,
        "notify": run.notify,
        "session_id": run.session_id(),
        "model": run.model,
        "reason": run.reason,
        "attention": run.attention,
        "activity": run.activity(),
        "process": { "alive": alive, "pid": pid, "exit_code": exit_code },
        "tokens_cache_read": run.usage.tokens_cache_read,
        "tokens_cache_write": run.usage.tokens_cache_write,
        "work": run.changed,
        "queue": { "length": run.outbox.queue.len(), "halted": run.outbox.halted },
        "repos": created.repos.iter().map(|base| repo(run, base)).collect::<Vec<_>>(),
        "last_sequence": run.last_sequence,
    })
}

/// The task list's JSON document.
#[must_use]
pub fn tasks(run: &Run) -> Value {
    json!(run.tasks.shown().collect::<Vec<_>>())
}

/// The JSON document of the messages that wait, in the order in which they go out.
#[must_use]
pub fn queue(run: &Run) -> Value {
    let queue = run.outbox.queue.iter();
    queue
        .zip(1..)
        .map(|(queued, at)| waiting(queued, at))
        .collect()
}

/// One message that waits, at its place; nothing when it does not.
#[must_use]
pub fn queued(run: &Run, id: MessageId) -> Option<Value> {
    let at = run.outbox.queue.iter().position(|queued| queued.id == id)?;
    Some(waiting(&run.outbox.queue[at], at + 1))
}

fn waiting(queued: &Queued, position: usize) -> Value {
    json!({
        "id": queued.id,
        "message": queued.text,
        "position": position,
        "created_at": time::format(&queued.created_at),
    })
}

fn repo(run: &Run, base: &RepoBase) -> Value {
    let at = run
        .worktrees
        .iter()
        .find(|at: &&WorktreeAt| at.repo_id == base.repo_id);
    json!({
        "repo_id": base.repo_id,
        "name": base.name,
        "repo_path": base.repo_path,
        "worktree": at.map(|at| &at.worktree),
        "branch": run.run_branch,
        "base_commit": base.base_commit,
    })
}

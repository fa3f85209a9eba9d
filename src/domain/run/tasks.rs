//! The agent's task list, folded from its tool calls and their results.
//!
//! `TaskCreate` is paired with its result by tool_use_id, because only the result carries the
//! task's id; `TaskUpdate` changes by id; `TodoWrite` and `update_plan` replace the whole list.

use super::{
    event::{ToolCall, ToolResult},
    push_bounded,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskView)]
pub struct Task {
    /// The CLI's id of it, or the tool_use_id of a create whose result never came.
    pub id: String,
    /// What is to be done.
    pub subject: String,
    /// More about it.
    pub description: String,
    /// `pending`, `in_progress` or `completed`; `deleted` ones stay in the fold but are not shown.
    pub status: String,
}

/// Most calls that are remembered as settled, so that a repeated one changes nothing.
const SETTLED_MAX: usize = 256;

/// All tasks, in the order they were created, and the calls that are not settled yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskList {
    tasks: Vec<Task>,
    /// Results of `TaskCreate` that overtook their call: (tool_use_id, id, or none for an error).
    early: Vec<(String, Option<String>)>,
    /// `TaskUpdate` calls without a result.
    updates: Vec<PendingTaskUpdate>,
    /// The tool_use_ids of calls that are settled, oldest first.
    settled: Vec<String>,
}

/// A `TaskUpdate` whose result has not come.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PendingTaskUpdate {
    tool_use_id: Option<String>,
    input: Value,
    /// The task before it; none while the task's id is not known.
    before: Option<Task>,
    /// Its result came, and only the task's id is missing.
    answered: bool,
}

impl TaskList {
    /// The tasks that are shown: all but the deleted ones.
    pub fn shown(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(|task| task.status != "deleted")
    }

    /// Folds a call.
    pub(super) fn called(&mut self, call: &ToolCall) {
        let use_id = call.tool_use_id.as_deref();
        if use_id.is_some_and(|id| self.settled.iter().any(|known| known == id)) {
            return;
        }
        let input = &call.tool_input;
        match call.tool_name.as_str() {
            "TaskCreate" => self.create(use_id, input),
            "TaskUpdate" => self.update(use_id, input),
            "TodoWrite" => self.replace(use_id, input.get("todos"), "content"),
            "update_plan" => self.replace(use_id, input.get("plan"), "step"),
            _ => {}
        }
    }

    /// Folds a result.
    pub(super) fn answered(&mut self, result: &ToolResult) {
        let Some(use_id) = result.tool_use_id.as_deref() else {
            return;
        };
        let failed = result.error.is_some();
        match result.tool_name.as_str() {
            "TaskCreate" => {
                let told = result.tool_response.as_ref().and_then(|r| r.get("task"));
                let id = told.and_then(|task| text(task, "id"));
                // Neither an id nor an error: it keeps its tool_use_id.
                if failed || id.is_some() {
                    self.created(use_id, id.filter(|_| !failed));
                }
            }
            "TaskUpdate" => self.updated(use_id, failed),
            _ => {}
        }
    }

    /// The results of calls that a process left open never come.
    pub(super) fn process_ended(&mut self) {
        self.updates.clear();
        self.early.clear();
    }

    fn create(&mut self, use_id: Option<&str>, input: &Value) {
        let Some(use_id) = use_id else { return };
        if self.tasks.iter().any(|task| task.id == use_id) {
            return;
        }
        self.tasks.push(Task {
            id: use_id.to_owned(),
            subject: text(input, "subject").unwrap_or_default(),
            description: text(input, "description").unwrap_or_default(),
            status: "pending".into(),
        });
        if let Some(at) = self.early.iter().position(|(early, _)| early == use_id) {
            let (_, id) = self.early.swap_remove(at);
            self.created(use_id, id);
        }
    }

    fn created(&mut self, use_id: &str, id: Option<String>) {
        if self.settled.iter().any(|known| known == use_id) {
            return;
        }
        if !self.tasks.iter().any(|task| task.id == use_id) {
            self.early.push((use_id.to_owned(), id));
            return;
        }
        self.settle(use_id);
        let Some(id) = id else {
            return self.tasks.retain(|task| task.id != use_id);
        };
        // A CLI that began again (`/clear`) counts from 1 again: an id is that of its newest task.
        self.tasks.retain(|task| task.id != id);
        for task in self.tasks.iter_mut().filter(|task| task.id == use_id) {
            task.id.clone_from(&id);
        }
        self.take_waiting(&id);
    }

    fn update(&mut self, use_id: Option<&str>, input: &Value) {
        let open = |update: &PendingTaskUpdate| update.tool_use_id.as_deref() == use_id;
        if use_id.is_some() && self.updates.iter().any(open) {
            return;
        }
        let update = PendingTaskUpdate {
            tool_use_id: use_id.map(str::to_owned),
            input: input.clone(),
            before: self.change(input),
            answered: false,
        };
        // A call without an id gets no result.
        if use_id.is_some() || update.before.is_none() {
            self.updates.push(update);
        }
    }

    fn updated(&mut self, use_id: &str, failed: bool) {
        let open = |update: &PendingTaskUpdate| update.tool_use_id.as_deref() == Some(use_id);
        let Some(at) = self.updates.iter().position(open) else {
            // It overtook its call: an error is not tried any more.
            return if failed {
                self.settle(use_id);
            };
        };
        self.settle(use_id);
        if failed {
            let update = self.updates.remove(at);
            self.take_back(&update);
        } else if self.updates[at].before.is_some() {
            self.updates.remove(at);
        } else {
            self.updates[at].answered = true;
        }
    }

    /// Makes the changes that came before the id of their task.
    fn take_waiting(&mut self, id: &str) {
        let mut updates = std::mem::take(&mut self.updates);
        for update in &mut updates {
            if update.before.is_none() && text(&update.input, "taskId").as_deref() == Some(id) {
                update.before = self.change(&update.input);
            }
        }
        updates.retain(|update| update.before.is_none() || !update.answered);
        self.updates = updates;
    }

    /// Changes a task, and gives back what it was before.
    fn change(&mut self, input: &Value) -> Option<Task> {
        let id = text(input, "taskId")?;
        let task = self.tasks.iter_mut().find(|task| task.id == id)?;
        let before = task.clone();
        if let Some(status) = status(input) {
            task.status = status;
        }
        if let Some(subject) = text(input, "subject") {
            task.subject = subject;
        }
        if let Some(description) = text(input, "description") {
            task.description = description;
        }
        Some(before)
    }

    /// Undoes a change that failed, where no later one has been made.
    fn take_back(&mut self, update: &PendingTaskUpdate) {
        let Some(before) = &update.before else { return };
        let Some(task) = self.tasks.iter_mut().find(|task| task.id == before.id) else {
            return;
        };
        if status(&update.input).as_ref() == Some(&task.status) {
            task.status.clone_from(&before.status);
        }
        if text(&update.input, "subject").as_ref() == Some(&task.subject) {
            task.subject.clone_from(&before.subject);
        }
        if text(&update.input, "description").as_ref() == Some(&task.description) {
            task.description.clone_from(&before.description);
        }
    }

    fn settle(&mut self, use_id: &str) {
        push_bounded(&mut self.settled, use_id.to_owned(), SETTLED_MAX);
    }

    fn replace(&mut self, use_id: Option<&str>, list: Option<&Value>, subject_key: &str) {
        let Some(Value::Array(items)) = list else {
            return;
        };
        if let Some(use_id) = use_id {
            self.settle(use_id);
        }
        self.tasks = items
            .iter()
            .enumerate()
            .map(|(at, item)| Task {
                id: (at + 1).to_string(),
                subject: text(item, subject_key).unwrap_or_default(),
                description: text(item, "activeForm").unwrap_or_default(),
                status: match item.get("status").and_then(Value::as_str) {
                    Some(known @ ("in_progress" | "completed")) => known.to_owned(),
                    _ => "pending".to_owned(),
                },
            })
            .collect();
    }
}

/// The status an update asks for, when it is one that is known.
fn status(input: &Value) -> Option<String> {
    text(input, "status").filter(|status| {
        ["pending", "in_progress", "completed", "deleted"].contains(&status.as_str())
    })
}

/// A string by key; numbers are ids too in some versions, so they are taken as text.
fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

//! The agent's task list, folded from its tool calls and their results.
//!
//! `TaskCreate` is paired with its result by tool_use_id, because only the result carries the
//! task's id; `TaskUpdate` changes by id; `TodoWrite` and `update_plan` replace the whole list.

use super::event::{ToolCall, ToolResult};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// All tasks, in the order they were created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskList {
    tasks: Vec<Task>,
}

impl TaskList {
    /// The tasks that are shown: all but the deleted ones.
    pub fn shown(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(|task| task.status != "deleted")
    }

    /// Folds a call.
    pub(super) fn called(&mut self, call: &ToolCall) {
        let input = &call.tool_input;
        match call.tool_name.as_str() {
            "TaskCreate" => {
                let Some(id) = call.tool_use_id.clone() else {
                    return;
                };
                if self.tasks.iter().any(|task| task.id == id) {
                    return;
                }
                self.tasks.push(Task {
                    id,
                    subject: text(input, "subject").unwrap_or_default(),
                    description: text(input, "description").unwrap_or_default(),
                    status: "pending".into(),
                });
            }
            "TodoWrite" => self.replace(input.get("todos"), "content"),
            "update_plan" => self.replace(input.get("plan"), "step"),
            _ => {}
        }
    }

    /// Folds a result. `input` of an update travels in the result's own call, so the call's input
    /// is given along when the hook carried it.
    pub(super) fn answered(&mut self, result: &ToolResult, input: Option<&Value>) {
        match result.tool_name.as_str() {
            "TaskCreate" => self.created(result),
            "TaskUpdate" if result.error.is_none() => {
                if let Some(input) = input {
                    self.updated(input);
                }
            }
            _ => {}
        }
    }

    fn created(&mut self, result: &ToolResult) {
        let Some(use_id) = result.tool_use_id.as_deref() else {
            return;
        };
        let told = result.tool_response.as_ref().and_then(|r| r.get("task"));
        if result.error.is_some() {
            self.tasks.retain(|task| task.id != use_id);
        } else if let Some(id) = told.and_then(|task| text(task, "id"))
            && let Some(task) = self.tasks.iter_mut().find(|task| task.id == use_id)
        {
            task.id = id;
        }
    }

    fn updated(&mut self, input: &Value) {
        let Some(id) = text(input, "taskId") else {
            return;
        };
        let Some(task) = self.tasks.iter_mut().find(|task| task.id == id) else {
            return;
        };
        if let Some(status) = text(input, "status")
            && ["pending", "in_progress", "completed", "deleted"].contains(&status.as_str())
        {
            task.status = status;
        }
        if let Some(subject) = text(input, "subject") {
            task.subject = subject;
        }
        if let Some(description) = text(input, "description") {
            task.description = description;
        }
    }

    fn replace(&mut self, list: Option<&Value>, subject_key: &str) {
        let Some(Value::Array(items)) = list else {
            return;
        };
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

/// A string by key; numbers are ids too in some versions, so they are taken as text.
fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

//! The agent's task list, in every order that calls and results arrive in.

use super::support::*;
use crate::domain::run::{
    Command,
    command::Signal,
    event::{ToolCall, ToolResult},
    view,
};
use serde_json::{Value, json};

fn called(name: &str, id: &str, input: Value) -> Command {
    let call: ToolCall = call(name, id, input);
    hook("PreToolUse", Some("t1"), Signal::ToolCall(call))
}

fn answered(name: &str, id: &str, response: Value) -> Command {
    let result: ToolResult = result(name, id, response);
    hook("PostToolUse", Some("t1"), Signal::ToolResult(result))
}

fn refused(name: &str, id: &str) -> Command {
    let result = ToolResult {
        tool_name: name.into(),
        tool_use_id: Some(id.into()),
        tool_response: None,
        error: Some("no".into()),
        agent_id: None,
    };
    hook("PostToolUseFailure", Some("t1"), Signal::ToolResult(result))
}

fn create(use_id: &str, subject: &str) -> Command {
    let input = json!({"subject": subject, "description": format!("{subject}, please")});
    called("TaskCreate", use_id, input)
}

fn created_as(use_id: &str, id: &str) -> Command {
    answered(
        "TaskCreate",
        use_id,
        json!({"task": {"id": id, "subject": "x"}}),
    )
}

fn update(use_id: &str, id: &str, status: &str) -> Command {
    called(
        "TaskUpdate",
        use_id,
        json!({"taskId": id, "status": status}),
    )
}

fn updated(use_id: &str, id: &str) -> Command {
    answered("TaskUpdate", use_id, json!({"success": true, "taskId": id}))
}

/// (id, subject, status) of the tasks that are shown after these.
fn tasks(commands: impl IntoIterator<Item = Command>) -> Vec<(String, String, String)> {
    let run = given(running()).after(commands).run;
    let shown: Value = serde_json::from_str(&view::Documents::of(&run).tasks()).expect("JSON");
    let field = |task: &Value, key: &str| task[key].as_str().expect("a text").to_owned();
    let list = shown.as_array().expect("a list").iter();
    list.map(|task| {
        assert!(task["description"].is_string());
        (
            field(task, "id"),
            field(task, "subject"),
            field(task, "status"),
        )
    })
    .collect()
}

fn task(id: &str, subject: &str, status: &str) -> (String, String, String) {
    (id.into(), subject.into(), status.into())
}

#[test]
fn a_create_is_paired_with_its_result() {
    let list = tasks([
        create("u1", "build"),
        create("u2", "test"),
        created_as("u2", "2"),
        created_as("u1", "1"),
    ]);
    assert_eq!(
        list,
        [task("1", "build", "pending"), task("2", "test", "pending")]
    );
}

#[test]
fn a_create_without_result_is_shown_by_its_use_and_a_refused_one_is_not() {
    assert_eq!(
        tasks([create("u1", "build")]),
        [task("u1", "build", "pending")]
    );
    assert_eq!(
        tasks([create("u1", "build"), refused("TaskCreate", "u1")]),
        []
    );
    assert_eq!(
        tasks([refused("TaskCreate", "u1"), create("u1", "build")]),
        []
    );
}

#[test]
fn an_update_changes_status_subject_and_description() {
    let change =
        json!({"taskId": "1", "status": "in_progress", "subject": "b", "description": "d"});
    let list = [
        create("u1", "a"),
        created_as("u1", "1"),
        called("TaskUpdate", "u2", change),
    ];
    assert_eq!(tasks(list.clone()), [task("1", "b", "in_progress")]);
    let list = list.into_iter().chain([updated("u2", "1")]);
    assert_eq!(tasks(list), [task("1", "b", "in_progress")]);
}

#[test]
fn a_deleted_task_is_not_shown_and_an_unknown_status_is_none() {
    let made = || vec![create("u1", "a"), created_as("u1", "1")];
    let mut gone = made();
    gone.push(update("u2", "1", "deleted"));
    assert_eq!(tasks(gone), []);
    let mut odd = made();
    odd.push(update("u2", "1", "sleeping"));
    assert_eq!(tasks(odd), [task("1", "a", "pending")]);
}

#[test]
fn a_refused_update_is_taken_back_where_nothing_came_after_it() {
    let made = || vec![create("u1", "a"), created_as("u1", "1")];
    let mut list = made();
    list.extend([update("u2", "1", "completed"), refused("TaskUpdate", "u2")]);
    assert_eq!(tasks(list), [task("1", "a", "pending")]);
    let mut list = made();
    list.extend([
        update("u2", "1", "in_progress"),
        update("u3", "1", "completed"),
        refused("TaskUpdate", "u2"),
    ]);
    assert_eq!(tasks(list), [task("1", "a", "completed")]);
    let mut list = made();
    list.extend([refused("TaskUpdate", "u2"), update("u2", "1", "completed")]);
    assert_eq!(tasks(list), [task("1", "a", "pending")]);
}

#[test]
fn results_late_or_before_their_calls_come_to_the_same_list() {
    let same = [task("1", "a", "completed")];
    let create = || create("u1", "a");
    let made = || created_as("u1", "1");
    let done = || update("u2", "1", "completed");
    let told = || updated("u2", "1");
    let orders = [
        [create(), made(), done(), told()],
        [made(), create(), done(), told()],
        [create(), done(), told(), made()],
        [create(), done(), made(), told()],
        [create(), made(), told(), done()],
        [made(), told(), create(), done()],
        [done(), told(), create(), made()],
    ];
    for (at, order) in orders.into_iter().enumerate() {
        assert_eq!(tasks(order), same, "order {at}");
    }
}

#[test]
fn calls_and_results_told_twice_change_nothing() {
    let list = tasks([
        create("u1", "a"),
        create("u1", "a"),
        created_as("u1", "1"),
        created_as("u1", "1"),
        create("u1", "a"),
        update("u2", "1", "in_progress"),
        updated("u2", "1"),
        update("u3", "1", "completed"),
        updated("u3", "1"),
        update("u2", "1", "in_progress"),
        refused("TaskUpdate", "u2"),
        refused("TaskCreate", "u1"),
    ]);
    assert_eq!(list, [task("1", "a", "completed")]);
}

#[test]
fn ids_that_begin_again_belong_to_the_newest_tasks() {
    let list = tasks([
        create("u1", "old"),
        created_as("u1", "1"),
        create("u2", "new"),
        created_as("u2", "1"),
        update("u3", "1", "completed"),
    ]);
    assert_eq!(list, [task("1", "new", "completed")]);
}

#[test]
fn numbers_are_ids_too() {
    let list = tasks([
        create("u1", "a"),
        answered("TaskCreate", "u1", json!({"task": {"id": 1}})),
        called(
            "TaskUpdate",
            "u2",
            json!({"taskId": 1, "status": "completed"}),
        ),
    ]);
    assert_eq!(list, [task("1", "a", "completed")]);
}

#[test]
fn todo_write_and_update_plan_replace_the_list() {
    let todos = json!({"todos": [
        {"content": "a", "status": "completed", "activeForm": "doing a"},
        {"content": "b", "status": "in_progress"},
        {"content": "c", "status": "whatever"},
    ]});
    let plan = json!({"plan": [{"step": "x", "status": "in_progress"}]});
    let written = vec![create("u1", "old"), called("TodoWrite", "u2", todos)];
    let list = [
        task("1", "a", "completed"),
        task("2", "b", "in_progress"),
        task("3", "c", "pending"),
    ];
    assert_eq!(tasks(written.clone()), list);
    let planned = written
        .into_iter()
        .chain([called("update_plan", "u3", plan)]);
    assert_eq!(tasks(planned), [task("1", "x", "in_progress")]);
}

#[test]
fn what_is_no_task_tool_or_has_no_shape_changes_nothing() {
    let list = tasks([
        create("u1", "a"),
        called("Bash", "u2", json!({"command": "ls"})),
        called("TodoWrite", "u3", json!({"todos": "none"})),
        called("TaskUpdate", "u4", json!("1")),
        called(
            "TaskUpdate",
            "u5",
            json!({"taskId": "99", "status": "completed"}),
        ),
        answered("TaskCreate", "u1", json!("made it")),
        answered("TaskUpdate", "u9", json!(null)),
        called("update_plan", "u6", json!(null)),
    ]);
    assert_eq!(list, [task("u1", "a", "pending")]);
}

#[test]
fn tasks_outlive_the_process() {
    let live = given(running()).after([
        create("u1", "a"),
        created_as("u1", "1"),
        update("u2", "1", "in_progress"),
        killed(1),
    ]);
    let shown: Value = serde_json::from_str(&view::Documents::of(&live.run).tasks()).expect("JSON");
    assert_eq!(shown[0]["status"], "in_progress");
}

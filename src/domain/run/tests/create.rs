//! Creation: the rules of a new run.

use super::support::created;
use crate::domain::run::{Rejection, command::NewRun, create::create};

fn refused(change: impl FnOnce(&mut NewRun)) -> Rejection {
    let mut new = created();
    change(&mut new);
    create(new).expect_err("a refusal")
}

#[test]
fn a_run_begins_with_its_creation() {
    assert_eq!(create(created()), Ok(vec![created().into()]));
    let mut longest = created();
    longest.task = "x".repeat(512 * 1024);
    assert!(create(longest).is_ok());
}

#[test]
fn a_task_is_text_and_not_blank() {
    let too_long = "x".repeat(512 * 1024 + 1);
    for task in ["", " \n", "\u{200b}", "a\0b", &too_long] {
        let rejection = refused(|new| task.clone_into(&mut new.task));
        let of_task = matches!(rejection, Rejection::Invalid { field: "task", .. });
        assert!(of_task, "{rejection:?}");
    }
}

#[test]
fn a_project_without_repos_has_no_runs() {
    assert_eq!(refused(|new| new.repos.clear()), Rejection::NoRepo);
}

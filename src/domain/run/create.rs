//! Whether a run may be created, and the event that begins it.

use super::{command::NewRun, decide::Decision, prompt::is_blank, rejection::Rejection};

/// Longest task, in bytes.
const TASK_BYTES_MAX: usize = 512 * 1024;

/// Chooses the events that begin a run.
///
/// # Errors
/// A [`Rejection`] when the task breaks a rule, or there is no repo to work in.
pub fn create(new: NewRun) -> Decision {
    check_task(&new.task)?;
    if new.repos.is_empty() {
        return Err(Rejection::NoRepo);
    }
    Ok(vec![new.into()])
}

fn check_task(task: &str) -> Result<(), Rejection> {
    let why = if is_blank(task) {
        "must not be blank"
    } else if task.len() > TASK_BYTES_MAX || task.contains('\0') {
        // No argument of a program can have a NUL.
        "must be text of at most 512 KiB without NUL"
    } else {
        return Ok(());
    };
    let field = "task";
    Err(Rejection::Invalid { field, why })
}

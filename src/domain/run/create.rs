//! Whether a run may be created, and the event that begins it; and what a text for an agent may be.

use super::{command::NewRun, decide::Decision, prompt::is_blank, rejection::Rejection};

/// Longest text for an agent, in bytes.
const TEXT_BYTES_MAX: usize = 512 * 1024;

/// Chooses the events that begin a run.
///
/// # Errors
/// A [`Rejection`] when the task breaks a rule, or there is no repo to work in.
pub fn create(new: NewRun) -> Decision {
    check(&new)?;
    Ok(vec![new.into()])
}

/// Checks what needs no state of the run.
///
/// # Errors
/// Those of [`create`].
pub(crate) fn check(new: &NewRun) -> Result<(), Rejection> {
    check_text("task", &new.task)?;
    if new.repos.is_empty() {
        return Err(Rejection::NoRepo);
    }
    Ok(())
}

/// Checks a text for an agent: the task, or a message. An adapter may allow less.
///
/// # Errors
/// `Invalid`, with the name of the field.
pub(crate) fn check_text(field: &'static str, text: &str) -> Result<(), Rejection> {
    let why = if is_blank(text) {
        "must not be blank"
    } else if text.len() > TEXT_BYTES_MAX || text.contains('\0') {
        // No argument of a program can have a NUL.
        "must be text of at most 512 KiB without NUL"
    } else {
        return Ok(());
    };
    Err(Rejection::Invalid { field, why })
}

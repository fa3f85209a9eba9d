//! Why an operation came to nothing.

use crate::{
    runtime::{messages::AskError, order::OrderError},
    store::StoreError,
};
use std::error::Error;

/// Why an operation came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// What it is about does not exist.
    #[error("unknown {0}")]
    Unknown(&'static str),
    /// The value of a field breaks a rule.
    #[error("{field} {why}")]
    Invalid {
        /// The field, as callers name it.
        field: String,
        /// Reads on after the field.
        why: String,
    },
    /// A repo of the project has that name.
    #[error("A repo of that name is already in the project.")]
    NameTaken,
    /// The repository is one of the project's.
    #[error("This repository is already in the project.")]
    RepositoryTaken,
    /// What was to be decided is decided already; a whole sentence.
    #[error("{0}")]
    Closed(String),
    /// A bound is reached; a whole sentence.
    #[error("{0}")]
    Full(String),
    /// A rule of the domain or of a run forbids it, or its actor could not.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A failure of ours.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
}

impl OperationError {
    /// The value of a field breaks a rule.
    pub(super) fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            why: why.into(),
        }
    }

    /// A rule of the domain that reads "field why".
    pub(super) fn breaks(rule: &str) -> Self {
        let (field, why) = rule.split_once(' ').unwrap_or((rule, "is wrong"));
        Self::invalid(field, why)
    }

    /// The present state forbids it; a whole sentence.
    pub(super) fn conflict(why: impl Into<String>) -> Self {
        OrderError::Conflict(why.into()).into()
    }

    /// A failure of ours.
    pub(super) fn failed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(source.into())
    }

    /// For `map_err` of a call to the store: the row that it lacks is a `what`.
    pub(super) fn lacking<E: Into<Self>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| {
            let error = error.into();
            if matches!(error, Self::Store(StoreError::Missing)) {
                return Self::Unknown(what);
            }
            error
        }
    }
}

impl From<OrderError> for OperationError {
    fn from(error: OrderError) -> Self {
        Self::Ask(error.into())
    }
}

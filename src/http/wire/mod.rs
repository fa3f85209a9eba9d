//! How requests are read and answered: extractors, idempotency keys, answers, errors.

pub(crate) mod answer;
pub mod error;
pub mod extract;
pub(crate) mod idempotent;
pub mod json;

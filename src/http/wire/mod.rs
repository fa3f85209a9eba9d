//! How requests are read and answered: extractors, idempotency keys, answers, errors.

pub(crate) mod answer;
pub mod error;
pub mod extract;
pub(crate) mod idempotent;
pub mod json;

pub(crate) use answer::{
    ApiResult, array, created, find, no_content, ok, ok_json, read, read_of_run,
};
pub(crate) use error::ApiError;
pub(crate) use extract::{Id, JsonBody, NoBody, Query, RawJson};
pub(crate) use idempotent::{Idempotent, ok_once};

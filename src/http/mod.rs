//! The HTTP edge: the gate, errors, extractors and the pages beside the API proper.
//!
//! Reading order: [`routes`] says what exists, [`gate`] who gets in, [`extract`] how a request is
//! read, [`error`] how the server says no.

pub mod authority;
pub mod connection;
pub mod error;
pub mod extract;
pub mod gate;
pub mod json;
pub mod metrics;
pub mod peer;
pub mod routes;
pub mod side;
pub mod token;

mod agents;
mod answer;
mod branches;
mod changes;
mod events;
mod hook;
mod idempotent;
mod logs;
mod projects;
mod pull_requests;
mod queue;
mod route_class;
mod runs;
mod server;
mod settings;
mod terminal;
mod ui;
mod work;

pub use gate::GateConfig;
pub use routes::openapi;
pub use server::{listen, server};

/// Parts that only the fuzz targets of tests/fuzz look at from outside.
#[doc(hidden)]
pub mod fuzzing {
    pub use super::events::resume_from;
    pub use super::terminal::said;
    pub use actix_web::http::header::HeaderValue;
}

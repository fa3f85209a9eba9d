//! The HTTP edge: connections, the gate, and a handler for each route.
//!
//! Reading order: [`routes`] says what exists, [`gate`] who gets in, [`extract`] how a request is
//! read, `answer` and [`error`] how it is answered. Handlers lie in one file a resource; they read
//! from the store, ask runs, and have everything else done by `runtime::operations`.

pub mod connection;
pub mod error;
pub mod extract;
pub mod gate;
pub mod json;
pub mod metrics;
pub mod routes;
pub mod side;

mod agents;
mod answer;
mod authority;
mod branches;
mod changes;
mod events;
mod hook;
mod idempotent;
mod logs;
mod peer;
mod projects;
mod pull_requests;
mod queue;
mod route_class;
mod runs;
mod server;
mod settings;
mod terminal;
mod token;
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

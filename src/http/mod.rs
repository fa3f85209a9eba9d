//! The HTTP edge of the server.
//!
//! Reading order: [`routes`] says what exists, [`edge`] who gets in, [`wire`] how requests are read
//! and answered, [`api`] what each route does. Handlers read from the store, ask runs, and have
//! everything else done by `runtime::operations`.

pub mod api;
pub mod edge;
pub mod metrics;
pub mod routes;
pub mod wire;

mod route_class;
mod server;

pub use edge::gate::GateConfig;
pub use routes::openapi;
pub(crate) use server::{listen, server};

/// Parts that only the fuzz targets of tests/fuzz look at from outside.
#[doc(hidden)]
pub mod fuzzing {
    pub use super::api::events::resume_from;
    pub use super::api::terminal::client_message;
    pub use actix_web::http::header::HeaderValue;
}

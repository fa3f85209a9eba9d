//! Pull requests of GitHub (also Enterprise) and merge requests of GitLab, over their HTTP APIs.
//!
//! Called by routes and the runtime; all functions are async and stay on the thread they were
//! called on. What must stay true:
//!
//! - a token goes only to the host it is for, and never into a log, an error or `Debug` (`token`);
//! - whatever a forge answers is bounded in time and size, and redirects do not leave it (`http`);
//! - the budget of requests is the user's own: background requests stop long before it is used up
//!   (`budget`).
//!
//! # Layout
//! - `remote`: parses the URL of a git remote.
//! - `error`: what can go wrong.
//! - `config`: settings.
//! - `forges`: which forge is behind a remote, and what callers can have it do.
//! - `api`: what each forge implements; `github`, `gitlab`: the two that do.
//! - `head`: the branch of a pull request, here or in a fork.
//! - `token`: finds tokens; `ssh`: resolves host aliases; `command`: runs the user's programs.
//! - `session`, `http`, `budget`: one request, its limits and its budget; `shared`: what all share.
//! - `status`: the pull requests of a repository, cached for a minute.
//! - `related`: cross-references between the pull requests of one run.

mod api;
mod budget;
mod command;
mod config;
mod error;
mod forges;
mod github;
mod gitlab;
mod head;
mod http;
mod related;
mod remote;
mod session;
mod shared;
mod ssh;
mod status;
mod token;

pub use api::PullRequest;
pub use config::ForgeConfig;
pub use error::ForgeError;
pub use forges::{Forge, Forges};
pub use head::Head;
pub use http::ANSWER_BYTES_MAX;
pub use related::cross_reference;
pub use remote::Remote;
pub use status::{Checks, PrState, PrStatus, PrStatuses};

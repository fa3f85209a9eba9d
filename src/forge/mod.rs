//! Pull requests of GitHub (also Enterprise) and merge requests of GitLab, over their HTTP APIs.
//!
//! Called by routes and the runtime; all functions are async and stay on the thread they were
//! called on. What must stay true:
//!
//! - a token goes only to the host it is for, and never into a log, an error or `Debug` (`token`);
//! - whatever a forge answers is bounded in time and size, and redirects do not leave it (`http`);
//! - the budget of requests is the user's own: looking at pull requests stops by itself long
//!   before it is used up (`budget`).
//!
//! # Layout
//! - `remote`: the URL of a git remote, taken apart.
//! - `error`: what can go wrong.
//! - `config`: what they need to know from outside.
//! - `forges`: which forge is behind a remote, and what callers can have it do.
//! - `api`: what each forge implements; `github`, `gitlab`: the two that do.
//! - `head`: the branch of a pull request, here or in a fork.
//! - `token`: where tokens come from; `ssh`: which host an alias is; `command`: who is asked.
//! - `session`, `http`, `budget`: one request, its bounds and its price; `shared`: what all share.
//! - `status`: what is known of a repository's pull requests, kept for a minute.
//! - `related`: pull requests of one run that name each other.

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

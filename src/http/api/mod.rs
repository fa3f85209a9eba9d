//! The handlers, one file a resource: each reads a request, has it done, and answers.

pub(crate) mod agents;
pub(crate) mod approvals;
pub(crate) mod branches;
pub(crate) mod changes;
pub(crate) mod events;
pub(crate) mod hook;
pub(crate) mod logs;
pub(crate) mod projects;
pub(crate) mod pull_requests;
pub(crate) mod queue;
pub(crate) mod runs;
pub(crate) mod settings;
pub mod side;
pub(crate) mod terminal;
pub(crate) mod ui;
pub(crate) mod work;

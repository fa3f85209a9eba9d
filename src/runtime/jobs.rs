//! What a run's actor works off in order: hooks, looks, the end of the process.

use super::run_actor::Reply;
use crate::domain::run::event::Lacks;
use std::path::PathBuf;
use uuid::Uuid;

/// Something that must keep its order.
pub(super) enum Job {
    /// A hook.
    Hook {
        payload: serde_json::Value,
        delivery: Option<Uuid>,
        from: From,
    },
    /// The transcript may have grown.
    Look,
    /// Nothing was heard of the CLI for too long, unless what waits in line is a word of it.
    Silence(Lacks),
    /// The process is gone.
    Exit {
        report: Option<crate::pty::ExitReport>,
        attempt: u32,
    },
}

/// Where a hook came from.
pub(super) enum From {
    /// A caller waits for it.
    Caller(Reply),
    /// A spool file, removed when its events are durable.
    Spool(PathBuf),
}

//! Hooks as they arrive: what their payloads are, how they are recorded, and how the server proves
//! itself to those who send them.

use crate::{
    cli::{hook_files, hook_program, payload},
    domain::{RunId, run::callers::Callers},
    files,
    runtime::{
        Request, Runtime,
        messages::AskError,
        services::kept_hooks::{KeptHook, may_be_stored_later},
    },
};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::path::Path;
use uuid::Uuid;

/// Key of the data folder, which the hook program can read too.
pub(crate) struct ServerKey(String);

impl ServerKey {
    /// Reads it, or makes one.
    ///
    /// # Errors
    /// One sentence when it can be neither read nor made.
    pub(crate) fn of(runtime: &Runtime) -> Result<Self, String> {
        let data_dir = &runtime.shared.config.data_dir;
        let key = hook_program::key(data_dir);
        key.map(Self)
            .map_err(|error| format!("the key in {} is unusable: {error}", data_dir.display()))
    }

    /// Shows that this server has the key: HMAC-SHA256 of the nonce, a space, and the server's
    /// address. Nothing while that is not known yet.
    #[must_use]
    pub(crate) fn proof(&self, runtime: &Runtime, nonce: &str) -> Option<String> {
        let url = runtime.shared.base_url.get()?;
        let address = url.strip_prefix("http://")?.parse().ok()?;
        Some(hook_program::proof(&self.0, nonce, address))
    }
}

/// The secret of a run's hooks, by the run's folder; nothing when there is no such run. Blocks.
#[must_use]
pub(crate) fn secret(run_dir: &Path) -> Option<String> {
    match files::read_text(&run_dir.join(hook_files::TOKEN), files::SMALL) {
        Ok(text) => Some(text.trim_end().to_owned()),
        // A run whose secret is gone exists all the same, and no secret is right for it.
        Err(_) => run_dir.is_dir().then(String::new),
    }
}

/// The object in a payload that is not quite JSON. What our hook program brings is kept in any case:
/// there is no second copy of it.
#[must_use]
pub(crate) fn repaired(bytes: &[u8], by_hook_program: bool) -> Option<Map<String, Value>> {
    match payload::object(bytes) {
        Ok(object) => Some(object),
        Err(why) if by_hook_program => Some(payload::kept_raw(bytes, &why)),
        Err(_) => None,
    }
}

/// A hook as it arrived.
pub(crate) struct Hook {
    /// The payload.
    pub object: Map<String, Value>,
    /// The payload as the CLI sent it.
    pub bytes: Bytes,
    /// The hook program's id of the delivery.
    pub delivery: Option<Uuid>,
    /// Who called the hook program, when it says so.
    pub callers: Callers,
}

/// Records a hook; answered when its event is durable.
///
/// # Errors
/// Those of [`Runtime::ask`]. A hook with a delivery that the log could not take is kept in memory,
/// and recorded when it can.
pub(crate) async fn record(runtime: &Runtime, run_id: RunId, hook: Hook) -> Result<(), AskError> {
    let Hook {
        object,
        bytes,
        delivery,
        callers,
    } = hook;
    let request = Request::Hook {
        payload: Value::Object(object),
        delivery,
        callers: callers.clone(),
    };
    let recorded = if runtime.shared.kept_hooks.first(Some(run_id)).is_none() {
        runtime.ask(run_id, request).await
    } else {
        runtime.record_after_kept(run_id, request).await
    };
    let Err(error) = recorded else {
        return Ok(());
    };
    // A second try of the same delivery is recognised, others would be recorded twice.
    if let Some(delivery) = delivery.filter(|_| may_be_stored_later(&error)) {
        runtime.keep_hook(KeptHook {
            run_id,
            bytes,
            delivery,
            callers,
        });
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn secrets_are_read_from_the_folder_of_the_run() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("run");
        assert_eq!(secret(&folder), None);
        fs::create_dir_all(&folder).unwrap();
        let of_known_run = secret(&folder);
        assert_eq!(of_known_run.as_deref(), Some(""), "nothing is right");
        fs::write(folder.join("hook.token"), format!("{}\n", "ab".repeat(32))).unwrap();
        assert_eq!(secret(&folder), Some("ab".repeat(32)));
    }
}

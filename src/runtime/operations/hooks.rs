//! Hooks as they arrive: what their payloads are, how they are recorded (in order also when the log
//! could not take some for a while), and how the server proves itself to those who send them.

use crate::{
    cli::{hook_files, hook_program, payload},
    domain::{RunId, run::callers::Callers},
    files,
    runtime::{
        Request, Runtime, ids,
        messages::{AskError, Delivery, Outcome},
        services::kept_hooks::{HOOKS_MAX, KeptHook},
    },
    store::StoreError,
};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::{path::Path, time::Duration};

/// Between two tries to record hooks that are kept.
const AGAIN: Duration = Duration::from_secs(2);

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

/// Records a hook; answered when its event is durable. `bytes` is the payload as it came.
///
/// # Errors
/// Those of [`Runtime::ask`]. A hook with a delivery that the log could not take is kept in memory,
/// and recorded when it can.
pub(crate) async fn record(
    runtime: &Runtime,
    run_id: RunId,
    delivery: Delivery,
    bytes: Bytes,
) -> Result<(), AskError> {
    let (id, callers, waits) = (delivery.id, delivery.callers.clone(), delivery.waits);
    let Err(error) = ask_in_order(runtime, run_id, Request::Hook(delivery)).await else {
        return Ok(());
    };
    // A second try of the same delivery is recognised, others would be recorded twice.
    if let Some(delivery) = id.filter(|_| !waits && may_be_stored_later(&error)) {
        keep(
            runtime,
            KeptHook {
                run_id,
                bytes,
                delivery,
                callers,
            },
        );
    }
    Err(error)
}

/// Asks a run to record a hook, after those of the run that are kept.
async fn ask_in_order(runtime: &Runtime, run_id: RunId, hook: Request) -> Outcome {
    let kept = &runtime.shared.kept_hooks;
    if kept.first(Some(run_id)).is_some() {
        let _recording = kept.recording.lock().await;
        record_kept(runtime, Some(run_id)).await?;
        return runtime.ask(run_id, hook, None).await;
    }
    runtime.ask(run_id, hook, None).await
}

const fn may_be_stored_later(error: &AskError) -> bool {
    matches!(error, AskError::Store(cause) if cause.may_pass())
}

/// True for what says nothing of the hook itself.
const fn may_be_asked_again(error: &AskError) -> bool {
    use AskError::{ActorEnded, Busy, ShuttingDown, Store, TooManyRuns};
    let passes = matches!(
        error,
        ActorEnded
            | Busy { .. }
            | ShuttingDown
            | TooManyRuns { .. }
            | Store(StoreError::Interrupted)
    );
    passes || may_be_stored_later(error)
}

/// Keeps a hook in memory. The hook program spools what is not answered 2xx; on a full disk it cannot.
/// By its delivery's id it is recorded once, also when it was spooled.
fn keep(runtime: &Runtime, hook: KeptHook) {
    if runtime.shared.kept_hooks.keep(hook) {
        log::error!(
            "The log cannot record hooks; up to {HOOKS_MAX} are kept in memory until it can."
        );
        let runtime = runtime.clone();
        actix::spawn(async move { record_all_kept(&runtime).await });
    }
}

/// Records the hooks that are kept, of all runs or of one, up to the first that cannot be.
async fn record_kept(runtime: &Runtime, of: Option<RunId>) -> Result<(), AskError> {
    let kept = &runtime.shared.kept_hooks;
    while let Some(hook) = kept.first(of) {
        match runtime.ask(hook.run_id, hook.request(), None).await {
            Err(error) if may_be_asked_again(&error) => return Err(error),
            // Recorded, or never to be.
            Ok(_) | Err(_) => kept.recorded(&hook),
        }
    }
    Ok(())
}

/// Tries until the log has all that are kept; then records how many went beyond the bound, as a hook of
/// its own.
async fn record_all_kept(runtime: &Runtime) {
    let kept = &runtime.shared.kept_hooks;
    loop {
        tokio::time::sleep(AGAIN).await;
        let recording = kept.recording.lock().await;
        let recorded = record_kept(runtime, None).await;
        drop(recording);
        match recorded {
            Ok(()) => break,
            Err(error) => log::debug!("Hooks are still kept in memory: {error}."),
        }
    }
    for (run_id, lost) in kept.lost() {
        log::error!(run_id:%, lost; "Lost {lost} hooks of run {run_id} while the log could not record them.");
        let request = Request::Hook(Delivery {
            id: Some(ids::random()),
            payload: json!({"hook_event_name": "hooks_lost", "lost": lost}),
            callers: Callers::default(),
            waits: false,
        });
        if let Err(error) = runtime.ask(run_id, request, None).await {
            log::warn!(run_id:%; "Could not record the number of lost hooks: {error}.");
        }
    }
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

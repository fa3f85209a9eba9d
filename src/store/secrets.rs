//! Values of the environment that a run's agent was given: beside the log, never in it.

use super::{
    Reader, StoreError,
    query::{encode_json, first},
};
use crate::domain::{RunId, Secrets, secrets};
use rusqlite::{Connection, params};
use serde_json::{Map, Value};

impl Reader {
    /// The values that a run's agent was given; none for an unknown run.
    ///
    /// # Errors
    /// When the database fails or what is stored does not decode.
    pub fn run_secrets(&self, id: RunId) -> Result<Secrets, StoreError> {
        self.with(|connection| {
            let sql = "SELECT document FROM run_secrets WHERE run_id = ?1";
            let kept: Option<String> = first(connection, sql, [id.0.as_bytes()], |row| row.get(0))?;
            match kept {
                // The fault names no value.
                Some(document) => serde_json::from_str(&document).map_err(|_| {
                    StoreError::Corrupt(format!("the secrets of run {id} do not decode"))
                }),
                None => in_log(connection, id),
            }
        })
    }
}

/// The values in the log itself, of runs that older versions made.
fn in_log(connection: &Connection, id: RunId) -> Result<Secrets, StoreError> {
    let sql = "SELECT payload FROM events
               WHERE run_id = ?1 AND sequence = 1 AND event_type = 'run.created'";
    let payload: Option<String> = first(connection, sql, [id.0.as_bytes()], |row| row.get(0))?;
    let created = payload.and_then(|payload| serde_json::from_str::<Value>(&payload).ok());
    let config = created.as_ref().and_then(|created| {
        let config = created.get("agent")?.get("provider_config")?;
        config.as_object()
    });
    Ok(config.map(Secrets::of).unwrap_or_default())
}

/// Keeps the values of a new run.
pub(super) fn keep(
    connection: &Connection,
    id: RunId,
    secrets: &Secrets,
) -> Result<(), StoreError> {
    let document = encode_json(secrets)?;
    connection
        .prepare_cached("INSERT INTO run_secrets (run_id, document) VALUES (?1, ?2)")?
        .execute(params![id.0.as_bytes(), document])?;
    Ok(())
}

/// Removes the values of a deleted run.
pub(super) fn remove(connection: &Connection, id: RunId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM run_secrets WHERE run_id = ?1")?
        .execute([id.0.as_bytes()])?;
    Ok(())
}

/// The payload of a `run.created` as it may be shown. Logs of older versions hold the values.
pub(super) fn masked(payload: &str) -> Option<String> {
    let mut created: Map<String, Value> = serde_json::from_str(payload).ok()?;
    let agent = created.get_mut("agent")?;
    let config = agent.get_mut("provider_config")?.as_object_mut()?;
    if Secrets::of(config).is_empty() {
        return None;
    }
    secrets::mask(config);
    Some(Value::Object(created).to_string())
}

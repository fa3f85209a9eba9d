//! The notifier's position in the log, and what comes next after it.

use super::{
    Reader, StoreError, Writer,
    catalog::{put_setting, setting_of},
    codec::StoredEvent,
    query::encode_json,
    rows::stored,
};
use crate::domain::{EventId, RunId, settings::NotificationSettings};
use rusqlite::{Connection, Row};

/// Name of the settings document.
const SETTINGS: &str = "notifications";

/// What the notifier looks at next, all of one moment.
pub struct NextToNotify {
    /// The settings.
    pub settings: NotificationSettings,
    /// The notifier's position in the log, as stored.
    pub remembered: EventId,
    /// The first event after it that may cause a notification, when a channel is set up.
    pub event: Option<StoredEvent>,
    /// Whether the event's run asks for it now.
    pub notify: bool,
}

impl Reader {
    /// The settings of notifications; the defaults when they were never changed.
    ///
    /// # Errors
    /// When the database fails or the document does not decode.
    pub fn notification_settings(&self) -> Result<NotificationSettings, StoreError> {
        decode(self.with(|connection| setting_of(connection, SETTINGS))?)
    }

    /// What comes after the notifier's position, or after `handled` when that is further.
    ///
    /// # Errors
    /// When the database fails or the settings do not decode.
    pub fn next_to_notify(&self, handled: EventId) -> Result<NextToNotify, StoreError> {
        self.with(|connection| {
            // One statement sees one moment: an event that was there before the channel was set up
            // is never seen without the position behind it.
            let mut query = connection.prepare_cached(
                "SELECT e.id, e.run_id, e.sequence, e.event_type, e.payload, e.created_at,
                        n.event_id, s.document, COALESCE(json_extract(r.view, '$.notify'), 0)
                 FROM notified n
                 LEFT JOIN settings s ON s.name = 'notifications'
                 LEFT JOIN events e ON e.id = (
                   SELECT id FROM events INDEXED BY events_telling
                   WHERE id > MAX(n.event_id, ?1)
                     AND (event_type = 'run.paused' OR event_type = 'run.completed'
                          OR event_type = 'run.failed' OR event_type = 'agent.needs_attention'
                          OR event_type = 'approval.requested')
                   ORDER BY id LIMIT 1)
                 LEFT JOIN runs r ON r.id = e.run_id",
            )?;
            let (remembered, document, event, notify) = query.query_row([handled], |row| {
                Ok((row.get(6)?, row.get(7)?, maybe_stored(row)?, row.get(8)?))
            })?;
            let settings = decode(document)?;
            let event = event.filter(|_| settings.has_channel());
            Ok(NextToNotify {
                settings,
                remembered,
                event,
                notify,
            })
        })
    }

    /// Shows a run's events, oldest first, up to a sequence; a long log is never held whole.
    ///
    /// # Errors
    /// When the database fails, and what `see` says.
    pub fn walk_run(
        &self,
        id: RunId,
        last_sequence: u64,
        mut see: impl FnMut(&StoredEvent) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.with(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT id, run_id, sequence, event_type, payload, created_at FROM events
                 WHERE run_id = ?1 AND sequence <= ?2 ORDER BY sequence",
            )?;
            let last = i64::try_from(last_sequence).unwrap_or(i64::MAX);
            let mut rows = query.query(rusqlite::params![id.0.as_bytes(), last])?;
            while let Some(row) = rows.next()? {
                see(&stored(row)?)?;
            }
            Ok(())
        })
    }
}

impl Writer {
    /// Stores the notifier's position: all events up to this one are handled.
    pub async fn set_notified(&self, event_id: EventId) -> Result<(), StoreError> {
        self.run(move |connection| {
            connection.execute(
                "UPDATE notified SET event_id = MAX(event_id, ?1)",
                [event_id],
            )?;
            Ok(())
        })
        .await
    }

    /// Changes the settings of notifications: read, changed and written in one transaction. With the
    /// first channel the notifier's position moves to the head of the log. Answers the settings before
    /// and after.
    ///
    /// # Errors
    /// What `change` says, and then nothing is changed; when the database fails.
    pub async fn change_notification_settings<E: From<StoreError> + Send + 'static>(
        &self,
        change: impl FnOnce(&mut NotificationSettings) -> Result<(), E> + Send + 'static,
    ) -> Result<(NotificationSettings, NotificationSettings), E> {
        self.run(move |connection| {
            let before = decode(setting_of(connection, SETTINGS)?)?;
            let mut settings = before.clone();
            change(&mut settings)?;
            put_setting(connection, SETTINGS, &encode_json(&settings)?)?;
            if !before.has_channel() {
                skip_to_head(connection)?;
            }
            Ok((before, settings))
        })
        .await
    }
}

/// Moves the notifier's position to the head of the log.
fn skip_to_head(connection: &Connection) -> Result<(), StoreError> {
    let sql = "UPDATE notified SET event_id = (SELECT COALESCE(MAX(id), 0) FROM events)";
    connection.execute(sql, [])?;
    Ok(())
}

fn decode(document: Option<String>) -> Result<NotificationSettings, StoreError> {
    let settings = document.map(|document| serde_json::from_str(&document));
    // The error names no value: one of them is a secret.
    let settings = settings.transpose();
    Ok(settings
        .map_err(|_| StoreError::Corrupt("the settings of notifications do not decode".into()))?
        .unwrap_or_default())
}

/// The event of a row, or the nulls of none.
fn maybe_stored(row: &Row<'_>) -> rusqlite::Result<Option<StoredEvent>> {
    let id: Option<EventId> = row.get(0)?;
    id.map(|_| stored(row)).transpose()
}

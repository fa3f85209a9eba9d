-- The notifier's position in the log. Applied once, by src/store/migrate.rs.

-- Every event up to here was sent as a notification, or needs none. Advanced after the receiver
-- accepted a message, and to the head of the log when a webhook is set where there was none:
-- earlier events are never sent.
CREATE TABLE notified (
    only     INTEGER PRIMARY KEY CHECK (only = 1),
    event_id INTEGER NOT NULL
) STRICT;
INSERT INTO notified (only, event_id) SELECT 1, COALESCE(MAX(id), 0) FROM events;

-- The few events that may lead to a notification, so that the notifier need not read the whole log.
CREATE INDEX events_telling ON events (id)
WHERE event_type IN ('run.paused', 'run.completed', 'run.failed', 'agent.needs_attention');

-- Redefines the index of events that may lead to a notification: for a list of names SQLite builds a
-- table in memory for each event that is written. Applied once, by src/store/migrate.rs.

DROP INDEX events_telling;
CREATE INDEX events_telling ON events (id)
WHERE event_type = 'run.paused' OR event_type = 'run.completed' OR event_type = 'run.failed'
   OR event_type = 'agent.needs_attention';

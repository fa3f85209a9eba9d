-- Approvals: what CLIs ask of people. Applied once, by src/store/migrate.rs.

-- A projection, written in the transaction of the events that changed it.
CREATE TABLE approvals (
    id           BLOB    PRIMARY KEY,
    run_id       BLOB    NOT NULL,
    state        TEXT    NOT NULL, -- 'open', 'decided', 'expired', 'void'
    requested_at INTEGER NOT NULL,
    document     TEXT    NOT NULL  -- the API's JSON
) STRICT;
CREATE INDEX approvals_by_run ON approvals (run_id, requested_at, id);
CREATE INDEX approvals_by_state ON approvals (state, requested_at, id);

-- A request for an approval may lead to a notification.
DROP INDEX events_telling;
CREATE INDEX events_telling ON events (id)
WHERE event_type = 'run.paused' OR event_type = 'run.completed' OR event_type = 'run.failed'
   OR event_type = 'agent.needs_attention' OR event_type = 'approval.requested';

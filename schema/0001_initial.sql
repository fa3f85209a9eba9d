-- The log, its read model (runs), and the catalog. Applied once, by src/store/migrate.rs.

-- Append-only. `id` is the global order in which events became visible; AUTOINCREMENT, so that an
-- id is never reused, even after a delete. `delivery` is the id of the hook delivery that caused
-- the event, on its first event only: delivered twice, recorded once.
CREATE TABLE events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id     BLOB    NOT NULL,
    sequence   INTEGER NOT NULL CHECK (sequence > 0),
    event_type TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    payload    TEXT    NOT NULL,
    created_at INTEGER NOT NULL, -- milliseconds since 1970, UTC
    delivery   BLOB
) STRICT;
CREATE UNIQUE INDEX events_by_run ON events (run_id, sequence);
CREATE UNIQUE INDEX events_by_delivery ON events (delivery) WHERE delivery IS NOT NULL;

-- The present state of each run: a projection, written in the transaction of the events that
-- changed it. `abbado rebuild` rebuilds it from the log.
CREATE TABLE runs (
    id            BLOB    PRIMARY KEY,
    project_id    BLOB    NOT NULL,
    agent_id      BLOB    NOT NULL,
    status        TEXT    NOT NULL,
    live          INTEGER NOT NULL, -- 1: a process or a request is outstanding; looked at on start
    process_alive INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    view          TEXT    NOT NULL, -- the API's JSON
    tasks         TEXT    NOT NULL  -- the API's JSON
) STRICT;
CREATE INDEX runs_by_age ON runs (created_at, id);
CREATE INDEX runs_live ON runs (live) WHERE live = 1;
CREATE INDEX runs_by_project ON runs (project_id);

CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER events_stay_while_their_run_exists BEFORE DELETE ON events
WHEN EXISTS (SELECT 1 FROM runs WHERE runs.id = OLD.run_id)
BEGIN SELECT RAISE(ABORT, 'the log is append-only while its run exists'); END;

CREATE TABLE projects (
    id             BLOB    PRIMARY KEY,
    name           TEXT    NOT NULL,
    setup_script   TEXT    NOT NULL DEFAULT '',
    cleanup_script TEXT    NOT NULL DEFAULT '',
    copy_files     TEXT    NOT NULL DEFAULT '[]',
    created_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE repos (
    id         BLOB NOT NULL PRIMARY KEY,
    project_id BLOB NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    repo_path  BLOB NOT NULL, -- bytes: a path need not be UTF-8
    git_dir    BLOB NOT NULL, -- the real git folder: the identity of the repository
    UNIQUE (project_id, name),
    UNIQUE (project_id, git_dir)
) STRICT;

CREATE TABLE agents (
    id         BLOB    PRIMARY KEY,
    project_id BLOB    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    document   TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX agents_by_project ON agents (project_id);

CREATE TABLE settings (name TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;

-- First answers to requests with an Idempotency-Key, kept for a day.
CREATE TABLE idempotency (
    scope       TEXT    NOT NULL, -- method and path
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL, -- SHA-256 of the body
    status      INTEGER NOT NULL,
    answer      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Identifies this log: a reader of the stream recognises by it that the data folder was recreated.
CREATE TABLE log_identity (id BLOB NOT NULL) STRICT;
INSERT INTO log_identity (id) VALUES (randomblob(16));

-- The former places of deleted runs in the list of runs: a page that ended with one continues there.
CREATE TABLE deleted_runs (
    id         BLOB    PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

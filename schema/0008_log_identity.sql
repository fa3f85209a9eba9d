-- Which log this is: by it a reader of the stream learns that the data folder was made anew.
CREATE TABLE log_identity (id BLOB NOT NULL) STRICT;
INSERT INTO log_identity (id) VALUES (randomblob(16));

-- Where deleted runs stood in the list of runs: a page that ended with one of them goes on there.
CREATE TABLE deleted_runs (
    id         BLOB    PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

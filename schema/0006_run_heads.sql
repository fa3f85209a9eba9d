-- What nearly every event changes of a run, stored apart from the documents that few events change:
-- the heads of many runs fit in one page, so that a commit for all of them writes few pages. Applied
-- once, by src/store/migrate.rs.

-- A part of the run's view: `updated_at`, `activity` and `last_sequence`, written as `runs` is.
CREATE TABLE run_heads (
    run_id   BLOB PRIMARY KEY,
    document TEXT NOT NULL -- the API's JSON
) STRICT, WITHOUT ROWID;

INSERT INTO run_heads (run_id, document)
SELECT id, json_object('updated_at', view ->> '$.updated_at', 'activity', view -> '$.activity',
                       'last_sequence', view -> '$.last_sequence')
FROM runs;
UPDATE runs SET view = json_remove(view, '$.updated_at', '$.activity', '$.last_sequence');
ALTER TABLE runs DROP COLUMN last_sequence;

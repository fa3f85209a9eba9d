-- Values of the environment of each run's agent, which are never in the log. Applied once, by
-- src/store/migrate.rs.

-- Written with `run.created`, removed with the run. Not a projection: the log cannot reproduce it.
CREATE TABLE run_secrets (
    run_id   BLOB PRIMARY KEY,
    document TEXT NOT NULL -- an object of strings
) STRICT;

-- Stored answers to new agents contained such values.
UPDATE idempotency SET answer = json_set(answer, '$.provider_config.env',
    (SELECT json(json_group_object(key, '***')) FROM json_each(answer, '$.provider_config.env')))
WHERE CASE WHEN json_valid(answer) THEN json_type(answer, '$.provider_config.env') END = 'object';

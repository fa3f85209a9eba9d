-- Values of the environment that each run's agent was given, which the log never holds. Applied
-- once, by src/store/migrate.rs.

-- Written with `run.created`, removed with the run. No projection: the log cannot make it again.
CREATE TABLE run_secrets (
    run_id   BLOB PRIMARY KEY,
    document TEXT NOT NULL -- an object of strings
) STRICT;

-- First answers to new agents held such values.
UPDATE idempotency SET answer = json_set(answer, '$.provider_config.env',
    (SELECT json(json_group_object(key, '***')) FROM json_each(answer, '$.provider_config.env')))
WHERE CASE WHEN json_valid(answer) THEN json_type(answer, '$.provider_config.env') END = 'object';

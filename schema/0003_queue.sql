-- The queued messages of each run, as the API shows them. Applied once, by src/store/migrate.rs.

-- Earlier runs have none.
ALTER TABLE runs ADD COLUMN queue TEXT NOT NULL DEFAULT '[]';

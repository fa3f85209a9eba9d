-- The messages that wait for each run, as the API shows them. Applied once, by src/store/migrate.rs.

-- No run had any before.
ALTER TABLE runs ADD COLUMN queue TEXT NOT NULL DEFAULT '[]';

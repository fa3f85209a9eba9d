-- The filter drivers of the repositories' own configurations that a project allows, as they were
-- when it allowed them. Applied once, by src/store/migrate.rs.

ALTER TABLE projects ADD COLUMN trusted_filters TEXT NOT NULL DEFAULT '[]';

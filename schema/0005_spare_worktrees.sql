-- Whether a worktree of each repo of a project is kept ready for the next run. Applied once, by
-- src/store/migrate.rs.

ALTER TABLE projects ADD COLUMN spare_worktrees INTEGER NOT NULL DEFAULT 0;

//! Projects and their repositories, as values.

mod change;

pub(crate) use change::ProjectChange;

use super::{ProjectId, RepoId, Time, run::prompt::is_blank, time};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use utoipa::ToSchema;

/// Longest name of a project, in characters.
pub(crate) const PROJECT_NAME_CHARS_MAX: usize = 200;
/// Longest name of a repo, in characters; it becomes a folder name.
pub(crate) const REPO_NAME_CHARS_MAX: usize = 64;

/// A set of repositories that agents work on together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProjectView)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// What people call it; 1 to 200 characters, not blank.
    pub name: String,
    /// Its repositories, oldest first.
    pub repos: Vec<Repo>,
    /// Time of creation.
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// Whether a spare worktree of each repo is kept ready for the next run.
    pub spare_worktrees: bool,
    /// Filter drivers of its repositories' own configurations that may run.
    #[serde(serialize_with = "names")]
    #[schema(value_type = Vec<String>)]
    pub trusted_filters: Vec<TrustedFilter>,
    /// How its worktrees are set up.
    #[serde(flatten)]
    pub set_up: SetUp,
}

/// A filter driver of a repository's own configuration that may run, with the definition that was
/// allowed. Keys that the configuration does not set are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedFilter {
    /// The repository.
    #[serde(default)]
    pub repo_id: Option<RepoId>,
    /// Its name in `filter.<name>`.
    pub name: String,
    /// The clean command: converts file contents for the repository.
    pub clean: Option<String>,
    /// The smudge command: converts stored contents for the worktree.
    pub smudge: Option<String>,
    /// The long-running command that does both.
    pub process: Option<String>,
    /// The value of `required`: whether git fails when the filter fails.
    pub required: Option<String>,
}

/// The API shows only their names.
fn names<S: serde::Serializer>(filters: &[TrustedFilter], to: S) -> Result<S::Ok, S::Error> {
    let names: std::collections::BTreeSet<_> = filters.iter().map(|filter| &filter.name).collect();
    to.collect_seq(names)
}

/// How a new worktree is set up, and cleaned up before it is removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetUp {
    /// Shell script run in each new worktree before the CLI; empty for none.
    #[serde(default)]
    #[schema(required)]
    pub setup_script: String,
    /// Shell script run in each worktree before it is removed; empty for none.
    #[serde(default)]
    #[schema(required)]
    pub cleanup_script: String,
    /// Globs of ignored files (`.env`) copied from the user's checkout.
    #[serde(default)]
    #[schema(required)]
    pub copy_files: Vec<String>,
}

/// A repository of a project, by the path of the user's checkout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RepoView)]
pub struct Repo {
    /// Its id.
    pub id: RepoId,
    /// Unique in the project; a folder name.
    pub name: String,
    /// Absolute path of the user's checkout.
    #[schema(value_type = String)]
    pub repo_path: PathBuf,
}

/// Returns the rule that a project's name breaks, if any.
#[must_use]
pub(crate) fn project_name_fault(name: &str) -> Option<&'static str> {
    if is_blank(name) {
        return Some("name must not be blank");
    }
    (name.chars().count() > PROJECT_NAME_CHARS_MAX)
        .then_some("name must have at most 200 characters")
}

/// Returns the rule that a repo's name breaks, if any. The rules keep it a plain folder name.
#[must_use]
pub(crate) fn repo_name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > REPO_NAME_CHARS_MAX {
        return Some("name must have 1 to 64 characters");
    }
    if name.starts_with(['.', '-']) {
        return Some("name must not start with '.' or '-'");
    }
    (!name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)))
    .then_some("name may contain only letters, digits, '.', '_' and '-'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repo_names_are_folder_names() {
        for good in ["a", "api.v2", "A_b-c", &"x".repeat(64)] {
            assert_eq!(repo_name_fault(good), None, "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".git",
            "-x",
            "a/b",
            "a b",
            "é",
            &"x".repeat(65),
        ] {
            assert!(repo_name_fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn project_names_are_not_blank() {
        assert_eq!(project_name_fault("x"), None);
        assert_eq!(project_name_fault(&"é".repeat(200)), None);
        assert!(project_name_fault(" \t").is_some());
        assert!(project_name_fault("\u{200b}\u{202e}").is_some());
        assert!(project_name_fault(&"x".repeat(201)).is_some());
    }
}

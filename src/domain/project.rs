//! Projects and their repositories, as values.

use super::{ProjectId, RepoId, Time, run::prompt::is_blank, set, time};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use utoipa::ToSchema;

/// Longest name of a project, in characters.
pub(crate) const PROJECT_NAME_CHARS_MAX: usize = 200;
/// Longest name of a repo, in characters; it becomes a folder name.
pub(crate) const REPO_NAME_CHARS_MAX: usize = 64;

/// Most globs of `copy_files`, and the longest script in bytes.
const GLOBS_MAX: usize = 100;
const SCRIPT_BYTES_MAX: usize = 64 * 1024;
/// Longest name of a filter, in bytes.
const FILTER_BYTES_MAX: usize = 200;

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
pub(crate) fn validate_project_name(name: &str) -> Option<&'static str> {
    if is_blank(name) {
        return Some("name must not be blank");
    }
    (name.chars().count() > PROJECT_NAME_CHARS_MAX)
        .then_some("name must have at most 200 characters")
}

/// Returns the rule that a repo's name breaks, if any. The rules keep it a plain folder name.
#[must_use]
pub(crate) fn validate_repo_name(name: &str) -> Option<&'static str> {
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

/// Fields of a changed project; an absent one is left alone.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProjectChange {
    name: Option<String>,
    /// Shell script run in each new worktree before the CLI.
    setup_script: Option<String>,
    /// Shell script run in each worktree before it is removed.
    cleanup_script: Option<String>,
    /// Globs of ignored files copied from the user's checkout.
    copy_files: Option<Vec<String>>,
    /// Whether a worktree of each repo is kept ready for the next run: runs begin sooner, for the
    /// disk space of one checkout a repo.
    spare_worktrees: Option<bool>,
    /// Names of filter drivers that may run though only the repositories' own configurations define them
    /// (git-crypt), as they are defined now; when a definition changes, the name has to be sent again. Of
    /// a filter that is not defined at all: that files may be committed without it.
    pub trusted_filters: Option<Vec<String>>,
}

impl ProjectChange {
    /// Says what is wrong with a field, or nothing.
    #[must_use]
    pub(crate) fn validate(&self) -> Option<String> {
        let broken = self.name.as_deref().and_then(validate_project_name);
        if let Some(why) = broken {
            return Some(why.to_owned());
        }
        for (field, script) in [
            ("setup_script", &self.setup_script),
            ("cleanup_script", &self.cleanup_script),
        ] {
            let fits = |script: &String| script.len() <= SCRIPT_BYTES_MAX && !script.contains('\0');
            if !script.as_ref().is_none_or(fits) {
                return Some(format!("{field} must be text of at most 64 KiB"));
            }
        }
        let filters = self.trusted_filters.as_deref().unwrap_or_default();
        let wrong = |name: &String| {
            name.is_empty() || name.len() > FILTER_BYTES_MAX || name.contains(['\0', '\n'])
        };
        if filters.len() > GLOBS_MAX {
            return Some("trusted_filters must have at most 100 names".to_owned());
        }
        if let Some(at) = filters.iter().position(wrong) {
            return Some(format!(
                "trusted_filters[{at}] must be the name of a filter"
            ));
        }
        let globs = self.copy_files.as_deref().unwrap_or_default();
        if globs.len() > GLOBS_MAX {
            return Some("copy_files must have at most 100 globs".to_owned());
        }
        let fine = |glob: &String| {
            let inside = !glob.starts_with('/') && !glob.split('/').any(|part| part == "..");
            inside && !glob.is_empty() && globset::Glob::new(glob).is_ok()
        };
        let at = globs.iter().position(|glob| !fine(glob))?;
        Some(format!(
            "copy_files[{at}] must be a glob of files inside the checkout"
        ))
    }

    /// Changes the fields that are given, except `trusted_filters`: of these the definitions are
    /// needed.
    pub(crate) fn apply(self, project: &mut Project) {
        set(&mut project.name, self.name);
        set(&mut project.spare_worktrees, self.spare_worktrees);
        set(&mut project.set_up.setup_script, self.setup_script);
        set(&mut project.set_up.cleanup_script, self.cleanup_script);
        set(&mut project.set_up.copy_files, self.copy_files);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repo_names_are_folder_names() {
        for good in ["a", "api.v2", "A_b-c", &"x".repeat(64)] {
            assert_eq!(validate_repo_name(good), None, "{good}");
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
            assert!(validate_repo_name(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn project_names_are_not_blank() {
        assert_eq!(validate_project_name("x"), None);
        assert_eq!(validate_project_name(&"é".repeat(200)), None);
        assert!(validate_project_name(" \t").is_some());
        assert!(validate_project_name("\u{200b}\u{202e}").is_some());
        assert!(validate_project_name(&"x".repeat(201)).is_some());
    }
}

//! The fields of a changed project.

use super::{Project, project_name_fault};
use serde::Deserialize;
use utoipa::ToSchema;

/// Most globs of `copy_files`, and the longest script in bytes.
const GLOBS_MAX: usize = 100;
const SCRIPT_BYTES_MAX: usize = 64 * 1024;
/// Longest name of a filter, in bytes.
const FILTER_BYTES_MAX: usize = 200;

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
    pub(crate) fn fault(&self) -> Option<String> {
        let name_fault = self.name.as_deref().and_then(project_name_fault);
        if let Some(why) = name_fault {
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
        fn set<T>(field: &mut T, given: Option<T>) {
            if let Some(value) = given {
                *field = value;
            }
        }
        set(&mut project.name, self.name);
        set(&mut project.spare_worktrees, self.spare_worktrees);
        set(&mut project.set_up.setup_script, self.setup_script);
        set(&mut project.set_up.cleanup_script, self.cleanup_script);
        set(&mut project.set_up.copy_files, self.copy_files);
    }
}

//! The filter drivers of a repository's own configuration that the user allowed to run.
//!
//! What is allowed is the driver as it was then: its command lines are remembered, and run instead
//! of what the configuration says. A driver that was changed since is off again.
//!
//! The runtime sets what is allowed, for all repositories at once.

use super::configuration::Configuration;
use crate::domain::TrustedFilter;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

/// What the user allowed, by the repositories' common git folders.
static TRUSTED: RwLock<BTreeMap<PathBuf, Vec<TrustedFilter>>> = RwLock::new(BTreeMap::new());

/// Replaces what is allowed in all repositories.
pub(crate) fn trust_filters(all: BTreeMap<PathBuf, Vec<TrustedFilter>>) {
    *TRUSTED.write().unwrap_or_else(PoisonError::into_inner) = all;
}

/// The same for one repository.
#[cfg(test)]
pub(super) fn trust_in(git_dir: &Path, filters: Vec<TrustedFilter>) {
    let mut all = TRUSTED.write().unwrap_or_else(PoisonError::into_inner);
    all.insert(git_dir.to_owned(), filters);
}

/// Whether anything is allowed in any repository.
#[must_use]
pub(crate) fn trusts_filters() -> bool {
    let all = TRUSTED.read().unwrap_or_else(PoisonError::into_inner);
    all.values().any(|filters| !filters.is_empty())
}

/// What is allowed in the repository of a git folder, which may be the record of a worktree.
pub(super) fn trusted(git_dir: &Path) -> Vec<TrustedFilter> {
    let all = TRUSTED.read().unwrap_or_else(PoisonError::into_inner);
    if all.is_empty() {
        return Vec::new();
    }
    let above = git_dir.parent().filter(|it| it.ends_with("worktrees"));
    let common = above.and_then(Path::parent).unwrap_or(git_dir);
    let common = common.canonicalize().unwrap_or_else(|_| common.to_owned());
    all.get(&common).cloned().unwrap_or_default()
}

/// The driver of a name as a configuration has it now; one that it does not define has no command
/// lines.
pub(super) fn driver(configuration: &Configuration, name: &str) -> TrustedFilter {
    let value = |variable: &str| {
        let key = format!("filter.{name}.{variable}");
        let value = configuration.value(key.as_bytes(), |_| true);
        value.map(|value| String::from_utf8_lossy(value).into_owned())
    };
    TrustedFilter {
        repo_id: None,
        name: name.to_owned(),
        clean: value("clean"),
        smudge: value("smudge"),
        process: value("process"),
        required: value("required"),
    }
}

/// Whether two drivers run the same.
pub(super) fn same(one: &TrustedFilter, other: &TrustedFilter) -> bool {
    (&one.clean, &one.smudge, &one.process, &one.required)
        == (&other.clean, &other.smudge, &other.process, &other.required)
}

/// The settings that let those run which are allowed and as they were.
pub(super) fn settings(git_dir: &Path, configuration: &Configuration) -> Vec<(OsString, OsString)> {
    let mut settings = Vec::new();
    for allowed in trusted(git_dir) {
        if !same(&allowed, &driver(configuration, &allowed.name)) {
            continue;
        }
        let values = [
            ("clean", allowed.clean),
            ("smudge", allowed.smudge),
            ("process", allowed.process),
            ("required", allowed.required),
        ];
        for (variable, value) in values {
            if let Some(value) = value {
                let key = format!("filter.{}.{variable}", allowed.name);
                // Without a value it is true.
                let without = value.is_empty() && variable == "required";
                let value = if without { "true".into() } else { value };
                settings.push((key.into(), value.into()));
            }
        }
    }
    settings
}

/// Lets git-crypt find its keys in a worktree: it looks for them in the git folder that it is started
/// with, which is the worktree's record. Only where the user allowed it to run.
pub(super) fn link_keys(common_dir: &Path, admin: &Path) {
    const NAME: &str = "git-crypt";
    let allowed = trusted(common_dir);
    let crypts = allowed.iter().any(|filter| filter.name.starts_with(NAME));
    if crypts
        && admin != common_dir
        && common_dir.join(NAME).is_dir()
        && let Err(error) = std::os::unix::fs::symlink(common_dir.join(NAME), admin.join(NAME))
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        log::warn!(error:% = error; "git-crypt does not find its keys in a worktree.");
    }
}

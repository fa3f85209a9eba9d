//! Filter drivers that a repository's own configuration defines.
//!
//! They are programs, so they stay off ([`super::place`]) until the user allows them by name. What is
//! allowed is the driver as it was then: its command lines are remembered, and run instead of what the
//! configuration says. A driver that was changed since is off again.
//!
//! A file whose attributes name a filter that is off must not be committed or pushed: what git-crypt
//! would encrypt would go out as plain text. Checkpoints hold such files as they lie on disk: their refs
//! are on this machine alone, and nothing here pushes them.
//!
//! What is allowed is told by the runtime, for all repositories at once.

use super::{GitError, place::Place, program::Program, repository, staging::Staging};
use crate::domain::{TrustedFilter, run::event::WorktreeAt};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

/// What the user allowed, by the repositories' common git folders.
static TRUSTED: RwLock<BTreeMap<PathBuf, Vec<TrustedFilter>>> = RwLock::new(BTreeMap::new());

/// Replaces what is allowed in all repositories.
pub fn trust_filters(all: BTreeMap<PathBuf, Vec<TrustedFilter>>) {
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
pub fn trusts_filters() -> bool {
    let all = TRUSTED.read().unwrap_or_else(PoisonError::into_inner);
    all.values().any(|filters| !filters.is_empty())
}

/// What is allowed in the repository of a git folder, which may be the record of a worktree.
pub(super) fn trusted(git_dir: &Path) -> Vec<TrustedFilter> {
    let all = TRUSTED.read().unwrap_or_else(PoisonError::into_inner);
    if all.is_empty() {
        return Vec::new();
    }
    let above = git_dir
        .parent()
        .filter(|parent| parent.ends_with("worktrees"));
    let common = above.and_then(Path::parent).unwrap_or(git_dir);
    let common = common.canonicalize().unwrap_or_else(|_| common.to_owned());
    all.get(&common).cloned().unwrap_or_default()
}

/// The drivers of these names as a repository's configuration has them now. One that it does not define
/// has no command lines.
///
/// # Errors
/// `NotARepository`, and those of starting `git`.
pub fn filter_drivers(repo_path: &Path, names: &[String]) -> Result<Vec<TrustedFilter>, GitError> {
    let repository = repository::open(repo_path)?;
    let place = Place::open(repository.path(), repo_path)?;
    Ok(names.iter().map(|name| driver(&place, name)).collect())
}

fn driver(place: &Place, name: &str) -> TrustedFilter {
    let value = |variable: &str| {
        let value = place.value(format!("filter.{name}.{variable}").as_bytes());
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
fn same(one: &TrustedFilter, other: &TrustedFilter) -> bool {
    (&one.clean, &one.smudge, &one.process, &one.required)
        == (&other.clean, &other.smudge, &other.process, &other.required)
}

/// The settings that let those run which are allowed and as they were.
pub(super) fn settings(place: &Place) -> Vec<(OsString, OsString)> {
    let mut settings = Vec::new();
    for allowed in trusted(place.git_dir()) {
        if !same(&allowed, &driver(place, &allowed.name)) {
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
                let value = if value.is_empty() && variable == "required" {
                    "true".into()
                } else {
                    value
                };
                settings.push((key.into(), value.into()));
            }
        }
    }
    settings
}

/// Why a filter does not run; nothing when it does, or when the user allowed that it does not.
fn off(place: &Place, name: &str) -> Option<&'static str> {
    let now = driver(place, name);
    let trusted = trusted(place.git_dir());
    if let Some(allowed) = trusted.iter().find(|allowed| allowed.name == name) {
        return (!same(allowed, &now)).then_some("was changed since it was allowed");
    }
    let runs = ["clean", "process"];
    if runs
        .iter()
        .any(|variable| place.is_set(&format!("filter.{name}.{variable}")))
    {
        None
    } else if now.clean.is_some() || now.process.is_some() {
        Some("is defined by the repository's own configuration and not allowed to run")
    } else {
        Some("is not configured on this machine")
    }
}

/// Refuses when attributes name a filter for one of the paths (NUL after each) that is off.
fn check(place: &Place, asking: Program<'_>, paths: Vec<u8>) -> Result<(), GitError> {
    if paths.is_empty() {
        return Ok(());
    }
    let told = asking
        .args(["check-attr", "-z", "--stdin", "filter"])
        .input(paths)
        .run()?;
    let fields: Vec<&[u8]> = told.split(|byte| *byte == 0).collect();
    let mut fine = BTreeSet::new();
    // Path, name and value.
    for told in fields.chunks_exact(3) {
        let filter = String::from_utf8_lossy(told[2]).into_owned();
        let named = !["unspecified", "unset", "set"].contains(&filter.as_str());
        if !named || fine.contains(&filter) {
            continue;
        }
        if let Some(why) = off(place, &filter) {
            let path = String::from_utf8_lossy(told[0]).into_owned();
            return Err(GitError::FilterOff { filter, path, why });
        }
        fine.insert(filter);
    }
    Ok(())
}

/// Refuses a commit of files whose filter is off.
///
/// # Errors
/// `FilterOff`, and those of `git`.
pub(super) fn check_commit(staging: &Staging) -> Result<(), GitError> {
    let place = &staging.place;
    let status = place
        .git("git status")
        .args(["status", "--porcelain", "-z", "--no-renames"])
        .args(["--untracked-files=all", "--ignore-submodules=all"])
        .limit(super::program::HEAVY)
        .run()?;
    // `XY <path>`
    let mut paths = Vec::new();
    for path in status
        .split(|byte| *byte == 0)
        .filter_map(|line| line.get(3..))
    {
        paths.extend_from_slice(path);
        paths.push(0);
    }
    check(place, place.git("git check-attr"), paths)
}

/// Refuses a push of a branch on which files were changed since `base_commit` whose filter is off.
///
/// # Errors
/// `FilterOff`, `NotARepository`, and those of `git`.
pub fn check_push(
    repo_path: &Path,
    at: Option<&WorktreeAt>,
    branch: &str,
    base_commit: &str,
) -> Result<(), GitError> {
    let repository = repository::open(repo_path)?;
    let place = super::remotes::place_of(&repository, repo_path, at)?;
    let tip = format!("refs/heads/{branch}");
    let Some(commit) = repository::branch_tip(&repository, branch)? else {
        return Ok(()); // the push says so
    };
    let paths = place
        .git("git diff-tree")
        .args(["diff-tree", "-r", "-z", "--name-only", "--no-renames"])
        .args(["--diff-filter=AMT", base_commit, &tip])
        .limit(super::program::HEAVY)
        .run()?;
    let asking = place
        .git("git check-attr")
        .env("GIT_ATTR_SOURCE", commit.to_string());
    check(&place, asking, paths)
}

/// Lets git-crypt find its keys from a worktree: it looks for them in the git folder that it is started
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
        log::warn!(error:% = error; "git-crypt will not find its keys in a worktree.");
    }
}

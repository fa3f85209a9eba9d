//! Filter drivers that a repository's own configuration defines.
//!
//! They are programs, so they stay off ([`super::place`]) until the user allows them by name
//! ([`super::trusted`]).
//!
//! A file whose attributes name a filter that is off must not be committed or pushed: what git-crypt
//! should encrypt would leave the machine as plain text. Checkpoints store such files as they are on
//! disk: nothing here pushes their refs.

use super::{
    GitError,
    command::{Command, HEAVY},
    place::Place,
    remotes, repository,
    staging::Staging,
    text::{items, list},
    trusted::{driver, same, trusted},
};
use crate::domain::{TrustedFilter, run::event::WorktreeAt};
use std::{collections::BTreeSet, path::Path};

/// The drivers of these names as a repository's configuration has them now. One that it does not define
/// has no command lines.
///
/// # Errors
/// `NotARepository`, and those of starting `git`.
pub(crate) fn filter_drivers(
    repo_path: &Path,
    names: &[String],
) -> Result<Vec<TrustedFilter>, GitError> {
    let repository = repository::open(repo_path)?;
    let place = Place::open(repository.path(), repo_path)?;
    let names = names.iter();
    let drivers = names.map(|name| driver(place.configuration(), name));
    Ok(drivers.collect())
}

/// Why a filter does not run; `None` when it does, or when its present definition is allowed.
fn off(place: &Place, name: &str) -> Option<&'static str> {
    let now = driver(place.configuration(), name);
    let trusted = trusted(place.git_dir());
    if let Some(allowed) = trusted.iter().find(|allowed| allowed.name == name) {
        return (!same(allowed, &now)).then_some("has changed since it was allowed");
    }
    let runs = |variable| place.is_set(&format!("filter.{name}.{variable}"));
    if runs("clean") || runs("process") {
        None
    } else if now.clean.is_some() || now.process.is_some() {
        Some("is defined by the repository's own configuration and not allowed to run")
    } else {
        Some("is not configured on this machine")
    }
}

/// Refuses when attributes name a filter for one of the paths (NUL after each) that is off.
fn check(place: &Place, asking: Command<'_>, paths: Vec<u8>) -> Result<(), GitError> {
    if paths.is_empty() {
        return Ok(());
    }
    let told = asking
        .args(["-z", "--stdin", "filter"])
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
        .git("status --porcelain -z --no-renames --untracked-files=all --ignore-submodules=all")
        .limit(HEAVY)
        .run()?;
    // `XY <path>`
    let paths = list(items(&status).filter_map(|line| line.get(3..)));
    check(place, place.git("check-attr"), paths)
}

/// Refuses a push of a branch on which files were changed since `base_commit` whose filter is off.
///
/// # Errors
/// `FilterOff`, `NotARepository`, and those of `git`.
pub(crate) fn check_push(
    repo_path: &Path,
    at: Option<&WorktreeAt>,
    branch: &str,
    base_commit: &str,
) -> Result<(), GitError> {
    let repository = repository::open(repo_path)?;
    let place = remotes::place_of(&repository, repo_path, at)?;
    let tip = format!("refs/heads/{branch}");
    let Some(commit) = repository::branch_tip(&repository, branch)? else {
        return Ok(()); // the push says so
    };
    let paths = place
        .git("diff-tree -r -z --name-only --no-renames --diff-filter=AMT")
        .args([base_commit, &tip])
        .limit(HEAVY)
        .run()?;
    let asking = place.git("check-attr");
    let asking = asking.env("GIT_ATTR_SOURCE", commit.to_string());
    check(&place, asking, paths)
}

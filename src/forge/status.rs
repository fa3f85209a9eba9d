//! The pull requests of a repository, cached for a minute.

use super::{error::ForgeError, remote::Remote};
use crate::domain::Time;
use serde::Serialize;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// How long an answer is reused, in seconds.
pub(super) const FRESH_SECS: i64 = 60;
/// Branches in one request; more take further requests.
pub(super) const BRANCHES_A_REQUEST_MAX: usize = 100;
/// Branches whose pull requests are requested; further ones are left out.
pub(super) const BRANCHES_MAX: usize = 1000;
/// Repositories in the cache; beyond that all are dropped.
const REPOSITORIES_MAX: usize = 256;

/// Where a pull request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PrState {
    /// Open, and ready for review.
    Open,
    /// Closed without a merge.
    Closed,
    /// Merged.
    Merged,
    /// Open, not yet ready for review.
    Draft,
}

/// What its checks or pipeline say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Checks {
    /// There are none, or they were all skipped.
    None,
    /// Not all have ended, or one waits for a person.
    Pending,
    /// All went well.
    Success,
    /// At least one did not, or was cancelled.
    Failure,
}

/// The pull request of one branch: the open one, else the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PrStatus {
    /// The branch that was asked for.
    pub branch: String,
    /// Its number; GitLab's `iid`.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub state: PrState,
    /// Its page: `http` or `https`, or empty when the forge named another scheme.
    pub url: String,
    /// What its checks say.
    pub checks: Checks,
}

impl PrStatus {
    /// Whether it can still be merged.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, PrState::Open | PrState::Draft)
    }
}

/// What is known of the asked branches. Branches without a pull request are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrStatuses {
    /// In the order of branch names.
    pub statuses: Vec<PrStatus>,
    /// When the forge was asked.
    pub as_of: Time,
    /// Set when the answer is old because the forge must not be asked before this time.
    pub limited_until: Option<Time>,
}

/// One answer of a forge.
#[derive(Debug)]
pub(super) struct Known {
    pub as_of: Time,
    pub branches: BTreeSet<String>,
    pub statuses: Vec<PrStatus>,
}

impl Known {
    /// Whether it is new enough to be reused.
    pub(super) fn is_fresh(&self, now: Time) -> bool {
        let age = (now - self.as_of).num_milliseconds();
        (0..FRESH_SECS * 1000).contains(&age)
    }

    /// The part of it that was asked for.
    pub(super) fn answer(
        &self,
        wanted: &BTreeSet<String>,
        limited_until: Option<Time>,
    ) -> PrStatuses {
        let statuses = self.statuses.iter();
        PrStatuses {
            statuses: statuses
                .filter(|pr| wanted.contains(&pr.branch))
                .cloned()
                .collect(),
            as_of: self.as_of,
            limited_until,
        }
    }

    /// The old answer, when `error` is only about a rate limit.
    pub(super) fn instead(
        slot: Option<&Self>,
        wanted: &BTreeSet<String>,
        error: ForgeError,
    ) -> Result<PrStatuses, ForgeError> {
        match (slot, &error) {
            (Some(known), ForgeError::RateLimited { until, .. }) => {
                Ok(known.answer(wanted, Some(*until)))
            }
            _ => Err(error),
        }
    }
}

/// The cache of one repository. The one that holds the lock sends the request; others wait for its answer.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<Known>>>;

/// All repositories.
#[derive(Debug, Default)]
pub(super) struct Statuses(Mutex<HashMap<(Remote, Option<Remote>), Slot>>);

impl Statuses {
    /// Of a repository, for branches of a fork or its own.
    pub(super) fn slot(&self, remote: &Remote, fork: Option<&Remote>) -> Slot {
        let key = (remote.clone(), fork.cloned());
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= REPOSITORIES_MAX && !slots.contains_key(&key) {
            slots.clear();
        }
        slots.entry(key).or_default().clone()
    }
}

/// For each branch the open one, else the newest: `found` is sorted from new to old.
pub(super) fn choose(found: Vec<PrStatus>) -> Vec<PrStatus> {
    let mut chosen: Vec<PrStatus> = Vec::new();
    for pr in found {
        match chosen.iter_mut().find(|other| other.branch == pr.branch) {
            None => chosen.push(pr),
            Some(other) if pr.is_open() && !other.is_open() => *other = pr,
            Some(_) => {}
        }
    }
    chosen.sort_by(|a, b| a.branch.cmp(&b.branch));
    chosen
}

/// A link that a page may show: nothing but `http` and `https`.
pub(super) fn web_url(url: String) -> String {
    let fine = url.starts_with("https://") || url.starts_with("http://");
    if fine { url } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pr(branch: &str, number: u64, state: PrState) -> PrStatus {
        PrStatus {
            branch: branch.to_owned(),
            number,
            title: String::new(),
            state,
            url: String::new(),
            checks: Checks::None,
        }
    }

    #[test]
    fn the_open_one_of_a_branch_counts_else_the_newest() {
        let chosen = choose(vec![
            pr("b", 9, PrState::Closed),
            pr("b", 8, PrState::Draft),
            pr("b", 7, PrState::Open),
            pr("a", 6, PrState::Merged),
            pr("a", 5, PrState::Closed),
        ]);
        let numbers: Vec<u64> = chosen.iter().map(|pr| pr.number).collect();
        assert_eq!(numbers, [6, 8]);
    }

    #[test]
    fn no_script_becomes_a_link() {
        assert_eq!(web_url("https://h/1".to_owned()), "https://h/1");
        assert_eq!(web_url("javascript:alert(1)".to_owned()), "");
    }
}

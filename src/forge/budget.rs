//! How many requests may still be sent to a host.
//!
//! The budget belongs to the user's account, and the user's other tools share it. So background
//! requests (the state of pull requests) stop once 40 % of a budget is used, by any program, until the
//! forge resets it: the stricter of the two ways to read "stops at 40 %", and one that needs no count of
//! our own, which a restart would lose. What the user requests (a new pull request) is not limited. When
//! the forge itself asks to wait, no request is sent.

use super::error::ForgeError;
use crate::domain::Time;
use awc::http::header::HeaderMap;
use chrono::{DateTime, TimeDelta};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Share of a budget, in percent, after which no background request is sent.
pub(super) const BUDGET_PERCENT_MAX: u64 = 40;
/// Longest wait that we accept from a forge, in seconds.
pub(super) const PAUSE_SECS_MAX: i64 = 2 * 60 * 60;
/// Wait when a forge limits us without saying how long, in seconds (GitHub asks for a minute).
const PAUSE_SECS_DEFAULT: i64 = 60;
/// Times below this are "in so many seconds", others seconds since 1970.
const EPOCH_SECS_MIN: i64 = 1_000_000_000;

/// The state of a budget, as the forge reported it.
#[derive(Debug, Clone, Copy)]
struct Budget {
    limit: u64,
    remaining: u64,
    reset_at: Time,
}

#[derive(Debug, Default)]
struct Known {
    /// By host and budget; GitHub has one for REST and one for GraphQL.
    budgets: HashMap<(String, String), Budget>,
    /// Hosts that get no request before a time.
    pauses: HashMap<String, Time>,
}

/// What all hosts reported, shared by all calls.
#[derive(Debug, Default)]
pub(super) struct Budgets(Mutex<Known>);

impl Budgets {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores what an answer reports. `resource` names the budget if the answer does not.
    pub(super) fn observe(&self, host: &str, resource: &str, headers: &HeaderMap, now: Time) {
        let (Some(limit), Some(remaining)) = (
            number(headers, &["x-ratelimit-limit", "ratelimit-limit"]),
            number(headers, &["x-ratelimit-remaining", "ratelimit-remaining"]),
        ) else {
            return;
        };
        let named = text(headers, "x-ratelimit-resource").filter(|name| name.len() < 64);
        let resource = named.unwrap_or(resource).to_owned();
        let budget = Budget {
            limit: limit.unsigned_abs(),
            remaining: remaining.unsigned_abs(),
            reset_at: reset_at(headers, now).unwrap_or(now + seconds(PAUSE_SECS_DEFAULT)),
        };
        let key = (host.to_owned(), resource);
        self.known().budgets.insert(key, budget);
    }

    /// The forge refused because of too many requests; returns until when no request is sent.
    pub(super) fn pause(&self, host: &str, headers: &HeaderMap, now: Time) -> Time {
        let spent = number(headers, &["x-ratelimit-remaining", "ratelimit-remaining"]) == Some(0);
        let until = retry_after(headers, now)
            .or_else(|| reset_at(headers, now).filter(|_| spent))
            .unwrap_or(now + seconds(PAUSE_SECS_DEFAULT));
        self.known().pauses.insert(host.to_owned(), until);
        until
    }

    /// Whether a request may be sent.
    ///
    /// # Errors
    /// The forge said to wait.
    pub(super) fn admit(&self, host: &str, now: Time) -> Result<(), ForgeError> {
        match self.known().pauses.get(host) {
            Some(until) if now < *until => {
                let message = "it asked to wait".to_owned();
                Err(ForgeError::rate_limited(host, *until, message))
            }
            _ => Ok(()),
        }
    }

    /// Whether a request may be sent that the user did not ask for.
    ///
    /// # Errors
    /// The forge said to wait, or enough of the budget is used.
    pub(super) fn admit_background(
        &self,
        host: &str,
        resource: &str,
        now: Time,
    ) -> Result<(), ForgeError> {
        self.admit(host, now)?;
        let key = (host.to_owned(), resource.to_owned());
        let Some(budget) = self.known().budgets.get(&key).copied() else {
            return Ok(());
        };
        let used = u128::from(budget.limit.saturating_sub(budget.remaining));
        let spent = used * 100 >= u128::from(budget.limit) * u128::from(BUDGET_PERCENT_MAX);
        if now < budget.reset_at && spent {
            let message = format!("{used} of its {} requests are used", budget.limit);
            return Err(ForgeError::rate_limited(host, budget.reset_at, message));
        }
        Ok(())
    }
}

/// Whether a 403 is about a rate limit, as with GitHub, and not about permissions.
pub(super) fn is_limit(headers: &HeaderMap, message: &str) -> bool {
    headers.contains_key("retry-after")
        || number(headers, &["x-ratelimit-remaining"]) == Some(0)
        || message.to_ascii_lowercase().contains("rate limit")
}

fn seconds(count: i64) -> TimeDelta {
    TimeDelta::seconds(count.clamp(0, PAUSE_SECS_MAX))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, names: &[&str]) -> Option<i64> {
    let value = names.iter().find_map(|name| text(headers, name))?;
    value.trim().parse().ok().filter(|count| *count >= 0)
}

fn reset_at(headers: &HeaderMap, now: Time) -> Option<Time> {
    let at = number(headers, &["x-ratelimit-reset", "ratelimit-reset"])?;
    let left = if at < EPOCH_SECS_MIN {
        at
    } else {
        at.saturating_sub(now.timestamp())
    };
    Some(now + seconds(left))
}

fn retry_after(headers: &HeaderMap, now: Time) -> Option<Time> {
    let value = text(headers, "retry-after")?.trim();
    let left = match value.parse() {
        Ok(left) => left,
        Err(_) => (DateTime::parse_from_rfc2822(value).ok()?.to_utc() - now).num_seconds(),
    };
    Some(now + seconds(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use awc::http::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_str(value).unwrap();
            headers.insert(HeaderName::from_static(name), value);
        }
        headers
    }

    fn at(second: i64) -> Time {
        Time::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn said(remaining: &str) -> HeaderMap {
        headers(&[
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", remaining),
            ("x-ratelimit-reset", "1800000600"),
            ("x-ratelimit-resource", "graphql"),
        ])
    }

    #[test]
    fn background_requests_stop_at_forty_percent_until_the_reset() {
        let budgets = Budgets::default();
        assert!(budgets.admit_background("h", "graphql", at(0)).is_ok());
        budgets.observe("h", "graphql", &said("3001"), at(0));
        assert!(budgets.admit_background("h", "graphql", at(0)).is_ok());
        budgets.observe("h", "graphql", &said("3000"), at(0));
        let error = budgets
            .admit_background("h", "graphql", at(599))
            .unwrap_err();
        let ForgeError::RateLimited { until, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(until, at(600));
        assert!(
            budgets.admit("h", at(0)).is_ok(),
            "what the user asks for goes on"
        );
        assert!(
            budgets.admit_background("h", "core", at(0)).is_ok(),
            "another budget"
        );
        assert!(budgets.admit_background("other", "graphql", at(0)).is_ok());
        assert!(budgets.admit_background("h", "graphql", at(600)).is_ok());
    }

    #[test]
    fn gitlabs_headers_and_times_to_go_are_read() {
        let budgets = Budgets::default();
        let said = headers(&[
            ("ratelimit-limit", "100"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", "30"),
        ]);
        budgets.observe("h", "api", &said, at(0));
        assert!(budgets.admit_background("h", "api", at(29)).is_err());
        assert!(budgets.admit_background("h", "api", at(30)).is_ok());
    }

    #[test]
    fn a_host_that_says_wait_is_left_alone_but_not_for_ever() {
        for (pairs, until) in [
            (vec![("retry-after", "7")], 7),
            (vec![("retry-after", "Fri, 15 Jan 2027 08:00:30 GMT")], 30),
            (vec![("retry-after", "9223372036854775807")], PAUSE_SECS_MAX),
            (vec![("retry-after", "-5")], 0),
            (vec![("retry-after", "soon")], 60),
            (vec![], 60),
            (
                vec![
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1800000090"),
                ],
                90,
            ),
            (
                vec![
                    ("x-ratelimit-remaining", "9"),
                    ("x-ratelimit-reset", "1800000090"),
                ],
                60,
            ),
        ] {
            let budgets = Budgets::default();
            assert_eq!(
                budgets.pause("h", &headers(&pairs), at(0)),
                at(until),
                "{pairs:?}"
            );
            assert!(until == 0 || budgets.admit("h", at(until - 1)).is_err());
            assert!(budgets.admit("h", at(until)).is_ok());
        }
    }

    #[test]
    fn nonsense_in_headers_is_left_aside() {
        let budgets = Budgets::default();
        for (limit, remaining) in [("x", "1"), ("-1", "1"), ("1", "99999999999999999999")] {
            let said = headers(&[
                ("x-ratelimit-limit", limit),
                ("x-ratelimit-remaining", remaining),
            ]);
            budgets.observe("h", "core", &said, at(0));
        }
        assert!(budgets.admit_background("h", "core", at(0)).is_ok());
        let more = headers(&[
            ("x-ratelimit-limit", "5"),
            ("x-ratelimit-remaining", "9223372036854775807"),
            ("x-ratelimit-reset", "9223372036854775807"),
        ]);
        budgets.observe("h", "core", &more, at(0));
        assert!(budgets.admit_background("h", "core", at(0)).is_ok());
    }
}

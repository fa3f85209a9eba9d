//! Counters and gauges of this server, rendered as Prometheus text.
//!
//! The gate counts requests and refusals; the store, the broadcaster and the registry are handed
//! the same [`Metrics`] and count the rest.
//! Holds: no label comes from a request, so that the number of lines is fixed.

use actix_web::http::StatusCode;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::http::route_class::RouteClass;

/// The rule of the gate that refused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// 2: the authority.
    Host,
    /// 3: Origin and Sec-Fetch-Site.
    Origin,
    /// 4: the peer's user.
    Peer,
    /// 4: the token.
    Token,
    /// 4: too many wrong tokens.
    TokenRate,
    /// 5: the type of a body.
    Media,
    /// 6: the hook secret.
    HookSecret,
}

impl Rule {
    const ALL: [Self; 7] = [
        Self::Host,
        Self::Origin,
        Self::Peer,
        Self::Token,
        Self::TokenRate,
        Self::Media,
        Self::HookSecret,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Peer => "peer",
            Self::Token => "token",
            Self::TokenRate => "token_rate",
            Self::Media => "media",
            Self::HookSecret => "hook_secret",
        }
    }
}

const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// All numbers of one server.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: [[AtomicU64; STATUS_CLASSES.len()]; RouteClass::ALL.len()],
    refusals: [AtomicU64; Rule::ALL.len()],
    /// Readers of event streams, connected now. The stream's guard holds it.
    pub sse_readers: AtomicU64,
    /// Hook payloads that were recorded since start, spooled ones included.
    pub hooks_received: AtomicU64,
}

/// Numbers that others know, read when the page is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Elsewhere {
    /// Events that the store committed since start.
    pub events_appended: u64,
    /// Runs with a process, now.
    pub live_runs: usize,
    /// Runs whose actor is awake, now.
    pub awake_runs: usize,
    /// Runs folded from their log since start.
    pub folded_runs: u64,
    /// Worktrees that are ready for the next run.
    pub spare_worktrees: usize,
}

impl Metrics {
    /// Counts an answered request.
    pub fn answered(&self, class: RouteClass, status: StatusCode) {
        let cells = &self.requests[class.index()];
        if let Some(cell) = cells.get(usize::from(status.as_u16() / 100).saturating_sub(1)) {
            cell.fetch_add(1, Relaxed);
        }
    }

    /// Counts a request that the gate refused.
    pub fn refused(&self, rule: Rule) {
        self.refusals[rule as usize].fetch_add(1, Relaxed);
    }

    /// How often a rule refused a request.
    #[must_use]
    pub fn refusals(&self, rule: Rule) -> u64 {
        self.refusals[rule as usize].load(Relaxed)
    }

    /// Renders all numbers in the Prometheus text format 0.0.4.
    #[must_use]
    pub fn render(&self, elsewhere: Elsewhere) -> String {
        let mut page = Page(String::with_capacity(4096));
        let requests = "abbado_http_requests_total";
        page.head(requests, "counter", "Answered requests.");
        for (class, cells) in RouteClass::ALL.iter().zip(&self.requests) {
            for (status, cell) in STATUS_CLASSES.iter().zip(cells) {
                let labels = format!("{{class=\"{}\",status=\"{status}\"}}", class.name());
                page.line(requests, &labels, cell.load(Relaxed));
            }
        }
        let refusals = "abbado_gate_refusals_total";
        page.head(refusals, "counter", "Requests refused, by rule.");
        for rule in Rule::ALL {
            let labels = format!("{{rule=\"{}\"}}", rule.name());
            page.line(refusals, &labels, self.refusals(rule));
        }
        let readers = self.sse_readers.load(Relaxed);
        page.gauge("abbado_sse_readers", "Event readers.", readers);
        let events = elsewhere.events_appended;
        page.counter("abbado_events_appended_total", "Events committed.", events);
        let hooks = self.hooks_received.load(Relaxed);
        page.counter(
            "abbado_hooks_received_total",
            "Hook payloads recorded.",
            hooks,
        );
        let live = elsewhere.live_runs as u64;
        page.gauge("abbado_live_runs", "Runs with a process.", live);
        let awake = elsewhere.awake_runs as u64;
        page.gauge("abbado_awake_runs", "Runs whose actor is in memory.", awake);
        let folded = elsewhere.folded_runs;
        page.counter(
            "abbado_folded_runs_total",
            "Runs folded from their log.",
            folded,
        );
        let spares = elsewhere.spare_worktrees as u64;
        page.gauge(
            "abbado_spare_worktrees",
            "Worktrees ready for a run.",
            spares,
        );
        page.0
    }
}

/// The text under construction. Writing into a `String` cannot fail.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").unwrap_or_default();
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        writeln!(self.0, "{name}{labels} {value}").unwrap_or_default();
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.line(name, "", value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "gauge", help);
        self.line(name, "", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_appear_under_their_names() {
        let metrics = Metrics::default();
        metrics.answered(RouteClass::Write, StatusCode::CREATED);
        metrics.answered(RouteClass::Write, StatusCode::OK);
        metrics.refused(Rule::HookSecret);
        metrics.sse_readers.fetch_add(1, Relaxed);
        let text = metrics.render(Elsewhere {
            events_appended: 9,
            live_runs: 2,
            awake_runs: 3,
            folded_runs: 1,
            spare_worktrees: 4,
        });
        for line in [
            "abbado_http_requests_total{class=\"write\",status=\"2xx\"} 2",
            "abbado_gate_refusals_total{rule=\"hook_secret\"} 1",
            "abbado_sse_readers 1",
            "abbado_live_runs 2",
            "abbado_events_appended_total 9",
            "abbado_awake_runs 3",
            "abbado_folded_runs_total 1",
            "abbado_spare_worktrees 4",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is missing in {text}"
            );
        }
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn every_rule_has_its_own_cell() {
        for (place, rule) in Rule::ALL.iter().enumerate() {
            assert_eq!(place, *rule as usize);
        }
        for (place, class) in RouteClass::ALL.iter().enumerate() {
            assert_eq!(place, class.index());
        }
    }
}

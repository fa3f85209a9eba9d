//! The table of all routes, and which rule of the gate each falls under.
//!
//! The gate classifies every request by it before any handler; a test compares it with what is
//! registered. A request that matches no row is treated as the strictest class.
//! Holds: patterns are matched against the path as the router sees it (percent-decoded once), so
//! that an encoded path cannot be one thing to the gate and another to the router.

use actix_web::http::Method;

use RouteClass::{Hook, Open, Read, Terminal, TokenCookie, Ui, Write};

/// What the gate asks of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteClass {
    /// Health: behind the Host check alone.
    Open,
    /// Changes nothing.
    Read,
    /// Changes something; a body must be JSON.
    Write,
    /// The terminal's upgrade: a GET that is treated as a write.
    Terminal,
    /// A CLI's hook: opened by the run's own secret.
    Hook,
    /// `GET /`: the web UI's page, and with `?token=` the place where the cookie is set.
    TokenCookie,
    /// Files of the web UI.
    Ui,
}

impl RouteClass {
    /// All classes, in the order of [`RouteClass::index`].
    pub const ALL: [Self; 7] = [Open, Read, Write, Terminal, Hook, TokenCookie, Ui];

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Open => "open",
            Read => "read",
            Write => "write",
            Terminal => "terminal",
            Hook => "hook",
            TokenCookie => "token_cookie",
            Ui => "ui",
        }
    }

    /// The place in [`RouteClass::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether a browser renders the answer, which then needs a Content-Security-Policy.
    #[must_use]
    pub const fn is_page(self) -> bool {
        matches!(self, TokenCookie | Ui)
    }
}

/// One route: a method on a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method; a GET answers HEAD too (the terminal aside).
    pub method: Method,
    /// `{name}` stands for one segment, `{name}*` for the rest of the path.
    pub path_pattern: &'static str,
    /// What the gate asks.
    pub class: RouteClass,
}

const fn route(method: Method, path_pattern: &'static str, class: RouteClass) -> Route {
    Route {
        method,
        path_pattern,
        class,
    }
}

const fn get(path_pattern: &'static str) -> Route {
    route(Method::GET, path_pattern, Read)
}

const fn post(path_pattern: &'static str) -> Route {
    route(Method::POST, path_pattern, Write)
}

const fn put(path_pattern: &'static str) -> Route {
    route(Method::PUT, path_pattern, Write)
}

const fn delete(path_pattern: &'static str) -> Route {
    route(Method::DELETE, path_pattern, Write)
}

/// Every route of the API and the web UI.
pub const ROUTES: &[Route] = &[
    // Looked for first: nothing else is asked for as often.
    route(Method::POST, "/api/runs/{id}/hook", Hook),
    // Others
    route(Method::GET, "/api/health", Open),
    route(Method::GET, "/api/proof", Open),
    get("/api/openapi.json"),
    get("/api/version"),
    get("/api/metrics"),
    get("/api/fs/dirs"),
    route(Method::GET, "/", TokenCookie),
    // Places of the web UI, all the same page: its router goes on from the address.
    route(Method::GET, "/runs", Ui),
    route(Method::GET, "/runs/{place}*", Ui),
    route(Method::GET, "/compare", Ui),
    route(Method::GET, "/projects", Ui),
    route(Method::GET, "/projects/{place}*", Ui),
    route(Method::GET, "/usage", Ui),
    route(Method::GET, "/settings/{place}*", Ui),
    route(Method::GET, "/favicon.svg", Ui),
    route(Method::GET, "/assets/{file}*", Ui),
    // Projects and repos
    post("/api/projects"),
    get("/api/projects"),
    get("/api/projects/{id}"),
    put("/api/projects/{id}"),
    delete("/api/projects/{id}"),
    post("/api/projects/{id}/repos"),
    delete("/api/projects/{project_id}/repos/{repo_id}"),
    // Agents
    post("/api/agents"),
    get("/api/agents/{id}"),
    put("/api/agents/{id}"),
    delete("/api/agents/{id}"),
    get("/api/projects/{project_id}/agents"),
    get("/api/agent-templates"),
    // Runs
    post("/api/runs"),
    get("/api/runs"),
    get("/api/runs/{id}"),
    delete("/api/runs/{id}"),
    post("/api/runs/{id}/cancel"),
    post("/api/runs/{id}/pause"),
    post("/api/runs/{id}/continue"),
    post("/api/runs/{id}/retry"),
    post("/api/runs/{id}/notify"),
    get("/api/runs/{id}/queue"),
    post("/api/runs/{id}/queue"),
    put("/api/runs/{id}/queue"),
    delete("/api/runs/{id}/queue/{message_id}"),
    // Events
    get("/api/events/stream"),
    get("/api/events/head"),
    get("/api/runs/{id}/events"),
    get("/api/runs/{id}/events/stream"),
    get("/api/runs/{id}/logs"),
    get("/api/runs/{id}/tasks"),
    // Changes and git
    get("/api/runs/{id}/changes"),
    get("/api/runs/{id}/diff-stats"),
    post("/api/runs/{id}/commit"),
    post("/api/runs/{id}/push"),
    post("/api/runs/{id}/pull-request"),
    post("/api/runs/{id}/rename-branch"),
    post("/api/runs/{id}/accept"),
    post("/api/runs/{id}/revert"),
    get("/api/runs/{id}/checkpoints"),
    post("/api/runs/{id}/checkpoints/{number}/restore"),
    get("/api/projects/{id}/branches"),
    delete("/api/projects/{id}/branches"),
    post("/api/projects/{id}/branches/merge"),
    post("/api/projects/{id}/branches/rebase"),
    get("/api/projects/{id}/branches/pr-status"),
    // Settings
    get("/api/settings/models"),
    put("/api/settings/models"),
    get("/api/settings/notifications"),
    put("/api/settings/notifications"),
    post("/api/settings/notifications/test"),
    // Terminal
    route(Method::GET, "/api/terminal", Terminal),
];

/// Says which class a request falls under; `path` is the one that the router matches.
///
/// What matches no row is [`RouteClass::Read`] for GET and HEAD, and else [`RouteClass::Write`].
#[must_use]
pub fn classify(method: &Method, path: &str) -> RouteClass {
    let reads = *method == Method::GET || *method == Method::HEAD;
    let effective = if reads { &Method::GET } else { method };
    let row = ROUTES
        .iter()
        .find(|row| row.method == *effective && matches(row.path_pattern, path));
    match row {
        Some(row) => row.class,
        None if reads => Read,
        None => Write,
    }
}

/// Lists the methods that a path takes; empty when no row has the path.
#[must_use]
pub fn allowed_methods(path: &str) -> Vec<&'static Method> {
    let mut methods = Vec::new();
    for row in ROUTES.iter().filter(|row| matches(row.path_pattern, path)) {
        methods.push(&row.method);
        if row.method == Method::GET && row.class != Terminal {
            methods.push(&Method::HEAD);
        }
    }
    methods
}

/// Compares a path with a pattern, segment by segment. `{x}` takes one non-empty segment.
#[must_use]
pub fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        if expected.starts_with('{') && expected.ends_with("}*") {
            return segments.next().is_some_and(|segment| !segment.is_empty());
        }
        let Some(segment) = segments.next() else {
            return false;
        };
        let fits = if expected.starts_with('{') {
            !segment.is_empty()
        } else {
            segment == expected
        };
        if !fits {
            return false;
        }
    }
    segments.next().is_none()
}

/// Finds the run's id in the path of its hook; nothing when it is no UUID.
#[must_use]
pub fn run_of_hook(path: &str) -> Option<uuid::Uuid> {
    let id = path.strip_prefix("/api/runs/")?.strip_suffix("/hook")?;
    super::extract::parse_id(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_row_is_there_twice() {
        let mut seen = HashSet::new();
        for row in ROUTES {
            assert!(
                seen.insert((row.method.clone(), row.path_pattern)),
                "{row:?}"
            );
        }
    }

    #[test]
    fn a_get_is_never_a_write_and_a_write_never_a_get() {
        for row in ROUTES {
            let reads = matches!(row.class, Open | Read | Terminal | TokenCookie | Ui);
            assert_eq!(reads, row.method == Method::GET, "{row:?}");
        }
    }

    #[test]
    fn each_row_is_found_by_an_example_of_its_path() {
        for row in ROUTES {
            let path = row.path_pattern.replace("{file}*", "a/b.js");
            let path = path.replace('{', "x").replace('}', "y");
            assert_eq!(classify(&row.method, &path), row.class, "{path}");
            let mut longer = path.clone();
            longer.push('/');
            if row.class != Ui {
                assert_ne!(classify(&Method::GET, &longer), Open, "{longer}");
            }
        }
    }

    #[test]
    fn what_matches_no_row_is_strict() {
        assert_eq!(classify(&Method::POST, "/api/health"), Write);
        assert_eq!(classify(&Method::OPTIONS, "/api/runs"), Write);
        assert_eq!(classify(&Method::GET, "/api/health/"), Read);
        assert_eq!(classify(&Method::GET, "//api/health"), Read);
        assert_eq!(classify(&Method::POST, "/api/runs//hook"), Write);
        assert_eq!(classify(&Method::HEAD, "/api/terminal"), Terminal);
        assert_eq!(classify(&Method::PATCH, "/"), Write);
    }

    #[test]
    fn paths_know_their_methods() {
        assert_eq!(allowed_methods("/api/terminal"), [&Method::GET]);
        assert_eq!(allowed_methods("/api/runs/x/hook"), [&Method::POST]);
        assert!(allowed_methods("/api/none").is_empty());
    }

    #[test]
    fn the_run_of_a_hook_is_read_from_the_path() {
        let id = "6f1d6c3e-9a0b-4c53-8f57-0d6a4d1a2b3c";
        let found = run_of_hook(&format!("/api/runs/{id}/hook"));
        assert_eq!(found.map(|id| id.to_string()).as_deref(), Some(id));
        assert!(run_of_hook("/api/runs/x/hook").is_none());
    }
}

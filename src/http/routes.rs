//! The table of all routes: each handler, and which rule of the gate it falls under.
//!
//! A handler's own attributes name its method, path and types. Registration, the gate's classes and
//! `openapi.json` follow from the table, so a route is added in its handler's file and here.
//! The gate classifies every request before any handler; one that matches no row is treated as the
//! strictest class.
//! Holds: patterns are matched against the path as the router sees it (percent-decoded once), so
//! that an encoded path cannot be one thing to the gate and another to the router.

pub mod openapi;

use crate::http::{
    api::{
        agents, approvals, branches, changes, events, hook, logs, projects, pull_requests, queue,
        runs, settings, side, terminal, ui, work,
    },
    wire::{error::ApiError, extract::parse_id},
};
use actix_web::{HttpRequest, HttpResponse, http::Method, web};
use std::sync::LazyLock;
use utoipa::openapi::HttpMethod;

pub use crate::http::route_class::RouteClass;
use RouteClass::{Hook, Open, Read, Terminal, TokenCookie, Ui, Write};

/// One route: a method on a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method; a GET answers HEAD too (the terminal aside).
    pub method: Method,
    /// `{name}` stands for one segment, `{name}*` for the rest of the path.
    pub path_pattern: String,
    /// What the gate asks.
    pub class: RouteClass,
}

impl Route {
    /// The route that a handler's attributes name.
    fn of<H: utoipa::Path>(class: RouteClass) -> Self {
        let method = match H::methods().first() {
            Some(HttpMethod::Post) => Method::POST,
            Some(HttpMethod::Put) => Method::PUT,
            Some(HttpMethod::Delete) => Method::DELETE,
            _ => Method::GET,
        };
        Self {
            method,
            path_pattern: H::path(),
            class,
        }
    }
}

macro_rules! routes {
    ($($module:ident::$handler:ident => $class:ident,)*) => {
        fn api_routes() -> Vec<Route> {
            vec![$(Route::of::<$module::$handler>($class)),*]
        }

        fn register_api(app: &mut web::ServiceConfig) {
            $(app.service($module::$handler);)*
        }

        /// The document before `openapi` completes it.
        #[derive(utoipa::OpenApi)]
        #[openapi(
            info(
                title = "abbado",
                description = "Runs of AI coding CLIs as append-only event logs. \
                Errors are a status code with one plain-text sentence."
            ),
            paths($($module::$handler),*)
        )]
        pub(super) struct Document;
    };
}

// Looked through in this order.
routes! {
    // Nothing is asked for as often as this one.
    hook::receive => Hook,
    side::health => Open,
    hook::prove => Open,
    openapi::show => Read,
    side::version => Read,
    side::show_metrics => Read,
    side::dirs => Read,
    // Projects and repos
    projects::create => Write,
    projects::list => Read,
    projects::get => Read,
    projects::change => Write,
    projects::remove => Write,
    projects::add_repo => Write,
    projects::remove_repo => Write,
    // Agents
    agents::create => Write,
    agents::get => Read,
    agents::change => Write,
    agents::remove => Write,
    agents::list => Read,
    agents::list_templates => Read,
    // Runs
    runs::create => Write,
    runs::list => Read,
    runs::get => Read,
    runs::remove => Write,
    runs::cancel => Write,
    runs::pause => Write,
    runs::continue_run => Write,
    runs::retry => Write,
    runs::notify => Write,
    runs::tasks => Read,
    queue::list => Read,
    queue::add => Write,
    queue::reorder => Write,
    queue::remove => Write,
    logs::logs => Read,
    approvals::list => Read,
    approvals::of_run => Read,
    approvals::decide => Write,
    // Events
    events::of_all => Read,
    events::head => Read,
    events::list => Read,
    events::of_run => Read,
    // Changes and git
    changes::list => Read,
    changes::diff_stats => Read,
    changes::list_checkpoints => Read,
    work::restore => Write,
    work::commit => Write,
    work::push => Write,
    work::accept => Write,
    work::revert => Write,
    work::rename_branch => Write,
    pull_requests::open => Write,
    pull_requests::status => Read,
    branches::list => Read,
    branches::remove => Write,
    branches::merge => Write,
    branches::rebase => Write,
    // Settings
    settings::get_models => Read,
    settings::put_models => Write,
    settings::get_notifications => Read,
    settings::put_notifications => Write,
    settings::test_notifications => Write,
    terminal::open => Terminal,
}

/// Pages of the web UI: one document, whose router reads the address.
const PAGES: [(&str, RouteClass); 9] = [
    ("/", TokenCookie),
    ("/runs", Ui),
    ("/runs/{place}*", Ui),
    ("/inbox", Ui),
    ("/compare", Ui),
    ("/projects", Ui),
    ("/projects/{place}*", Ui),
    ("/usage", Ui),
    ("/settings/{place}*", Ui),
];
const ICON: &str = "/favicon.svg";
const ASSETS: &str = "/assets/{file}*";

/// Every route of the API and the web UI.
pub static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let mut all = api_routes();
    let files = [(ICON, Ui), (ASSETS, Ui)];
    all.extend(PAGES.into_iter().chain(files).map(|(path, class)| Route {
        method: Method::GET,
        path_pattern: path.to_owned(),
        class,
    }));
    all
});

/// Registers every route with its handler.
pub(super) fn register(app: &mut web::ServiceConfig) {
    register_api(app);
    for (path, _) in PAGES {
        app.route(path, web::get().to(ui::page));
    }
    app.route(ICON, web::get().to(ui::icon))
        .route(ASSETS, web::get().to(ui::asset));
}

/// Says which class a request falls under; `path` is the one that the router matches.
///
/// What matches no row is [`RouteClass::Read`] for GET and HEAD, and else [`RouteClass::Write`].
#[must_use]
pub fn classify(method: &Method, path: &str) -> RouteClass {
    let reads = *method == Method::GET || *method == Method::HEAD;
    let effective = if reads { &Method::GET } else { method };
    let row = ROUTES
        .iter()
        .find(|row| row.method == *effective && matches(&row.path_pattern, path));
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
    for row in ROUTES.iter().filter(|row| matches(&row.path_pattern, path)) {
        methods.push(&row.method);
        if row.method == Method::GET && row.class != Terminal {
            methods.push(&Method::HEAD);
        }
    }
    methods
}

/// The error for a path (as the router sees it) under a method that it does not take: 405 where the
/// path exists with another method, else 404.
#[must_use]
pub fn refuse(path: &str) -> ApiError {
    let allowed = allowed_methods(path);
    if allowed.is_empty() {
        ApiError::not_found("path")
    } else {
        ApiError::method_not_allowed(&allowed)
    }
}

/// Answers what no route takes.
///
/// # Errors
/// Always; see [`refuse`].
pub async fn unknown(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(refuse(request.match_info().unprocessed()))
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
    parse_id(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{
        App, ResponseError,
        http::StatusCode,
        test::{TestRequest, call_service, init_service},
    };
    use std::collections::HashSet;

    #[test]
    fn no_row_is_there_twice() {
        let mut seen = HashSet::new();
        for row in ROUTES.iter() {
            assert!(
                seen.insert((row.method.clone(), row.path_pattern.clone())),
                "{row:?}"
            );
        }
    }

    #[actix_web::test]
    async fn every_route_of_the_table_is_registered() {
        let nowhere = web::to(HttpResponse::NotImplemented);
        let app = App::new().configure(register).default_service(nowhere);
        let app = init_service(app).await;
        for row in ROUTES.iter() {
            let path = row.path_pattern.replace("{file}*", "a/b.js");
            let request = TestRequest::with_uri(&path).method(row.method.clone());
            let answer = call_service(&app, request.to_request()).await;
            // Most handlers lack their data here, which is 500.
            assert_ne!(answer.status(), StatusCode::NOT_IMPLEMENTED, "{row:?}");
        }
    }

    #[test]
    fn a_get_is_never_a_write_and_a_write_never_a_get() {
        for row in ROUTES.iter() {
            let reads = matches!(row.class, Open | Read | Terminal | TokenCookie | Ui);
            assert_eq!(reads, row.method == Method::GET, "{row:?}");
        }
    }

    #[test]
    fn each_row_is_found_by_an_example_of_its_path() {
        for row in ROUTES.iter() {
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
    fn what_no_route_takes_is_405_where_the_path_exists_and_else_404() {
        let error = refuse("/api/health");
        assert_eq!(error.status_code(), StatusCode::METHOD_NOT_ALLOWED);
        let answer = error.error_response();
        assert_eq!(answer.headers().get("allow").unwrap(), "GET, HEAD");
        let error = refuse("/api/nothing");
        assert_eq!(error.status_code(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_run_of_a_hook_is_read_from_the_path() {
        let id = "6f1d6c3e-9a0b-4c53-8f57-0d6a4d1a2b3c";
        let found = run_of_hook(&format!("/api/runs/{id}/hook"));
        assert_eq!(found.map(|id| id.to_string()).as_deref(), Some(id));
        assert!(run_of_hook("/api/runs/x/hook").is_none());
    }
}

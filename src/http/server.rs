//! The listening socket, the workers, and every route with its handler.

use super::{
    agents, branches, changes,
    connection::{self, Waits},
    error, events,
    gate::{Gate, GateConfig, RunFolderSecrets},
    hook, logs,
    metrics::Metrics,
    openapi, projects, pull_requests, queue, runs, settings,
    side::{self, HomeDir},
    terminal, ui, work,
};
use crate::{
    cli::hook_program,
    config::Config,
    forge::{ForgeConfig, Forges},
    runtime::{Runtime, clock},
};
use actix_web::{App, dev::Server, web};
use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

/// What the gate checks, from the server's settings.
///
/// # Errors
/// One sentence when the settings would let strangers in.
pub fn gate_config(config: &Config) -> Result<GateConfig, String> {
    GateConfig::new(config.bind, &config.allowed_hosts, config.token.clone())
}

/// Opens the listening socket.
///
/// # Errors
/// One sentence that names the address.
pub fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            format!(
                "{address} is taken by another program; choose another with --bind or ABBADO_BIND"
            )
        } else {
            format!("{address} cannot be listened on: {error}")
        }
    })
}

/// Builds the server on a listening socket.
///
/// # Errors
/// When the socket cannot be used.
pub fn server(
    runtime: Runtime,
    mut gate: GateConfig,
    listener: TcpListener,
) -> Result<Server, String> {
    gate.bound = listener.local_addr().map_err(|error| error.to_string())?;
    let data_dir = &runtime.shared.config.data_dir;
    let key = hook_program::key(data_dir)
        .map_err(|error| format!("the key of {} is unusable: {error}", data_dir.display()))?;
    let key = web::Data::new(hook::ServerKey(key));
    let metrics = Arc::new(Metrics::default());
    let secrets = RunFolderSecrets {
        data_dir: runtime.shared.config.data_dir.clone(),
    };
    let gate = Gate::new(gate, secrets, Arc::clone(&metrics));
    let home = web::Data::new(HomeDir(runtime.shared.config.home.clone()));
    let metrics = web::Data::new(metrics);
    let installed = web::Data::new(settings::Installed::default());
    let mut at_forges = ForgeConfig::new(runtime.shared.config.server_env.clone(), clock::now);
    at_forges
        .github_api
        .clone_from(&runtime.shared.config.github_api);
    at_forges
        .gitlab_api
        .clone_from(&runtime.shared.config.gitlab_api);
    let forges = web::Data::new(Forges::new(at_forges));
    let runtime = web::Data::new(runtime);
    let app = move || {
        App::new()
            .app_data(web::Data::clone(&runtime))
            .app_data(web::Data::clone(&home))
            .app_data(web::Data::clone(&metrics))
            .app_data(web::Data::clone(&installed))
            .app_data(web::Data::clone(&key))
            .app_data(web::Data::clone(&forges))
            .configure(error::install)
            .configure(routes)
            .default_service(web::to(error::unknown_route))
            .wrap(gate.clone())
    };
    connection::serve(app, listener, Waits::default()).map_err(|error| error.to_string())
}

/// Every route with its handler; a test holds it against the gate's table.
pub fn routes(app: &mut web::ServiceConfig) {
    // Routes are looked through in this order, and nothing is asked for as often as this one.
    app.route("/api/runs/{id}/hook", web::post().to(hook::receive))
        .route("/api/health", web::get().to(side::health))
        .route("/api/proof", web::get().to(hook::prove))
        .route("/api/version", web::get().to(side::version))
        .route("/api/metrics", web::get().to(side::metrics))
        .route("/api/fs/dirs", web::get().to(side::dirs))
        .route("/api/openapi.json", web::get().to(openapi::document))
        .route("/api/projects", web::post().to(projects::create))
        .route("/api/projects", web::get().to(projects::list))
        .route("/api/projects/{id}", web::get().to(projects::get))
        .route("/api/projects/{id}", web::put().to(projects::change))
        .route("/api/projects/{id}", web::delete().to(projects::remove))
        .route(
            "/api/projects/{id}/repos",
            web::post().to(projects::add_repo),
        )
        .route(
            "/api/projects/{project_id}/repos/{repo_id}",
            web::delete().to(projects::remove_repo),
        )
        .route("/api/agents", web::post().to(agents::create))
        .route("/api/agents/{id}", web::get().to(agents::get))
        .route("/api/agents/{id}", web::put().to(agents::change))
        .route("/api/agents/{id}", web::delete().to(agents::remove))
        .route(
            "/api/projects/{project_id}/agents",
            web::get().to(agents::list),
        )
        .route("/api/agent-templates", web::get().to(agents::templates))
        .route("/api/runs", web::post().to(runs::create))
        .route("/api/runs", web::get().to(runs::list))
        .route("/api/runs/{id}", web::get().to(runs::get))
        .route("/api/runs/{id}", web::delete().to(runs::remove))
        .route("/api/runs/{id}/cancel", web::post().to(runs::cancel))
        .route("/api/runs/{id}/pause", web::post().to(runs::pause))
        .route("/api/runs/{id}/continue", web::post().to(runs::go_on))
        .route("/api/runs/{id}/notify", web::post().to(runs::notify))
        .route("/api/runs/{id}/queue", web::get().to(queue::list))
        .route("/api/runs/{id}/queue", web::post().to(queue::add))
        .route("/api/runs/{id}/queue", web::put().to(queue::reorder))
        .route(
            "/api/runs/{id}/queue/{message_id}",
            web::delete().to(queue::remove),
        )
        .route("/api/runs/{id}/logs", web::get().to(logs::logs))
        .route("/api/runs/{id}/tasks", web::get().to(runs::tasks))
        .route("/api/runs/{id}/events", web::get().to(events::page))
        .route(
            "/api/runs/{id}/events/stream",
            web::get().to(events::of_run),
        )
        .route("/api/events/stream", web::get().to(events::of_all))
        .route("/api/events/head", web::get().to(events::head))
        .route("/api/settings/models", web::get().to(settings::get_models))
        .route("/api/settings/models", web::put().to(settings::put_models))
        .route(
            "/api/settings/notifications",
            web::get().to(settings::get_notifications),
        )
        .route(
            "/api/settings/notifications",
            web::put().to(settings::put_notifications),
        )
        .route(
            "/api/settings/notifications/test",
            web::post().to(settings::test_notifications),
        )
        .route("/api/terminal", web::get().to(terminal::open));
    work_routes(app);
    ui_routes(app);
}

/// The web UI: its places, which are one page, and its files.
fn ui_routes(app: &mut web::ServiceConfig) {
    app.route("/", web::get().to(ui::page))
        .route("/runs", web::get().to(ui::page))
        .route("/runs/{place}*", web::get().to(ui::page))
        .route("/compare", web::get().to(ui::page))
        .route("/projects", web::get().to(ui::page))
        .route("/projects/{place}*", web::get().to(ui::page))
        .route("/usage", web::get().to(ui::page))
        .route("/settings/{place}*", web::get().to(ui::page))
        .route("/favicon.svg", web::get().to(ui::icon))
        .route("/assets/{file}*", web::get().to(ui::asset));
}

/// Changes and git.
fn work_routes(app: &mut web::ServiceConfig) {
    app.route("/api/projects/{id}/branches", web::get().to(branches::list))
        .route(
            "/api/projects/{id}/branches",
            web::delete().to(branches::remove),
        )
        .route(
            "/api/projects/{id}/branches/merge",
            web::post().to(branches::merge),
        )
        .route(
            "/api/projects/{id}/branches/rebase",
            web::post().to(branches::rebase),
        )
        .route("/api/runs/{id}/changes", web::get().to(changes::changes))
        .route(
            "/api/runs/{id}/diff-stats",
            web::get().to(changes::diff_stats),
        )
        .route(
            "/api/runs/{id}/checkpoints",
            web::get().to(changes::list_checkpoints),
        )
        .route(
            "/api/runs/{id}/checkpoints/{number}/restore",
            web::post().to(work::restore),
        )
        .route(
            "/api/projects/{id}/branches/pr-status",
            web::get().to(pull_requests::status),
        )
        .route(
            "/api/runs/{id}/pull-request",
            web::post().to(pull_requests::open),
        )
        .route("/api/runs/{id}/retry", web::post().to(runs::retry))
        .route("/api/runs/{id}/commit", web::post().to(work::commit))
        .route("/api/runs/{id}/push", web::post().to(work::push))
        .route("/api/runs/{id}/accept", web::post().to(work::accept))
        .route("/api/runs/{id}/revert", web::post().to(work::revert))
        .route(
            "/api/runs/{id}/rename-branch",
            web::post().to(work::rename_branch),
        );
}

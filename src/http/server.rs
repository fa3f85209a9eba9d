//! The listening socket and the server on it.

use super::{
    connection::{self, Waits},
    error,
    gate::{Gate, GateConfig, RunFolderSecrets},
    hook,
    metrics::Metrics,
    routes, settings,
    side::HomeDir,
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
            .configure(routes::register)
            .default_service(web::to(error::unknown_route))
            .wrap(gate.clone())
    };
    connection::serve(app, listener, Waits::default()).map_err(|error| error.to_string())
}

//! The listening socket and the server on it.

use crate::{
    domain::RunId,
    http::{
        edge::{
            connection::{self, Waits},
            gate::{Gate, GateConfig},
        },
        metrics::Metrics,
        routes,
    },
    runtime::{
        Runtime,
        operations::hooks::{self, ServerKey},
    },
};
use actix_web::{App, dev::Server, web};
use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

/// Opens the listening socket.
///
/// # Errors
/// One sentence that names the address.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            format!(
                "{address} is already in use; choose another address with --bind or ABBADO_BIND"
            )
        } else {
            format!("cannot listen on {address}: {error}")
        }
    })
}

/// Builds the server on a listening socket.
///
/// # Errors
/// When the socket cannot be used.
pub(crate) fn server(
    runtime: Runtime,
    mut gate: GateConfig,
    listener: TcpListener,
) -> Result<Server, String> {
    gate.bound = listener.local_addr().map_err(|error| error.to_string())?;
    let key = web::Data::new(ServerKey::of(&runtime)?);
    let metrics = Arc::new(Metrics::default());
    let shared = Arc::clone(&runtime.shared);
    let secrets = move |run| hooks::secret(&shared.run_dir(RunId(run)));
    let gate = Gate::new(gate, secrets, Arc::clone(&metrics));
    let metrics = web::Data::new(metrics);
    let runtime = web::Data::new(runtime);
    let app = move || {
        App::new()
            .app_data(web::Data::clone(&runtime))
            .app_data(web::Data::clone(&metrics))
            .app_data(web::Data::clone(&key))
            .configure(routes::register)
            .default_service(web::to(routes::unknown))
            .wrap(gate.clone())
    };
    connection::serve(app, listener, Waits::default()).map_err(|error| error.to_string())
}

//! Pages beside the API proper: health, version, metrics, and folders for the repository picker.

#![cfg_attr(
    not(test),
    expect(
        unreachable_pub,
        reason = "the attribute of a route hides the function in a public type"
    )
)]

use actix_web::http::header::{self, ContentType};
use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::{
    http::{
        metrics::{Elsewhere, Metrics},
        wire::{error::ApiError, extract::Query},
    },
    runtime::{
        Runtime,
        operations::folders::{self, Folder},
    },
};

/// The commit that was built, or `unknown` outside a repository.
pub const COMMIT: &str = match option_env!("ABBADO_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// Says that the server is up: the JSON string `"ok"`.
#[utoipa::path(tag = "others",
    responses((status = 200, body = String, content_type = "application/json")))]
#[get("/api/health")]
pub async fn health() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(ContentType::json())
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body("\"ok\"")
}

/// What `GET /api/version` answers.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Version {
    /// The version of the package.
    pub version: &'static str,
    /// The commit that was built.
    pub commit: &'static str,
}

/// The version and the commit of this server.
#[utoipa::path(tag = "others", responses((status = 200, body = Version)))]
#[get("/api/version")]
pub async fn version() -> web::Json<Version> {
    web::Json(Version {
        version: env!("CARGO_PKG_VERSION"),
        commit: COMMIT,
    })
}

/// Metrics, as Prometheus text.
///
/// # Errors
/// When the log cannot be read.
#[utoipa::path(tag = "others",
    responses((status = 200, body = String, content_type = "text/plain")))]
#[get("/api/metrics")]
pub async fn show_metrics(
    runtime: web::Data<Runtime>,
    metrics: web::Data<Arc<Metrics>>,
) -> Result<HttpResponse, ApiError> {
    let counts = runtime.counts().await;
    let asked = runtime.clone();
    let appended = web::block(move || asked.events_appended()).await;
    Ok(metrics_page(
        &metrics,
        Elsewhere {
            events_appended: appended
                .map_err(ApiError::fault)?
                .map_err(ApiError::fault)?,
            live_runs: counts.map_or(0, |counts| counts.live),
            awake_runs: counts.map_or(0, |counts| counts.awake),
            folded_runs: counts.map_or(0, |counts| counts.folded),
            spare_worktrees: runtime.shared.spares.count(),
        },
    ))
}

/// The page of these numbers.
#[must_use]
pub fn metrics_page(metrics: &Metrics, elsewhere: Elsewhere) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        ))
        .body(metrics.render(elsewhere))
}

/// The query of `GET /api/fs/dirs`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DirsQuery {
    /// How the paths start; empty, relative and `~/` mean the home folder.
    #[serde(default)]
    pub prefix: String,
}

/// Folders under the home folder whose path starts with the prefix.
///
/// # Errors
/// 400 when the prefix has `..` or a NUL in it.
#[utoipa::path(tag = "others", params(DirsQuery),
    responses((status = 200, body = [Folder]), (status = 400)))]
#[get("/api/fs/dirs")]
pub async fn dirs(
    runtime: web::Data<Runtime>,
    Query(query): Query<DirsQuery>,
) -> Result<web::Json<Vec<Folder>>, ApiError> {
    Ok(web::Json(folders::list(&runtime, query.prefix).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::App;
    use actix_web::test::{TestRequest, call_and_read_body, init_service};

    #[actix_web::test]
    async fn health_is_the_json_string() {
        let app = init_service(App::new().service(health).service(version)).await;
        let get = |path| call_and_read_body(&app, TestRequest::get().uri(path).to_request());
        assert_eq!(get("/api/health").await, "\"ok\"");
        let told: serde_json::Value = serde_json::from_slice(&get("/api/version").await).unwrap();
        assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    }
}

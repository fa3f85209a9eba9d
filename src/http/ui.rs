//! The page at `/`: for now the list of runs, live. The whole UI takes its place.

use super::error::ApiError;
use actix_web::{HttpResponse, web};

/// GET /
pub(super) async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("Cache-Control", "no-cache"))
        .body(include_str!("../../web/index.html"))
}

/// GET /favicon.svg
pub(super) async fn icon() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("image/svg+xml")
        .body(include_str!("../../web/favicon.svg"))
}

/// GET /assets/…
pub(super) async fn asset(file: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let (kind, text) = match file.as_str() {
        "app.js" => (
            "text/javascript; charset=utf-8",
            include_str!("../../web/app.js"),
        ),
        "app.css" => ("text/css; charset=utf-8", include_str!("../../web/app.css")),
        _ => return Err(ApiError::not_found("There is no such file.")),
    };
    Ok(HttpResponse::Ok()
        .content_type(kind)
        .insert_header(("Cache-Control", "no-cache"))
        .body(text))
}

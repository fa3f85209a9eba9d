//! The web UI: one page for all its places, and its files, compiled in by build.rs from web/dist.

use crate::http::wire::error::ApiError;
use actix_web::{HttpResponse, web};

/// A file of the built UI.
struct Asset {
    /// Below web/dist, such as `assets/index-1a2b3c4d.js`.
    path: &'static str,
    bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/web_assets.rs"));

/// The names of files below `assets/` hold a hash of their contents.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// What `/` answers in a binary that was built without the UI.
const NO_UI: &str = "<!doctype html><meta charset=utf-8><title>abbado</title>\
     <p>This abbado was built without its web UI: run <code>make run</code>, or \
     <code>make ui</code> before <code>cargo build</code>. The API answers below <code>/api/</code>.";

fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some("woff") => "font/woff",
        _ => "application/octet-stream",
    }
}

/// GET / and every place of the UI
pub(crate) async fn page() -> HttpResponse {
    let page = find("index.html").map_or(NO_UI.as_bytes(), |asset| asset.bytes);
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("Cache-Control", "no-cache"))
        .body(page)
}

/// GET /favicon.svg
pub(crate) async fn icon() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("image/svg+xml")
        .body(&include_bytes!("../../../web/public/favicon.svg")[..])
}

/// GET /assets/…
pub(crate) async fn asset(file: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let path = format!("assets/{file}");
    let asset = find(&path).ok_or_else(|| ApiError::not_found("file"))?;
    Ok(HttpResponse::Ok()
        .content_type(kind(&path))
        .insert_header(("Cache-Control", FOR_EVER))
        .body(asset.bytes))
}

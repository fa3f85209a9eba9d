//! Pages beside the API proper: health, version, metrics, and folders for the repository picker.

use actix_web::http::header::{self, ContentType};
use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::error::ApiError;
use super::extract::Query;
use super::metrics::{Elsewhere, Metrics};
use crate::runtime::Runtime;

/// The commit that was built, or `unknown` outside a repository.
pub const COMMIT: &str = match option_env!("ABBADO_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// Most folders in one answer of [`dirs`].
const FOLDERS_MAX: usize = 50;
/// Most entries of a folder that are looked at for one answer.
const ENTRIES_MAX: usize = 10_000;

/// The home folder of the user, which bounds [`dirs`]. Given as app data: only config reads the
/// environment.
#[derive(Debug, Clone)]
pub struct HomeDir(pub PathBuf);

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

/// One folder of `GET /api/fs/dirs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Folder {
    /// The absolute path, written as the home folder is.
    pub path: String,
    /// Whether it contains `.git`.
    pub is_repo: bool,
}

/// Folders under the home folder whose path starts with the prefix.
///
/// # Errors
/// 400 when the prefix has `..` or a NUL in it.
#[utoipa::path(tag = "others", params(DirsQuery),
    responses((status = 200, body = [Folder]), (status = 400)))]
#[get("/api/fs/dirs")]
pub async fn dirs(
    home: web::Data<HomeDir>,
    Query(query): Query<DirsQuery>,
) -> Result<web::Json<Vec<Folder>>, ApiError> {
    let home = home.0.clone();
    let listed = web::block(move || list_folders(&home, &query.prefix)).await;
    Ok(web::Json(listed.map_err(ApiError::fault)??))
}

/// Lists folders one level below the last `/` of the prefix, sorted, at most [`FOLDERS_MAX`].
///
/// What cannot be read, is hidden, or leads out of the home folder by a link is left out.
fn list_folders(home: &Path, prefix: &str) -> Result<Vec<Folder>, ApiError> {
    if prefix.contains('\0')
        || Path::new(prefix)
            .components()
            .any(|c| c == Component::ParentDir)
    {
        return Err(ApiError::invalid(
            "prefix",
            "must be a plain path, without `..`",
        ));
    }
    let Some((parent, start)) = split_prefix(home, prefix) else {
        return Ok(Vec::new());
    };
    let (Ok(real_home), Ok(real_parent)) = (home.canonicalize(), parent.canonicalize()) else {
        return Ok(Vec::new());
    };
    let Ok(entries) = fs::read_dir(&real_parent) else {
        return Ok(Vec::new());
    };
    if !real_parent.starts_with(&real_home) {
        return Ok(Vec::new());
    }
    let mut names: Vec<String> = entries
        .take(ENTRIES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && name.starts_with(&start))
        .collect();
    names.sort_unstable();
    let folders = names
        .iter()
        .filter_map(|name| folder(&parent, name, &real_home));
    Ok(folders.take(FOLDERS_MAX).collect())
}

/// Splits a prefix into the folder to list and the start of the names wanted; nothing when no path
/// under the home folder can start so.
fn split_prefix(home: &Path, prefix: &str) -> Option<(PathBuf, String)> {
    let home_text = home.to_str()?.trim_end_matches('/');
    let full = match prefix {
        "" | "~" => format!("{home_text}/"),
        _ if prefix.starts_with('/') => prefix.to_owned(),
        _ => format!(
            "{home_text}/{}",
            prefix.strip_prefix("~/").unwrap_or(prefix)
        ),
    };
    if format!("{home_text}/").starts_with(&full) {
        return Some((home.to_path_buf(), String::new()));
    }
    let below = full.strip_prefix(home_text)?.strip_prefix('/')?;
    let (parents, start) = below.rsplit_once('/').unwrap_or(("", below));
    if parents.split('/').any(|name| name.starts_with('.')) {
        return None;
    }
    Some((home.join(parents), start.to_owned()))
}

fn folder(parent: &Path, name: &str, real_home: &Path) -> Option<Folder> {
    let path = parent.join(name);
    let real = path.canonicalize().ok()?;
    if !real.is_dir() || !real.starts_with(real_home) {
        return None;
    }
    Some(Folder {
        path: path.to_str()?.to_owned(),
        is_repo: real.join(".git").exists(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::App;
    use actix_web::test::{TestRequest, call_and_read_body, init_service};

    struct Home {
        _dir: tempfile::TempDir,
        path: PathBuf,
    }

    impl Home {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("home");
            for folder in [
                "code/app/.git",
                "code/api",
                "code/.cache",
                "music",
                ".ssh/keys",
            ] {
                fs::create_dir_all(path.join(folder)).unwrap();
            }
            fs::create_dir_all(dir.path().join("outside/secret")).unwrap();
            fs::write(path.join("code/file"), "").unwrap();
            std::os::unix::fs::symlink(dir.path().join("outside"), path.join("out")).unwrap();
            std::os::unix::fs::symlink(path.join("code/app"), path.join("code/link")).unwrap();
            Self { _dir: dir, path }
        }

        fn list(&self, prefix: &str) -> Vec<String> {
            let prefix = prefix.replace("HOME", self.path.to_str().unwrap());
            let found = list_folders(&self.path, &prefix).unwrap();
            let home = self.path.to_str().unwrap();
            let name = |f: Folder| f.path.replace(home, "~") + if f.is_repo { "!" } else { "" };
            found.into_iter().map(name).collect()
        }
    }

    #[test]
    fn folders_are_found_by_their_start() {
        let home = Home::new();
        for all in ["", "~", "~/", "/", "HOME", "HOME/"] {
            assert_eq!(home.list(all), ["~/code", "~/music"], "{all}");
        }
        for some in ["HOME/code/", "code/", "~/code/"] {
            assert_eq!(
                home.list(some),
                ["~/code/api", "~/code/app!", "~/code/link!"],
                "{some}"
            );
        }
        assert_eq!(home.list("HOME/code/ap"), ["~/code/api", "~/code/app!"]);
        assert_eq!(home.list("mu"), ["~/music"]);
    }

    #[test]
    fn nothing_hidden_or_outside_is_told() {
        let home = Home::new();
        for none in [
            "/etc/",
            "/etc",
            "HOME/.ssh/",
            "HOME/.s",
            "HOME/out/",
            "~/none/",
            "HOMEx/",
        ] {
            assert!(home.list(none).is_empty(), "{none}");
        }
        for wrong in ["../", "/home/../etc", "a\0b"] {
            assert!(list_folders(&home.path, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn at_most_fifty() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..60 {
            fs::create_dir(dir.path().join(format!("d{number:02}"))).unwrap();
        }
        let found = list_folders(dir.path(), "d").unwrap();
        assert_eq!(found.len(), FOLDERS_MAX);
        assert!(found[49].path.ends_with("d49"));
    }

    #[actix_web::test]
    async fn health_is_the_json_string() {
        let app = init_service(App::new().service(health).service(version)).await;
        let get = |path| call_and_read_body(&app, TestRequest::get().uri(path).to_request());
        assert_eq!(get("/api/health").await, "\"ok\"");
        let told: serde_json::Value = serde_json::from_slice(&get("/api/version").await).unwrap();
        assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    }
}

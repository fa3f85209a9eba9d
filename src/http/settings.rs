//! Settings documents, and what is installed here.

use super::{
    answer::{json, ok, read, text},
    error::ApiError,
    extract::{JsonBody, NoBody},
    idempotent::{Idempotent, remember},
};
use crate::{
    cli, discord,
    domain::{
        AgentMode,
        settings::{ModelSettings, NotificationSettings, Provider},
    },
    runtime::{Runtime, clock},
    store::Reader,
};
use actix_web::{HttpResponse, get, http::StatusCode, post, put, web};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A program is asked for its version this often at most.
const VERSION_AGE: Duration = Duration::from_secs(60);
/// And has so long to answer.
const VERSION_WAIT: Duration = Duration::from_secs(5);

/// When a program was looked for, whether it was there, and the version it told.
type Found = (Instant, bool, Option<String>);

/// What was found, by program.
#[derive(Default)]
pub(super) struct Installed(Mutex<HashMap<String, Found>>);

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct NotificationChange {
    discord_webhook_url: Option<String>,
    notify_on_pipeline_complete: Option<bool>,
    notify_on_run_failed: Option<bool>,
    notify_on_attention: Option<bool>,
}

impl NotificationChange {
    fn apply(self, settings: &mut NotificationSettings) {
        if let Some(url) = self.discord_webhook_url {
            settings.discord_webhook_url = url;
        }
        let NotificationSettings {
            notify_on_pipeline_complete: complete,
            notify_on_run_failed: failed,
            notify_on_attention: attention,
            ..
        } = settings;
        *complete = self.notify_on_pipeline_complete.unwrap_or(*complete);
        *failed = self.notify_on_run_failed.unwrap_or(*failed);
        *attention = self.notify_on_attention.unwrap_or(*attention);
    }
}

/// The models with what is installed here.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ModelSettingsView {
    /// Day on which the prices were looked up; null when nobody said.
    #[schema(format = Date)]
    prices_as_of: Option<String>,
    providers: Vec<ProviderView>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ProviderView {
    #[serde(flatten)]
    provider: Provider,
    installed: bool,
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    install_hint: Option<&'static str>,
    /// Who enforces which limit of an agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<LimitsView>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct LimitsView {
    interactive: cli::Limits,
    headless: cli::Limits,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct DeliveredView {
    delivered: bool,
}

async fn notifications(runtime: &Runtime) -> Result<NotificationSettings, ApiError> {
    read(runtime, Reader::notification_settings).await
}

/// The document with what is installed, provider by provider.
async fn with_installed(
    runtime: &Runtime,
    installed: &Installed,
    settings: ModelSettings,
) -> Result<HttpResponse, ApiError> {
    let mut providers = Vec::new();
    for provider in settings.providers {
        let (found, version) = look(runtime, installed, &provider.id, &provider.bin).await;
        let adapter = cli::adapter(&provider.id);
        providers.push(ProviderView {
            provider,
            installed: found,
            version,
            install_hint: adapter.map(|adapter| adapter.install_hint()),
            limits: adapter.map(|adapter| LimitsView {
                interactive: adapter.limits(AgentMode::Interactive),
                headless: adapter.limits(AgentMode::Headless),
            }),
        });
    }
    ok(&ModelSettingsView {
        prices_as_of: settings.prices_as_of,
        providers,
    })
}

async fn look(
    runtime: &Runtime,
    installed: &Installed,
    provider: &str,
    bin: &str,
) -> (bool, Option<String>) {
    if provider == "demo" {
        return (true, Some(env!("CARGO_PKG_VERSION").to_owned()));
    }
    let known = {
        let cache = installed.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache
            .get(bin)
            .filter(|(at, ..)| at.elapsed() < VERSION_AGE)
            .cloned()
    };
    if let Some((_, found, version)) = known {
        return (found, version);
    }
    let env = &runtime.shared.config.server_env;
    let program = cli::find_program(bin, env);
    let version = match &program {
        // Only known CLIs are asked: another program may do anything when started.
        Some(program) if provider != "command" => ask_version(program, env).await,
        Some(_) | None => None,
    };
    let mut cache = installed.0.lock().unwrap_or_else(PoisonError::into_inner);
    cache.insert(
        bin.to_owned(),
        (Instant::now(), program.is_some(), version.clone()),
    );
    (program.is_some(), version)
}

async fn ask_version(program: &std::path::Path, env: &[(String, String)]) -> Option<String> {
    let output = tokio::process::Command::new(program)
        .arg("--version")
        .env_clear()
        .envs(env.iter().cloned())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(VERSION_WAIT, output)
        .await
        .ok()?
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.chars().take(100).collect())
}

/// CLIs, models and prices, and which CLIs are installed.
#[utoipa::path(tag = "settings",
    responses((status = 200, body = ModelSettingsView)))]
#[get("/api/settings/models")]
pub(super) async fn get_models(
    runtime: web::Data<Runtime>,
    installed: web::Data<Installed>,
) -> Result<HttpResponse, ApiError> {
    let settings = read(&runtime, Reader::model_settings).await?;
    with_installed(&runtime, &installed, settings).await
}

/// Replaces the CLIs, models and prices.
#[utoipa::path(tag = "settings", request_body = ModelSettings,
    responses((status = 200, body = ModelSettingsView), (status = 400)))]
#[put("/api/settings/models")]
pub(super) async fn put_models(
    runtime: web::Data<Runtime>,
    installed: web::Data<Installed>,
    body: JsonBody<ModelSettings>,
) -> Result<HttpResponse, ApiError> {
    let settings = body.0;
    if let Some(why) = settings.fault() {
        return Err(ApiError::breaks(&why));
    }
    let shared = Arc::clone(&runtime.shared);
    shared.writer.put_model_settings(&settings).await?;
    let held = web::block(move || shared.prices_changed()).await;
    held.map_err(ApiError::fault)??;
    with_installed(&runtime, &installed, settings).await
}

/// Where and when notifications are sent.
#[utoipa::path(tag = "settings",
    responses((status = 200, body = NotificationSettings)))]
#[get("/api/settings/notifications")]
pub(super) async fn get_notifications(
    runtime: web::Data<Runtime>,
) -> Result<HttpResponse, ApiError> {
    ok(&notifications(&runtime).await?)
}

/// Changes the given fields of the notification settings.
#[utoipa::path(tag = "settings", request_body = NotificationChange,
    responses((status = 200, body = NotificationSettings), (status = 400)))]
#[put("/api/settings/notifications")]
pub(super) async fn put_notifications(
    runtime: web::Data<Runtime>,
    body: JsonBody<NotificationChange>,
) -> Result<HttpResponse, ApiError> {
    let (change, loopback) = (body.0, runtime.shared.config.loopback_webhook);
    let shared = &runtime.shared;
    let changed = shared.writer.change_notification_settings(move |settings| {
        change.apply(settings);
        let fault = settings.fault(loopback);
        fault.map_or(Ok(()), |why| Err(ApiError::breaks(why)))
    });
    let (before, settings) = changed.await?;
    if settings.discord_webhook_url != before.discord_webhook_url {
        shared.notifier.webhook_changed();
    }
    ok(&settings)
}

/// Sends a message to the stored webhook, now and once.
#[utoipa::path(tag = "settings",
    responses((status = 200, body = DeliveredView), (status = 409), (status = 502)))]
#[post("/api/settings/notifications/test")]
pub(super) async fn test_notifications(
    runtime: web::Data<Runtime>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> Result<HttpResponse, ApiError> {
    let url = notifications(&runtime).await?.discord_webhook_url;
    if url.is_empty() {
        return Err(ApiError::conflict(
            "No webhook is set: PUT settings/notifications with a discord_webhook_url first.",
        ));
    }
    let now = clock::now();
    let message = discord::test_message(now);
    let webhook = &runtime.shared.notifier.webhook;
    let sent = webhook.send(&url, &message, now).await;
    sent.map_err(|error| ApiError::remote(format!("The message was not delivered: {error}.")))?;
    let answer = text(&DeliveredView { delivered: true })?;
    remember(&runtime, key, &answer).await;
    Ok(json(StatusCode::OK, answer))
}

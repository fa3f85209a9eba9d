//! Settings documents, and what is installed here.

use crate::{
    domain::settings::{ModelSettings, NotificationChange, NotificationSettings},
    http::wire::{ApiResult, Idempotent, JsonBody, NoBody, ok, ok_once, read},
    runtime::{
        Runtime,
        operations::settings::{self, ModelSettingsView},
    },
    store::Reader,
};
use actix_web::{get, post, put, web::Data};
use serde::Serialize;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct DeliveredView {
    delivered: bool,
}

/// CLIs, models and prices, and which CLIs are installed.
#[utoipa::path(tag = "settings", responses((status = 200, body = ModelSettingsView)))]
#[get("/api/settings/models")]
pub(crate) async fn get_models(runtime: Data<Runtime>) -> ApiResult {
    ok(&settings::models(&runtime).await?)
}

/// Replaces the CLIs, models and prices.
#[utoipa::path(tag = "settings", request_body = ModelSettings,
    responses((status = 200, body = ModelSettingsView)))]
#[put("/api/settings/models")]
pub(crate) async fn put_models(
    runtime: Data<Runtime>,
    JsonBody(models): JsonBody<ModelSettings>,
) -> ApiResult {
    ok(&settings::replace_models(&runtime, models).await?)
}

/// Where and when notifications are sent.
#[utoipa::path(tag = "settings", responses((status = 200, body = NotificationSettings)))]
#[get("/api/settings/notifications")]
pub(crate) async fn get_notifications(runtime: Data<Runtime>) -> ApiResult {
    ok(&read(&runtime, Reader::notification_settings).await?)
}

/// Changes the given fields of the notification settings.
#[utoipa::path(tag = "settings", request_body = NotificationChange,
    responses((status = 200, body = NotificationSettings)))]
#[put("/api/settings/notifications")]
pub(crate) async fn put_notifications(
    runtime: Data<Runtime>,
    JsonBody(change): JsonBody<NotificationChange>,
) -> ApiResult {
    ok(&settings::change_notifications(&runtime, change).await?)
}

/// Sends a message to the stored webhook, now and once.
#[utoipa::path(tag = "settings",
    responses((status = 200, body = DeliveredView), (status = 409), (status = 502)))]
#[post("/api/settings/notifications/test")]
pub(crate) async fn test_notifications(
    runtime: Data<Runtime>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> ApiResult {
    settings::test_notifications(&runtime).await?;
    ok_once(&runtime, key, &DeliveredView { delivered: true }).await
}

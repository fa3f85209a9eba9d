//! Settings documents, and what is installed here.

use super::{OperationError, blocking, read};
use crate::{
    cli,
    domain::{
        AgentMode,
        settings::{ModelSettings, NotificationChange, NotificationSettings, Provider},
    },
    runtime::{Runtime, order::OrderError},
    store::Reader,
};
use serde::Serialize;
use std::sync::Arc;

/// The models with what is installed here.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ModelSettingsView {
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

/// The models, with what is installed of each provider.
///
/// # Errors
/// When the database fails.
pub(crate) async fn models(runtime: &Runtime) -> Result<ModelSettingsView, OperationError> {
    let settings = read(runtime, Reader::model_settings).await?;
    Ok(with_installed(runtime, settings).await)
}

/// Replaces the models and their prices.
///
/// # Errors
/// `Invalid` for the first rule that is broken; when the database fails.
pub(crate) async fn replace_models(
    runtime: &Runtime,
    settings: ModelSettings,
) -> Result<ModelSettingsView, OperationError> {
    if let Some(why) = settings.validate() {
        return Err(OperationError::breaks(&why));
    }
    let shared = Arc::clone(&runtime.shared);
    shared.writer.put_model_settings(&settings).await?;
    blocking(move || shared.prices_changed()).await??;
    Ok(with_installed(runtime, settings).await)
}

async fn with_installed(runtime: &Runtime, settings: ModelSettings) -> ModelSettingsView {
    let shared = &runtime.shared;
    let mut providers = Vec::new();
    for provider in settings.providers {
        let (id, bin) = (&provider.id, &provider.bin);
        let found = shared.programs.look(id, bin, &shared.config.server_env);
        let found = found.await;
        let adapter = cli::adapter(&provider.id);
        providers.push(ProviderView {
            provider,
            installed: found.installed,
            version: found.version,
            install_hint: adapter.map(|adapter| adapter.install_hint()),
            limits: adapter.map(|adapter| LimitsView {
                interactive: adapter.limits(AgentMode::Interactive),
                headless: adapter.limits(AgentMode::Headless),
            }),
        });
    }
    ModelSettingsView {
        prices_as_of: settings.prices_as_of,
        providers,
    }
}

/// Changes the given fields of the notification settings.
///
/// # Errors
/// `Invalid` for the first rule that is broken, and then nothing is changed; when the database fails.
pub(crate) async fn change_notifications(
    runtime: &Runtime,
    change: NotificationChange,
) -> Result<NotificationSettings, OperationError> {
    let shared = &runtime.shared;
    let loopback = shared.config.loopback_webhook;
    let changed = shared.writer.change_notification_settings(move |settings| {
        change.apply(settings);
        let fault = settings.validate(loopback);
        fault.map_or(Ok(()), |why| Err(OperationError::breaks(why)))
    });
    let (before, settings) = changed.await?;
    shared.notifier.settings_changed(&before, &settings);
    Ok(settings)
}

/// Sends a test message to the channels that are set up, now and once.
///
/// # Errors
/// A conflict when none is; [`OrderError::Remote`] when it was not delivered.
pub(crate) async fn test_notifications(runtime: &Runtime) -> Result<(), OperationError> {
    let settings = read(runtime, Reader::notification_settings).await?;
    if !settings.has_channel() {
        return Err(OperationError::conflict(
            "No webhook is set: PUT settings/notifications with a discord_webhook_url first.",
        ));
    }
    let sent = runtime.shared.notifier.send_test(&settings).await;
    sent.map_err(|error| {
        OrderError::Remote(format!("The message was not delivered: {error}.")).into()
    })
}

//! Settings documents: models with their prices, and notifications. Validated here, stored whole.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::set;

/// Providers that abbado can start, with the models they offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelSettings {
    /// Day on which the prices were looked up, `2026-11-24`; null when unknown.
    #[serde(default)]
    #[schema(format = Date)]
    pub prices_as_of: Option<String>,
    /// One a CLI.
    pub providers: Vec<Provider>,
}

/// A CLI and its models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Provider {
    /// Name of the adapter.
    pub id: String,
    /// The name shown to people.
    pub label: String,
    /// Program to look for.
    pub bin: String,
    /// Whether new agents may use it.
    pub enabled: bool,
    /// Model of agents that name none.
    #[schema(required)]
    pub default_model: Option<String>,
    /// What it offers.
    #[serde(default)]
    #[schema(required)]
    pub models: Vec<Model>,
}

/// A model and its prices, in US dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ModelView)]
pub struct Model {
    /// The name given to the CLI.
    pub id: String,
    /// The name shown to people.
    pub label: String,
    /// Input outside caches.
    pub input_per_mtok: f64,
    /// Output.
    pub output_per_mtok: f64,
    /// Input read from a cache.
    pub cache_read_per_mtok: f64,
    /// Input written to a cache.
    pub cache_write_per_mtok: f64,
}

impl Model {
    /// Its prices by field, in the order of [`ModelSettings::price`].
    const fn prices(&self) -> [(&'static str, f64); 4] {
        [
            ("input_per_mtok", self.input_per_mtok),
            ("output_per_mtok", self.output_per_mtok),
            ("cache_read_per_mtok", self.cache_read_per_mtok),
            ("cache_write_per_mtok", self.cache_write_per_mtok),
        ]
    }
}

impl ModelSettings {
    /// The document of a fresh installation.
    #[must_use]
    pub fn defaults() -> Self {
        serde_json::from_str(include_str!("default_models.json"))
            .expect("default_models.json is checked by a test")
    }

    /// Says what is wrong with the document, or nothing.
    #[must_use]
    pub fn validate(&self) -> Option<String> {
        if let Some(day) = &self.prices_as_of
            && chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").is_err()
        {
            return Some("prices_as_of must be a day such as 2026-11-24, or null".into());
        }
        let mut seen = std::collections::HashSet::new();
        for (at, provider) in self.providers.iter().enumerate() {
            let named = |field: &str| format!("providers[{at}].{field}");
            if provider.id.trim().is_empty() || !seen.insert(&provider.id) {
                return Some(format!("{} must be unique and not blank", named("id")));
            }
            if provider.bin.trim().is_empty() || provider.bin.starts_with('-') {
                return Some(format!("{} must name a program", named("bin")));
            }
            for (nth, model) in provider.models.iter().enumerate() {
                if model.id.trim().is_empty() || model.id.starts_with('-') {
                    return Some(format!("{}[{nth}].id must name a model", named("models")));
                }
                for (field, price) in model.prices() {
                    if !price.is_finite() || price < 0.0 {
                        let models = named("models");
                        return Some(format!("{models}[{nth}].{field} must be 0 or greater"));
                    }
                }
            }
        }
        None
    }

    /// Price of tokens in dollars: (input, output, cache read, cache write). Nothing for a model
    /// that the table does not know, by its own name or by its [family's](model_family).
    #[must_use]
    pub fn price(&self, model: &str, tokens: [u64; 4]) -> Option<f64> {
        let named = |name: &str| {
            let mut models = self.providers.iter().flat_map(|provider| &provider.models);
            models.find(|known| known.id == name)
        };
        let best = named(model).or_else(|| named(model_family(model)))?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "token counts stay far below 2^52"
        )]
        let dollars = |(count, (_, price)): (&u64, _)| *count as f64 * price / 1e6;
        Some(tokens.iter().zip(best.prices()).map(dollars).sum())
    }
}

/// A model's name without what does not change its price: who offers it (`anthropic/`,
/// `us.anthropic.`), a variant (`[1m]`), a version of the offer (`-v1:0`), a date (`-20250929`,
/// `@20250929`, `-2026-04-01`) or `-latest`.
#[must_use]
pub fn model_family(model: &str) -> &str {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.split_once("anthropic.").map_or(name, |(_, name)| name);
    let name = name.split(['[', '@']).next().unwrap_or(name);
    let version = name.rsplit_once("-v").filter(|(_, version)| {
        let mut characters = version.chars();
        !version.is_empty() && characters.all(|c| c.is_ascii_digit() || c == ':')
    });
    let name = version.map_or(name, |(name, _)| name);
    let name = name.strip_suffix("-latest").unwrap_or(name);
    let is_date = |date: &str| {
        let digits = date.bytes().filter(u8::is_ascii_digit).count();
        let dashes = date.bytes().filter(|byte| *byte == b'-').count();
        digits == 8 && dashes + digits == date.len()
    };
    let dates = [8, 10].map(|length| name.len().checked_sub(length));
    for at in dates.into_iter().flatten() {
        if let Some((name, date)) = name.split_at_checked(at)
            && let Some(name) = name.strip_suffix('-')
            && is_date(date)
            && !date.starts_with('-')
        {
            return name;
        }
    }
    name
}

/// Which notifications are sent, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NotificationSettingsView)]
pub struct NotificationSettings {
    /// A Discord webhook, or empty.
    pub discord_webhook_url: String,
    /// Notify when the session of a run with `notify` ends.
    pub notify_on_pipeline_complete: bool,
    /// Notify when any run fails.
    pub notify_on_run_failed: bool,
    /// Notify when a run needs a person.
    pub notify_on_attention: bool,
}

impl Default for NotificationSettings {
    fn default() -> Self {
        Self {
            discord_webhook_url: String::new(),
            notify_on_pipeline_complete: true,
            notify_on_run_failed: true,
            notify_on_attention: true,
        }
    }
}

impl NotificationSettings {
    /// Whether any channel is set up: without one nothing is sent.
    #[must_use]
    pub const fn has_channel(&self) -> bool {
        !self.discord_webhook_url.is_empty()
    }

    /// Says what is wrong with the document, or nothing. `loopback` allows a webhook on this
    /// machine, for trying things out.
    #[must_use]
    pub fn validate(&self, loopback: bool) -> Option<&'static str> {
        let url = &self.discord_webhook_url;
        let below = |prefix: &str| url.len() > prefix.len() && url.starts_with(prefix);
        let discord = below("https://discord.com/api/webhooks/")
            || below("https://discordapp.com/api/webhooks/");
        let hosts = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
        let local = loopback && hosts.iter().any(|host| url.starts_with(host));
        // Without user and password: `http://127.0.0.1:80@elsewhere` leads elsewhere.
        let plain = url.chars().all(|c| c.is_ascii_graphic() && c != '@');
        (!(url.is_empty() || (plain && (discord || local)))).then_some(
            "discord_webhook_url must be empty or start with https://discord.com/api/webhooks/",
        )
    }
}

/// Fields of changed notification settings; an absent one is left alone.
#[derive(Deserialize, ToSchema)]
pub struct NotificationChange {
    discord_webhook_url: Option<String>,
    notify_on_pipeline_complete: Option<bool>,
    notify_on_run_failed: Option<bool>,
    notify_on_attention: Option<bool>,
}

impl NotificationChange {
    /// Changes the fields that are given.
    pub fn apply(self, settings: &mut NotificationSettings) {
        set(&mut settings.discord_webhook_url, self.discord_webhook_url);
        set(
            &mut settings.notify_on_pipeline_complete,
            self.notify_on_pipeline_complete,
        );
        set(
            &mut settings.notify_on_run_failed,
            self.notify_on_run_failed,
        );
        set(&mut settings.notify_on_attention, self.notify_on_attention);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        let models = ModelSettings::defaults();
        assert_eq!(models.validate(), None);
        assert!(
            models.prices_as_of.is_some(),
            "a table without a day is of no use"
        );
        assert_eq!(NotificationSettings::default().validate(false), None);
    }

    #[test]
    fn a_table_need_not_be_dated_but_not_wrongly() {
        let undated: ModelSettings =
            serde_json::from_str(r#"{"providers": []}"#).expect("no date is fine");
        assert_eq!(undated.validate(), None);
        for day in ["2026-11-31", "yesterday", ""] {
            let prices_as_of = Some(day.to_owned());
            let dated = ModelSettings {
                prices_as_of,
                ..undated.clone()
            };
            assert!(
                dated
                    .validate()
                    .is_some_and(|why| why.starts_with("prices_as_of")),
                "{day}"
            );
        }
    }

    #[test]
    fn a_dated_model_has_the_price_of_its_undated_name() {
        let settings = ModelSettings::defaults();
        let tokens = [1_000_000, 0, 0, 0];
        let dated = settings.price("claude-sonnet-4-5-20250929", tokens);
        assert_eq!(dated, settings.price("claude-sonnet-4-5", tokens));
        assert!(dated.is_some_and(|dollars| dollars > 0.0));
        for unknown in ["unheard-of", "gpt-6-sol-mini", "claude-sonnet-4-5-fast", ""] {
            assert_eq!(settings.price(unknown, tokens), None, "{unknown}");
        }
    }

    #[test]
    fn a_model_has_its_familys_price() {
        for (model, family) in [
            ("claude-sonnet-4-6", "claude-sonnet-4-6"),
            ("claude-sonnet-4-6[1m]", "claude-sonnet-4-6"),
            ("claude-sonnet-4-5-20250929[1m]", "claude-sonnet-4-5"),
            ("anthropic/claude-opus-4-8", "claude-opus-4-8"),
            (
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "claude-sonnet-4-5",
            ),
            ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
            ("gpt-5.5-2026-04-01", "gpt-5.5"),
            ("claude-opus-5-5-latest", "claude-opus-5-5"),
            ("gemini-2.5-pro", "gemini-2.5-pro"),
        ] {
            assert_eq!(model_family(model), family);
            let price = ModelSettings::defaults().price(model, [1_000_000, 0, 0, 0]);
            assert!(price.is_some_and(|dollars| dollars > 0.0), "{model}");
        }
        for strange in ["", "-", "[1m]", "/", "é-20250929", "20250929", "-v", "x-v:"] {
            assert!(strange.contains(model_family(strange)));
        }
    }

    #[test]
    fn webhooks_lead_to_discord_only() {
        let fault = |url: &str, loopback| {
            let settings = NotificationSettings {
                discord_webhook_url: url.into(),
                ..NotificationSettings::default()
            };
            settings.validate(loopback).is_some()
        };
        assert!(!fault("https://discord.com/api/webhooks/1/x", false));
        assert!(fault(
            "https://discord.com.evil.test/api/webhooks/1/x",
            false
        ));
        assert!(fault("http://discord.com/api/webhooks/1/x", false));
        assert!(fault("http://127.0.0.1:9/x", false));
        assert!(!fault("http://127.0.0.1:9/x", true));
        assert!(fault("https://discord.com/api/webhooks/1/x y", false));
        assert!(fault("https://discord.com/api/webhooks/1/\u{e9}", false));
        assert!(fault("http://127.0.0.1:9@evil.test/x", true));
    }
}

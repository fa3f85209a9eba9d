//! Messages to a Discord webhook: one embed each, within Discord's limits.

use super::{
    channel::{Channel, Message},
    error::DeliveryError,
    post::{Answer, Client, seconds},
};
use crate::domain::{
    EventId, Time,
    run::notice::{Notice, NoticeKind},
    settings::NotificationSettings,
    time,
};
use async_trait::async_trait;
use awc::http::Uri;
use serde_json::{Value, json};

/// Characters of what happened or was said that are shown.
const TEXT_CHARS_MAX: usize = 200;
/// Discord's own limit for the value of a field, in characters. All of an embed may have 6000.
const VALUE_CHARS_MAX: usize = 1024;

/// A webhook of a Discord channel.
pub(super) struct Discord;

#[async_trait(?Send)]
impl Channel for Discord {
    fn name(&self) -> &'static str {
        "Discord"
    }

    fn address<'s>(&self, settings: &'s NotificationSettings) -> Option<&'s str> {
        let url = settings.discord_webhook_url.as_str();
        (!url.is_empty()).then_some(url)
    }

    async fn deliver(
        &self,
        client: &Client,
        address: &str,
        message: Message<'_>,
        now: Time,
    ) -> Result<(), DeliveryError> {
        let uri = confirming(address).ok_or(DeliveryError::Unusable)?;
        let document = match message {
            Message::Notice { notice, event_id } => notice_message(notice, event_id),
            Message::Test => test_message(now),
        };
        judge(&client.post(&uri, &document).await?, &uri, now)
    }
}

/// The URL that answers when the message is stored; without `wait` Discord says yes to messages
/// that it drops.
fn confirming(url: &str) -> Option<Uri> {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}wait=true").parse().ok()
}

fn judge(answer: &Answer, uri: &Uri, now: Time) -> Result<(), DeliveryError> {
    let wait = answer.body["retry_after"].as_f64().and_then(seconds);
    answer.judge(answer.body["message"].as_str(), wait, uri, now)
}

/// The message of a notice. Its footer names the event, so that a repeated one is recognised.
fn notice_message(notice: &Notice, event_id: EventId) -> Value {
    let cost = notice.cost_usd.map(|dollars| format!("${dollars:.4}"));
    let (title, colour) = match notice.kind {
        NoticeKind::Idle => ("Session idle", 0x34_98_db),
        NoticeKind::Ended => ("Session ended", 0x2e_cc_71),
        NoticeKind::Failed => ("Run failed", 0xe7_4c_3c),
        NoticeKind::Attention => ("Needs attention", 0xf1_c4_0f),
    };
    enveloped(json!({
        "title": title,
        "description": first(&notice.text, TEXT_CHARS_MAX),
        "color": colour,
        "fields": [
            field("Task", &notice.task, false),
            field("Agent", &notice.agent, true),
            field("State", notice.status.word(), true),
            field("Cost", cost.as_deref().unwrap_or("unknown"), true),
        ],
        "footer": {"text": format!("run {} · event {event_id}", notice.run_id)},
        "timestamp": time::format(&notice.at),
    }))
}

/// A test message.
fn test_message(now: Time) -> Value {
    enveloped(json!({
        "title": "Test message",
        "description": "Notifications from abbado reach this channel.",
        "timestamp": time::format(&now),
    }))
}

/// Without `allowed_mentions`, an `@everyone` in a text might ping everyone.
fn enveloped(embed: Value) -> Value {
    json!({"embeds": [embed], "allowed_mentions": {"parse": []}})
}

/// Discord refuses a whole message for one blank value.
fn field(name: &str, value: &str, inline: bool) -> Value {
    let value = first(value, VALUE_CHARS_MAX);
    let value = if value.is_empty() { "-" } else { value };
    json!({"name": name, "value": value, "inline": inline})
}

/// The first `chars_max` characters, trimmed.
fn first(text: &str, chars_max: usize) -> &str {
    let text = text.trim();
    let end = text.char_indices().nth(chars_max);
    end.map_or(text, |(at, _)| &text[..at]).trim_end()
}

#[cfg(test)]
mod tests {
    use super::{super::post::REQUEST_LIMIT, *};
    use crate::domain::{RunId, run::Status};
    use awc::http::{
        StatusCode,
        header::{self, HeaderMap, HeaderValue},
    };
    use chrono::DateTime;
    use std::time::Duration;

    fn notice() -> Notice {
        Notice {
            kind: NoticeKind::Idle,
            run_id: RunId(uuid::Uuid::from_u128(7)),
            text: "All done.".into(),
            task: "Fix it".into(),
            agent: "builder".into(),
            status: Status::Paused,
            cost_usd: Some(0.12345),
            at: Time::from_timestamp_millis(1_700_000_000_000).unwrap(),
        }
    }

    fn values(message: &Value) -> Vec<(&str, &str)> {
        let fields = message["embeds"][0]["fields"].as_array().unwrap();
        let pair = |field| -> (&str, &str) {
            let field: &Value = field;
            (
                field["name"].as_str().unwrap(),
                field["value"].as_str().unwrap(),
            )
        };
        fields.iter().map(pair).collect()
    }

    #[test]
    fn a_message_tells_title_text_task_agent_state_and_cost() {
        let message = notice_message(&notice(), 17);
        assert_eq!(message["allowed_mentions"], json!({"parse": []}));
        let embed = &message["embeds"][0];
        assert_eq!(embed["title"], "Session idle");
        assert_eq!(embed["description"], "All done.");
        assert_eq!(embed["timestamp"], "2023-11-14T22:13:20.000Z");
        let footer = "run 00000000-0000-0000-0000-000000000007 · event 17";
        assert_eq!(embed["footer"]["text"], footer);
        assert_eq!(
            values(&message),
            [
                ("Task", "Fix it"),
                ("Agent", "builder"),
                ("State", "paused"),
                ("Cost", "$0.1235")
            ]
        );
    }

    #[test]
    fn each_kind_has_a_title_of_its_own() {
        let titles = [
            NoticeKind::Idle,
            NoticeKind::Ended,
            NoticeKind::Failed,
            NoticeKind::Attention,
        ]
        .map(|kind| {
            let notice = Notice { kind, ..notice() };
            notice_message(&notice, 1)["embeds"][0]["title"].clone()
        });
        assert_eq!(
            titles,
            [
                "Session idle",
                "Session ended",
                "Run failed",
                "Needs attention"
            ]
        );
    }

    #[test]
    fn texts_are_cut_by_characters_and_never_blank() {
        for letter in ["x", "é", "語", "🦀"] {
            let long = letter.repeat(5000);
            let notice = Notice {
                text: long.clone(),
                task: long.clone(),
                agent: " \n".into(),
                cost_usd: None,
                ..notice()
            };
            let message = notice_message(&notice, 1);
            assert_eq!(message["embeds"][0]["description"], letter.repeat(200));
            let values = values(&message);
            assert_eq!(values[0].1, letter.repeat(1024));
            assert_eq!((values[1].1, values[3].1), ("-", "unknown"));
        }
    }

    #[test]
    fn a_test_message_pings_nobody_either() {
        let message = test_message(notice().at);
        assert_eq!(message["allowed_mentions"], json!({"parse": []}));
        assert_eq!(message["embeds"][0]["title"], "Test message");
    }

    const URL: &str = "https://discord.com/api/webhooks/123456789012345678/s3cret-t0ken";

    fn judged(status: u16, retry_after: Option<&str>, body: &Value) -> DeliveryError {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            let value = HeaderValue::from_str(value).unwrap();
            headers.insert(header::RETRY_AFTER, value);
        }
        let now = DateTime::parse_from_rfc3339("2027-01-15T08:00:00Z").unwrap();
        let uri = confirming(URL).unwrap();
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.clone(),
        };
        judge(&answer, &uri, now.to_utc()).unwrap_err()
    }

    #[test]
    fn too_much_and_the_receivers_own_failures_pass_and_nothing_else_does() {
        for status in [429, 500, 502, 503, 504] {
            assert!(judged(status, None, &Value::Null).may_pass(), "{status}");
        }
        for status in [301, 302, 400, 401, 403, 404, 405, 410, 413] {
            assert!(!judged(status, None, &Value::Null).may_pass(), "{status}");
        }
        assert!(DeliveryError::TimedOut(REQUEST_LIMIT).may_pass());
        assert!(DeliveryError::Unreachable(String::new()).may_pass());
    }

    #[test]
    fn the_longer_wait_of_header_and_body_counts() {
        let wait = |header, body: Value| judged(429, header, &body).asked_wait();
        let millis = |count| Some(Duration::from_millis(count));
        assert_eq!(wait(Some("2"), Value::Null), millis(2000));
        assert_eq!(wait(Some("1"), json!({"retry_after": 1.25})), millis(1250));
        assert_eq!(
            wait(Some("65"), json!({"retry_after": 0.5})),
            millis(65_000)
        );
        assert_eq!(wait(None, json!({"retry_after": 0.3})), millis(300));
        let date = Some("Fri, 15 Jan 2027 08:00:30 GMT");
        assert_eq!(wait(date, Value::Null), millis(30_000));
        for odd in [
            "soon",
            "-1",
            "inf",
            "1e300",
            "Fri, 15 Jan 2027 07:00:00 GMT",
        ] {
            assert_eq!(wait(Some(odd), Value::Null), None, "{odd}");
        }
    }

    #[test]
    fn the_receivers_words_are_one_short_line_without_the_url() {
        let said = format!("No\n{URL}\u{1b}[31m {}", "x".repeat(500));
        let error = judged(404, None, &json!({"message": said})).to_string();
        assert!(error.starts_with("the receiver answered 404: No https://"));
        assert!(
            error.chars().count() < 250 && !error.contains('\n'),
            "{error}"
        );
        assert!(
            !error.contains("s3cret") && !error.contains("1234567"),
            "{error}"
        );
        let plain = judged(404, None, &Value::Null).to_string();
        assert_eq!(plain, "the receiver answered 404: Not Found");
    }

    #[test]
    fn the_receiver_is_asked_to_confirm() {
        let path = |url: &str| {
            confirming(url)
                .unwrap()
                .path_and_query()
                .unwrap()
                .to_string()
        };
        assert_eq!(path("http://127.0.0.1:9/x"), "/x?wait=true");
        assert_eq!(
            path("http://127.0.0.1:9/x?thread_id=1"),
            "/x?thread_id=1&wait=true"
        );
        assert_eq!(confirming("http://127.0.0.1:9/<x y>"), None);
    }
}

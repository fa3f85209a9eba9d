//! The form of a message: one embed, within Discord's limits.

use crate::domain::{
    EventId, Time,
    run::notice::{Kind, Notice},
    time,
};
use serde_json::{Value, json};

/// Characters of what happened or was said that are shown.
const TEXT_CHARS_MAX: usize = 200;
/// Discord's own limit for the value of a field, in characters. All of an embed may have 6000.
const VALUE_CHARS_MAX: usize = 1024;

/// The message of a notice. Its footer names the event: a message that came twice is known by it.
#[must_use]
pub fn message(notice: &Notice, event_id: EventId) -> Value {
    let cost = notice.cost_usd.map(|dollars| format!("${dollars:.4}"));
    let (title, colour) = match notice.kind {
        Kind::Idle => ("Session idle", 0x34_98_db),
        Kind::Ended => ("Session ended", 0x2e_cc_71),
        Kind::Failed => ("Run failed", 0xe7_4c_3c),
        Kind::Attention => ("Needs attention", 0xf1_c4_0f),
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

/// A message that tells nothing but that it came.
#[must_use]
pub fn test_message(now: Time) -> Value {
    enveloped(json!({
        "title": "Test message",
        "description": "abbado reaches this channel.",
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

/// The first so many characters, without the space around them.
fn first(text: &str, chars_max: usize) -> &str {
    let text = text.trim();
    let end = text.char_indices().nth(chars_max);
    end.map_or(text, |(at, _)| &text[..at]).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RunId, run::Status};

    fn notice() -> Notice {
        Notice {
            kind: Kind::Idle,
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
        let message = message(&notice(), 17);
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
        let titles = [Kind::Idle, Kind::Ended, Kind::Failed, Kind::Attention].map(|kind| {
            let notice = Notice { kind, ..notice() };
            message(&notice, 1)["embeds"][0]["title"].clone()
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
            let message = message(&notice, 1);
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
}

//! What a viewer of a terminal says in text. The first byte says into what frames it is cut.

use abbado::http::fuzzing::client_message::{Item, Pieces, ToHolder, Whole, control};
use bytes::Bytes;
use serde_json::{Value, json};

/// A message is the same in one frame and in several; only sizes that a terminal has are handed
/// on; what is taken means what its JSON says.
pub fn terminal_control(data: &[u8]) {
    let Some((cut, message)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(message);
    let whole = put_together(message, usize::from(*cut).max(1), true);
    assert_eq!(whole, Whole::Text(text.clone().into_owned()));
    let keys = put_together(message, usize::from(*cut).max(1), false);
    assert_eq!(keys, Whole::Keys(Bytes::copy_from_slice(message)));
    match control(&text) {
        Ok(what) => {
            let said: Value = serde_json::from_str(&text).expect("what was taken is JSON");
            let again = match &what {
                ToHolder::Keys(keys) => {
                    let data = str::from_utf8(keys).expect("a JSON string is UTF-8");
                    assert_eq!(said.get("data"), Some(&json!(data)));
                    json!({"type": "input", "data": data})
                }
                ToHolder::Resize(cols, rows) => {
                    assert!((1..=1000).contains(cols) && (1..=1000).contains(rows));
                    assert_eq!(said.get("cols"), Some(&json!(cols)));
                    assert_eq!(said.get("rows"), Some(&json!(rows)));
                    json!({"type": "resize", "cols": cols, "rows": rows})
                }
                ToHolder::Colors(told) => {
                    assert_eq!(said.get("type"), Some(&json!("colors")));
                    // Nothing but three answers of a known form reaches the holder.
                    assert!(
                        told.is_ascii() && told.len() == 3 * "\x1b]10;rgb:00/00/00\x1b\\".len()
                    );
                    let color = |name: &str| said.get(name).cloned().unwrap_or_default();
                    let (foreground, background) = (color("foreground"), color("background"));
                    json!({"type": "colors", "foreground": foreground, "background": background, "cursor": color("cursor")})
                }
            };
            assert_eq!(control(&again.to_string()), Ok(what));
        }
        // The reason of a WebSocket's close is at most 123 bytes long (RFC 6455, 5.5.1).
        Err(why) => assert!(why.len() <= 123, "{why}"),
    }
}

fn put_together(message: &[u8], cut: usize, text: bool) -> Whole {
    let mut pieces = Pieces::default();
    let mut frames = message.chunks(cut).map(Bytes::copy_from_slice);
    let first = frames.next().unwrap_or_default();
    let first = if text {
        Item::FirstText(first)
    } else {
        Item::FirstBinary(first)
    };
    assert_eq!(pieces.take(first), Ok(None));
    for frame in frames {
        assert_eq!(pieces.take(Item::Continue(frame)), Ok(None));
    }
    let whole = pieces.take(Item::Last(Bytes::new()));
    // The next message finds nothing of this one.
    let next = pieces.take(Item::FirstText(Bytes::new()));
    assert_eq!(next, Ok(None));
    let next = pieces.take(Item::Last(Bytes::new()));
    assert_eq!(next, Ok(Some(Whole::Text(String::new()))));
    whole
        .expect("a message within the limit")
        .expect("its last frame came")
}

//! Messages of a terminal's viewer: keystrokes and sizes, in one frame or in several.

pub use actix_http::ws::Item;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

/// Largest message taken from a viewer, in one frame or in several.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// What is handed on to the holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToHolder {
    /// Keystrokes.
    Keys(Bytes),
    /// Columns and rows.
    Resize(u16, u16),
    /// The colours of a page, as a terminal answers when it is asked for them.
    Colors(Bytes),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Control {
    Input {
        data: String,
    },
    Resize {
        cols: u32,
        rows: u32,
    },
    Colors {
        foreground: String,
        background: String,
        cursor: String,
    },
}

/// Reads a text message.
///
/// # Errors
/// One sentence when it is malformed, or names a size that no terminal has.
pub fn control(text: &str) -> Result<ToHolder, &'static str> {
    const FORM: &str = "a text message is {type: input|resize|colors, …}";
    // serde takes a list of the fields, too.
    if !text.trim_start().starts_with('{') {
        return Err(FORM);
    }
    match serde_json::from_str(text) {
        Ok(Control::Input { data }) => Ok(ToHolder::Keys(data.into())),
        Ok(Control::Resize { cols, rows }) => side(cols)
            .zip(side(rows))
            .map(|(cols, rows)| ToHolder::Resize(cols, rows))
            .ok_or("cols and rows must be 1 to 1000"),
        Ok(Control::Colors {
            foreground,
            background,
            cursor,
        }) => colors(&[(10, foreground), (11, background), (12, cursor)])
            .map(ToHolder::Colors)
            .ok_or("colors must be written as #rrggbb"),
        Err(_) => Err(FORM),
    }
}

fn colors(colors: &[(u32, String)]) -> Option<Bytes> {
    let mut told = String::new();
    for (number, color) in colors {
        let hex = color.strip_prefix('#').filter(|hex| hex.len() == 6)?;
        if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let (red, green, blue) = (&hex[..2], &hex[2..4], &hex[4..]);
        told.push_str(&format!("\x1b]{number};rgb:{red}/{green}/{blue}\x1b\\"));
    }
    Some(told.into())
}

/// A number of columns or rows that a terminal can have.
pub fn side(given: u32) -> Option<u16> {
    u16::try_from(given)
        .ok()
        .filter(|side| (1..=crate::runtime::operations::terminals::SIZE_MAX).contains(side))
}

/// A message that came in several frames, put together.
#[derive(Debug, Default)]
pub struct Pieces {
    bytes: BytesMut,
    text: bool,
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whole {
    /// Text.
    Text(String),
    /// Keystrokes.
    Keys(Bytes),
}

/// The frames of one message are more than [`MESSAGE_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Pieces {
    /// Takes the next frame; gives the message that it ends.
    ///
    /// # Errors
    /// [`TooLong`], after which nothing more can be made of what comes.
    pub fn take(&mut self, piece: Item) -> Result<Option<Whole>, TooLong> {
        let (bytes, last) = match piece {
            Item::FirstText(bytes) => {
                self.text = true;
                (bytes, false)
            }
            Item::FirstBinary(bytes) => {
                self.text = false;
                (bytes, false)
            }
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
        };
        if self.bytes.len() + bytes.len() > MESSAGE_BYTES_MAX {
            return Err(TooLong);
        }
        self.bytes.extend_from_slice(&bytes);
        Ok(last.then(|| {
            let whole = self.bytes.split().freeze();
            if self.text {
                Whole::Text(String::from_utf8_lossy(&whole).into_owned())
            } else {
                Whole::Keys(whole)
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_an_object() {
        let keys = Ok(ToHolder::Keys("x".into()));
        assert_eq!(control(r#" {"type": "input", "data": "x"}"#), keys);
        assert!(control(r#"["input", "x"]"#).is_err());
        let colors = r##"{"type": "colors", "foreground": "#010203", "background": "#fff000", "cursor": "#aabbcc"}"##;
        let told = "\x1b]10;rgb:01/02/03\x1b\\\x1b]11;rgb:ff/f0/00\x1b\\\x1b]12;rgb:aa/bb/cc\x1b\\";
        assert_eq!(control(colors), Ok(ToHolder::Colors(told.into())));
        for wrong in ["red", "#12345", "#12345g", "#€€"] {
            assert!(
                control(&colors.replace("#010203", wrong)).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn frames_of_one_message_are_at_most_its_limit() {
        let mut pieces = Pieces::default();
        let most = Bytes::from(vec![b'x'; MESSAGE_BYTES_MAX]);
        assert_eq!(pieces.take(Item::FirstBinary(most.clone())), Ok(None));
        let whole = pieces.take(Item::Last(Bytes::new()));
        assert_eq!(whole, Ok(Some(Whole::Keys(most.clone()))));
        assert_eq!(pieces.take(Item::FirstText(most)), Ok(None));
        assert_eq!(pieces.take(Item::Continue("x".into())), Err(TooLong));
    }
}

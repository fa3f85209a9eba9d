//! Whether something else than the program's prompt takes what is typed: a menu, a history, an editor
//! that a viewer opened.
//!
//! No program tells, so the screen is compared: before a viewer's first key it is remembered where the
//! prompt stands; after a key that may have opened something, the prompt must be there again. Where the
//! cursor stood behind something else than a prompt, as while a turn is drawn, nothing is known.

use std::time::Instant;

use crate::pty::emulator::Spot;

/// See the module.
#[derive(Debug, Default, Clone)]
pub(super) struct Menu {
    /// The prompt, as it was before the first key.
    prompt: Option<Spot>,
    /// When a key was typed last, if one of them may have opened something.
    typed: Option<Instant>,
    /// A draft stood at the prompt when it was seen last.
    draft: bool,
}

impl Menu {
    /// Takes in what a viewer types; `spot` is where the cursor is now, `draft` whether a text stands
    /// at the prompt before.
    pub(super) fn typed(&mut self, keys: &[u8], draft: bool, spot: Option<&Spot>) {
        if self.typed.is_none() && !draft {
            self.prompt = spot.filter(|spot| spot.may_be_prompt()).cloned();
        }
        if keys.contains(&CTRL_C) {
            return self.close();
        }
        if self.typed.is_some() || opens(keys) {
            self.typed = Some(Instant::now());
        }
    }

    /// Nothing is open, whatever was typed.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    /// True when a key may have opened something.
    #[must_use]
    pub(super) const fn may_be_open(&self) -> bool {
        self.typed.is_some()
    }

    /// When the last key was typed that may have opened something.
    #[must_use]
    pub(super) const fn last_key(&self) -> Option<Instant> {
        self.typed
    }

    /// Whether the prompt is out of sight. Where it never was known, nothing is.
    #[must_use]
    pub(super) fn is_open(&self, spot: Option<&Spot>) -> bool {
        self.typed.is_some() && self.prompt.is_some() && self.prompt.as_ref() != spot
    }

    /// Looks at the prompt: remembers whether a draft stands there.
    pub(super) const fn seen(&mut self, draft: bool) {
        self.draft = draft;
    }

    /// Whether a draft stood at the prompt before it went out of sight.
    #[must_use]
    pub(super) const fn had_draft(&self) -> bool {
        self.draft
    }
}

const CTRL_C: u8 = 0x03;

/// Whether keys may do something else than write: any control but Backspace and what is pasted.
fn opens(keys: &[u8]) -> bool {
    let pasted = keys.starts_with(b"\x1b[200~") && keys.ends_with(b"\x1b[201~");
    let written = |byte: &u8| *byte == 0x08 || *byte >= b' ';
    !pasted && !keys.iter().all(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Spot {
        Spot::Cursor(text.len(), text.to_owned())
    }

    #[test]
    fn a_menu_is_open_while_the_prompt_is_out_of_sight() {
        let (prompt, other) = (at("> "), at("  "));
        let mut menu = Menu::default();
        menu.typed(b"/mo", false, Some(&prompt));
        assert!(!menu.is_open(Some(&at("> /mo"))), "a draft is no menu");
        menu.typed(b"del", true, Some(&at("> /mo")));
        menu.typed(b"\r", true, Some(&at("> /model")));
        assert!(menu.may_be_open());
        for (spot, open) in [(Some(&prompt), false), (Some(&other), true), (None, true)] {
            assert_eq!(menu.is_open(spot), open, "{spot:?}");
        }
        menu.typed(b"2", false, Some(&other));
        assert!(menu.is_open(Some(&other)), "a key in a menu is no prompt");
        menu.close();
        assert!(!menu.is_open(Some(&other)));
    }

    #[test]
    fn writing_opens_nothing_and_neither_does_what_is_typed_where_no_prompt_was_seen() {
        for keys in [
            &b"a"[..],
            "é".as_bytes(),
            b"\x7f",
            b"\x1b[200~a\rb\x1b[201~",
        ] {
            let mut menu = Menu::default();
            menu.typed(keys, false, Some(&at("> ")));
            assert!(!menu.is_open(None), "{}", keys.escape_ascii());
        }
        for keys in [&b"\r"[..], b"\x1b", b"\x12", b"\x1bp", b"/model\r"] {
            let mut menu = Menu::default();
            menu.typed(keys, false, Some(&at("> ")));
            assert!(menu.is_open(None), "{}", keys.escape_ascii());
            menu.typed(b"\x03", false, None);
            assert!(!menu.is_open(None), "Ctrl-C leaves everything");
            menu.typed(keys, false, None);
            assert!(!menu.is_open(Some(&at("  "))));
        }
    }
}

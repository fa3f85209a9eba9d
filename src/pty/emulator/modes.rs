//! Modes of a terminal: what programs switch on and off, and ask for.

use std::collections::BTreeMap;

/// Modes that change nothing here and something in a viewer's terminal: two encodings of the mouse,
/// scrolling by the wheel, reports of the colour scheme.
const FORWARDED: [u32; 4] = [1005, 1007, 1015, 2031];
/// Nested states of the kitty keyboard that are kept.
const KEYBOARD_LEN_MAX: usize = 16;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modes {
    /// IRM.
    pub insert: bool,
    /// LNM.
    pub new_line: bool,
    /// DECOM.
    pub origin: bool,
    /// DECAWM is off.
    pub no_wrap: bool,
    /// Mode 45.
    pub reverse_wrap: bool,
    /// DECCKM.
    pub cursor_keys: bool,
    /// DECNKM.
    pub keypad: bool,
    /// DECTCEM.
    pub cursor_hidden: bool,
    /// Mode 12.
    pub cursor_blinks: bool,
    /// DECSCUSR.
    pub cursor_style: u32,
    /// Mode 1004.
    pub focus: bool,
    /// Mode 2004.
    pub bracketed_paste: bool,
    /// Mode 2026.
    pub synchronized: bool,
    /// 9, 1000, 1002 or 1003: which events of the mouse are reported; or 0.
    pub mouse: u32,
    /// 1006 or 1016, or 0.
    pub mouse_encoding: u32,
    /// See [`FORWARDED`].
    pub forwarded: BTreeMap<u32, bool>,
    /// Flags of the kitty keyboard on the normal and on the alternate screen, the last in use.
    pub keyboard: [Vec<u32>; 2],
}

impl Modes {
    /// `CSI h` and `CSI l`.
    pub(crate) const fn set_ansi(&mut self, mode: u32, on: bool) {
        match mode {
            4 => self.insert = on,
            20 => self.new_line = on,
            _ => {}
        }
    }

    /// `CSI ? h` and `CSI ? l`, as far as no screen is concerned.
    pub(crate) fn set_private(&mut self, mode: u32, on: bool) {
        match mode {
            1 => self.cursor_keys = on,
            6 => self.origin = on,
            7 => self.no_wrap = !on,
            12 => self.cursor_blinks = on,
            25 => self.cursor_hidden = !on,
            45 => self.reverse_wrap = on,
            66 => self.keypad = on,
            9 | 1000 | 1002 | 1003 => self.mouse = if on { mode } else { 0 },
            1004 => self.focus = on,
            1006 | 1016 => self.mouse_encoding = if on { mode } else { 0 },
            2004 => self.bracketed_paste = on,
            2026 => self.synchronized = on,
            _ if FORWARDED.contains(&mode) => {
                self.forwarded.insert(mode, on);
            }
            _ => {}
        }
    }

    /// What DECRQM answers for a mode of `CSI h`.
    pub(crate) fn ask_ansi(&self, mode: u32) -> u32 {
        match mode {
            2 => 4,
            4 => said(self.insert),
            12 => 3,
            20 => said(self.new_line),
            _ => 0,
        }
    }

    /// What DECRQM answers for a mode of `CSI ? h`.
    pub(crate) fn ask_private(&self, mode: u32, alternate: bool) -> u32 {
        match mode {
            1 => said(self.cursor_keys),
            6 => said(self.origin),
            7 => said(!self.no_wrap),
            8 => 3,
            12 => said(self.cursor_blinks),
            25 => said(!self.cursor_hidden),
            45 => said(self.reverse_wrap),
            47 | 1047 | 1049 => said(alternate),
            66 => said(self.keypad),
            67 => 4,
            9 | 1000 | 1002 | 1003 => said(self.mouse == mode),
            1004 => said(self.focus),
            1005 | 1015 => 4,
            1006 | 1016 => said(self.mouse_encoding == mode),
            1048 => 1,
            2004 => said(self.bracketed_paste),
            2026 => said(self.synchronized),
            _ => 0,
        }
    }

    /// `CSI ! p`.
    pub(crate) fn soft_reset(&mut self) {
        let old = std::mem::take(self);
        self.new_line = old.new_line;
        self.cursor_blinks = old.cursor_blinks;
        self.mouse = old.mouse;
        self.mouse_encoding = old.mouse_encoding;
        self.forwarded = old.forwarded;
    }

    /// Keeps what `ESC c` does not change in the page's terminal.
    pub(crate) const fn survive(&mut self, old: &Self) {
        self.new_line = old.new_line;
        self.cursor_blinks = old.cursor_blinks;
        self.cursor_hidden = old.cursor_hidden;
    }

    /// The flags of the kitty keyboard.
    pub(crate) fn keyboard(&self, alternate: bool) -> u32 {
        let stack = &self.keyboard[usize::from(alternate)];
        stack.last().copied().unwrap_or(0)
    }

    /// `CSI > u`.
    pub(crate) fn push_keyboard(&mut self, alternate: bool, flags: u32) {
        let stack = &mut self.keyboard[usize::from(alternate)];
        if stack.len() == KEYBOARD_LEN_MAX {
            stack.remove(0);
        }
        stack.push(flags);
    }

    /// `CSI < u`.
    pub(crate) fn pop_keyboard(&mut self, alternate: bool, count: usize) {
        let stack = &mut self.keyboard[usize::from(alternate)];
        stack.truncate(stack.len().saturating_sub(count));
    }

    /// `CSI = u`: 1 sets the flags, 2 adds some, 3 takes some away.
    pub(crate) fn set_keyboard(&mut self, alternate: bool, flags: u32, how: u32) {
        let old = self.keyboard(alternate);
        let new = match how {
            2 => old | flags,
            3 => old & !flags,
            _ => flags,
        };
        let stack = &mut self.keyboard[usize::from(alternate)];
        match stack.last_mut() {
            Some(last) => *last = new,
            None => stack.push(new),
        }
    }
}

const fn said(on: bool) -> u32 {
    if on { 1 } else { 2 }
}

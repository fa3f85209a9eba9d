//! Character sets of `ESC (` and its like: line drawing, and the national ones of a VT220.

/// A set, by its final byte in `ESC ( F`; the default is ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charset(pub u8);

impl Default for Charset {
    fn default() -> Self {
        Self::ASCII
    }
}

/// What stands in place of ASCII characters: pairs.
const SETS: [(&[u8], &str); 11] = [
    (
        b"0",
        "`◆a▒b␉c␌d␍e␊f°g±h␤i␋j┘k┐l┌m└n┼o⎺p⎻q─r⎼s⎽t├u┤v┴w┬x│y≤z≥{π|≠}£~·",
    ),
    (b"A", "#£"),
    (b"4", "#£@¾[i\\½]|{¨|f}¼~´"),
    (b"C5", "[Ä\\Ö]Å^Ü`é{ä|ö}å~ü"),
    (b"R", "#£@à[°\\ç]§{é|ù}è~¨"),
    (b"Q", "@à[â\\ç]ê^î`ô{é|ù}è~û"),
    (b"K", "@§[Ä\\Ö]Ü{ä|ö}ü~ß"),
    (b"Y", "#£@§[°\\ç]é`ù{à|ò}è~ì"),
    (b"E6", "@Ä[Æ\\Ø]Å^Ü`ä{æ|ø}å~ü"),
    (b"Z", "#£@§[¡\\Ñ]¿{°|ñ}ç"),
    (b"H7", "@É[Ä\\Ö]Å^Ü`é{ä|ö}å~ü"),
];

/// The Swiss set has a pair for `_` as well.
const SWISS: &str = "#ù@à[é\\ç]ê^î_è`ô{ä|ö}ü~û";

impl Charset {
    /// `ESC ( B`.
    pub(crate) const ASCII: Self = Self(b'B');

    /// The set that a final byte names.
    pub(crate) fn named(byte: u8) -> Option<Self> {
        let known = byte == b'B' || Self(byte).pairs().is_some();
        known.then_some(Self(byte))
    }

    fn pairs(self) -> Option<&'static str> {
        if self.0 == b'=' {
            return Some(SWISS);
        }
        let set = SETS.iter().find(|(names, _)| names.contains(&self.0))?;
        Some(set.1)
    }

    /// The character in place of an ASCII one.
    pub(crate) fn translate(self, code: u32) -> u32 {
        let Some(pairs) = self.pairs() else {
            return code;
        };
        let mut chars = pairs.chars();
        while let (Some(from), Some(to)) = (chars.next(), chars.next()) {
            if u32::from(from) == code {
                return to.into();
            }
        }
        code
    }

    /// The ASCII character that one stands in place of, or itself.
    pub(crate) fn original(self, char: char) -> char {
        let found = (b' '..0x7f).find(|code| self.translate(u32::from(*code)) == u32::from(char));
        found.map_or(char, char::from)
    }
}

/// G0 to G3 and which of them is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charsets {
    /// G0 to G3.
    pub sets: [Charset; 4],
    /// The number of the set in use.
    pub level: usize,
    /// The set in use; restoring a cursor may make it another than `sets[level]`.
    pub active: Charset,
}

impl Default for Charsets {
    fn default() -> Self {
        Self {
            sets: [Charset::ASCII; 4],
            level: 0,
            active: Charset::ASCII,
        }
    }
}

impl Charsets {
    /// Uses G0 to G3.
    pub(crate) fn shift(&mut self, level: usize) {
        self.level = level;
        self.active = self.sets[level];
    }

    /// Makes G0 to G3 a set.
    pub(crate) fn designate(&mut self, level: usize, set: Charset) {
        self.sets[level] = set;
        if self.level == level {
            self.active = set;
        }
    }
}

//! A cell of the screen, and how characters are drawn.

/// A colour: 0 is the default, else a kind in the top byte and its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Color(pub u32);

impl Color {
    /// The terminal's own.
    pub(crate) const DEFAULT: Self = Self(0);

    /// One of the first sixteen.
    pub(crate) const fn ansi(index: u8) -> Self {
        Self(1 << 24 | index as u32)
    }

    /// One of the palette.
    pub(crate) const fn indexed(index: u8) -> Self {
        Self(2 << 24 | index as u32)
    }

    /// Any.
    pub(crate) const fn rgb(red: u8, green: u8, blue: u8) -> Self {
        Self(3 << 24 | (red as u32) << 16 | (green as u32) << 8 | blue as u32)
    }

    /// 0 for the default, 1 for the first sixteen, 2 for the palette, 3 for any.
    pub(crate) const fn kind(self) -> u32 {
        self.0 >> 24
    }

    /// What the kind says more exactly: red, green and blue, or an index in the last place.
    pub(crate) const fn parts(self) -> [u8; 3] {
        [(self.0 >> 16) as u8, (self.0 >> 8) as u8, self.0 as u8]
    }
}

/// Attributes that are on or off; a set of bits.
pub(crate) mod flag {
    /// SGR 1.
    pub(crate) const BOLD: u16 = 1;
    /// SGR 2.
    pub(crate) const DIM: u16 = 1 << 1;
    /// SGR 3.
    pub(crate) const ITALIC: u16 = 1 << 2;
    /// SGR 4.
    pub(crate) const UNDERLINE: u16 = 1 << 3;
    /// SGR 5.
    pub(crate) const BLINK: u16 = 1 << 4;
    /// SGR 7.
    pub(crate) const INVERSE: u16 = 1 << 5;
    /// SGR 8.
    pub(crate) const INVISIBLE: u16 = 1 << 6;
    /// SGR 9.
    pub(crate) const STRIKETHROUGH: u16 = 1 << 7;
    /// SGR 53.
    pub(crate) const OVERLINE: u16 = 1 << 8;
    /// DECSCA: a selective erase leaves it.
    pub(crate) const PROTECTED: u16 = 1 << 9;
    /// There is an underline or a link, which [`super::Extended`] tells.
    pub(crate) const EXTENDED: u16 = 1 << 10;
}

/// The kind of an underline, and the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Extended {
    /// 0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed.
    pub underline: u8,
    /// The underline's colour.
    pub color: Color,
    /// The link's place in [`super::pool::Pools::links`]; 0 is none.
    pub link: u32,
}

impl Extended {
    const fn is_empty(self) -> bool {
        self.underline == 0 && self.link == 0
    }
}

/// How a cell is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attr {
    /// Colour of the text.
    pub fg: Color,
    /// Colour behind it.
    pub bg: Color,
    /// See [`flag`].
    pub flags: u16,
    /// The place in [`super::pool::Pools::extended`], when the flag says so, else 0.
    pub extended: u16,
}

impl Attr {
    /// The colour behind, nothing else.
    pub(crate) fn without_text(self) -> Self {
        Self {
            bg: self.bg,
            ..Self::default()
        }
    }
}

/// How the next character is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pen {
    /// Colour of the text.
    pub fg: Color,
    /// Colour behind it.
    pub bg: Color,
    /// See [`flag`].
    pub flags: u16,
    /// Also kept while the flag does not say so.
    pub extended: Extended,
}

impl Pen {
    /// Says whether there is something extended.
    pub(crate) fn update(&mut self) {
        if self.extended.is_empty() {
            self.flags &= !flag::EXTENDED;
        } else {
            self.flags |= flag::EXTENDED;
        }
    }

    /// The pen that draws the same and that `CSI m` makes.
    pub(crate) fn shown(mut self) -> Self {
        if self.flags & flag::EXTENDED == 0 {
            self.extended = Extended::default();
        }
        self
    }

    /// The attributes of what it draws; `place` keeps the extended ones.
    pub(crate) fn attr(&self, place: impl FnOnce(&Extended) -> u32) -> Attr {
        let shown = self.flags & flag::EXTENDED != 0;
        Attr {
            fg: self.fg,
            bg: self.bg,
            flags: self.flags,
            extended: if shown {
                place(&self.extended) as u16
            } else {
                0
            },
        }
    }

    /// The attributes of what it erases: the colour behind, nothing else.
    pub(crate) fn erased(&self) -> Attr {
        Attr {
            bg: self.bg,
            ..Attr::default()
        }
    }
}

const CODE: u32 = 0x1f_ffff;
const CLUSTER: u32 = 1 << 21;
const WIDTH_SHIFT: u32 = 22;

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing was written, or it was erased.
    Nothing,
    /// One character.
    Char(u32),
    /// Several, by their place in [`super::pool::Pools::clusters`].
    Cluster(u32),
}

/// A cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    content: u32,
    /// How it is drawn.
    pub attr: Attr,
}

impl Cell {
    /// An empty one.
    pub(crate) const EMPTY: Self = Self {
        content: 1 << WIDTH_SHIFT,
        attr: Attr {
            fg: Color::DEFAULT,
            bg: Color::DEFAULT,
            flags: 0,
            extended: 0,
        },
    };

    /// One with a character; 0 is none. The second half of a wide one has no width.
    pub(crate) const fn new(code: u32, width: usize, attr: Attr) -> Self {
        Self {
            content: code | (width as u32) << WIDTH_SHIFT,
            attr,
        }
    }

    /// An empty one of these attributes.
    pub(crate) const fn empty(attr: Attr) -> Self {
        Self::new(0, 1, attr)
    }

    /// Columns that it takes.
    pub(crate) const fn width(self) -> usize {
        (self.content >> WIDTH_SHIFT) as usize
    }

    /// What it holds.
    pub(crate) const fn content(self) -> Content {
        let code = self.content & CODE;
        if self.content & CLUSTER != 0 {
            Content::Cluster(code)
        } else if code == 0 {
            Content::Nothing
        } else {
            Content::Char(code)
        }
    }

    /// Whether it holds something.
    pub(crate) const fn has_content(self) -> bool {
        self.content & (CODE | CLUSTER) != 0
    }

    /// Whether it is the second half of a wide character.
    pub(crate) const fn is_half(self) -> bool {
        self.width() == 0 && !self.has_content()
    }

    /// Puts a cluster into it.
    pub(crate) fn set_cluster(&mut self, place: u32) {
        self.content = self.content & !CODE | CLUSTER | place;
    }

    /// Puts a character into it.
    pub(crate) fn set_char(&mut self, code: u32) {
        self.content = self.content & !(CODE | CLUSTER) | code;
    }

    /// Changes the columns that it takes.
    pub(crate) fn set_width(&mut self, width: usize) {
        self.content = self.content & (CODE | CLUSTER) | (width as u32) << WIDTH_SHIFT;
    }
}

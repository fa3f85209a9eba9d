//! The colours that programs change and ask for by OSC 4, 10, 11 and 12.

use std::collections::BTreeMap;

/// Red, green, blue.
pub(crate) type Rgb = [u8; 3];

/// The first sixteen colours.
const FIRST: [Rgb; 16] = [
    [0x2e, 0x34, 0x36],
    [0xcc, 0x00, 0x00],
    [0x4e, 0x9a, 0x06],
    [0xc4, 0xa0, 0x00],
    [0x34, 0x65, 0xa4],
    [0x75, 0x50, 0x7b],
    [0x06, 0x98, 0x9a],
    [0xd3, 0xd7, 0xcf],
    [0x55, 0x57, 0x53],
    [0xef, 0x29, 0x29],
    [0x8a, 0xe2, 0x34],
    [0xfc, 0xe9, 0x4f],
    [0x72, 0x9f, 0xcf],
    [0xad, 0x7f, 0xa8],
    [0x34, 0xe2, 0xe2],
    [0xee, 0xee, 0xec],
];

/// The OSC number of the first colour that has a number of its own: text, background, cursor.
const SPECIAL: u32 = 10;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Palette {
    /// Of text, background and cursor, where no program changed them.
    own: [Rgb; 3],
    /// What programs made of these.
    special: [Option<Rgb>; 3],
    /// What programs changed of the 256 colours.
    indexed: BTreeMap<u8, Rgb>,
}

impl Default for Palette {
    fn default() -> Self {
        Self {
            own: [[0xe6, 0xe6, 0xe6], [0x12, 0x12, 0x12], [0xe6, 0xe6, 0xe6]],
            special: [None; 3],
            indexed: BTreeMap::new(),
        }
    }
}

/// The place of a colour with a number of its own.
const fn place(number: u32) -> usize {
    number.wrapping_sub(SPECIAL) as usize
}

impl Palette {
    /// Takes the colours of a viewer's page for the terminal's own.
    pub(crate) fn adopt(&mut self, number: u32, color: Rgb) {
        if let Some(own) = self.own.get_mut(place(number)) {
            *own = color;
        }
    }

    /// OSC 4: pairs of an index and a colour; gives what is asked for.
    pub(crate) fn set_indexed(&mut self, text: &str) -> Vec<(String, Rgb)> {
        let mut asked = Vec::new();
        let mut words = text.split(';');
        while let (Some(index), Some(color)) = (words.next(), words.next()) {
            let Ok(index) = index.parse() else { continue };
            if color == "?" {
                asked.push((format!("4;{index}"), self.indexed(index)));
            } else if let Some(color) = parse(color) {
                self.indexed.insert(index, color);
            }
        }
        asked
    }

    /// OSC 10, 11 and 12; more colours are for the next numbers. Gives what is asked for.
    pub(crate) fn set_special(&mut self, number: u32, text: &str) -> Vec<(String, Rgb)> {
        let mut asked = Vec::new();
        for (number, color) in (number..).zip(text.split(';')) {
            let at = place(number);
            let Some(special) = self.special.get_mut(at) else {
                break;
            };
            if color == "?" {
                asked.push((number.to_string(), special.unwrap_or(self.own[at])));
            } else if let Some(color) = parse(color) {
                *special = Some(color);
            }
        }
        asked
    }

    /// OSC 104: some colours, or all, are the terminal's own again.
    pub(crate) fn reset_indexed(&mut self, text: &str) {
        if text.is_empty() {
            self.indexed.clear();
        }
        for index in text.split(';').filter_map(|index| index.parse().ok()) {
            self.indexed.remove(&index);
        }
    }

    /// OSC 110, 111 and 112.
    pub(crate) fn reset_special(&mut self, number: u32) {
        if let Some(special) = self.special.get_mut(place(number)) {
            *special = None;
        }
    }

    /// What programs changed, as OSC strings.
    pub(crate) fn changes(&self) -> impl Iterator<Item = String> {
        let special = (SPECIAL..).zip(self.special);
        let special = special.filter_map(|(number, color)| Some((number.to_string(), color?)));
        let indexed = self.indexed.iter();
        let indexed = indexed.map(|(index, color)| (format!("4;{index}"), *color));
        let all = special.chain(indexed);
        all.map(|(name, color)| format!("{name};{}", written(color)))
    }

    fn indexed(&self, index: u8) -> Rgb {
        if let Some(color) = self.indexed.get(&index) {
            return *color;
        }
        match index {
            first @ 0..16 => FIRST[usize::from(first)],
            cube @ 16..232 => {
                let part = |value: u8| if value == 0 { 0 } else { 55 + 40 * value };
                let cube = cube - 16;
                [part(cube / 36), part(cube / 6 % 6), part(cube % 6)]
            }
            gray => [8 + 10 * (gray - 232); 3],
        }
    }
}

/// As terminals write a colour.
pub(crate) fn written([red, green, blue]: Rgb) -> String {
    format!("rgb:{red:02x}{red:02x}/{green:02x}{green:02x}/{blue:02x}{blue:02x}")
}

/// Reads `rgb:R/G/B` and `#RGB` with one to four digits each.
pub(crate) fn parse(text: &str) -> Option<Rgb> {
    let text = text.to_ascii_lowercase();
    let digits = |text: &str| u32::from_str_radix(text, 16).ok();
    if let Some(parts) = text.strip_prefix("rgb:") {
        let mut color = [0; 3];
        let mut parts = parts.split('/').peekable();
        let len = parts.peek()?.len();
        if !(1..=4).contains(&len) {
            return None;
        }
        let most = f64::from((1_u32 << (4 * len)) - 1);
        for value in &mut color {
            let part = parts.next().filter(|part| part.len() == len)?;
            *value = (f64::from(digits(part)?) / most * 255.0).round() as u8;
        }
        return parts.next().is_none().then_some(color);
    }
    let hex = text.strip_prefix('#')?;
    let len = hex.len() / 3;
    if !matches!(hex.len(), 3 | 6 | 9 | 12) || !hex.is_ascii() {
        return None;
    }
    let mut color = [0; 3];
    for (at, value) in color.iter_mut().enumerate() {
        let part = digits(&hex[at * len..][..len])?;
        *value = match len {
            1 => part << 4,
            2 => part,
            3 => part >> 4,
            _ => part >> 8,
        } as u8;
    }
    Some(color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_set_asked_for_and_reset() {
        let mut palette = Palette::default();
        let asked = palette.set_indexed("1;#102030;1;?;231;?;300;?;x;?");
        let expected = [("4;1", [16, 32, 48]), ("4;231", [255, 255, 255])];
        assert_eq!(
            asked,
            expected.map(|(name, color)| (name.to_owned(), color))
        );
        let asked = palette.set_special(10, "rgb:ff/00/80;?;rgb:f/0/8");
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].0, "11");
        let changes: Vec<String> = palette.changes().collect();
        let expected = [
            "10;rgb:ffff/0000/8080",
            "12;rgb:ffff/0000/8888",
            "4;1;rgb:1010/2020/3030",
        ];
        assert_eq!(changes, expected);
        palette.reset_indexed("");
        palette.reset_special(10);
        assert_eq!(palette.changes().count(), 1);
        for wrong in ["", "red", "#12", "rgb:1/2", "rgb:1/22/3", "#1234567", "#ü1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

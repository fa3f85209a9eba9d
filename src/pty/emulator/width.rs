//! How many columns a character takes, and which characters form one cluster.
//!
//! The table is Unicode 16's (Grapheme_Cluster_Break and East_Asian_Width; what takes no column
//! extends). The page's terminal counts by the same file: web/src/runs/terminal/widths.mjs.

use std::sync::LazyLock;

/// `START..END CLASS [wide]` for each range that is not a narrow character of its own.
const TABLE: &str = include_str!("widths.txt");

static RANGES: LazyLock<Vec<Range>> = LazyLock::new(|| TABLE.lines().filter_map(read).collect());

/// The property Grapheme_Cluster_Break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Other,
    Prepend,
    Extend,
    Regional,
    Spacing,
    L,
    V,
    T,
    Lv,
    Lvt,
    Joiner,
    Pictographic,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    first: u32,
    last: u32,
    class: Class,
    wide: bool,
}

/// What the characters before one mean for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    class: Class,
    width: u8,
}

/// How a character is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Columns of the cluster with it.
    pub width: usize,
    /// Columns of the cluster without it, when it joins that.
    pub joins: Option<usize>,
    /// What it means for the next one.
    pub then: Before,
}

impl Before {
    /// After printable ASCII.
    pub(crate) const ASCII: Self = Self {
        class: Class::Other,
        width: 1,
    };

    /// Columns of the cluster.
    pub(crate) fn width(self) -> usize {
        usize::from(self.width)
    }

    /// Whether any character joins what was before, as after some Arabic signs.
    pub(crate) fn takes_all(self) -> bool {
        self.class == Class::Prepend
    }
}

/// Places a character behind those `before`; `None` when a control or a sequence came between.
pub(crate) fn place(code: u32, before: Option<Before>) -> Placed {
    let (class, wide) = look_up(code);
    let width = 1 + u8::from(wide);
    let Some(before) = before.filter(|before| joins(before.class, class)) else {
        return Placed {
            width: usize::from(width),
            joins: None,
            then: Before { class, width },
        };
    };
    let pair = class == Class::Regional && before.class == Class::Regional;
    let width = if pair { 2 } else { width.max(before.width) };
    // A third regional indicator begins a flag of its own.
    let class = if pair { Class::Other } else { class };
    Placed {
        width: usize::from(width),
        joins: Some(before.width()),
        then: Before { class, width },
    }
}

fn joins(before: Class, after: Class) -> bool {
    use Class::{Extend, Joiner, L, Lv, Lvt, Pictographic, Prepend, Regional, Spacing, T, V};
    matches!(
        (before, after),
        (_, Extend | Joiner | Spacing)
            | (Prepend, _)
            | (L, L | V | Lv | Lvt)
            | (Lv | V, V | T)
            | (Lvt | T, T)
            | (Joiner, Pictographic)
            | (Regional, Regional)
    )
}

fn look_up(code: u32) -> (Class, bool) {
    if code < 0xa9 {
        return (Class::Other, false);
    }
    if (0xac00..=0xd7a3).contains(&code) {
        let alone = (code - 0xac00).is_multiple_of(28);
        return (if alone { Class::Lv } else { Class::Lvt }, true);
    }
    let at = RANGES.partition_point(|range| range.last < code);
    match RANGES.get(at) {
        Some(range) if range.first <= code => (range.class, range.wide),
        Some(_) | None => (Class::Other, false),
    }
}

fn read(line: &str) -> Option<Range> {
    let mut words = line.split(' ');
    let range = words.next()?;
    let (first, last) = range.split_once("..").unwrap_or((range, range));
    let class = match words.next()? {
        "prepend" => Class::Prepend,
        "extend" => Class::Extend,
        "regional" => Class::Regional,
        "spacing" => Class::Spacing,
        "L" => Class::L,
        "V" => Class::V,
        "T" => Class::T,
        "zwj" => Class::Joiner,
        "pictographic" => Class::Pictographic,
        _ => Class::Other,
    };
    Some(Range {
        first: u32::from_str_radix(first, 16).ok()?,
        last: u32::from_str_radix(last, 16).ok()?,
        class,
        wide: words.next() == Some("wide"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of a text without controls.
    fn columns(text: &str) -> usize {
        let mut before = None;
        let mut columns = 0;
        for char in text.chars() {
            let placed = place(char.into(), before);
            columns += placed.width - placed.joins.unwrap_or(0);
            before = Some(placed.then);
        }
        columns
    }

    #[test]
    fn clusters_take_the_columns_that_programs_count() {
        for (text, expected) in [
            ("abc", 3),
            ("✅", 2),
            ("日本", 4),
            ("한글", 4),
            ("\u{1112}\u{1161}\u{11ab}", 2),
            ("e\u{301}\u{302}", 1),
            ("👩\u{200d}💻", 2),
            ("👩\u{200d}👩\u{200d}👧", 2),
            ("❤", 1),
            ("❤\u{fe0f}", 2),
            ("🇩🇪", 2),
            ("🇩🇪🇫🇷", 4),
            ("👍🏽", 2),
            ("│ ✅ ok │", 9),
        ] {
            assert_eq!(columns(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_table_is_read_whole_and_in_order() {
        assert_eq!(RANGES.len(), TABLE.lines().count());
        assert!(RANGES.is_sorted_by(|a, b| a.last < b.first));
    }
}

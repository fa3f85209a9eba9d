//! Compares a CLI's prompt with a text that it was given.
//!
//! CLIs change what is typed: they trim it, each what its language calls white space, and some drop
//! characters that nobody sees. So texts are compared by what can be seen of them.

/// True when a CLI's prompt is the text that it was given.
#[must_use]
pub fn same_prompt(given: &str, taken: &str) -> bool {
    given == taken
        || seen(given).eq(seen(taken))
        || (given.len() > ARGUMENT_BYTES_MAX && taken.trim_start().starts_with(IN_A_FILE))
}

/// A longer task is not given to a CLI as an argument, but in a file: the kernel passes on at most
/// 128 KiB in one argument or variable, with its name and quotes.
pub const ARGUMENT_BYTES_MAX: usize = 100 * 1024;
const IN_A_FILE: &str = "The task is too long for a command line. Read the whole file ";

/// The prompt that replaces a longer task.
#[must_use]
pub fn in_a_file(path: &str) -> String {
    format!("{IN_A_FILE}{path} and do what it says.")
}

/// True for a text without visible characters.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    seen(text).next().is_none()
}

/// The visible characters of a text, without white space.
pub fn seen(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .filter(|letter| !letter.is_whitespace() && !is_invisible(*letter))
}

/// Format characters (the category Cf), what Unicode lets a program ignore by default
/// (`Default_Ignorable_Code_Point`: joiners, marks of direction, variation selectors, tags), and the
/// filler of the Khitan script.
#[must_use]
pub const fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{16fe4}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_cli_drops_makes_no_other_prompt() {
        for (given, taken) in [
            ("a\u{200b}b", "ab"),
            ("\u{feff}a b\u{feff}", "a b"),
            ("a\tb \n c", "a    b\n c"),
            ("\u{845b}\u{e0100}", "\u{845b}"),
            ("\u{2764}\u{fe0f}", "\u{2764}"),
        ] {
            assert!(same_prompt(given, taken), "{given:?}");
        }
        for (given, taken) in [
            ("ab", "a"),
            ("ab", "ba"),
            ("a", ""),
            ("a", "a b"),
            ("é", "e"),
        ] {
            assert!(!same_prompt(given, taken), "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn a_prompt_is_known_without_any_of_its_invisible_letters(text in "\\PC{0,40}", drop in any::<u64>()) {
            let kept = |at: usize| drop >> (at % 64) & 1 == 0;
            let fewer: String = text
                .chars()
                .enumerate()
                .filter(|(at, letter)| !is_invisible(*letter) || kept(*at))
                .map(|(_, letter)| letter)
                .collect();
            prop_assert!(same_prompt(&text, &fewer));
            let more = format!("{text}x");
            prop_assert!(!same_prompt(&text, &more));
        }
    }
}

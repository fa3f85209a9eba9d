//! The form of a message that a CLI takes whole when it is typed (docs/decisions/0010).
//!
//! Holds: what a CLI would take for something else than a prompt is refused before a byte is typed.

use crate::domain::run::prompt::{is_blank, is_invisible};

/// Longest message, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Words that quit the interface of Claude Code and Qwen Code.
const EXITS: [&str; 6] = ["exit", "quit", ":q", ":q!", ":wq", ":wq!"];

/// What completions begin with, and the backslash.
const MARKS: [char; 6] = ['@', '$', '/', '#', ':', '\\'];

/// Line ends become LF. A terminal would take any other control character for a key.
///
/// # Errors
/// A sentence about a message that is blank, too long, or has such a character.
pub(crate) fn plain(message: &str) -> Result<String, String> {
    let text = message.replace("\r\n", "\n").replace('\r', "\n");
    if is_blank(&text) {
        return Err("must not be blank".to_owned());
    }
    if text.len() > MESSAGE_BYTES_MAX {
        return Err("must be at most 64 KiB".to_owned());
    }
    let key = |letter: &char| letter.is_control() && !matches!(letter, '\n' | '\t');
    match text.chars().find(key) {
        Some(key) => Err(format!(
            "contains the control character U+{:04X}, which a terminal would read as a key",
            u32::from(key)
        )),
        None => Ok(text),
    }
}

/// Refuses what `cli` takes for a command: a first word `/name`, or `!` at the very beginning, where
/// invisible letters do not count: some CLIs drop them first. A path (`/etc/hosts`) is not a command,
/// and a word before it makes it text.
///
/// # Errors
/// The sentence that says so.
pub(crate) fn no_command(message: &str, cli: &str) -> Result<(), String> {
    let begin = message.trim_start_matches(is_invisible);
    let word = begin.split_whitespace().next().unwrap_or_default();
    let named = begin.starts_with('/') && word.matches('/').count() == 1;
    if named || begin.starts_with('!') {
        return Err(format!(
            "starts with a command of {cli}, which cannot be confirmed: type it in the terminal, or put a word before it to send it as text"
        ));
    }
    Ok(())
}

/// The form for CLIs that trim a prompt before they look for a command in it: white space before
/// one does not make it text. A path keeps off their completion of commands by a space.
///
/// # Errors
/// As [`plain`] and [`no_command`].
pub(crate) fn trimmed(message: &str, cli: &str) -> Result<String, String> {
    let text = plain(message)?;
    let text = text.trim_start();
    let begin = text.trim_start_matches(|it: char| it.is_whitespace() || is_invisible(it));
    no_command(begin, cli)?;
    let space = if text.starts_with('/') { " " } else { "" };
    Ok(format!("{space}{}", closed(text)))
}

/// Refuses a word that quits `cli`; CLIs drop invisible letters first.
///
/// # Errors
/// The sentence that says so.
pub(crate) fn no_exit(message: &str, cli: &str) -> Result<(), String> {
    let word: String = message.chars().filter(|it| !is_invisible(*it)).collect();
    if EXITS.contains(&word.trim()) {
        return Err(format!(
            "is a word that leaves {cli}; cancel the run instead"
        ));
    }
    Ok(())
}

/// What Gemini CLI and its kin put between a prompt and the files that it names with `@`.
const FILES: &str = "\n--- Content from referenced files ---";

/// Takes the content of files off a prompt.
pub(crate) fn without_files(prompt: &mut String) {
    if let Some(at) = prompt.find(FILES) {
        prompt.truncate(at);
    }
}

/// Ends a text with a space where Enter would do something else than send it off: take a
/// completion that a mark in the last word offers, or make a new line after a backslash. CLIs trim
/// the space.
#[must_use]
pub(crate) fn closed(text: &str) -> String {
    let text = text.trim_end();
    let last = text.split_whitespace().next_back().unwrap_or_default();
    let space = if last.contains(MARKS) { " " } else { "" };
    format!("{text}{space}")
}

#[cfg(test)]
mod tests {
    use crate::cli::adapter;

    fn prepared(cli: &str, message: &str) -> Result<String, String> {
        adapter(cli).unwrap().prepare(message)
    }

    #[test]
    fn line_ends_are_one_and_control_characters_are_refused() {
        for cli in crate::cli::NAMES {
            assert_eq!(prepared(cli, "a\r\nb\rc").as_deref(), Ok("a\nb\nc"));
            for key in ["\0", "\x1b[201~", "\x03", "\x7f", "\u{9b}"] {
                let refusal = prepared(cli, &format!("a{key}b")).unwrap_err();
                assert!(refusal.contains("control character U+00"), "{refusal}");
            }
            for blank in ["", " \r\n\t", "\u{feff}", " \u{200b}\u{ad}"] {
                assert_eq!(prepared(cli, blank), Err("must not be blank".into()));
            }
            let longest = "x".repeat(super::MESSAGE_BYTES_MAX);
            assert_eq!(prepared(cli, &longest).as_ref(), Ok(&longest));
            assert!(prepared(cli, &(longest + "x")).is_err());
        }
    }

    #[test]
    fn commands_of_a_cli_are_refused_and_text_is_not() {
        for cli in ["claude-code", "codex"] {
            for command in ["/clear", "/foo\nbar", "/", "/ x", "!ls", "/a:b c/d"] {
                let refusal = prepared(cli, command).unwrap_err();
                assert!(refusal.contains("put a word before it"), "{refusal}");
            }
            for text in [
                " /clear x",
                " !ls",
                "/etc/hosts is a path",
                "# note",
                "@x y",
                "?",
                "a /b c",
            ] {
                assert_eq!(prepared(cli, text).as_deref(), Ok(text));
            }
        }
        for cli in ["claude-code", "codex", "gemini", "qwen", "opencode"] {
            for hidden in ["\u{200b}/clear", "\u{feff}!ls", "\u{2060}\u{200b}/x"] {
                assert!(prepared(cli, hidden).is_err(), "{cli}: {hidden:?}");
            }
        }
        for cli in ["claude-code", "qwen"] {
            assert!(prepared(cli, "ex\u{200b}it").is_err(), "{cli}");
            assert_eq!(prepared(cli, "ex it").as_deref(), Ok("ex it"));
        }
        assert_eq!(prepared("demo", "/clear").as_deref(), Ok("/clear"));
    }

    #[test]
    fn claudes_own_ways_are_anticipated() {
        assert_eq!(prepared("claude-code", "a\tb").as_deref(), Ok("a    b"));
        assert_eq!(prepared("claude-code", "a\\ \n").as_deref(), Ok("a\\ "));
        assert!(prepared("claude-code", " exit\n").is_err());
        assert_eq!(
            prepared("claude-code", "exit now").as_deref(),
            Ok("exit now")
        );
        assert_eq!(prepared("codex", "a\tb").as_deref(), Ok("a\tb"));
        for cli in ["claude-code", "codex"] {
            for mark in super::MARKS {
                let text = format!("a {mark}");
                assert_eq!(prepared(cli, &text), Ok(text + " "));
            }
        }
        let long = format!(" /x {}", "y".repeat(1000));
        assert!(prepared("codex", &long).is_err() && prepared("claude-code", &long).is_ok());
        assert_eq!(prepared("codex", "exit").as_deref(), Ok("exit"));
    }
}

//! What a program said, as far as it is shown: its reasons whole, of its chatter the end.

use std::collections::VecDeque;

/// Most bytes that are shown.
pub(super) const SHOWN_MAX: usize = 4096;
/// Most bytes of lines kept while it speaks, of each sort.
const KEPT_MAX: usize = 4 * SHOWN_MAX;
/// Longest line that is shown, in bytes; what begins a longer one is left out.
const LINE_MAX: usize = 1024;
/// Stands where lines are left out.
const GAP: &str = "…";
/// How a line begins that says why.
const REASONS: &[&str] = &["fatal:", "error:", "remote:", "! "];

/// Listens to both streams of a program, in bounded room.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    /// The beginning of a line, of both streams.
    output: Vec<u8>,
    complaints: Vec<u8>,
    reasons: Lines,
    rest: Lines,
    /// Lines heard.
    count: usize,
}

/// The last lines of one sort, each with its number.
#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<(usize, String)>,
    bytes: usize,
}

impl Complaints {
    /// Hears a piece of standard output; of a `push --porcelain` the refusals count.
    pub(super) fn output(&mut self, piece: &[u8]) {
        for line in lines(&mut self.output, piece) {
            if let Some(line) = of_porcelain(&line) {
                self.add(line);
            }
        }
    }

    /// Hears a piece of standard error.
    pub(super) fn complaints(&mut self, piece: &[u8]) {
        for line in lines(&mut self.complaints, piece) {
            self.add(line);
        }
    }

    fn add(&mut self, line: String) {
        if line.is_empty() {
            return;
        }
        let why = REASONS
            .iter()
            .any(|reason| line.trim_start().starts_with(reason));
        let lines = if why {
            &mut self.reasons
        } else {
            &mut self.rest
        };
        lines.add(self.count, line);
        self.count += 1;
    }

    /// All of it when it is short; else every reason, and as many of the last lines as there is
    /// room for, in the order in which they came.
    pub(super) fn shown(mut self) -> String {
        self.output(b"\n");
        self.complaints(b"\n");
        let mut room = SHOWN_MAX;
        let mut chosen = self.reasons.last(&mut room);
        chosen.extend(self.rest.last(&mut room));
        chosen.sort_unstable();
        let mut shown = Vec::with_capacity(chosen.len() + 1);
        let mut expected = 0;
        for (number, line) in chosen {
            if number != expected {
                shown.push(GAP.to_owned());
            }
            expected = number + 1;
            shown.push(line);
        }
        shown.join("\n")
    }
}

/// The lines that a piece finishes, after what began before it.
fn lines(unfinished: &mut Vec<u8>, piece: &[u8]) -> Vec<String> {
    let mut finished = Vec::new();
    for part in piece.split_inclusive(|byte| *byte == b'\n') {
        unfinished.extend_from_slice(part);
        let over = unfinished.len().saturating_sub(4 * LINE_MAX);
        unfinished.drain(..over);
        if part.ends_with(b"\n") {
            finished.push(readable(unfinished));
            unfinished.clear();
        }
    }
    finished
}

impl Lines {
    fn add(&mut self, number: usize, line: String) {
        self.bytes += line.len();
        self.lines.push_back((number, line));
        while self.bytes > KEPT_MAX
            && let Some((_, line)) = self.lines.pop_front()
        {
            self.bytes -= line.len();
        }
    }

    /// The last ones that fit, with what joins them.
    fn last(self, room: &mut usize) -> Vec<(usize, String)> {
        let joint = 2 * (GAP.len() + 1);
        let mut chosen = Vec::new();
        for (number, line) in self.lines.into_iter().rev() {
            let Some(left) = room.checked_sub(line.len() + joint) else {
                break;
            };
            *room = left;
            chosen.push((number, line));
        }
        chosen
    }
}

/// A line as a person reads it: of what was written over itself the last state, without colours and
/// other control characters, and without credentials.
fn readable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let states = text.trim_end().rsplit('\r');
    let state = states.map(plain).find(|state| !state.trim().is_empty());
    let state = state.unwrap_or_default();
    let clean = without_userinfo(state.trim_end());
    if clean.len() <= LINE_MAX {
        return clean;
    }
    let from = clean.len() - LINE_MAX;
    let from = (from..clean.len()).find(|at| clean.is_char_boundary(*at));
    format!("{GAP}{}", &clean[from.unwrap_or(0)..])
}

/// Without escape sequences and control characters.
fn plain(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => skip_sequence(&mut letters),
            '\t' => kept.push(' '),
            _ if letter.is_control() => {}
            _ => kept.push(letter),
        }
    }
    kept
}

/// The rest of a sequence: up to the final letter of `CSI`, to the end of `OSC`, else one letter.
fn skip_sequence(letters: &mut std::str::Chars<'_>) {
    let ends: fn(char) -> bool = match letters.next() {
        Some('[') => |letter| ('@'..='~').contains(&letter),
        Some(']') => |letter| matches!(letter, '\u{7}' | '\\'),
        Some(_) | None => return,
    };
    letters.by_ref().find(|letter| ends(*letter));
}

/// What a line of `git push --porcelain` says to a person; hooks print there too.
fn of_porcelain(line: &str) -> Option<String> {
    if line == "Done" || line.starts_with("To ") {
        return None;
    }
    let mut fields = line.splitn(3, ' ');
    let (flag, refs, summary) = (fields.next()?, fields.next(), fields.next());
    let (Some(refs), Some(summary)) = (refs, summary) else {
        return Some(line.to_owned());
    };
    let Some((from, to)) = refs
        .split_once(':')
        .filter(|(_, to)| to.starts_with("refs/"))
    else {
        return Some(line.to_owned());
    };
    let short = |name: &str| name.strip_prefix("refs/heads/").unwrap_or(name).to_owned();
    (flag == "!").then(|| format!("! {summary}: {} -> {}", short(from), short(to)))
}

/// Blanks `user:password@` in URLs.
pub(in crate::git) fn without_userinfo(line: &str) -> String {
    let mut parts = line.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        clean.push_str("://");
        let authority = part.find(['/', ' ', '\'', '"']).unwrap_or(part.len());
        let (authority, rest) = part.split_at(authority);
        clean.push_str(authority.rsplit('@').next().unwrap_or_default());
        clean.push_str(rest);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(complaints: &str) -> String {
        let mut said = Complaints::default();
        // In pieces, as a pipe gives them.
        for piece in complaints.as_bytes().chunks(7) {
            said.complaints(piece);
        }
        said.shown()
    }

    #[test]
    fn what_is_short_is_shown_whole() {
        let text = "[step 1]\n\n  hint\nfatal: no https://me:secret@host/x";
        assert_eq!(shown(text), "[step 1]\n  hint\nfatal: no https://host/x");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn of_much_the_reasons_and_the_end_are_shown() {
        let mut text = "begin\nerror: first reason\n".to_owned();
        for number in 0..2000 {
            text.push_str(&format!("step {number} of many\n"));
            if number == 1000 {
                text.push_str("remote: protected\n ! [rejected] a -> b (fetch first)\n");
            }
        }
        text.push_str("3 tests failed: login redirect\n");
        let shown = shown(&text);
        assert!(shown.len() <= SHOWN_MAX, "{}", shown.len());
        assert!(
            shown.starts_with("…\nerror: first reason\n…\nremote: protected\n"),
            "{shown}"
        );
        assert!(shown.ends_with("step 1999 of many\n3 tests failed: login redirect"));
        assert!(shown.len() > SHOWN_MAX / 2, "{}", shown.len());
    }

    #[test]
    fn of_too_many_reasons_the_last_are_shown() {
        let reasons: Vec<String> = (0..500).map(|n| format!("error: reason {n}")).collect();
        let shown = shown(&reasons.join("\n"));
        assert!(shown.starts_with("…\nerror: reason ") && shown.ends_with("error: reason 499"));
        assert!(shown.len() <= SHOWN_MAX);
    }

    #[test]
    fn a_line_is_shown_as_a_terminal_would_leave_it() {
        for (text, line) in [
            ("10%\r50%\r100% done\n", "100% done"),
            ("done\r\n", "done"),
            ("\u{1b}[31merror:\u{1b}[0m red\n", "error: red"),
            ("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{7}\n", "link"),
            ("a\tb\u{8}c\n", "a bc"),
        ] {
            assert_eq!(shown(text), line);
        }
        let long = shown(&format!("{}end", "ä".repeat(5000)));
        assert!(long.starts_with("…ä") && long.ends_with("äend") && long.len() <= LINE_MAX + 3);
    }

    #[test]
    fn refusals_of_a_push_are_told_and_its_bookkeeping_is_not() {
        let mut said = Complaints::default();
        said.output(b"To /srv/x.git\nran 3 checks\n");
        said.output(b"!\trefs/heads/a/b:refs/heads/a/b\t[rejected] (fetch first)\n");
        said.output(b"*\trefs/heads/c:refs/heads/c\t[new branch]\nDone\n");
        said.complaints(b"error: failed to push some refs\n");
        assert_eq!(
            said.shown(),
            "ran 3 checks\n! [rejected] (fetch first): a/b -> a/b\nerror: failed to push some refs"
        );
    }

    #[test]
    fn credentials_are_blanked() {
        assert_eq!(without_userinfo("a b://c@d/e@f g://h"), "a b://d/e@f g://h");
    }
}

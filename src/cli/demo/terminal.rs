//! The demo agent's terminal: coloured lines out, keys and signals in.
//!
//! Keys and signals arrive through one queue, so that either ends every wait of the agent at once.
//! A terminal is switched to single keys (its line mode would cut a pasted message at 4096 bytes);
//! anything else is read as lines.

use super::session::Elsewhere;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{self, OutputFlags, SetArg, Termios};
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Most pieces of input queued while the agent is busy; then the terminal blocks.
const QUEUE_LEN_MAX: usize = 64;

/// Longest message, in bytes.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Time between two checks for a file.
const LOOK: Duration = Duration::from_millis(20);

const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";
const PASTE_ON: &str = "\x1b[?2004h";
const PASTE_OFF: &str = "\x1b[?2004l";

/// What ended the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The script has ended.
    Done,
    /// A person quit at the prompt.
    Left,
    /// A signal.
    Signal(Signal),
}

impl Ending {
    /// The code that a shell would show: 128 and the signal's number, 0 otherwise.
    pub(super) const fn exit_code(self) -> i32 {
        match self {
            Self::Done | Self::Left | Self::Signal(Signal::SIGINT) => 0,
            Self::Signal(signal) => 128 + signal as i32,
        }
    }
}

/// An input.
enum Incoming {
    Bytes(Vec<u8>),
    Eof,
    Signal(Signal),
}

/// What ended a pause early.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Disturbed {
    Escape,
    Signal(Signal),
}

pub(super) struct Terminal {
    pace: Duration,
    incoming: Receiver<Incoming>,
    /// Typed while the agent was busy.
    pending: VecDeque<u8>,
    ended: bool,
    raw: bool,
    before: Option<Termios>,
}

impl Terminal {
    /// Switches the terminal to single keys and starts to listen.
    ///
    /// # Errors
    /// When the terminal or a thread is refused.
    pub(super) fn open(pace: Duration) -> io::Result<Self> {
        let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT]);
        // Before any thread starts, so that all of them leave the signals to the one that waits.
        signals.thread_block()?;
        let (tell, incoming) = sync_channel(QUEUE_LEN_MAX);
        let tell_signals = tell.clone();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                while let Ok(signal) = signals.wait() {
                    if tell_signals.send(Incoming::Signal(signal)).is_err() {
                        return;
                    }
                }
            })?;
        std::thread::Builder::new()
            .name("keys".into())
            .spawn(move || listen(&tell))?;
        let before = if io::stdin().is_terminal() {
            Some(single_keys()?)
        } else {
            None
        };
        let raw = before.is_some();
        Ok(Self {
            pace,
            incoming,
            pending: VecDeque::new(),
            ended: false,
            raw,
            before,
        })
    }

    /// Restores the terminal.
    pub(super) fn close(&mut self) {
        if let Some(before) = self.before.take() {
            let restored = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &before);
            log::debug!(restored = restored.is_ok(); "The demo agent left its terminal.");
        }
    }

    /// The first lines.
    pub(super) fn banner(&mut self, session: &str) -> io::Result<()> {
        self.say(&format!(
            "\x1b[1;36m● abbado demo agent\x1b[0m \x1b[2msession {}\x1b[0m\n\
             \x1b[2mNo model and no network: every step is scripted, the edits are real.\x1b[0m\n",
            session.chars().take(8).collect::<String>()
        ))
    }

    /// Prints text; `\n` starts a line.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Waits for `steps` paces, unless Esc or a signal comes.
    pub(super) fn pause(&mut self, steps: u32) -> Result<(), Disturbed> {
        self.wait(self.pace * steps)
    }

    /// Waits until the file exists, unless Esc or a signal comes.
    pub(super) fn wait_for(&mut self, file: &Path) -> Result<(), Disturbed> {
        while !file.exists() {
            self.wait(LOOK)?;
        }
        Ok(())
    }

    fn wait(&mut self, time: Duration) -> Result<(), Disturbed> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.incoming.recv_timeout(left) {
                Ok(Incoming::Signal(signal)) => return Err(Disturbed::Signal(signal)),
                Ok(Incoming::Bytes(bytes)) if bytes == b"\x1b" => return Err(Disturbed::Escape),
                Ok(Incoming::Bytes(bytes)) => self.pending.extend(bytes),
                Ok(Incoming::Eof) => self.ended = true,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Waits for `y` or `n`, typed after the question, or for an answer from elsewhere; other keys
    /// except Esc are ignored. The end of the input counts as no. The inner error is why not.
    pub(super) fn answer(
        &mut self,
        elsewhere: Option<&Elsewhere>,
    ) -> Result<Result<(), String>, Disturbed> {
        let no = || Err("The person said no.".to_owned());
        loop {
            if let Some(answer) = elsewhere.and_then(Elsewhere::answer) {
                return Ok(answer);
            }
            match self.incoming.recv_timeout(LOOK) {
                Ok(Incoming::Signal(signal)) => return Err(Disturbed::Signal(signal)),
                Ok(Incoming::Bytes(bytes)) if bytes == b"\x1b" => return Err(Disturbed::Escape),
                Ok(Incoming::Bytes(bytes)) => {
                    let answer = bytes.iter().find(|byte| b"yYnN".contains(byte));
                    match answer.map(u8::to_ascii_lowercase) {
                        Some(b'y') => return Ok(Ok(())),
                        Some(_) => return Ok(no()),
                        None => {}
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Incoming::Eof) | Err(RecvTimeoutError::Disconnected) => {
                    self.ended = true;
                    return Ok(no());
                }
            }
        }
    }

    /// Waits for a message. The inner error is the end of the session.
    pub(super) fn prompt(&mut self) -> io::Result<Result<String, Ending>> {
        let paste = if self.raw { PASTE_ON } else { "" };
        self.say(&format!("\n{paste}\x1b[36m›\x1b[0m "))?;
        let mut editor = Editor::default();
        let outcome = loop {
            while let Some(byte) = self.pending.pop_front() {
                let (echo, key) = editor.key(byte);
                if self.raw && !echo.is_empty() {
                    self.say(&echo)?;
                }
                match key {
                    Key::Line(line) if line.trim().is_empty() => {}
                    Key::Line(line) => {
                        self.leave_prompt()?;
                        return Ok(Ok(line));
                    }
                    Key::Leave => {
                        self.leave_prompt()?;
                        return Ok(Err(Ending::Left));
                    }
                    Key::None => {}
                }
            }
            if self.ended {
                break Ending::Left;
            }
            match self.incoming.recv() {
                Ok(Incoming::Bytes(bytes)) => self.pending.extend(bytes),
                Ok(Incoming::Signal(signal)) => break Ending::Signal(signal),
                Ok(Incoming::Eof) | Err(_) => self.ended = true,
            }
        };
        self.leave_prompt()?;
        Ok(Err(outcome))
    }

    fn leave_prompt(&mut self) -> io::Result<()> {
        if self.raw {
            self.say(&format!("{PASTE_OFF}\n"))
        } else {
            Ok(())
        }
    }
}

fn listen(tell: &SyncSender<Incoming>) {
    let mut input = io::stdin();
    let mut bytes = [0_u8; 4096];
    loop {
        let next = match input.read(&mut bytes) {
            Ok(0) | Err(_) => Incoming::Eof,
            Ok(count) => Incoming::Bytes(bytes[..count].to_vec()),
        };
        let last = matches!(next, Incoming::Eof);
        if tell.send(next).is_err() || last {
            return;
        }
    }
}

/// Keys one by one and without echo; `\n` still begins a line on the screen.
fn single_keys() -> io::Result<Termios> {
    let before = termios::tcgetattr(io::stdin())?;
    let mut keys = before.clone();
    termios::cfmakeraw(&mut keys);
    keys.output_flags |= OutputFlags::OPOST | OutputFlags::ONLCR;
    termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &keys)?;
    Ok(before)
}

/// The effect of a key.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    None,
    Line(String),
    Leave,
}

/// One line being typed or pasted.
#[derive(Default)]
struct Editor {
    line: Vec<u8>,
    /// An incomplete escape sequence.
    escape: Vec<u8>,
    pasting: bool,
}

impl Editor {
    /// Processes a byte and returns what to show and its effect.
    fn key(&mut self, byte: u8) -> (String, Key) {
        if !self.escape.is_empty() || byte == 0x1b {
            self.escape(byte);
            return (String::new(), Key::None);
        }
        match byte {
            b'\r' | b'\n' if !self.pasting => {
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                (String::new(), Key::Line(line))
            }
            0x03 | 0x04 if self.line.is_empty() && !self.pasting => (String::new(), Key::Leave),
            0x03 => {
                self.line.clear();
                ("^C\n".to_owned(), Key::None)
            }
            0x7f | 0x08 => {
                let gone = !self.line.is_empty();
                // A whole character: its last bytes begin with the bits 10.
                while self.line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
                (
                    if gone {
                        "\x08 \x08".to_owned()
                    } else {
                        String::new()
                    },
                    Key::None,
                )
            }
            b'\r' => self.add(b'\n'),
            b'\n' | b'\t' | b' '.. => self.add(byte),
            _ => (String::new(), Key::None),
        }
    }

    fn add(&mut self, byte: u8) -> (String, Key) {
        if self.line.len() >= LINE_BYTES_MAX {
            return (String::new(), Key::None);
        }
        self.line.push(byte);
        let shown = if byte.is_ascii() {
            char::from(byte).to_string()
        } else {
            String::new()
        };
        (shown, Key::None)
    }

    /// Collects `ESC [ … letter`; only paste marks have an effect here.
    fn escape(&mut self, byte: u8) {
        self.escape.push(byte);
        match self.escape.as_slice() {
            [0x1b] | [0x1b, b'[' | b'O'] => return,
            [0x1b, b'[', .., last] if !(b'@'..=b'~').contains(last) && self.escape.len() < 16 => {
                return;
            }
            PASTE_BEGIN => self.pasting = true,
            PASTE_END => self.pasting = false,
            _ => {}
        }
        self.escape.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Vec<Key> {
        let mut editor = Editor::default();
        let keys = bytes.iter().map(|byte| editor.key(*byte).1);
        keys.filter(|key| *key != Key::None).collect()
    }

    fn lines(lines: &[&str]) -> Vec<Key> {
        lines
            .iter()
            .map(|line| Key::Line((*line).to_owned()))
            .collect()
    }

    #[test]
    fn lines_are_typed_pasted_and_corrected() {
        assert_eq!(typed(b"one\rtwo\n"), lines(&["one", "two"]));
        assert_eq!(typed("h\u{e9}llo\r".as_bytes()), lines(&["h\u{e9}llo"]));
        assert_eq!(typed(b"\x1b[200~a\nb\rc\x1b[201~\r"), lines(&["a\nb\nc"]));
        assert_eq!(typed(b"ax\x7fb\r"), lines(&["ab"]));
        assert_eq!(typed("a\u{20ac}\u{7f}b\r".as_bytes()), lines(&["ab"]));
        assert_eq!(typed(b"a\x1b[Ab\x1bOPc\r"), lines(&["abc"]));
        assert_eq!(typed(b"ab\x03c\r"), lines(&["c"]));
        let long = "x".repeat(20_000);
        assert_eq!(
            typed(format!("\x1b[200~{long}\x1b[201~\r").as_bytes()),
            lines(&[&long])
        );
    }

    #[test]
    fn ctrl_d_leaves_an_empty_prompt_only() {
        assert_eq!(typed(b"\x04"), [Key::Leave]);
        assert_eq!(typed(b"\x03"), [Key::Leave]);
        assert_eq!(typed(b"a\x04\r"), lines(&["a"]));
    }

    #[test]
    fn signals_end_with_the_code_a_shell_would_show() {
        assert_eq!(Ending::Signal(Signal::SIGTERM).exit_code(), 143);
        assert_eq!(Ending::Signal(Signal::SIGHUP).exit_code(), 129);
        assert_eq!(Ending::Left.exit_code(), 0);
    }
}

//! The script of the demo agent's turn.

use super::Options;
use super::session::{Session, fresh};
use super::terminal::{Disturbed, Terminal};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a turn ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// Esc.
    Interrupted,
    /// A signal.
    Signal(Signal),
    /// The terminal or the transcript failed.
    Failed(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Disturbed> for Stop {
    fn from(disturbed: Disturbed) -> Self {
        match disturbed {
            Disturbed::Escape => Self::Interrupted,
            Disturbed::Signal(signal) => Self::Signal(signal),
        }
    }
}

/// Most characters of a prompt on the screen.
const PROMPT_CHARS_SHOWN: usize = 60;

/// Plays one turn: plan, write, look, ask, finish.
pub(super) fn turn(
    terminal: &mut Terminal,
    session: &mut Session,
    prompt: &str,
    options: &Options,
) -> Result<(), Stop> {
    session.prompt(prompt)?;
    let line: String = prompt
        .chars()
        .take(PROMPT_CHARS_SHOWN)
        .map(visible)
        .collect();
    terminal.say(&format!("\n\x1b[1m› {line}\x1b[0m\n"))?;
    let mut stage = Stage {
        terminal,
        session,
        hold: options.hold.as_deref(),
    };
    stage.speak("I will plan this first, then write a greeting and look at the result.")?;
    let first = stage.create_task("Write a greeting", "Writing a greeting")?;
    let second = stage.create_task("Check the files", "Checking the files")?;
    stage.update_task(&first, "in_progress")?;
    let root = root(stage.session.cwd());
    stage.write(
        &root.join("HELLO.md"),
        &format!("Hello from the demo agent: {line}\n"),
    )?;
    if plain_file(&root.join("README.md")) {
        stage.write(&root.join("README.md"), "\nThe demo agent was here.\n")?;
    }
    stage.update_task(&first, "completed")?;
    stage.update_task(&second, "in_progress")?;
    stage.list(&root, options)?;
    stage.update_task(&second, "completed")?;
    let last = "Done: HELLO.md is written and the files are listed.";
    stage.speak(last)?;
    stage.session.stop(last)?;
    Ok(())
}

/// The agent's outputs during a turn.
struct Stage<'a> {
    terminal: &'a mut Terminal,
    session: &'a mut Session,
    hold: Option<&'a Path>,
}

impl Stage<'_> {
    /// Prints a message in pieces, as a model would.
    fn speak(&mut self, text: &str) -> Result<(), Stop> {
        let message_id = format!("msg_{}", fresh());
        self.terminal.say("\x1b[32m●\x1b[0m ")?;
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        let pieces: Vec<String> = words.chunks(3).map(<[&str]>::concat).collect();
        for (index, piece) in pieces.iter().enumerate() {
            self.terminal.say(piece)?;
            self.session
                .token(&message_id, index, index + 1 == pieces.len(), piece);
            self.terminal.pause(1)?;
            if let Some(file) = self.hold.take() {
                self.terminal.wait_for(file)?;
            }
        }
        self.terminal.say("\n")?;
        self.session.message(&message_id, text)?;
        Ok(())
    }

    /// Uses a tool: a line on the screen, both hooks, and the work in between.
    fn tool(
        &mut self,
        tool: &str,
        input: &Value,
        shown: &str,
        work: impl FnOnce(&mut Self) -> Result<Result<Value, String>, Stop>,
    ) -> Result<Option<Value>, Stop> {
        self.terminal
            .say(&format!("  \x1b[33m{tool}\x1b[0m {shown}"))?;
        let id = self.session.call(tool, input);
        self.terminal.pause(1)?;
        let outcome = work(self)?;
        let mark = if outcome.is_ok() {
            "\x1b[32m✓"
        } else {
            "\x1b[31m✗"
        };
        self.terminal.say(&format!(" {mark}\x1b[0m\n"))?;
        let response = outcome.as_ref().ok().cloned();
        self.session.result(tool, input, &id, outcome);
        self.terminal.pause(1)?;
        Ok(response)
    }

    fn create_task(&mut self, subject: &str, doing: &str) -> Result<String, Stop> {
        let input = json!({"subject": subject, "description": subject, "activeForm": doing});
        // Ids of tasks are unique over the turns of a session; short ones are easier to read.
        let id = fresh().chars().take(4).collect::<String>();
        let task = json!({"task": {"id": id, "subject": subject, "description": subject}});
        self.tool("TaskCreate", &input, subject, |_| Ok(Ok(task)))?;
        Ok(id)
    }

    fn update_task(&mut self, id: &str, status: &str) -> Result<(), Stop> {
        let input = json!({"taskId": id, "status": status});
        let response = json!({"success": true, "taskId": id, "updatedFields": ["status"]});
        self.tool("TaskUpdate", &input, &format!("#{id} {status}"), |_| {
            Ok(Ok(response))
        })?;
        Ok(())
    }

    /// Appends to a file of the worktree.
    fn write(&mut self, path: &Path, text: &str) -> Result<(), Stop> {
        let input = json!({"file_path": path.to_string_lossy(), "content": text});
        let shown = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        self.tool("Write", &input, &shown, |_| {
            Ok(append(path, text).map_err(|e| e.to_string()))
        })?;
        Ok(())
    }

    /// Lists the folder after a permission request, answered by the person at the terminal with
    /// `ask`, there or elsewhere with `wait`, else by itself after a moment.
    fn list(&mut self, root: &Path, options: &Options) -> Result<(), Stop> {
        let ask = options.ask || options.wait.is_some();
        let input = json!({"command": "ls", "description": "List the files"});
        self.tool("Bash", &input, "ls", |stage| {
            let question = if ask {
                " \x1b[35mMay I run it? (y/n)\x1b[0m"
            } else {
                " \x1b[35m(asks for permission)\x1b[0m"
            };
            stage.terminal.say(question)?;
            let elsewhere = stage.session.permission("Bash", &input, options.wait);
            if !ask {
                stage.terminal.pause(5)?;
            } else if let Err(why) = stage.terminal.answer(elsewhere.as_ref())? {
                return Ok(Err(why));
            }
            let listed = names(root).map(
                |names| json!({"stdout": names.join("\n"), "stderr": "", "interrupted": false}),
            );
            Ok(listed.map_err(|error| error.to_string()))
        })?;
        Ok(())
    }
}

fn append(path: &Path, text: &str) -> io::Result<Value> {
    let created = !path.exists();
    // A link could lead out of the worktree, and repositories are not to be trusted.
    if path.is_symlink() {
        return Err(io::Error::other("it is a symbolic link"));
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())?;
    let kind = if created { "create" } else { "update" };
    Ok(json!({"type": kind, "filePath": path.to_string_lossy(), "content": text}))
}

fn names(root: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(root)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<String>>>()?;
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    Ok(names)
}

/// The first worktree: the working folder itself, or one inside it.
fn root(cwd: &Path) -> PathBuf {
    if cwd.join(".git").exists() {
        return cwd.to_owned();
    }
    let worktrees = names(cwd).unwrap_or_default();
    let mut worktrees = worktrees.into_iter().map(|name| cwd.join(name));
    worktrees
        .find(|folder| folder.join(".git").exists())
        .unwrap_or_else(|| cwd.to_owned())
}

fn plain_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|at| at.is_file())
}

/// A prompt may contain control characters, which must not reach the terminal.
fn visible(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

//! One program of one version in one mode, and what is its own in tools and keys.

use crate::programs::program;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cli {
    Claude,
    Codex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Interactive,
    Headless,
}

#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub cli: Cli,
    pub version: &'static str,
    /// What the run works with.
    pub model: &'static str,
    pub mode: Mode,
}

/// The newest version first.
pub const CLAUDE: [Cell; 2] = [
    Cell::of(Cli::Claude, "2.1.330", "claude-opus-5-5"),
    Cell::of(Cli::Claude, "2.1.197", "claude-sonnet-4-5"),
];
pub const CODEX: [Cell; 1] = [Cell::of(Cli::Codex, "0.169.0", "gpt-5.5")];

/// Of each answer of the model: 800 or 1000 fresh tokens (Codex counts cached ones as input).
const USAGE: [(&str, u64); 4] = [
    ("input", 1000),
    ("output", 10),
    ("cache_read", 200),
    ("cache_write", 50),
];

impl Cell {
    const fn of(cli: Cli, version: &'static str, model: &'static str) -> Self {
        let mode = Mode::Interactive;
        Self {
            cli,
            version,
            model,
            mode,
        }
    }

    pub const fn in_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    pub fn headless(self) -> bool {
        self.mode == Mode::Headless
    }

    pub fn mode_name(self) -> &'static str {
        match self.mode {
            Mode::Interactive => "interactive",
            Mode::Headless => "headless",
        }
    }

    /// `claude-2.1.330/headless`
    pub fn name(self) -> String {
        let cli = match self.cli {
            Cli::Claude => "claude",
            Cli::Codex => "codex",
        };
        format!("{cli}-{}/{}", self.version, self.mode_name())
    }

    pub fn bin(self) -> PathBuf {
        match (self.cli, self.version) {
            (Cli::Claude, "2.1.330") => program("claude"),
            (Cli::Claude, version) => {
                let folder = program("claude");
                let modules = folder.parent().unwrap().parent().unwrap();
                modules.join(format!("claude-code-{version}/bin/claude.exe"))
            }
            (Cli::Codex, _) => program("codex"),
        }
    }

    /// A call of the shell.
    pub fn shell(self, command: &str) -> Value {
        match self.cli {
            Cli::Claude => {
                json!({"tool": "Bash", "input": {"command": command, "description": "Do it"}})
            }
            Cli::Codex => json!({"tool": "exec_command", "input": {"cmd": command}}),
        }
    }

    /// The same, for which a person is asked.
    pub fn asked_shell(self, command: &str) -> Value {
        let mut call = self.shell(command);
        if self.cli == Cli::Codex {
            call["input"]["sandbox_permissions"] = json!("require_escalated");
            call["input"]["justification"] = json!("to try it");
        }
        call
    }

    /// Calls that plan two tasks, write hello.txt, list the files, and end both tasks.
    pub fn work(self) -> Vec<Value> {
        let [write, list] = ["Write hello.txt", "List files"];
        match self.cli {
            Cli::Claude => vec![
                json!({"tool": "TaskCreate", "input": {"subject": write, "description": "Greet"}}),
                json!({"tool": "TaskCreate", "input": {"subject": list, "description": "Check"}}),
                json!({"tool": "TaskUpdate", "input": {"taskId": "1", "status": "in_progress"}}),
                json!({"tool": "Write", "input": {"file_path": "{cwd}/hello.txt", "content": "hello\n"}}),
                self.shell("ls"),
                json!({"tool": "TaskUpdate", "input": {"taskId": "1", "status": "completed"}}),
                json!({"tool": "TaskUpdate", "input": {"taskId": "2", "status": "completed"}}),
            ],
            Cli::Codex => {
                let plan = |first: &str, second: &str| {
                    json!({"tool": "update_plan", "input": {"plan": [
                        {"step": write, "status": first}, {"step": list, "status": second}]}})
                };
                vec![
                    plan("in_progress", "pending"),
                    json!({"tool": "apply_patch", "input":
                        "*** Begin Patch\n*** Add File: hello.txt\n+hello\n*** End Patch\n"}),
                    self.shell("ls"),
                    plan("completed", "completed"),
                ]
            }
        }
    }

    /// Calls a subagent to do the scenario `sub`.
    pub fn delegate(self) -> Value {
        let prompt = "Look around #scenario:sub";
        match self.cli {
            Cli::Claude => json!({"tool": "Agent", "input": {
                "description": "Look", "prompt": prompt, "subagent_type": "general-purpose",
                "run_in_background": true}}),
            Cli::Codex => {
                json!({"tool": "spawn_agent", "namespace": "multi_agent_v1", "input": {"message": prompt}})
            }
        }
    }
}

/// An answer of the model that says something.
pub fn says(text: &str) -> Value {
    priced(json!({"say": text}))
}

/// An answer of the model that calls a tool.
pub fn calls(call: &Value) -> Value {
    priced(json!({"call": call}))
}

fn priced(mut step: Value) -> Value {
    step["usage"] = USAGE
        .into_iter()
        .map(|(key, n)| (key.to_owned(), json!(n)))
        .collect();
    step
}

//! The demo agent's session: hooks fired, and a transcript in the form that Claude writes.

use super::Options;
use crate::cli::hook_program;
use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;
use uuid::Uuid;

/// The model that the agent reports. It has no price, so that the demo costs nothing.
const MODEL: &str = "abbado-demo";

/// An id of a turn, a message or a tool call.
pub(super) fn fresh() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a program of its own, outside the runtime"
    )]
    let id = Uuid::new_v4();
    id.to_string()
}

pub(super) struct Session {
    id: String,
    cwd: PathBuf,
    /// Program that takes hooks; none when started by hand.
    hook: Option<PathBuf>,
    transcript: PathBuf,
    prompt_id: Option<String>,
    began: Instant,
}

impl Session {
    /// Opens the session's transcript in the run folder, or in the temporary folder when the agent
    /// was started by hand.
    ///
    /// # Errors
    /// When the working folder or the transcript's folder is not available.
    pub(super) fn open(options: &Options) -> io::Result<Self> {
        // The environment is this program's interface, as it is for every CLI that abbado starts.
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let folder = variable("ABBADO_RUN_DIR").unwrap_or_else(std::env::temp_dir);
        let folder = folder.join("demo-transcripts");
        std::fs::create_dir_all(&folder)?;
        let name: String = options
            .session_id
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        Ok(Self {
            id: options.session_id.clone(),
            cwd: std::env::current_dir()?,
            hook: variable("ABBADO_HOOK"),
            transcript: folder.join(format!("{name}.jsonl")),
            prompt_id: None,
            began: Instant::now(),
        })
    }

    pub(super) fn cwd(&self) -> &std::path::Path {
        &self.cwd
    }

    pub(super) fn start(&self, resumed: bool) {
        let source = if resumed { "resume" } else { "startup" };
        self.hook("SessionStart", json!({"source": source, "model": MODEL}));
    }

    /// Starts a turn with a prompt.
    pub(super) fn prompt(&mut self, text: &str) -> io::Result<()> {
        self.prompt_id = Some(fresh());
        self.began = Instant::now();
        self.row(
            json!({"type": "user", "message": {"role": "user", "content": text},
            "origin": {"kind": "human"}}),
        )?;
        self.hook("UserPromptSubmit", json!({"prompt": text}));
        Ok(())
    }

    /// A piece of text as it streams.
    pub(super) fn token(&self, message_id: &str, index: usize, last: bool, text: &str) {
        let fields = json!({"turn_id": self.prompt_id, "message_id": message_id, "index": index,
            "final": last, "delta": text});
        self.hook("MessageDisplay", fields);
    }

    /// A whole message, with made-up but plausible token counts.
    pub(super) fn message(&self, message_id: &str, text: &str) -> io::Result<()> {
        let output = text.split_whitespace().count() + 4;
        let usage = json!({"input_tokens": 12, "output_tokens": output,
            "cache_read_input_tokens": 900, "cache_creation_input_tokens": 60});
        self.row(
            json!({"type": "assistant", "isSidechain": false, "message": {
            "id": message_id, "type": "message", "role": "assistant", "model": MODEL,
            "content": [{"type": "text", "text": text}], "usage": usage}}),
        )
    }

    /// Reports a tool call and returns its id.
    pub(super) fn call(&self, tool: &str, input: &Value) -> String {
        let id = format!("toolu_{}", fresh());
        self.hook(
            "PreToolUse",
            json!({"tool_name": tool, "tool_input": input, "tool_use_id": id}),
        );
        id
    }

    /// Reports the result or error of a tool call.
    pub(super) fn result(
        &self,
        tool: &str,
        input: &Value,
        id: &str,
        outcome: Result<Value, String>,
    ) {
        let mut fields = json!({"tool_name": tool, "tool_input": input, "tool_use_id": id});
        let name = match outcome {
            Ok(response) => {
                fields["tool_response"] = response;
                "PostToolUse"
            }
            Err(error) => {
                fields["error"] = error.into();
                "PostToolUseFailure"
            }
        };
        self.hook(name, fields);
    }

    /// Reports a permission request. With `wait`, its hook waits so many seconds for an answer from
    /// elsewhere.
    pub(super) fn permission(
        &self,
        tool: &str,
        input: &Value,
        wait: Option<u64>,
    ) -> Option<Elsewhere> {
        let name = "PermissionRequest";
        let fields = json!({"tool_name": tool, "tool_input": input});
        let Some(wait) = wait else {
            self.hook(name, fields);
            return None;
        };
        let args = [hook_program::WAIT.to_owned(), wait.to_string()];
        match self.spawn(&args, name, fields)?.and_then(Elsewhere::listen) {
            Ok(elsewhere) => Some(elsewhere),
            Err(error) => {
                log::debug!(hook = name, error:% = error; "A hook of the demo agent failed.");
                None
            }
        }
    }

    /// Reports the end of the turn.
    pub(super) fn stop(&self, last_message: &str) -> io::Result<()> {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.row(json!({"type": "system", "subtype": "turn_duration", "durationMs": ms}))?;
        self.hook(
            "Stop",
            json!({"stop_hook_active": false, "last_assistant_message": last_message,
            "background_tasks": []}),
        );
        Ok(())
    }

    /// Reports an interrupt by Esc: like Claude, in the transcript only and by no hook.
    pub(super) fn interrupted(&self) -> io::Result<()> {
        let content = json!([{"type": "text", "text": "[Request interrupted by user]"}]);
        self.row(json!({"type": "user", "message": {"role": "user", "content": content}}))
    }

    /// Reports the end of the session.
    pub(super) fn end(&mut self, reason: &str) {
        if let Err(error) = self.row(json!({"type": "cost-state", "totalCostUSD": 0.0})) {
            log::debug!(error:% = error; "The demo agent could not finish its transcript.");
        }
        self.prompt_id = None;
        self.hook("SessionEnd", json!({"reason": reason}));
    }

    /// Runs a hook and waits for it, as CLIs do. A failure is logged only.
    fn hook(&self, name: &str, fields: Value) {
        let Some(started) = self.spawn(&[], name, fields) else {
            return;
        };
        if let Err(error) = started.and_then(|mut child| child.wait()) {
            log::debug!(hook = name, error:% = error; "A hook of the demo agent failed.");
        }
    }

    /// Starts a hook; none when the agent was started by hand.
    fn spawn(&self, args: &[String], name: &str, fields: Value) -> Option<io::Result<Child>> {
        let program = self.hook.as_ref()?;
        let mut payload = Map::new();
        payload.insert("session_id".into(), self.id.clone().into());
        payload.insert(
            "transcript_path".into(),
            self.transcript.to_string_lossy().into(),
        );
        payload.insert("cwd".into(), self.cwd.to_string_lossy().into());
        if let Some(prompt_id) = &self.prompt_id {
            payload.insert("prompt_id".into(), prompt_id.clone().into());
        }
        payload.insert("hook_event_name".into(), name.into());
        if let Value::Object(fields) = fields {
            payload.extend(fields);
        }
        let answer = if args.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        };
        let started = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(answer)
            .stderr(Stdio::null())
            .spawn();
        Some(started.map(|mut child| {
            let written = child
                .stdin
                .take()
                .map(|mut input| input.write_all(Value::Object(payload).to_string().as_bytes()));
            if let Some(Err(error)) = written {
                log::debug!(hook = name, error:% = error; "A hook of the demo agent failed.");
            }
            child
        }))
    }

    fn row(&self, mut row: Value) -> io::Result<()> {
        row["uuid"] = fresh().into();
        row["sessionId"] = self.id.clone().into();
        let mut file: File = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.transcript)?;
        file.write_all(format!("{row}\n").as_bytes())
    }
}

/// The hook that waits for an answer from elsewhere.
pub(super) struct Elsewhere {
    child: Child,
    answer: Receiver<Value>,
}

impl Elsewhere {
    fn listen(mut child: Child) -> io::Result<Self> {
        let mut output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (tell, answer) = channel();
        std::thread::Builder::new()
            .name("answer".into())
            .spawn(move || {
                let mut text = String::new();
                let read = output.read_to_string(&mut text);
                let answer = read.ok().and_then(|_| serde_json::from_str(&text).ok());
                // The terminal may have been faster.
                tell.send(answer.unwrap_or_default()).unwrap_or(());
            })?;
        Ok(Self { child, answer })
    }

    /// What was decided, with the reason of a refusal; nothing while nothing is.
    pub(super) fn answer(&self) -> Option<Result<(), String>> {
        let answer = self.answer.try_recv().ok()?;
        let decision = answer.pointer("/hookSpecificOutput/decision")?;
        match decision["behavior"].as_str()? {
            "allow" => Some(Ok(())),
            _ => Some(Err(decision["message"]
                .as_str()
                .unwrap_or("No.")
                .to_owned())),
        }
    }
}

/// The question is answered: its hook need not wait any more.
impl Drop for Elsewhere {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        log::debug!(ended = ended.is_ok(); "The demo agent's question is answered.");
    }
}

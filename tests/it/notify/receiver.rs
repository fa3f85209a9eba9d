//! The stand-in for Discord, and a server that sends it notifications.

use crate::{
    forge::fake::file,
    support::{Server, World, listening, text},
};
use serde_json::{Value, json};
use std::process::{Child, Command};

/// The secret part of the webhook's URL.
pub const SECRET: &str = "s3cret-t0ken-0f-the-webhook";

/// A webhook on loopback.
pub struct Receiver {
    child: Child,
    folder: tempfile::TempDir,
    pub port: u16,
}

impl Receiver {
    pub fn start() -> Self {
        Self::start_at(0)
    }

    pub fn start_at(port: u16) -> Self {
        Self::start_with(&["--port", &port.to_string()])
    }

    pub fn start_with(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("python3");
        command
            .arg(file("webhook_server.py"))
            .arg("--log")
            .arg(folder.path().join("log"))
            .args(more);
        let (child, port) = listening(command);
        Self {
            child,
            folder,
            port,
        }
    }

    pub fn url(&self) -> String {
        url_at(self.port)
    }

    fn tell(&self, what: &str, body: &Value) {
        let url = format!("http://127.0.0.1:{}/_/{what}", self.port);
        ureq::post(&url).send_json(body).unwrap();
    }

    /// What the next answers are instead.
    pub fn next(&self, answers: &Value) {
        self.tell("next", answers);
    }

    /// What all later answers are instead.
    pub fn always(&self, answer: &Value) {
        self.tell("always", answer);
    }

    /// Requests so far.
    pub fn requests(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines = text.lines();
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Embeds of the messages that were taken.
    pub fn taken(&self) -> Vec<Value> {
        let requests = self.requests().into_iter();
        let taken = requests.filter(|request| request["status"] == 200);
        taken
            .map(|request| request["body"]["embeds"][0].clone())
            .collect()
    }

    /// Titles and texts of the messages that were taken.
    pub fn told(&self) -> Vec<(String, String)> {
        let taken = self.taken();
        taken
            .iter()
            .map(|embed| (text(embed, "title"), text(embed, "description")))
            .collect()
    }

    /// Waits until so many requests came; gives them.
    pub fn wait_requests(&self, count: usize) -> Vec<Value> {
        wait_until(&format!("{count} requests came"), || {
            self.requests().len() >= count
        });
        self.requests()
    }

    /// Waits until exactly so many messages were taken; gives them.
    pub fn wait_taken(&self, count: usize) -> Vec<Value> {
        wait_until(&format!("{count} messages were taken"), || {
            self.taken().len() >= count
        });
        let taken = self.taken();
        assert_eq!(taken.len(), count, "{taken:#?}");
        taken
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub fn url_at(port: u16) -> String {
    format!("http://127.0.0.1:{port}/api/webhooks/123456789012345678/{SECRET}")
}

pub fn wait_until(sentence: &str, is: impl Fn() -> bool) {
    crate::support::wait_for(sentence, is);
}

/// A server that may tell receivers on this machine, with short waits.
pub fn serve(world: &World) -> Server {
    serve_with(world, &[])
}

pub fn serve_with(world: &World, more: &[(&str, &str)]) -> Server {
    let waits = "notify.retry=20,notify.request=2000";
    let own = [
        ("ABBADO_ALLOW_LOOPBACK_WEBHOOK", "1"),
        ("ABBADO_WAITS", waits),
    ];
    world.serve_with(&[&own, more].concat())
}

/// Sets the webhook.
pub fn set(server: &Server, url: &str) {
    let change = json!({"discord_webhook_url": url});
    server.put("settings/notifications", &change).expect(200);
}

/// An agent whose program runs until its worktree has a file `go`.
pub fn waiting_agent(world: &World, server: &Server) -> String {
    let script = "while [ ! -e go ]; do sleep 0.05; done";
    server.agent(world, command(&["sh", "-c", script]))
}

pub fn command(argv: &[&str]) -> Value {
    json!({"name": "worker", "cli_name": "command", "provider_config": {"command": argv}})
}

/// A run at work; told of when it idles or ends if `notify`.
pub fn start(server: &Server, agent: &str, notify: bool) -> String {
    let body = json!({"agent_id": agent, "task": "Fix the login", "notify": notify});
    let run = text(&server.post("runs", &body).expect(201), "id");
    server.wait_status(&run, "running");
    run
}

pub fn hook(server: &Server, run: &str, payload: &Value) {
    let reply = server.post(&format!("runs/{run}/hook"), payload);
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// The agent finishes its turn with these words.
pub fn finish_turn(server: &Server, run: &str, words: &str) {
    let stop = json!({"hook_event_name": "Stop", "last_assistant_message": words});
    hook(server, run, &stop);
}

/// The agent gets another prompt.
pub fn prompt(server: &Server, run: &str) {
    let prompt = json!({"hook_event_name": "UserPromptSubmit", "prompt": "go on"});
    hook(server, run, &prompt);
}

/// A run that fails at once.
pub fn fail(world: &World, server: &Server) -> String {
    let agent = server.agent(world, command(&["sh", "-c", "exit 3"]));
    let run = server.run(&agent, "x");
    server.wait_status(&run, "failed");
    run
}

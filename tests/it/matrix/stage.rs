//! One cell at work: a world with a user's home, the scripted model, a server and a run.

use super::{
    cell::{Cell, Cli},
    home::Home,
    story,
};
use crate::{
    programs::{Model, payloads, processes, type_in, unreachable},
    support::{Server, World, git, repeat, wait_for},
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Of the terminal of a cell that failed.
const SHOWN_CHARS: usize = 3000;

pub struct Stage {
    pub cell: Cell,
    pub world: World,
    pub model: Model,
    pub home: Home,
    server: Option<Server>,
    pub run: String,
}

impl Stage {
    /// A run of this task, against a model with these scripts.
    pub fn begin(cell: Cell, scripts: &Value, task: &str) -> Self {
        Self::begin_with(cell, scripts, task, "Read,Edit,Write,Bash,Glob,Grep")
    }

    pub fn begin_with(cell: Cell, scripts: &Value, task: &str, tools: &str) -> Self {
        let world = World::new();
        let model = Model::start_with(&world, scripts);
        let home = Home::seed(&world, cell, &model.url);
        let repository = world.path("repo");
        git(&repository, &["config", "user.name", "t"]);
        git(&repository, &["config", "user.email", "t@localhost"]);
        let server = world.serve();
        let agent = server.agent(&world, fields(cell, &model, tools));
        let run = server.run(&agent, task);
        let server = Some(server);
        Self {
            cell,
            world,
            model,
            home,
            server,
            run,
        }
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub fn go_on(&self, message: &str) {
        let answer = self.post("continue", &json!({"message": message}));
        assert_eq!(answer["id"], self.run.as_str());
    }

    pub fn post(&self, what: &str, body: &Value) -> Value {
        let path = format!("runs/{}/{what}", self.run);
        self.server().post(&path, body).expect(200)
    }

    pub fn until(&self, sentence: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.server().wait(&self.run, sentence, is)
    }

    pub fn payloads(&self, kind: &str) -> Vec<Value> {
        payloads(self.server(), &self.run, kind)
    }

    /// What the CLI has written of its first session.
    pub fn transcript(&self) -> String {
        let init = self.payloads("session.init");
        let path = init[0]["transcript_path"].as_str().unwrap_or_default();
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Waits until so many turns ended well, and all of the model's answers are counted.
    pub fn turns(&self, turns: usize, answers: u64) {
        if self.cell.headless() {
            self.until(&format!("process {turns} is over, all counted"), |view| {
                view["status"] == "completed"
                    && view["process"]["alive"] == false
                    && self.payloads("process.exited").len() == turns
                    && view["tokens_out"] == 10 * answers
            });
            return;
        }
        self.until(&format!("turn {turns} is over, all counted"), |view| {
            view["status"] == "paused"
                && self.payloads("run.paused").len() == turns
                && view["tokens_out"] == 10 * answers
        });
    }

    /// Waits until the shell works.
    pub fn tool_works(&self) {
        self.until("a tool works", |view| {
            let what = view["activity"]["what"].as_str().unwrap_or_default();
            what.starts_with("tool Bash")
        });
    }

    pub fn keys(&self, keys: &[u8]) {
        type_in(self.server(), &self.run, keys);
    }

    /// Types a line at the prompt: the echo of the text comes before the key that sends it.
    pub fn line(&self, text: &str) {
        self.keys(text.as_bytes());
        let log = format!("runs/{}/logs", self.run);
        self.until("it was typed", |_| {
            self.server().get(&log).text.contains(text)
        });
        self.keys(b"\r");
    }

    /// Presses a key until it is true.
    pub fn press(&self, keys: &[u8], sentence: &str, is: impl Fn(&Value) -> bool) {
        let is = || is(&self.server().view(&self.run));
        if !is() {
            repeat(sentence, 2, || self.keys(keys), is);
        }
    }

    /// kill -9 of the server, and another one.
    pub fn restart(&mut self) {
        self.server.take().unwrap().kill();
        self.server = Some(self.world.serve());
    }

    fn has_hooks_under_way(&self) -> bool {
        let is_hook = |process: String| {
            let line = std::fs::read(Path::new(&process).join("cmdline")).unwrap_or_default();
            let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
            program.ends_with(b"/hook")
        };
        processes(&self.run).into_iter().any(is_hook)
    }

    /// Compares the story with the reviewed one; then nothing is left, and the home is as it was.
    pub fn end(self, name: &str) {
        let at_the_end = self.server().view(&self.run);
        if at_the_end["process"]["alive"] == true {
            // Hooks of one moment run side by side: the last text may come after the end of the turn.
            wait_for("the hooks under way", || !self.has_hooks_under_way());
            self.post("cancel", &json!({}));
        }
        let events = self.server().events(&self.run);
        story::check(self.cell, name, &story::tell(&at_the_end, &events));
        assert_eq!(processes(&self.run), [""; 0]);
        let deleted = self.server().delete(&format!("runs/{}", self.run));
        assert_eq!(deleted.status, 204, "{deleted:?}");
        self.home.check();
    }

    /// Bodies of the requests that the conversation made.
    pub fn asked(&self) -> Vec<Value> {
        let all = self.model.requests().into_iter();
        all.filter(|request| request["note"] == "step")
            .map(|request| request["body"].clone())
            .collect()
    }

    pub fn worktree(&self) -> PathBuf {
        let view = self.server().view(&self.run);
        PathBuf::from(view["repos"][0]["worktree"].as_str().unwrap())
    }
}

/// A failed cell shows what its terminal showed last.
impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(server) = &self.server
        {
            let log = server.get(&format!("runs/{}/logs", self.run)).text;
            let shown: String = log.chars().filter(|letter| !letter.is_control()).collect();
            let from = shown.chars().count().saturating_sub(SHOWN_CHARS);
            let end: String = shown.chars().skip(from).collect();
            eprintln!("{}: the terminal ended with\n{end}", self.cell.name());
        }
    }
}

/// Agent fields, with the user's own configuration.
fn fields(cell: Cell, model: &Model, tools: &str) -> Value {
    let mut env = unreachable();
    match cell.cli {
        Cli::Claude => {
            env["ANTHROPIC_BASE_URL"] = json!(model.url);
            env["ANTHROPIC_AUTH_TOKEN"] = json!("dummy");
            env["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] = json!("1");
        }
        Cli::Codex => env["SCRIPTED_KEY"] = json!("dummy"),
    }
    let cli_name = match cell.cli {
        Cli::Claude => "claude-code",
        Cli::Codex => "codex",
    };
    json!({
        "cli_name": cli_name,
        "model": cell.model,
        "allowed_tools": tools,
        "provider_config": {"bin": cell.bin(), "mode": cell.mode_name(), "env": env},
    })
}

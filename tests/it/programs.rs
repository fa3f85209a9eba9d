//! The real CLIs, and the scripted model that they talk to.

use crate::support::{Server, World, git, listening};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
};

/// Where programs for the tests are installed.
pub fn programs_folder() -> PathBuf {
    std::env::var_os("ABBADO_TEST_PROGRAMS").map_or_else(
        || {
            let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
                || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
                PathBuf::from,
            );
            cache.join("abbado-test-programs")
        },
        PathBuf::from,
    )
}

/// A real program of tests/programs, at its pinned version.
///
/// # Panics
/// When it is not installed: a real CLI is never left out silently.
pub fn program(name: &str) -> PathBuf {
    let folder = programs_folder();
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/package-lock.json");
    let installed = std::fs::read(folder.join("installed.json")).unwrap_or_default();
    let program = folder.join("node_modules/.bin").join(name);
    assert!(
        program.exists() && installed == std::fs::read(pinned).unwrap(),
        "{} is not the pinned one: run `make programs`",
        program.display()
    );
    program
}

/// A model behind an HTTP API on loopback, which answers by a script.
pub struct Model {
    child: Child,
    log: PathBuf,
    pub url: String,
}

impl Model {
    pub fn start(world: &World) -> Self {
        Self::start_with(world, &json!({}))
    }

    /// With scripts of its own: name to steps; "claude" and "codex" are the defaults.
    pub fn start_with(world: &World, scenarios: &Value) -> Self {
        let file = world.path("scenarios.json");
        std::fs::write(&file, scenarios.to_string()).unwrap();
        let log = world.path("model.jsonl");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/model_server.py");
        let mut command = Command::new("python3");
        command.arg(script).arg("--scenarios").arg(&file);
        command.arg("--log").arg(&log);
        let (child, port) = listening(command);
        let url = format!("http://127.0.0.1:{port}");
        Self { child, log, url }
    }

    /// Requests so far, each with its `path`, `note` and `body`.
    pub fn requests(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Proxies that lead nowhere: whatever is not on loopback is out of reach.
pub fn unreachable() -> Value {
    json!({
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    })
}

/// Agent fields for the real Claude Code: a configuration of its own, in which the world's
/// repository is trusted, the model of `model`, and any other address out of reach.
pub fn claude(world: &World, model: &Model, mode: &str) -> Value {
    let state = world.path("claude");
    std::fs::create_dir_all(&state).unwrap();
    let repository = world.path("repo").canonicalize().unwrap();
    let seen = json!({
        "hasCompletedOnboarding": true,
        "projects": {repository.to_str().unwrap(): {"hasTrustDialogAccepted": true}},
    });
    std::fs::write(state.join(".claude.json"), seen.to_string()).unwrap();
    // What a commit of the agent would be signed with, were there no configuration.
    git(&repository, &["config", "user.name", "t"]);
    git(&repository, &["config", "user.email", "t@localhost"]);
    let mut env = unreachable();
    env["CLAUDE_CONFIG_DIR"] = json!(state);
    env["ANTHROPIC_BASE_URL"] = json!(model.url);
    env["ANTHROPIC_AUTH_TOKEN"] = json!("dummy");
    env["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] = json!("1");
    json!({
        "cli_name": "claude-code",
        "model": "claude-sonnet-4-5",
        "provider_config": {"bin": program("claude"), "mode": mode, "env": env},
    })
}

/// Agent fields for the real Codex: a configuration of its own, in which the world's repository is
/// trusted, the model of `model`, and any other address out of reach.
pub fn codex(world: &World, model: &Model, mode: &str) -> Value {
    let state = world.path("codex");
    std::fs::create_dir_all(&state).unwrap();
    let repository = world.path("repo").canonicalize().unwrap();
    let settings = format!(
        r#"model_provider = "scripted"

[model_providers.scripted]
name = "scripted"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
request_max_retries = 1
stream_max_retries = 1

[analytics]
enabled = false

[projects."{repository}"]
trust_level = "trusted"
"#,
        url = model.url,
        repository = repository.display(),
    );
    std::fs::write(state.join("config.toml"), settings).unwrap();
    let mut env = unreachable();
    env["CODEX_HOME"] = json!(state);
    env["SCRIPTED_KEY"] = json!("dummy");
    json!({
        "cli_name": "codex",
        "model": "gpt-5.5",
        "provider_config": {"bin": program("codex"), "mode": mode, "env": env},
    })
}

/// Writes a file of the user's configuration, unless it is there.
fn configured(world: &World, name: &str, content: &Value) {
    let at = world.path("home").join(name);
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    if !at.exists() {
        std::fs::write(at, content.to_string()).unwrap();
    }
}

/// Agent fields for the real Gemini CLI: the user signed in with a key, the model of `model`, and
/// any other address out of reach.
pub fn gemini(world: &World, model: &Model, mode: &str) -> Value {
    let settings = json!({
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": false},
        "privacy": {"usageStatisticsEnabled": false},
    });
    configured(world, ".gemini/settings.json", &settings);
    let mut env = unreachable();
    env["GOOGLE_GEMINI_BASE_URL"] = json!(model.url);
    env["GEMINI_API_KEY"] = json!("dummy");
    json!({
        "cli_name": "gemini",
        "model": "gemini-3.1-pro-preview",
        "provider_config": {"bin": program("gemini"), "mode": mode, "env": env},
    })
}

/// Agent fields for the real Qwen Code, in the same way, over the Messages API.
pub fn qwen(world: &World, model: &Model, mode: &str) -> Value {
    let settings = json!({
        "security": {"auth": {"selectedType": "anthropic"}},
        "privacy": {"usageStatisticsEnabled": false},
        "$version": 4,
    });
    configured(world, ".qwen/settings.json", &settings);
    let mut env = unreachable();
    env["ANTHROPIC_BASE_URL"] = json!(model.url);
    env["ANTHROPIC_API_KEY"] = json!("dummy");
    env["ANTHROPIC_MODEL"] = json!("claude-sonnet-4-5");
    json!({
        "cli_name": "qwen",
        "model": "claude-sonnet-4-5",
        "provider_config": {"bin": program("qwen"), "mode": mode, "env": env},
    })
}

/// Agent fields for the real OpenCode, in the same way, over the Messages API.
pub fn opencode(world: &World, model: &Model, mode: &str) -> Value {
    let options = json!({"baseURL": format!("{}/v1", model.url), "apiKey": "dummy"});
    // Where a file has no schema OpenCode writes one into it, at any start.
    let settings = json!({
        "$schema": "https://opencode.ai/config.json",
        "provider": {"anthropic": {"options": options}},
    });
    configured(world, ".config/opencode/opencode.json", &settings);
    let mut env = unreachable();
    env["OPENCODE_DISABLE_MODELS_FETCH"] = json!("1");
    // It fetches a package for plugins, and would try that for more than a minute.
    env["npm_config_fetch_retries"] = json!("0");
    json!({
        "cli_name": "opencode",
        "model": "anthropic/claude-sonnet-4-5",
        "provider_config": {"bin": program("opencode"), "mode": mode, "env": env},
    })
}

/// Payloads of the run's events of one type, oldest first.
pub fn payloads(server: &Server, run: &str, kind: &str) -> Vec<Value> {
    let events = server.events(run).into_iter();
    events
        .filter(|event| event["event_type"] == kind)
        .map(|event| event["payload"].clone())
        .collect()
}

/// Types into the run's terminal, as a person at the page does.
pub fn type_in(server: &Server, run: &str, keys: &[u8]) {
    let url = format!("ws://{}/api/terminal?run_id={run}", server.address);
    let (mut socket, _) = tungstenite::connect(url).unwrap();
    let keys = tungstenite::Message::binary(keys.to_vec());
    socket.send(keys).unwrap();
    // Whoever reads on sees the key's echo: it has arrived.
    while !socket.read().unwrap().is_binary() {}
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
}

/// Pids of the user's processes that carry this run's id in their environment.
pub fn processes(run: &str) -> Vec<String> {
    let mark = format!("ABBADO_RUN_ID={run}");
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.map(|entry| entry.path())
        .filter(|path| {
            let env = std::fs::read(path.join("environ")).unwrap_or_default();
            env.split(|byte| *byte == 0)
                .any(|item| item == mark.as_bytes())
        })
        .map(|path| path.display().to_string())
        .collect()
}

//! `abbado demo`: creates a scratch repository, starts its own server, and plays one run from start
//! to end, printing every event of the stream. It touches nothing outside a temporary folder.

use crate::{
    app,
    config::{Config, Flags},
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::sync::oneshot;

/// Longest demo, which normally takes seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the demo.
///
/// # Errors
/// One sentence with the step that failed.
pub fn run() -> Result<(), String> {
    let scratch = Scratch::new()?;
    let outcome = actix::System::new().block_on(async {
        tokio::time::timeout(LIMIT, play(&scratch.0))
            .await
            .unwrap_or_else(|_| Err("the demo took longer than a minute".into()))
    });
    crate::runtime::threads::finish();
    drop(scratch);
    outcome
}

/// A temporary folder, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, String> {
        let name = format!("abbado-demo-{}", crate::runtime::ids::random().simple());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder)
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover in the system's temporary folder does no harm.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

async fn play(folder: &Path) -> Result<(), String> {
    let repo = folder.join("hello");
    scratch_repository(&repo).map_err(|error| format!("the scratch repository: {error}"))?;
    let flags = Flags {
        bind: Some("127.0.0.1:0".into()),
        data_dir: Some(folder.join("data")),
    };
    let mut config = Config::read(flags)?;
    config.token = None;
    let (tell, told) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = actix::spawn(app::serve(
        config,
        |address| {
            tell.send(address).ok();
        },
        async { drop(stopped.await) },
    ));
    let outcome = match told.await {
        Ok(address) => {
            say(&format!("server   http://{address}"));
            watch_one_run(address, &repo).await
        }
        Err(_) => Err("the server did not start".into()),
    };
    drop(stop);
    serving.await.map_err(|error| error.to_string())??;
    outcome
}

async fn watch_one_run(address: SocketAddr, repo: &Path) -> Result<(), String> {
    let api = Api {
        base: format!("http://{address}/api"),
        client: awc::Client::default(),
    };
    let project = api.post("projects", json!({"name": "demo"})).await?;
    let project_id = text(&project, "id")?;
    let body = json!({"name": "hello", "repo_path": repo});
    api.post(&format!("projects/{project_id}/repos"), body)
        .await?;
    let agent = json!({
        "project_id": project_id, "name": "demo agent", "cli_name": "demo",
        "provider_config": {"args": ["--exit"]},
    });
    let agent = api.post("agents", agent).await?;
    let body = json!({"agent_id": text(&agent, "id")?, "task": "Say hello in a file"});
    let run = api.post("runs", body).await?;
    let run_id = text(&run, "id")?;
    say(&format!(
        "run      {run_id} on branch {}",
        text(&run, "run_branch")?
    ));
    let outcome = api.follow(&run_id).await?;
    let tasks = api.get(&format!("runs/{run_id}/tasks")).await?;
    for task in tasks.as_array().into_iter().flatten() {
        say(&format!(
            "task     [{}] {}",
            text(task, "status")?,
            text(task, "subject")?
        ));
    }
    say(&format!("outcome  {outcome}"));
    if outcome == "completed" {
        Ok(())
    } else {
        Err(format!("the demo run ended {outcome}"))
    }
}

struct Api {
    base: String,
    client: awc::Client,
}

impl Api {
    async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        let url = format!("{}/{path}", self.base);
        let mut answer = self
            .client
            .post(url)
            .send_json(&body)
            .await
            .map_err(|e| e.to_string())?;
        if !answer.status().is_success() {
            let said = answer.body().await.map_err(|error| error.to_string())?;
            return Err(format!("POST {path}: {}", String::from_utf8_lossy(&said)));
        }
        answer.json().await.map_err(|error| error.to_string())
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let url = format!("{}/{path}", self.base);
        let mut answer = self
            .client
            .get(url)
            .send()
            .await
            .map_err(|error| error.to_string())?;
        answer.json().await.map_err(|error| error.to_string())
    }

    /// Prints each event as it arrives until one ends the run; returns its status.
    async fn follow(&self, run_id: &str) -> Result<String, String> {
        let url = format!("{}/runs/{run_id}/events/stream", self.base);
        let request = self.client.get(url).timeout(LIMIT);
        let mut stream = request.send().await.map_err(|error| error.to_string())?;
        let mut text = String::new();
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.map_err(|error| error.to_string())?;
            text.push_str(&String::from_utf8_lossy(&bytes));
            while let Some((frame, rest)) = text.split_once("\n\n") {
                let ended = frame
                    .lines()
                    .find_map(|line| line.strip_prefix("data: "))
                    .and_then(show);
                let rest = rest.to_owned();
                if let Some(state) = ended {
                    return Ok(state);
                }
                text = rest;
            }
        }
        Err("the event stream ended before the run did".into())
    }
}

/// Prints an event; returns the status when it ends the run.
fn show(data: &str) -> Option<String> {
    let event: Value = serde_json::from_str(data).ok()?;
    let kind = event["event_type"].as_str()?;
    let payload = event["payload"].to_string();
    let short: String = payload.chars().take(100).collect();
    let dots = if short.len() < payload.len() {
        " …"
    } else {
        ""
    };
    say(&format!(
        "{:>5}    {kind:<22} {short}{dots}",
        event["sequence"].as_u64()?
    ));
    let state = kind.strip_prefix("run.")?;
    ["completed", "failed", "cancelled"]
        .contains(&state)
        .then(|| state.to_owned())
}

fn text(value: &Value, key: &str) -> Result<String, String> {
    value[key]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("an answer has no {key}"))
}

fn scratch_repository(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let repository = git2::Repository::init(path)?;
    std::fs::write(path.join("README.md"), "# hello\n")?;
    let mut index = repository.index()?;
    index.add_path(Path::new("README.md"))?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = git2::Signature::now("abbado", "abbado@localhost")?;
    repository.commit(Some("HEAD"), &author, &author, "Begin", &tree, &[])?;
    Ok(())
}

/// Prints a line; a closed stdout is not an error.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

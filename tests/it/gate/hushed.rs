//! A whole session with marked secrets at the most verbose log level: the log contains none of
//! them, and no other user can read a file of the data folder.

use super::server::{Answer, TOKEN, message};
use crate::{
    forge::fake::{Fake, Kind, TOKEN as FORGE_TOKEN},
    notify::receiver::{Receiver, SECRET as WEBHOOK_SECRET},
    support::{PATIENCE, World, git},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::Path,
};
use tungstenite::{WebSocket, stream::MaybeTlsStream};

const TASK: &str = "mark-of-the-task-4711";
const MESSAGE: &str = "mark-of-the-message-4712";
const TYPED: &str = "mark-of-the-typed-4713";
const INSTRUCTIONS: &str = "mark-of-the-instructions-4714";
const ENV_VALUE: &str = "mark-of-the-env-4715";
const PASSWORD: &str = "mark-of-the-password-4716";
const HOOK_TEXT: &str = "mark-of-the-prompt-in-a-hook-4717";
const WRONG: &str = "mark-of-a-wrong-token-that-is-long-enough-4718";
const TITLE: &str = "mark-of-the-title-4719";

/// Says that it lives, and waits to be ended.
const SCRIPT: &str = r#"
printf '{"hook_event_name":"SessionStart","session_id":"s"}' | "$ABBADO_HOOK" > /dev/null
printf '{"hook_event_name":"UserPromptSubmit","session_id":"s","prompt":"%s"}' "$HOOK_TEXT" \
  | "$ABBADO_HOOK" > /dev/null
echo work >> work.txt
printf '{"hook_event_name":"Stop","session_id":"s"}' | "$ABBADO_HOOK" > /dev/null
read -r line
echo "heard $line"
printf '{"hook_event_name":"UserPromptSubmit","session_id":"s","prompt":"%s"}' "$line" \
  | "$ABBADO_HOOK" > /dev/null
printf '{"hook_event_name":"Stop","session_id":"s","last_assistant_message":"%s"}' "$line" \
  | "$ABBADO_HOOK" > /dev/null
while :; do sleep 1; done
"#;

/// Sends a request, and gives all that is answered until the connection ends.
fn say(address: &str, request: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut heard = Vec::new();
    socket.read_to_end(&mut heard).unwrap();
    String::from_utf8_lossy(&heard).into_owned()
}

/// Calls with the token, by raw requests.
struct Caller<'a>(&'a str);

impl Caller<'_> {
    fn call(&self, first: &str, body: &Value) -> Answer {
        let (host, bearer) = (
            format!("Host: {}", self.0),
            format!("Authorization: Bearer {TOKEN}"),
        );
        let (method, path) = first.split_once(' ').unwrap();
        let first = format!("{method} /api/{path}");
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let kind = if body.is_null() {
            ""
        } else {
            "Content-Type: application/json"
        };
        let request = message(&first, &host, &[&bearer, kind], &text);
        Answer::parse(&say(self.0, &request))
    }

    fn expect(&self, first: &str, body: &Value, status: u16) -> Value {
        let answer = self.call(first, body);
        assert_eq!(answer.status, status, "{first}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap_or_default()
    }

    fn until(&self, path: &str, sentence: &str, is: impl Fn(&str) -> bool) {
        crate::support::wait_for(sentence, || {
            is(&self.call(&format!("GET {path}"), &Value::Null).body)
        });
    }
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

/// Everything below the folder but the worktrees' own contents, which are git's and the CLI's;
/// their root is closed like all others.
fn open_to_others(folder: &Path, found: &mut Vec<String>, seen: &mut usize) {
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    if mode(folder) != 0o700 {
        found.push(format!("{} is {:o}", folder.display(), mode(folder)));
    }
    for item in fs::read_dir(folder).unwrap().flatten() {
        let (path, kind) = (item.path(), item.file_type().unwrap());
        if kind.is_dir() {
            if folder.file_name().is_some_and(|name| name != "worktrees") {
                open_to_others(&path, found, seen);
            }
        } else if !kind.is_symlink() {
            *seen += 1;
            let is_program = path.file_name().is_some_and(|name| name == "hook");
            let wanted = if is_program || kind.is_socket() {
                0o700
            } else {
                0o600
            };
            if mode(&path) & !wanted != 0 {
                found.push(format!("{} is {:o}", path.display(), mode(&path)));
            }
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one life, in its order")]
fn no_secret_reaches_the_log_and_no_file_is_open_to_others() {
    let (world, webhook, forge) = (World::new(), Receiver::start(), Fake::start(Kind::GitHub));
    let server = world.serve_with(&[
        ("ABBADO_LOG", "trace"),
        ("ABBADO_TOKEN", TOKEN),
        ("ABBADO_ALLOW_LOOPBACK_WEBHOOK", "1"),
        ("ABBADO_GITHUB_API", &forge.url),
        ("GITHUB_TOKEN", FORGE_TOKEN),
        ("ABBADO_WAITS", "notify.retry=20,notify.request=2000"),
    ]);
    let caller = Caller(&server.address);
    let none = Value::Null;
    // Tokens: in the address, as a cookie, wrong.
    let host = format!("Host: {}", server.address);
    let ask = |first: &str, lines: &[&str]| {
        Answer::parse(&say(&server.address, &message(first, &host, lines, "")))
    };
    let welcome = ask(&format!("GET /?token={TOKEN}"), &[]);
    assert_eq!(welcome.status, 303, "{welcome:?}");
    let cookie = welcome.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    assert_eq!(
        ask("GET /api/runs", &[&format!("Cookie: {cookie}")]).status,
        200
    );
    assert_eq!(ask(&format!("GET /?token={WRONG}"), &[]).status, 401);
    assert_eq!(
        ask(
            "GET /api/runs",
            &[&format!("Authorization: Bearer {WRONG}")]
        )
        .status,
        401
    );
    // A life.
    let settings = json!({"discord_webhook_url": webhook.url()});
    caller.expect("PUT settings/notifications", &settings, 200);
    let project = id(&caller.expect("POST projects", &json!({"name": "p"}), 201));
    let repo = json!({"name": "repo", "repo_path": world.path("repo")});
    caller.expect(&format!("POST projects/{project}/repos"), &repo, 201);
    let agent = json!({
        "project_id": project, "name": "a", "cli_name": "command", "instructions": INSTRUCTIONS,
        "provider_config": {
            "command": ["sh", "-c", SCRIPT, "sh", "{task}"],
            "env": {"KEY": ENV_VALUE, "HOOK_TEXT": HOOK_TEXT},
        },
    });
    let agent = id(&caller.expect("POST agents", &agent, 201));
    let wish = json!({"agent_id": agent, "task": TASK, "notify": true});
    let run = id(&caller.expect("POST runs", &wish, 201));
    let log = format!("runs/{run}/logs");
    let events = format!("runs/{run}/events");
    caller.until(&events, "the prompt was told", |text| {
        text.contains(HOOK_TEXT)
    });
    let secret = world.data().join("runs").join(&run).join("hook.token");
    let hook_secret = fs::read_to_string(secret).unwrap().trim().to_owned();
    assert_eq!(hook_secret.len(), 64);
    let path = format!("runs/{run}");
    caller.until(&path, "it waits", |text| {
        text.contains("\"status\":\"paused\"")
    });
    let message_body = json!({"message": MESSAGE});
    caller.expect(&format!("POST runs/{run}/continue"), &message_body, 200);
    caller.until(&log, "the message was typed", |text| text.contains("heard"));
    webhook.wait_requests(1);
    let viewer = type_into(&server.address, &run);
    caller.until(&log, "what was typed is shown", |text| text.contains(TYPED));
    drop(viewer);
    // What goes wrong: bodies that do not fit, a forge, a remote.
    for (body, status) in [
        (json!({"agent_id": TASK, "task": TASK}), 400),
        (json!({"agent_id": agent, "task": {"deep": TASK}}), 400),
        (
            json!({"agent_id": agent, "task": TASK, "source_branch": TYPED}),
            400,
        ),
    ] {
        caller.expect("POST runs", &body, status);
    }
    caller.expect(
        &format!("POST runs/{run}/commit"),
        &json!({"message": TITLE}),
        200,
    );
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let remote = format!("http://me:{PASSWORD}@127.0.0.1:{port}/o/r.git");
    git(&world.path("repo"), &["remote", "add", "origin", &remote]);
    let pushed = caller.call(&format!("POST runs/{run}/push"), &none);
    assert_eq!(pushed.status, 502, "{pushed:?}");
    assert!(!pushed.body.contains(PASSWORD), "{pushed:?}");
    let (repo, bare) = (world.path("repo"), world.path("bare.git"));
    git(&repo, &["init", "-q", "--bare", bare.to_str().unwrap()]);
    git(
        &repo,
        &["remote", "set-url", "origin", "https://github.com/o/r.git"],
    );
    git(
        &repo,
        &[
            "remote",
            "set-url",
            "--push",
            "origin",
            bare.to_str().unwrap(),
        ],
    );
    let wish = json!({"title": TITLE, "body": TITLE});
    caller.expect(&format!("POST runs/{run}/pull-request"), &wish, 201);
    // While it lives, and after.
    let (mut found, mut seen) = (Vec::new(), 0);
    open_to_others(&world.data(), &mut found, &mut seen);
    caller.expect(&format!("POST runs/{run}/cancel"), &none, 200);
    open_to_others(&world.data(), &mut found, &mut seen);
    assert!(seen > 20, "{seen} files were looked at");
    assert_eq!(found, [""; 0]);
    caller.expect(&format!("DELETE runs/{run}"), &none, 204);
    assert_eq!(server.terminate(), Some(0));
    let log = world.log();
    assert!(
        log.contains("TRACE") && log.lines().count() > 200,
        "the log was loud"
    );
    let cookie = cookie.split_once('=').unwrap().1;
    for (name, secret) in [
        ("the token", TOKEN),
        ("the cookie", cookie),
        ("a wrong token", WRONG),
        ("the webhook", WEBHOOK_SECRET),
        ("the forge's token", FORGE_TOKEN),
        ("the hook secret", &hook_secret),
        ("the remote's password", PASSWORD),
        ("a value of the environment", ENV_VALUE),
        ("the task", TASK),
        ("the message", MESSAGE),
        ("what was typed", TYPED),
        ("the instructions", INSTRUCTIONS),
        ("a prompt in a hook", HOOK_TEXT),
        ("a title", TITLE),
    ] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(
            lines.is_empty(),
            "{name} is in {} lines: {}",
            lines.len(),
            lines[0]
        );
    }
}

/// A viewer that types; it is there until it is dropped.
fn type_into(address: &str, run: &str) -> WebSocket<MaybeTlsStream<TcpStream>> {
    use tungstenite::client::IntoClientRequest;
    let url = format!("ws://{address}/api/terminal?run_id={run}");
    let mut request = url.into_client_request().unwrap();
    let bearer = format!("Bearer {TOKEN}").parse().unwrap();
    request.headers_mut().insert("Authorization", bearer);
    let (mut socket, _) = tungstenite::connect(request).unwrap();
    let typed = json!({"type": "input", "data": format!("{TYPED}\r")});
    socket
        .send(tungstenite::Message::text(typed.to_string()))
        .unwrap();
    socket
}

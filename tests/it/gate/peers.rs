//! Programs of another user of this machine: a real second user id, on every route.
//!
//! To become that user the tests need root, or a `sudo` that asks nothing (`sudo -n -u nobody`).
//! Without either they fail, because they would prove nothing.

use super::server::{Answer, TOKEN, message};
use crate::support::{Server, World, text};
use abbado::http::routes::{ROUTES, Route, RouteClass};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

/// The user `nobody` on every Linux.
const NOBODY: u32 = 65534;
const PROGRAM: &str = include_str!("../../programs/stranger.py");
const SQUATTER: &str = include_str!("../../programs/squatter.py");
const JSON: &str = "Content-Type: application/json";
/// How a client is rid of its connection right after it has written.
const BLIND: [&str; 2] = ["close", "reset"];

#[derive(Clone, Copy)]
enum Who {
    Owner,
    Stranger,
}

impl Who {
    fn command(self) -> Command {
        let is_root = nix::unistd::geteuid().is_root();
        match self {
            Self::Owner => Command::new("python3"),
            Self::Stranger if is_root => {
                let mut command = Command::new("python3");
                command.uid(NOBODY).gid(NOBODY);
                command
            }
            Self::Stranger => {
                let mut command = Command::new("sudo");
                command.args(["-n", "-u", "nobody", "python3"]);
                command
            }
        }
    }

    /// Sends requests in the name of this user; gives the answers.
    fn ask(self, server: &Server, how: &str, requests: &[String]) -> Vec<Answer> {
        let address: SocketAddr = server.address.parse().unwrap();
        let (host, port) = (address.ip().to_string(), address.port());
        let order = json!({"host": host, "port": port, "how": how, "requests": requests});
        let child = self
            .command()
            .args(["-c", PROGRAM])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.expect("python3, and root or sudo, are there");
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(order.to_string().as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "no program could be run as another user: run the tests as root, or as a user who may \
             `sudo -n -u nobody`.\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let ours = nix::unistd::geteuid().as_raw();
        let is_ours = said["uid"] == ours;
        assert_eq!(
            is_ours,
            matches!(self, Self::Owner),
            "asked as {}",
            said["uid"]
        );
        let answers = said["answers"].as_array().unwrap().iter();
        answers
            .map(|one| Answer::parse(one.as_str().unwrap()))
            .collect()
    }
}

/// A server with something in it to steal, and what its routes are called with.
struct Stage {
    world: World,
    server: Server,
    project: String,
    agent: String,
    run: String,
}

impl Stage {
    fn begin(bind: &str, env: &[(&str, &str)]) -> Self {
        let world = World::new();
        let program = Command::new(env!("CARGO_BIN_EXE_abbado"));
        let server = world.serve_by(program, bind, env);
        let config = json!({"command": ["true"]});
        let agent = json!({"cli_name": "command", "provider_config": config});
        let agent = server.agent(&world, agent);
        let run = server.run(&agent, "keep this");
        server.wait(&run, "it has ended", |view| {
            view["status"] == "completed" && view["process"]["alive"] == false
        });
        let project = text(&server.view(&run), "project_id");
        Self {
            world,
            server,
            project,
            agent,
            run,
        }
    }

    fn host(&self) -> String {
        format!("Host: {}", self.server.address)
    }

    /// A call of a route that would be right, with these further lines.
    fn call(&self, route: &Route, lines: &[&str]) -> String {
        let pattern = route.path_pattern.as_str();
        let id = if pattern.starts_with("/api/runs") {
            &self.run
        } else if pattern.starts_with("/api/agents") {
            &self.agent
        } else {
            &self.project
        };
        let nil = "00000000-0000-4000-8000-000000000000";
        let path = pattern
            .replace("{id}", id)
            .replace("{project_id}", &self.project)
            .replace("{repo_id}", nil)
            .replace("{message_id}", nil)
            .replace("{number}", "1")
            .replace("{place}*", "x")
            .replace("{file}*", "x.js");
        let body = if route.method == "GET" || route.method == "DELETE" {
            String::new()
        } else {
            // Whatever each route reads is in it.
            json!({
                "name": "stolen", "repo_path": self.world.path("repo"), "task": "steal",
                "agent_id": self.agent, "project_id": self.project, "cli_name": "command",
                "provider_config": {"command": ["true"]}, "message": "steal", "notify": true,
                "title": "stolen", "body": "", "hook_event_name": "Stolen", "order": [],
                "providers": [],
            })
            .to_string()
        };
        let upgrade = [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        let mut all = lines.to_vec();
        if !body.is_empty() {
            all.push(JSON);
        }
        let path = match pattern {
            "/api/proof" => format!("{path}?nonce={}", "0".repeat(64)),
            _ => path,
        };
        let first = format!("{} {path}", route.method);
        if route.class == RouteClass::Terminal {
            all.extend(upgrade);
            let first = format!("{first}?run_id={}", self.run);
            return message(&first, &self.host(), &all, &body);
        }
        message(&first, &self.host(), &all, &body)
    }

    fn calls(&self, lines: &[&str]) -> Vec<String> {
        ROUTES.iter().map(|route| self.call(route, lines)).collect()
    }

    /// All that a stranger could have changed.
    fn state(&self) -> Vec<String> {
        let run = &self.run;
        let paths = [
            "projects".to_owned(),
            "runs".to_owned(),
            format!("runs/{run}/events"),
            format!("runs/{run}/checkpoints"),
            format!("projects/{}/agents", self.project),
            "events/head".to_owned(),
            "settings/notifications".to_owned(),
        ];
        paths
            .iter()
            .map(|path| {
                let reply = self.server.get(path);
                assert_eq!(reply.status, 200, "{reply:?}");
                reply.text
            })
            .collect()
    }

    /// How often the gate refused by this rule.
    fn refusals(&self, rule: &str) -> usize {
        let page = self.server.get("metrics").text;
        let name = format!("abbado_gate_refusals_total{{rule=\"{rule}\"}} ");
        let line = page.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("no {rule} in {page}"))
            .parse()
            .unwrap()
    }
}

/// A server was killed while a run of it lives, and somebody listens at its address when the run's
/// CLI tells of a tool that it wants to use. Gives all that was sent there.
fn hook_at_a_squatter(who: Who) -> String {
    let world = World::new();
    let server = world.serve();
    let agent = json!({"cli_name": "command", "provider_config": {"command": ["sleep", "600"]}});
    let run = server.run(&server.agent(&world, agent), "t");
    server.wait(&run, "its process lives", |view| {
        view["process"]["alive"] == true
    });
    let address: SocketAddr = server.address.parse().unwrap();
    server.kill();
    let mut squatter = who.command();
    squatter
        .args(["-c", SQUATTER, &address.port().to_string()])
        .current_dir("/")
        .stdout(Stdio::piped());
    let mut squatter = squatter.spawn().unwrap();
    let mut said = BufReader::new(squatter.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let run_dir = world.data().join("runs").join(&run);
    let mut hook = Command::new(run_dir.join("hook"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let payload = json!({"hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": "publish"}, "session_id": "s"});
    let mut stdin = hook.stdin.take().unwrap();
    stdin.write_all(payload.to_string().as_bytes()).unwrap();
    drop(stdin);
    let told = hook.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout), "{}");
    let spooled = std::fs::read_dir(run_dir.join("spool")).unwrap().count();
    assert_eq!(spooled, 1, "the hook is kept for the server");
    line.clear();
    said.read_line(&mut line).unwrap();
    squatter.wait().unwrap();
    let heard: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        heard["uid"] == nix::unistd::geteuid().as_raw(),
        matches!(who, Who::Owner)
    );
    let server = world.serve();
    server.wait(&run, "the hook was taken in", |_| {
        let events = server.events(&run);
        events
            .iter()
            .any(|event| event.to_string().contains("publish"))
    });
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    text(&heard, "got")
}

#[test]
fn who_listens_where_the_server_was_hears_nothing_of_a_hook() {
    assert_eq!(hook_at_a_squatter(Who::Stranger), "");
    let got = hook_at_a_squatter(Who::Owner);
    assert!(got.starts_with("GET /api/proof?nonce="), "{got}");
    assert!(!got.contains("publish") && !got.contains("Token"), "{got}");
}

fn strangers_get_nowhere(bind: &str) {
    let stage = Stage::begin(bind, &[]);
    let before = stage.state();
    // Every route, with an answer.
    let answers = Who::Stranger.ask(&stage.server, "wait", &stage.calls(&[]));
    assert_eq!(answers.len(), ROUTES.len());
    let mut refused = 0;
    for (route, answer) in ROUTES.iter().zip(&answers) {
        let wanted = if route.class == RouteClass::Open {
            200
        } else {
            403
        };
        assert_eq!(answer.status, wanted, "{route:?}: {answer:?}");
        if wanted == 403 {
            assert_eq!(
                answer.header("x-error-code"),
                Some("peer_not_allowed"),
                "{route:?}"
            );
            assert!(answer.header("x-frame-options").is_some(), "{route:?}");
            refused += 1;
        }
    }
    assert!(
        refused + 2 == ROUTES.len() && refused > 60,
        "{refused} refused"
    );
    assert_eq!(stage.refusals("peer"), refused);
    assert_eq!(stage.state(), before);
    // Every route again, gone before the answer.
    for how in BLIND {
        for _ in 0..3 {
            Who::Stranger.ask(&stage.server, how, &stage.calls(&[]));
        }
    }
    // The run's secret opens nothing to another user, blindly neither.
    let secret = std::fs::read_to_string(
        stage
            .world
            .data()
            .join("runs")
            .join(&stage.run)
            .join("hook.token"),
    );
    let secret = format!("X-Abbado-Hook-Token: {}", secret.unwrap().trim());
    let hook = ROUTES
        .iter()
        .find(|route| route.class == RouteClass::Hook)
        .unwrap();
    let hook = stage.call(hook, &[&secret]);
    let answers = Who::Stranger.ask(&stage.server, "wait", std::slice::from_ref(&hook));
    assert_eq!(answers[0].header("x-error-code"), Some("peer_not_allowed"));
    Who::Stranger.ask(&stage.server, "close", &[hook]);
    // What was sent before an orderly end has arrived.
    stage
        .server
        .wait(&stage.run, "blind calls were refused, too", |_| {
            stage.refusals("peer") >= refused * 4 + 2
        });
    assert_eq!(stage.state(), before);
    // The same calls of the owner pass the gate: it was the user that was refused.
    let answers = Who::Owner.ask(&stage.server, "wait", &stage.calls(&[]));
    for (route, answer) in ROUTES.iter().zip(&answers) {
        let passed = !matches!(answer.status, 0 | 401 | 403 | 415 | 429);
        assert!(passed, "{route:?}: {answer:?}");
    }
    assert_ne!(stage.server.get("events/head").text, before[5]);
}

#[test]
fn another_user_is_refused_on_every_route_but_health() {
    strangers_get_nowhere("127.0.0.1:0");
}

#[test]
fn another_user_is_refused_on_every_route_but_health_over_ipv6() {
    strangers_get_nowhere("[::1]:0");
}

#[test]
fn with_a_token_another_user_needs_it_like_everybody() {
    let world = World::new();
    let server = world.serve_with(&[("ABBADO_TOKEN", TOKEN)]);
    let host = format!("Host: {}", server.address);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let ask = |who: Who, lines: &[&str]| {
        let request = message("GET /api/runs", &host, lines, "");
        who.ask(&server, "wait", &[request])[0].status
    };
    assert_eq!(ask(Who::Stranger, &[]), 401);
    assert_eq!(ask(Who::Owner, &[]), 401);
    assert_eq!(ask(Who::Stranger, &[&bearer]), 200);
}

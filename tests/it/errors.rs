//! Every error row of the API: status, plain text, and a sentence that names the cause.

use crate::support::{Reply, World, raw, text};
use serde_json::json;

fn refused(reply: &Reply, status: u16, cause: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.kind, "text/plain; charset=utf-8", "{reply:?}");
    assert!(reply.text.contains(cause), "'{cause}' is not in {reply:?}");
    let is_one = reply.text.matches("Unknown ").count() < 2 && !reply.text.ends_with("..");
    assert!(is_one, "a sentence in a sentence: {reply:?}");
}

#[test]
fn fields_are_checked_before_anything_is_looked_up() {
    let world = World::new();
    let server = world.serve();
    let nil = "00000000-0000-4000-8000-000000000000";
    refused(
        &server.post("runs", &json!({"agent_id": nil, "task": " "})),
        400,
        "task",
    );
    for path in ["continue", "queue"] {
        let path = format!("runs/{nil}/{path}");
        refused(
            &server.post(&path, &json!({"message": " "})),
            400,
            "message",
        );
        refused(&server.post(&path, &json!({"message": "x"})), 404, "run");
    }
}

#[test]
fn bad_input_is_refused_with_its_cause() {
    let world = World::new();
    let server = world.serve();
    let nil = "00000000-0000-4000-8000-000000000000";
    refused(&server.post("projects", &json!({"name": " "})), 400, "name");
    refused(&server.post("projects", &json!({})), 400, "name");
    let json_type = [("Content-Type", "application/json")];
    refused(
        &server.post_with("projects", &json_type, "{"),
        400,
        "line 1",
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    refused(
        &server.post_with("projects", &form, "name=x"),
        415,
        "application/json",
    );
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(1024 * 1024));
    refused(&server.post_with("projects", &json_type, &large), 413, "1");
    refused(&server.get(&format!("projects/{nil}")), 404, "project");
    refused(&server.get("projects/nonsense"), 404, "project");
    refused(&server.get(&format!("agents/{nil}")), 404, "agent");
    refused(&server.get(&format!("runs/{nil}")), 404, "run");
    refused(
        &server.get(&format!("runs/{nil}/events/stream")),
        404,
        "run",
    );
    refused(&server.get("runs?status=asleep"), 400, "asleep");
    refused(&server.get("no-such-thing"), 404, "");
    refused(
        &server.post("runs", &json!({"agent_id": nil, "task": "x"})),
        404,
        "agent",
    );
    refused(&server.get(&format!("terminal?run_id={nil}")), 404, "run");
    refused(&server.get("terminal?cols=0"), 400, "cols");
    let agent = server.agent(&world, json!({"cli_name": "demo"}));
    let run = |fields| {
        let mut body = json!({"agent_id": agent, "task": "x"});
        body.as_object_mut()
            .unwrap()
            .extend::<serde_json::Map<_, _>>(fields);
        server.post("runs", &body)
    };
    let fields = |value: serde_json::Value| value.as_object().unwrap().clone();
    refused(&run(fields(json!({"task": ""}))), 400, "task");
    refused(
        &run(fields(json!({"source_branch": "nowhere"}))),
        400,
        "repo",
    );
    refused(
        &run(fields(json!({"source_branch": "--upload-pack=x"}))),
        400,
        "source_branch",
    );
}

#[test]
fn settings_are_refused_by_their_field() {
    let world = World::new();
    let server = world.serve();
    let url = json!({"discord_webhook_url": "https://evil.test/api/webhooks/1"});
    refused(
        &server.put("settings/notifications", &url),
        400,
        "discord_webhook_url",
    );
    let kept = server.get("settings/notifications").expect(200);
    assert_eq!(kept["discord_webhook_url"], "");
    refused(
        &server.put("settings/models", &json!({"providers": [{}]})),
        400,
        "provider",
    );
}

#[test]
fn the_state_forbids_with_its_name() {
    let world = World::new();
    let server = world.serve();
    let command = json!({"cli_name": "command", "provider_config": {"command": ["true"]}});
    let agent = server.agent(&world, command);
    let run = server.run(&agent, "x");
    server.wait(&run, "it has ended", |v| {
        v["status"] == "completed" && v["process"]["alive"] == false
    });
    refused(
        &server.post_empty(&format!("runs/{run}/cancel")),
        409,
        "completed",
    );
    refused(
        &server.post_empty(&format!("runs/{run}/pause")),
        409,
        "completed",
    );
    let message = json!({"message": "go on"});
    refused(
        &server.post(&format!("runs/{run}/continue"), &message),
        409,
        "session",
    );
    let blank = json!({"message": " "});
    refused(
        &server.post(&format!("runs/{run}/continue"), &blank),
        400,
        "message",
    );
    refused(
        &server.post(&format!("runs/{run}/hook"), &json!({"a": 1})),
        400,
        "event",
    );
    let project = server
        .post("projects", &json!({"name": "empty"}))
        .expect(201);
    let lonely = json!({"project_id": project["id"], "name": "a", "cli_name": "demo"});
    let lonely = text(&server.post("agents", &lonely).expect(201), "id");
    refused(
        &server.post("runs", &json!({"agent_id": lonely, "task": "x"})),
        409,
        "repo",
    );
    let repos = format!("projects/{}/repos", text(&project, "id"));
    let repo = json!({"name": "repo", "repo_path": world.path("repo")});
    server.post(&repos, &repo).expect(201);
    let taken = |name: &str, path: &str, code: &str| {
        let repo = json!({"name": name, "repo_path": world.path(path)});
        let answer = server.post(&repos, &repo);
        refused(&answer, 409, "already");
        assert_eq!(answer.code.as_deref(), Some(code));
    };
    taken("other", "repo", "repository_taken");
    world.repository("second");
    taken("repo", "second", "name_taken");
    refused(
        &server.post(&repos, &json!({"name": "..", "repo_path": "/"})),
        400,
        "name",
    );
    refused(
        &server.post(&repos, &json!({"name": "x", "repo_path": "rel"})),
        400,
        "repo_path",
    );
    let nothing = json!({"name": "x", "repo_path": world.path("nothing")});
    refused(&server.post(&repos, &nothing), 400, "repo_path");
}

#[test]
fn strangers_are_kept_out() {
    let world = World::new();
    let server = world.serve();
    let at = &server.address;
    let ask = |head: &str| {
        raw(
            at,
            &format!("GET /api/runs HTTP/1.1\r\n{head}Connection: close\r\n\r\n"),
        )
    };
    assert!(ask(&format!("Host: {at}\r\n")).starts_with("HTTP/1.1 200"));
    assert!(ask("Host: evil.test\r\n").starts_with("HTTP/1.1 403"));
    let evil = format!("Host: {at}\r\nOrigin: http://evil.test\r\n");
    assert!(ask(&evil).starts_with("HTTP/1.1 403"));
    let wrong = [
        ("Content-Type", "application/json"),
        ("X-Abbado-Hook-Token", "00"),
    ];
    let command = json!({"cli_name": "command", "provider_config": {"command": ["true"]}});
    let run = server.run(&server.agent(&world, command), "x");
    server.wait_status(&run, "completed");
    let hook = r#"{"hook_event_name": "Note"}"#;
    refused(
        &server.post_with(&format!("runs/{run}/hook"), &wrong, hook),
        403,
        "secret",
    );
}

#[test]
fn an_idempotency_key_does_it_once() {
    let world = World::new();
    let server = world.serve();
    let headers = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "k1"),
    ];
    let first = server
        .post_with("projects", &headers, r#"{"name": "once"}"#)
        .expect(201);
    let second = server
        .post_with("projects", &headers, r#"{ "name":"once" }"#)
        .expect(201);
    assert_eq!(first, second);
    assert_eq!(
        server.get("projects").expect(200).as_array().unwrap().len(),
        1
    );
    refused(
        &server.post_with("projects", &headers, r#"{"name": "other"}"#),
        409,
        "Idempotency-Key",
    );
}

#[test]
fn a_second_server_and_a_taken_port_say_so() {
    let world = World::new();
    let server = world.serve();
    let second = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_abbado"))
            .args(args)
            .env("HOME", world.path("home"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let data = world.data();
    let said = second(&[
        "serve",
        "--bind",
        "127.0.0.1:0",
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    assert!(said.contains("another abbado server"), "{said}");
    let said = second(&["rebuild", "--data-dir", data.to_str().unwrap()]);
    assert!(said.contains("another abbado server"), "{said}");
    let other = world.path("other");
    let said = second(&[
        "serve",
        "--bind",
        &server.address,
        "--data-dir",
        other.to_str().unwrap(),
    ]);
    assert!(said.contains("already in use"), "{said}");
}

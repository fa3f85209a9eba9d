//! Promises of the API across requests: concurrent changes, positions in lists and streams, old
//! versions of HTTP.

use crate::support::{Server, Sse, World, git, pause, raw, raw_until, text};
use serde_json::{Value, json};
use std::{process::Command, sync::Barrier};

const ROUNDS: usize = 20;

/// Sends both at the same time.
fn together<A: Send, B: Send>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    let gate = Barrier::new(2);
    std::thread::scope(|threads| {
        let first = threads.spawn(|| {
            gate.wait();
            one()
        });
        gate.wait();
        let second = other();
        (first.join().unwrap(), second)
    })
}

/// Changes two fields at the same time, again and again, and reads both.
fn both_last(server: &Server, path: &str, fields: [&str; 2], value: impl Fn(usize) -> [Value; 2]) {
    for round in 0..ROUNDS {
        let values = value(round);
        let put = |at: usize| {
            let body = json!({ fields[at]: values[at] });
            server.put(path, &body).expect(200)
        };
        together(|| put(0), || put(1));
        let now = server.get(path).expect(200);
        let kept = fields.map(|field| now[field].clone());
        assert_eq!(kept, values, "{path}, round {round}");
    }
}

#[test]
fn two_changes_at_the_same_time_both_last() {
    let world = World::new();
    let server = world.serve();
    let agent = server.agent(&world, json!({"cli_name": "demo"}));
    let project = text(
        &server.get(&format!("agents/{agent}")).expect(200),
        "project_id",
    );
    both_last(
        &server,
        &format!("agents/{agent}"),
        ["model", "instructions"],
        |n| [json!(format!("m{n}")), json!(format!("i{n}"))],
    );
    both_last(
        &server,
        &format!("projects/{project}"),
        ["setup_script", "copy_files"],
        |n| [json!(format!("s{n}")), json!([format!("c{n}")])],
    );
    both_last(
        &server,
        "settings/notifications",
        ["notify_on_run_failed", "notify_on_attention"],
        |n| [json!(n % 2 == 0), json!(n % 2 == 1)],
    );
}

#[test]
fn what_was_deleted_stays_deleted() {
    let world = World::new();
    let server = world.serve();
    let project = text(
        &server.post("projects", &json!({"name": "p"})).expect(201),
        "id",
    );
    for round in 0..ROUNDS {
        let agent = server.post("agents", &json!({"project_id": project, "name": "a"}));
        let path = format!("agents/{}", text(&agent.expect(201), "id"));
        let (put, deleted) = together(
            || server.put(&path, &json!({"name": "b"})),
            || server.delete(&path),
        );
        assert_eq!(deleted.status, 204, "round {round}");
        assert!([200, 404].contains(&put.status), "{}", put.text);
        assert_eq!(server.get(&path).status, 404, "round {round}");
    }
}

#[test]
fn readers_beyond_the_log_are_told_and_go_on_from_its_head() {
    let world = World::new();
    let server = world.serve();
    let agent = server.agent(
        &world,
        json!({"cli_name": "command", "provider_config": {"command": ["true"]}}),
    );
    let run = server.run(&agent, "t");
    server.wait_status(&run, "completed");
    let head = server.get("events/head").expect(200);
    let last = head["last_event_id"].as_i64().unwrap();
    let wanted = json!({"head": last, "log": head["log"]});
    let of_run = format!("runs/{run}/events/stream");
    let mut readers = ["events/stream", &of_run].map(|path| {
        let mut reader = Sse::open(&server.address, path, last + 1000).unwrap();
        assert_eq!(reader.next().unwrap(), (last, wanted.clone()), "{path}");
        reader
    });
    let notified = server.post(&format!("runs/{run}/notify"), &json!({"notify": true}));
    notified.expect(200);
    for reader in &mut readers {
        let (id, event) = reader.next().unwrap();
        assert!(id > last && event["run_id"] == run, "{event}");
    }
    // From within the log nobody is told anything but events.
    let mut reader = Sse::open(&server.address, &of_run, last).unwrap();
    assert_eq!(reader.next().unwrap().1["run_id"], run);
}

#[test]
fn http_1_0_gets_no_chunks_and_its_streams_end_with_the_connection() {
    let world = World::new();
    let server = world.serve();
    let ask = |version: &str| {
        let request = format!(
            "GET /api/events/stream HTTP/{version}\r\nHost: {}\r\nConnection: keep-alive\r\n\r\n",
            server.address
        );
        let begun = |said: &str| said.contains("retry: 1000\n\n");
        let said = raw_until(&server.address, &request, begun).to_lowercase();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    };
    let (head, body) = ask("1.0");
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert!(!head.contains("connection: keep-alive"), "{head}");
    assert!(body.starts_with("retry: 1000\n\n"), "{body}");
    let (head, _) = ask("1.1");
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
}

#[test]
fn a_range_behind_the_output_is_told_where_it_ends() {
    let world = World::new();
    let server = world.serve();
    let agent = server.agent(
        &world,
        json!({"cli_name": "command", "provider_config": {"command": ["printf", "12345"]}}),
    );
    let run = server.run(&agent, "t");
    server.wait_status(&run, "completed");
    let size = server.bytes(&format!("runs/{run}/logs")).len();
    let ask = |headers: &str| {
        let request = format!(
            "GET /api/runs/{run}/logs HTTP/1.1\r\nHost: {}\r\n{headers}\r\n\
             Connection: close\r\n\r\n",
            server.address
        );
        raw(&server.address, &request).to_lowercase()
    };
    // Nothing of ours could meet the condition: all of it.
    let whole = ask("Range: bytes=1-2\r\nIf-Range: \"x\"");
    assert!(
        whole.starts_with("http/1.1 200 ") && whole.ends_with("12345"),
        "{whole}"
    );
    let said = ask(&format!("Range: bytes={size}-"));
    assert!(said.starts_with("http/1.1 416 "), "{said}");
    assert!(
        said.contains(&format!("content-range: bytes */{size}\r\n")),
        "{said}"
    );
}

#[test]
fn a_hangup_ends_the_server_in_order_unless_it_is_to_be_ignored() {
    use nix::sys::signal::Signal::SIGHUP;
    let world = World::new();
    // Whoever started the tests may ignore it.
    let mut ending = Command::new("env");
    ending.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_abbado")]);
    let mut server = world.serve_by(ending, "127.0.0.1:0", &[]);
    let address_file = world.data().join("server.json");
    assert!(address_file.exists());
    server.signal(SIGHUP);
    while !server.gone() {
        pause();
    }
    assert!(!address_file.exists(), "it was put down in order");
    let mut ignoring = Command::new("nohup");
    ignoring.arg(env!("CARGO_BIN_EXE_abbado"));
    let server = world.serve_by(ignoring, "127.0.0.1:0", &[]);
    server.signal(SIGHUP);
    server.get("health").expect(200);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_run_that_failed_before_its_cli_started_leaves_nothing_and_begins_again() {
    let world = World::new();
    let server = world.serve();
    let command = json!({"command": [world.path("later"), "x"]});
    let agent = server.agent(
        &world,
        json!({"cli_name": "command", "provider_config": command}),
    );
    let run = server.run(&agent, "t");
    let view = server.wait_status(&run, "failed");
    assert_eq!(view["activity"]["what"], "failed: launch");
    assert_eq!(view["repos"][0]["worktree"], Value::Null, "{view}");
    let repo = world.path("repo");
    assert_eq!(git(&repo, &["branch", "--list", "abbado/*"]), "");
    assert_eq!(git(&repo, &["worktree", "list"]).lines().count(), 1);
    let refused = server.post(
        &format!("runs/{run}/continue"),
        &json!({"message": "go on"}),
    );
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("/retry"), "{}", refused.text);
    // It fails again, and is as before.
    let retry = format!("runs/{run}/retry");
    assert_eq!(server.post_empty(&retry).expect(200)["status"], "queued");
    server.wait_status(&run, "failed");
    std::fs::write(world.path("later"), "#!/bin/sh\nexit 0\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(world.path("later"), executable).unwrap();
    server.post_empty(&retry).expect(200);
    let view = server.wait_status(&run, "completed");
    assert_ne!(view["repos"][0]["worktree"], Value::Null);
    let types = server.types(&run);
    let retried = types.iter().filter(|name| *name == "run.retried").count();
    assert_eq!((types[0].as_str(), retried), ("run.created", 2));
    assert_eq!(server.post_empty(&retry).status, 409);
}

#[test]
fn what_a_setup_script_made_stays_when_the_launch_fails() {
    let world = World::new();
    let server = world.serve();
    let command = json!({"command": ["/nowhere/program"]});
    let agent = server.agent(
        &world,
        json!({"cli_name": "command", "provider_config": command}),
    );
    let project = text(
        &server.get(&format!("agents/{agent}")).expect(200),
        "project_id",
    );
    let script = json!({"setup_script": "echo made > made.txt"});
    server
        .put(&format!("projects/{project}"), &script)
        .expect(200);
    let run = server.run(&agent, "t");
    let view = server.wait_status(&run, "failed");
    let worktree = text(&view["repos"][0], "worktree");
    let made = std::fs::read_to_string(format!("{worktree}/made.txt")).unwrap();
    assert_eq!(made, "made\n");
}

#[expect(clippy::too_many_lines, reason = "a list of cases")]
#[test]
fn a_body_that_is_wrong_is_told_the_path_of_its_field() {
    let world = World::new();
    let server = world.serve();
    let agent = server.agent(&world, json!({"cli_name": "demo"}));
    let run = server.run(&agent, "t");
    let project = text(
        &server.get(&format!("agents/{agent}")).expect(200),
        "project_id",
    );
    let (of_agent, of_project) = (format!("agents/{agent}"), format!("projects/{project}"));
    let model = json!({"id": "m", "label": "m", "input_per_mtok": -1, "output_per_mtok": 0,
        "cache_read_per_mtok": 0, "cache_write_per_mtok": 0});
    let models = |models: Value| {
        json!({"providers": [{"id": "x", "label": "x", "bin": "x", "enabled": true,
            "default_model": null, "models": models}]})
    };
    for (path, body, wanted) in [
        (
            &*of_agent,
            json!({"name": 5}),
            "`name` must be a string, not the number 5.",
        ),
        (&of_agent, json!({"name": " "}), "`name` must"),
        (&of_agent, json!({"max_turns": -1}), "`max_turns` must"),
        (&of_agent, json!({"cli_name": "vi"}), "`cli_name` 'vi'"),
        (
            &of_agent,
            json!({"provider_config": {"env": {"A": "b", "KEY": 5}}}),
            "`provider_config.env.KEY` must",
        ),
        (
            &of_agent,
            json!({"provider_config": []}),
            "`provider_config` must be an object",
        ),
        (&of_project, json!({"name": ""}), "`name` must"),
        (
            &of_project,
            json!({"copy_files": ["a", "/b"]}),
            "`copy_files[1]` must",
        ),
        (
            &of_project,
            json!({"copy_files": ["a", 5]}),
            "`copy_files[1]` must be a string",
        ),
        (
            "settings/notifications",
            json!({"discord_webhook_url": "http://x"}),
            "`discord_webhook_url` must",
        ),
        (
            "settings/models",
            models(json!([model])),
            "`providers[0].models[0].input_per_mtok` must",
        ),
        (
            "settings/models",
            models(json!([{"id": 5}])),
            "`providers[0].models[0].id` must",
        ),
        (
            &format!("runs/{run}/queue"),
            json!({"order": ["x"]}),
            "`order[0]` must be a UUID.",
        ),
    ] {
        let said = server.put(path, &body);
        assert_eq!(said.status, 400, "{path} {body}: {}", said.text);
        assert!(
            said.text.starts_with(wanted),
            "{path} {body}: {}",
            said.text
        );
    }
    for (path, body, wanted) in [
        ("runs", json!({"task": "t"}), "`agent_id` is missing."),
        (
            "runs",
            json!({"agent_id": "x", "task": "t"}),
            "`agent_id` must be a UUID.",
        ),
        (
            "runs",
            json!({"agent_id": agent, "task": ["t"]}),
            "`task` must be a string, not a list.",
        ),
        (
            "runs",
            json!({"agent_id": agent, "task": "t", "source_branch": "gone"}),
            "`source_branch` ",
        ),
        ("agents", json!({"name": "a"}), "`project_id` is missing."),
        ("projects", json!({}), "`name` is missing."),
        (
            &format!("{of_project}/repos"),
            json!({"name": "r", "repo_path": "x"}),
            "`repo_path` must",
        ),
        (
            &format!("runs/{run}/notify"),
            json!({"notify": "yes"}),
            "`notify` must be true or false",
        ),
        (
            &format!("runs/{run}/hook"),
            json!({}),
            "`hook_event_name` is missing",
        ),
    ] {
        let said = server.post(path, &body);
        assert_eq!(said.status, 400, "{path} {body}: {}", said.text);
        assert!(
            said.text.starts_with(wanted),
            "{path} {body}: {}",
            said.text
        );
    }
}

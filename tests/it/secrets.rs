//! Values of an agent's environment: the CLI gets them, and nobody else.

use crate::support::{Reply, Server, Sse, World, text, wait_for};
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

const SECRET: &str = "sk-live-0123456789abcdef";
const OTHER: &str = "ghp_another-one-4711";

/// Proves by its hash that it has the key, says it aloud, and ends when `go` is there.
const SCRIPT: &str = r#"
printf '{"hook_event_name":"SessionStart","session_id":"s"}' | "$ABBADO_HOOK" > /dev/null
printf 'hash %s\n' "$(printf '%s' "$API_KEY" | sha256sum)"
printf 'said %s.\n' "$API_KEY"
while [ ! -e go ]; do sleep 0.05; done
rm go
[ "$ABBADO_TASK" != fail ]
"#;

/// The most that the server can be made to say.
const LOUD: [(&str, &str); 1] = [("ABBADO_LOG", "trace")];

fn config() -> Value {
    json!({"command": ["sh", "-c", SCRIPT], "env": {"API_KEY": SECRET, "OTHER": OTHER}})
}

fn masked() -> Value {
    json!({"command": ["sh", "-c", SCRIPT], "env": {"API_KEY": "***", "OTHER": "***"}})
}

fn fields() -> Value {
    json!({"cli_name": "command", "provider_config": config()})
}

fn shows_a_secret(text: &str) -> bool {
    [SECRET, OTHER].iter().any(|secret| text.contains(secret))
}

/// How often the CLI told the right hash of its key.
fn proofs(server: &Server, run: &str) -> usize {
    let hash = Sha256::digest(SECRET);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let logs = server.get(&format!("runs/{run}/logs"));
    if logs.status == 200 {
        logs.text.matches(&format!("hash {hash}")).count()
    } else {
        0
    }
}

fn wait_for_proof(server: &Server, run: &str, count: usize) {
    wait_for(&format!("the CLI had its key {count} times"), || {
        proofs(server, run) == count
    });
}

/// Lets the run's CLI end.
fn go(server: &Server, run: &str, status: &str) {
    let worktree = text(&server.view(run)["repos"][0], "worktree");
    fs::write(Path::new(&worktree).join("go"), "").unwrap();
    server.wait_status(run, status);
}

fn go_on(server: &Server, run: &str, message: &str) {
    let answer = server.post(
        &format!("runs/{run}/continue"),
        &json!({"message": message}),
    );
    assert!(!shows_a_secret(&answer.text));
    answer.expect(200);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).unwrap().flatten() {
        let kind = item.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&item.path()));
        } else if kind.is_file() {
            found.push(item.path());
        }
    }
    found
}

/// Files of the data folder that hold a secret are their owner's alone; gives their names.
fn holders(world: &World) -> Vec<String> {
    let mut names = Vec::new();
    for path in files(&world.data()) {
        let bytes = fs::read(&path).unwrap_or_default();
        if shows_a_secret(&String::from_utf8_lossy(&bytes)) {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
            names.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    names
}

/// Processes of this machine whose command line shows a secret.
fn telling_processes() -> Vec<String> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let lines = pids.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.filter(|line| shows_a_secret(line)).collect()
}

/// All that the server answers about agents and runs.
fn answers(server: &Server, agent: &str, run: &str) -> Vec<Reply> {
    let project = text(&server.view(run), "project_id");
    let paths = [
        format!("agents/{agent}"),
        format!("projects/{project}/agents"),
        "projects".to_owned(),
        "runs".to_owned(),
        format!("runs/{run}"),
        format!("runs/{run}/events"),
        format!("runs/{run}/logs"),
        format!("runs/{run}/tasks"),
        format!("runs/{run}/queue"),
        "metrics".to_owned(),
    ];
    paths.iter().map(|path| server.get(path)).collect()
}

/// The stream of a run up to its last event.
fn streamed(server: &Server, run: &str, path: &str) -> Vec<Value> {
    let last = server.events(run).last().unwrap()["id"].as_i64().unwrap();
    let mut stream = Sse::open(&server.address, path, 0).unwrap();
    let mut events = Vec::new();
    loop {
        let (id, event) = stream.next().unwrap();
        events.push(event);
        if id >= last {
            return events;
        }
    }
}

fn count(world: &World, sql: &str) -> i64 {
    let connection = Connection::open(world.data().join("abbado.db")).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Rows of the log and of remembered answers that hold a secret.
fn told_rows(world: &World) -> i64 {
    let sql = format!(
        "SELECT (SELECT count(*) FROM events WHERE instr(payload, '{SECRET}'))
              + (SELECT count(*) FROM runs WHERE instr(view || tasks || queue, '{SECRET}'))
              + (SELECT count(*) FROM run_heads WHERE instr(document, '{SECRET}'))
              + (SELECT count(*) FROM idempotency WHERE instr(answer, '{SECRET}'))"
    );
    count(world, &sql)
}

#[test]
fn a_key_reaches_its_cli_and_nobody_else() {
    let world = World::new();
    let server = world.serve_with(&LOUD);
    let agent = server.agent(&world, fields());
    let run = server.run(&agent, "x");
    wait_for_proof(&server, &run, 1);
    assert_eq!(telling_processes(), [""; 0]);
    for answer in answers(&server, &agent, &run) {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!shows_a_secret(&answer.text), "{answer:?}");
    }
    let created = &server.events(&run)[0]["payload"];
    assert_eq!(created["agent"]["provider_config"], masked());
    for path in [format!("runs/{run}/events/stream"), "events/stream".into()] {
        let events = streamed(&server, &run, &path);
        assert!(
            events
                .iter()
                .any(|event| event["event_type"] == "run.created")
        );
        assert!(!shows_a_secret(&Value::from(events).to_string()), "{path}");
    }
    let logs = server.get(&format!("runs/{run}/logs")).text;
    let said = format!("said {}.", "*".repeat(SECRET.len()));
    assert!(logs.contains(&said), "{logs}");
    let at = logs.find(&said).unwrap() + 10;
    let range = format!("bytes={at}-{}", at + 3);
    let part = server.get_with(&format!("runs/{run}/logs"), &[("Range", &range)]);
    assert_eq!((part.status, part.text.as_str()), (206, "****"));
    // What the CLI said aloud is in its output, which is its owner's alone.
    let held = holders(&world);
    assert!(held.contains(&"output.log".to_owned()), "{held:?}");
    let database = held.iter().any(|name| name.starts_with("abbado.db"));
    assert!(database, "the search finds what it must: {held:?}");
    go(&server, &run, "completed");
    go_on(&server, &run, "fail");
    wait_for_proof(&server, &run, 2);
    go(&server, &run, "failed");
    let events = server.events(&run);
    let failed = events
        .iter()
        .find(|event| event["event_type"] == "run.failed");
    let detail = text(&failed.unwrap()["payload"], "detail");
    assert!(detail.contains(&said), "{detail}");
    assert!(!shows_a_secret(&Value::from(events).to_string()));
    assert_eq!(told_rows(&world), 0);
    assert_eq!(server.terminate(), Some(0));
    holders(&world);
    assert!(world.log().contains("TRACE"), "the log was loud");
    assert!(!shows_a_secret(&world.log()));
}

#[test]
fn a_run_keeps_its_key_whatever_happens_around_it() {
    let world = World::new();
    let server = world.serve();
    let agent = server.agent(&world, fields());
    let run = server.run(&agent, "x");
    // Right after the 201.
    server.kill();
    let server = world.serve();
    wait_for_proof(&server, &run, 1);
    go(&server, &run, "completed");
    let other = json!({"provider_config": {"command": ["true"], "env": {"API_KEY": "changed"}}});
    server.put(&format!("agents/{agent}"), &other).expect(200);
    server.delete(&format!("agents/{agent}")).expect(204);
    go_on(&server, &run, "after the agent");
    wait_for_proof(&server, &run, 2);
    go(&server, &run, "completed");
    let project = text(&server.view(&run), "project_id");
    server.delete(&format!("projects/{project}")).expect(204);
    server.kill();
    let rebuilt = Command::new(env!("CARGO_BIN_EXE_abbado"))
        .args(["rebuild", "--data-dir"])
        .arg(world.data())
        .output()
        .unwrap();
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    let server = world.serve();
    go_on(&server, &run, "after the project, a kill and a rebuild");
    wait_for_proof(&server, &run, 3);
    go(&server, &run, "completed");
    assert_eq!(count(&world, "SELECT count(*) FROM run_secrets"), 1);
    server.delete(&format!("runs/{run}")).expect(204);
    assert_eq!(count(&world, "SELECT count(*) FROM run_secrets"), 0);
}

/// Older versions wrote the values into the log and kept no others.
fn as_an_older_version_wrote_it(world: &World) {
    let connection = Connection::open(world.data().join("abbado.db")).unwrap();
    let trigger = "SELECT sql FROM sqlite_schema WHERE name = 'events_are_not_changed'";
    let trigger: String = connection.query_row(trigger, [], |row| row.get(0)).unwrap();
    let change =
        "UPDATE events SET payload = json_set(payload, '$.agent.provider_config', json(?1))
                  WHERE event_type = 'run.created'";
    connection
        .execute_batch("DROP TRIGGER events_are_not_changed")
        .unwrap();
    assert_eq!(connection.execute(change, [config().to_string()]), Ok(1));
    connection.execute_batch(&trigger).unwrap();
    assert_eq!(connection.execute("DELETE FROM run_secrets", []), Ok(1));
}

#[test]
fn an_old_log_is_shown_without_its_keys_and_still_goes_on() {
    let world = World::new();
    let server = world.serve();
    let agent = server.agent(&world, fields());
    let run = server.run(&agent, "x");
    wait_for_proof(&server, &run, 1);
    go(&server, &run, "completed");
    assert_eq!(server.terminate(), Some(0));
    as_an_older_version_wrote_it(&world);
    assert_eq!(told_rows(&world), 1, "the log is as it was");
    let server = world.serve();
    for answer in answers(&server, &agent, &run) {
        assert!(!shows_a_secret(&answer.text), "{answer:?}");
    }
    for path in [format!("runs/{run}/events/stream"), "events/stream".into()] {
        let events = streamed(&server, &run, &path);
        let created = &events[0]["payload"]["agent"]["provider_config"];
        assert_eq!(created, &masked(), "{path}");
    }
    server.delete(&format!("agents/{agent}")).expect(204);
    go_on(&server, &run, "again");
    wait_for_proof(&server, &run, 2);
    go(&server, &run, "completed");
}

#[test]
fn an_agent_is_edited_without_its_keys_being_known() {
    let world = World::new();
    let server = world.serve();
    let made = server.agent(&world, fields());
    let path = format!("agents/{made}");
    let shown = server.get(&path).expect(200);
    assert_eq!(shown["provider_config"], masked());
    // As a page does: what it got, with one key more, and one less.
    let mut edited = shown.clone();
    edited["name"] = json!("b");
    edited["provider_config"]["env"] = json!({"API_KEY": "***", "NEW": "new-value-123"});
    let answer = server.put(&path, &edited).expect(200);
    assert_eq!(answer["name"], "b");
    assert_eq!(
        answer["provider_config"]["env"],
        json!({"API_KEY": "***", "NEW": "***"})
    );
    let run = server.run(&made, "x");
    wait_for_proof(&server, &run, 1);
    go(&server, &run, "completed");
    for env in [
        json!({"OTHER": "***"}),
        json!({"FRESH": "***", "API_KEY": "***"}),
    ] {
        let config = json!({"command": ["true"], "env": env});
        let refused = server.put(&path, &json!({"provider_config": config}));
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.text.contains("provider_config.env."), "{refused:?}");
    }
    let project = text(&shown, "project_id");
    let new = |env: Value| {
        let config = json!({"command": ["true"], "env": env});
        json!({"project_id": project, "name": "c", "cli_name": "command", "provider_config": config})
    };
    let refused = server.post("agents", &new(json!({"API_KEY": "***"})));
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(
        refused.text.contains("provider_config.env.API_KEY"),
        "{refused:?}"
    );
    // The first answer under a key is shown again, and has no secret either.
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let body = new(json!({"API_KEY": SECRET})).to_string();
    let first = server.post_with("agents", &headers, &body).expect(201);
    let again = server.post_with("agents", &headers, &body).expect(201);
    assert_eq!(first, again);
    assert_eq!(first["provider_config"]["env"], json!({"API_KEY": "***"}));
    assert_eq!(told_rows(&world), 0);
    assert_eq!(count(&world, "SELECT count(*) FROM idempotency"), 1);
}

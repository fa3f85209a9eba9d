//! Many runs that have ended: they cost their rows and nothing else.

use crate::support::{Server, World, text};
use abbado::{
    domain::{
        RunId, Secrets,
        run::{Event, Run},
    },
    store::{self, Append, Location, RunRow, encode},
};
use serde_json::{Value, json};
use std::path::Path;

/// A stored sample of an event.
fn sample(name: &str) -> Event {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/events");
    let sample = std::fs::read(folder.join(format!("{name}.v1.json"))).unwrap();
    let sample: Value = serde_json::from_slice(&sample).unwrap();
    Event::decode(name, &sample["payload"].to_string()).unwrap()
}

/// A run that was made, worked through ten tools and ended.
fn finished(id: RunId) -> Append {
    let mut names = vec!["run.created", "worktree.created", "process.launching"];
    names.extend(["process.spawned", "session.init", "run.started"]);
    names.extend(["agent.tool_call", "agent.tool_result"].repeat(10));
    names.extend([
        "agent.message",
        "agent.message",
        "run.completed",
        "process.exited",
    ]);
    let at = chrono::Utc::now();
    let mut run: Option<Run> = None;
    let mut events = Vec::new();
    for name in names {
        let (event, payload) = encode(sample(name)).unwrap();
        match (&mut run, &event) {
            (None, Event::RunCreated(created)) => run = Some(Run::create(id, created, at)),
            (run, event) => run.as_mut().unwrap().apply(event, at),
        }
        events.push(payload);
    }
    Append {
        run_id: id,
        expected_sequence: 0,
        events,
        at,
        row: run.as_ref().map(RunRow::of),
        delivery: None,
        idempotent: None,
        stored: None,
        secrets: Secrets::default(),
    }
}

fn fill(world: &World, count: usize) -> Vec<RunId> {
    std::fs::create_dir_all(world.data()).unwrap();
    actix::System::new().block_on(async {
        let (batches, mut told) = tokio::sync::mpsc::channel(64);
        let (writer, _) = store::open(&Location::of(&world.data()), batches).unwrap();
        actix::spawn(async move { while told.recv().await.is_some() {} });
        let ids: Vec<_> = (0..count)
            .map(|_| RunId(uuid::Uuid::from_u128(fastrand::u128(..))))
            .collect();
        let waits: Vec<_> = ids
            .iter()
            .map(|id| writer.append_waiting(finished(*id)))
            .collect();
        for wait in waits {
            wait.await.outcome().await.unwrap();
        }
        ids
    })
}

fn kib(server: &Server, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn metric(server: &Server, name: &str) -> u64 {
    let page = server.get("metrics").text;
    let line = page
        .lines()
        .find(|line| line.split(' ').next() == Some(name));
    line.unwrap()
        .split(' ')
        .next_back()
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn a_thousand_finished_runs_cost_their_rows() {
    let world = World::new();
    let ids = fill(&world, 1000);
    let server = world.serve();
    let list = server.get("runs").expect(200);
    assert_eq!(list.as_array().unwrap().len(), 1000);
    let one = ids[500];
    assert_eq!(server.view(&one.to_string())["status"], "completed");
    assert_eq!(server.events(&one.to_string()).len(), 30);
    // Nothing of it was replayed: neither at the start nor to be read.
    assert_eq!(metric(&server, "abbado_folded_runs_total"), 0);
    assert_eq!(metric(&server, "abbado_awake_runs"), 0);
    assert_eq!(metric(&server, "abbado_events_appended_total"), 0);
    for what in ["VmRSS", "VmHWM"] {
        let kib = kib(&server, what);
        assert!(kib < 60 * 1024, "{what} is {kib} KiB");
    }
    // A run that is spoken to is folded, alone, and rests again.
    let notify = json!({"notify": false});
    server
        .post(&format!("runs/{one}/notify"), &notify)
        .expect(200);
    assert_eq!(metric(&server, "abbado_folded_runs_total"), 1);
    server.wait(&one.to_string(), "its actor sleeps again", |_| {
        metric(&server, "abbado_awake_runs") == 0
    });
    let after: Vec<_> = server.types(&one.to_string()).split_off(30);
    assert_eq!(after, ["run.notify_changed"]);
    assert_eq!(metric(&server, "abbado_events_appended_total"), 1);
    let agent = json!({"cli_name": "command", "provider_config": {"command": ["sleep", "100"]}});
    let run = server.run(&server.agent(&world, agent), "x");
    server.wait(&run, "its process lives", |view| {
        view["process"]["alive"] == true
    });
    assert_eq!(metric(&server, "abbado_live_runs"), 1);
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(metric(&server, "abbado_live_runs"), 0);
    let run = text(&server.get("runs?limit=1").expect(200)[0], "status");
    assert_eq!(run, "cancelled");
}

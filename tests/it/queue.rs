//! Messages that wait for the end of the turn: kept, shown, re-ordered, sent one a turn.

use crate::{
    programs::{Model, claude, codex, payloads},
    support::{Server, World, text, wait_for},
};
use serde_json::{Value, json};

/// A run that works until it is cancelled.
fn working(world: &World, server: &Server) -> String {
    let argv = json!({"command": ["sh", "-c", "tail -f /dev/null"]});
    let agent = server.agent(
        world,
        json!({"cli_name": "command", "provider_config": argv}),
    );
    let run = server.run(&agent, "x");
    server.wait_status(&run, "running");
    run
}

fn leave(server: &Server, run: &str, message: &str) -> String {
    let queued = server.post(&format!("runs/{run}/queue"), &json!({"message": message}));
    text(&queued.expect(201), "id")
}

fn waiting(server: &Server, run: &str) -> Vec<String> {
    let queue = server.get(&format!("runs/{run}/queue")).expect(200);
    let queue = queue.as_array().unwrap();
    for (place, queued) in (1..).zip(queue) {
        assert_eq!(queued["position"], place);
    }
    queue.iter().map(|queued| text(queued, "message")).collect()
}

#[test]
fn what_waits_is_kept_shown_reordered_and_taken_back() {
    let world = World::new();
    let server = world.serve();
    let run = working(&world, &server);
    let path = format!("runs/{run}/queue");
    let refused = server.post(&format!("runs/{run}/continue"), &json!({"message": "now"}));
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("/queue"), "{refused:?}");
    let first = server.post(&path, &json!({"message": "a"})).expect(201);
    assert_eq!(
        (&first["message"], &first["position"]),
        (&json!("a"), &json!(1))
    );
    assert!(first["created_at"].is_string());
    let a = text(&first, "id");
    let (b, c) = (leave(&server, &run, "b"), leave(&server, &run, "c"));
    let order = json!({"order": [c, a, b]});
    let list = server.put(&path, &order).expect(200);
    assert_eq!(list[0]["message"], "c");
    for wrong in [json!([a, b]), json!([a, b, c, c]), json!([])] {
        assert_eq!(server.put(&path, &json!({"order": wrong})).status, 409);
    }
    assert_eq!(server.put(&path, &json!({"order": ["x"]})).status, 400);
    assert_eq!(server.post(&path, &json!({"message": " "})).status, 400);
    assert_eq!(
        server.post(&path, &json!({"message": "a\u{1b}b"})).status,
        400
    );
    server.kill();
    let server = world.serve();
    assert_eq!(waiting(&server, &run), ["c", "a", "b"]);
    assert_eq!(server.delete(&format!("{path}/{a}")).status, 204);
    assert_eq!(server.delete(&format!("{path}/{a}")).status, 404);
    assert_eq!(server.delete(&format!("{path}/x")).status, 404);
    let view = server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(view["queue"], json!({"length": 2, "halted": null}));
    assert_eq!(waiting(&server, &run), ["c", "b"]);
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    assert_eq!(server.get(&path).status, 404);
}

#[test]
fn a_queue_has_a_bound_and_a_key_adds_once() {
    let world = World::new();
    let server = world.serve();
    let run = working(&world, &server);
    let path = format!("runs/{run}/queue");
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let body = json!({"message": "a"}).to_string();
    let first = server.post_with(&path, &headers, &body).expect(201);
    assert_eq!(server.post_with(&path, &headers, &body).expect(201), first);
    for _ in 1..64 {
        leave(&server, &run, "a");
    }
    let full = server.post(&path, &json!({"message": "a"}));
    assert_eq!((full.status, full.retry_after.as_deref()), (429, Some("1")));
    assert_eq!(server.view(&run)["queue"]["length"], 64);
}

/// Each message begins a turn of its own, in the order of the queue.
fn one_a_turn(server: &Server, run: &str, messages: &[&str]) {
    server.wait(run, "all went out and were answered", |view| {
        view["queue"]["length"] == 0
            && view["status"] == "paused"
            && payloads(server, run, "run.paused").len() == messages.len() + 1
    });
    let events = server.events(run);
    let of = |event: &Value| match text(event, "event_type").as_str() {
        "user.message" => Some(text(&event["payload"], "text")),
        "run.paused" => Some("|".to_owned()),
        _ => None,
    };
    let road: Vec<String> = events.iter().filter_map(of).collect();
    let expected: Vec<&str> = messages.iter().flat_map(|text| [*text, "|"]).collect();
    assert_eq!(road[1..], expected, "{events:#?}");
    let said = payloads(server, run, "user.message");
    assert!(
        said.iter()
            .all(|said| said["delivered_by"] == "typed" && said["by"] == "api")
    );
}

#[test]
fn the_queue_goes_out_one_a_turn_across_kills() {
    let world = World::new();
    let mut server = world.serve();
    let agent = server.agent(&world, json!({"cli_name": "demo"}));
    let run = server.run(&agent, "say hello");
    server.wait(&run, "it works", |view| view["status"] == "running");
    let messages = ["one", "two\nlines", "three"];
    for message in messages {
        leave(&server, &run, message);
    }
    for turn in 2..=3 {
        wait_for("the next turn works", || {
            payloads(&server, &run, "run.started").len() >= turn
        });
        server.kill();
        server = world.serve();
    }
    one_a_turn(&server, &run, &messages);
}

fn a_real_cli_takes_its_queue(agent: fn(&World, &Model, &str) -> Value) {
    let world = World::new();
    let brief = json!([{"say": "Yes.", "delay": 1}]);
    let model = Model::start_with(&world, &json!({"claude": brief, "codex": brief}));
    let server = world.serve();
    let agent = server.agent(&world, agent(&world, &model, "interactive"));
    let run = server.run(&agent, "Begin");
    let messages = ["one", "two\nlines", "three"];
    for message in messages {
        leave(&server, &run, message);
    }
    assert_eq!(waiting(&server, &run), messages);
    one_a_turn(&server, &run, &messages);
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

#[test]
fn claude_takes_its_queue_one_a_turn() {
    a_real_cli_takes_its_queue(claude);
}

#[test]
fn codex_takes_its_queue_one_a_turn() {
    a_real_cli_takes_its_queue(codex);
}

#[test]
fn replies_of_a_run_come_again_byte_for_byte_under_their_key() {
    let world = World::new();
    let server = world.serve();
    let run = working(&world, &server);
    let at = |operation: &str| format!("runs/{run}/{operation}");
    let requests = [
        (at("queue"), json!({"message": "a"}), 201),
        (at("notify"), json!({"notify": true}), 200),
        (at("cancel"), json!(null), 200),
    ];
    for (path, body, status) in requests {
        let headers = [
            ("Content-Type", "application/json"),
            ("Idempotency-Key", "k"),
        ];
        // A body, or none at all.
        let headers = if body.is_null() {
            &headers[1..]
        } else {
            &headers
        };
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let ask = || server.post_with(&path, headers, &body);
        let (first, again) = (ask(), ask());
        assert_eq!((first.status, again.status), (status, status), "{first:?}");
        assert_eq!(first.text, again.text, "{path}");
        assert!(first.text.starts_with('{'), "{first:?}");
    }
}

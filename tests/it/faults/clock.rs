//! The wall clock is set back: the order follows the log's ids, never time.

use super::{Stayer, in_order};
use crate::support::{Sse, World};
use serde_json::json;
use std::{fs, path::Path};

fn set_back(clock: &Path, days: i64) {
    let fresh = clock.with_extension("new");
    fs::write(&fresh, format!("{}", -days * 24 * 3600 * 1000)).unwrap();
    fs::rename(&fresh, clock).unwrap();
}

#[test]
fn a_clock_that_goes_back_moves_no_event_and_loses_none() {
    let world = World::new();
    let clock = world.path("clock");
    let env = [("ABBADO_CLOCK", clock.to_str().unwrap())];
    let server = world.serve_with(&env);
    let run = Stayer::start(&world, &server);
    let headers = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "k"),
    ];
    let body = json!({"name": "once"}).to_string();
    let first = server.post_with("projects", &headers, &body).expect(201);
    for number in 0..3 {
        assert_eq!(run.hook(&server, number, 0).status, 200);
    }
    let half = server.events(&run.id);
    set_back(&clock, 1);
    for number in 3..6 {
        assert_eq!(run.hook(&server, number, 0).status, 200);
    }
    let again = server.post_with("projects", &headers, &body).expect(201);
    assert_eq!(first, again, "an Idempotency-Key counts across the jump");
    server.kill();
    set_back(&clock, 2);
    let server = world.serve_with(&env);
    assert_eq!(run.hook(&server, 6, 0).status, 200);
    assert_eq!(run.hook(&server, 2, 0).status, 200, "told once more");
    run.end();
    let view = server.wait_status(&run.id, "completed");
    assert_eq!(view["process"]["alive"], false);
    assert_eq!(run.numbers(&server), [0, 1, 2, 3, 4, 5, 6]);
    let events = server.events(&run.id);
    in_order(&events);
    let time = |at: usize| events[at]["created_at"].as_str().unwrap();
    assert!(
        time(events.len() - 1) < time(0),
        "the clock did go back: {events:#?}"
    );
    // Who had half of it gets the other half, once and in order.
    let last = half.last().unwrap()["id"].as_i64().unwrap();
    let path = format!("runs/{}/events/stream", run.id);
    let mut stream = Sse::open(&server.address, &path, last).unwrap();
    for event in &events[half.len()..] {
        assert_eq!(stream.next().unwrap().1, *event);
    }
    assert!(!world.log().contains("panicked"), "{}", world.log());
}

//! Hooks that come twice, late, for an unknown run, and at the size limit.

use super::{Stayer, in_order};
use crate::support::{Reply, Server, World};
use serde_json::json;

const LENGTH_MAX: usize = 8 * 1024 * 1024;

/// Posts a hook of exactly so many bytes.
fn large(run: &Stayer, server: &Server, length: usize) -> Reply {
    let empty = json!({"hook_event_name": "Note", "number": 9, "filler": ""});
    let filler = "x".repeat(length - empty.to_string().len());
    let hook = json!({"hook_event_name": "Note", "number": 9, "filler": filler}).to_string();
    assert_eq!(hook.len(), length);
    let headers = [("Content-Type", "application/json")];
    server.post_with(&format!("runs/{}/hook", run.id), &headers, &hook)
}

#[test]
fn a_hook_of_eight_mib_is_taken_and_a_larger_one_is_told_the_limit() {
    let world = World::new();
    let server = world.serve();
    let run = Stayer::start(&world, &server);
    assert_eq!(large(&run, &server, LENGTH_MAX).status, 200);
    let refused = large(&run, &server, LENGTH_MAX + 1);
    assert_eq!(refused.status, 413, "{refused:?}");
    assert!(refused.text.contains("8388608"), "{refused:?}");
    assert_eq!(run.numbers(&server), [9]);
    let events = server.events(&run.id);
    in_order(&events);
    // A long text is cut, and how much of it is told.
    let kept = events
        .iter()
        .map(|event| &event["payload"]["payload"])
        .find(|payload| payload["number"] == 9)
        .unwrap();
    let (there, cut) = (&kept["filler"], &kept["filler_truncated_bytes"]);
    let there = there.as_str().unwrap().len() as u64;
    let sent = LENGTH_MAX
        - json!({"hook_event_name": "Note", "number": 9, "filler": ""})
            .to_string()
            .len();
    assert_eq!(
        (there, cut.as_u64()),
        (256 * 1024, Some(sent as u64 - there))
    );
    run.end();
    server.wait_status(&run.id, "completed");
}

#[test]
fn a_hook_twice_late_or_for_nobody() {
    let world = World::new();
    let server = world.serve();
    let run = Stayer::start(&world, &server);
    for _ in 0..3 {
        assert_eq!(run.hook(&server, 1, 0).status, 200);
    }
    server.kill();
    let server = world.serve();
    assert_eq!(run.hook(&server, 1, 0).status, 200);
    assert_eq!(run.numbers(&server), [1], "told five times");
    run.end();
    server.wait_status(&run.id, "completed");
    // Late: the run has ended, and stays so.
    assert_eq!(run.hook(&server, 2, 0).status, 200);
    assert_eq!(run.numbers(&server), [1, 2]);
    assert_eq!(server.view(&run.id)["status"], "completed");
    in_order(&server.events(&run.id));
    server.delete(&format!("runs/{}", run.id)).expect(204);
    let gone = run.hook(&server, 3, 0);
    assert_eq!(gone.status, 404, "{gone:?}");
    let none = "00000000-0000-4000-8000-000000000000";
    let headers = [("Content-Type", "application/json")];
    let hook = json!({"hook_event_name": "Note"}).to_string();
    let nobody = server.post_with(&format!("runs/{none}/hook"), &headers, &hook);
    assert_eq!(nobody.status, 404, "{nobody:?}");
}

//! The writer thread panics: it continues, and no response is wrong.

use super::{Stayer, in_order, unavailable};
use crate::support::{Sse, World};
use serde_json::json;

const POINTS: [&str; 2] = ["store.before_commit", "store.after_commit"];
const HOOKS: u64 = 30;

/// A reader of the run's stream sees exactly its log, also what a panic came behind.
#[test]
fn a_panic_of_the_writer_costs_one_answer_and_no_event() {
    for point in POINTS {
        let world = World::new();
        let fault = format!("{point}:panic@20");
        let server = world.serve_with(&[("ABBADO_FAULT", &fault)]);
        let run = Stayer::start(&world, &server);
        let stream = format!("runs/{}/events/stream", run.id);
        let mut stream = Sse::open(&server.address, &stream, 0).unwrap();
        let mut seen = Vec::new();
        let mut refused = Vec::new();
        for number in 0..HOOKS {
            let reply = run.hook(&server, number, 0);
            if reply.status == 200 {
                continue;
            }
            unavailable(&reply, "failed while recording");
            if point == "store.after_commit" {
                // It is in the log and nothing else comes: readers see it all the same.
                while seen.last().is_none_or(|(_, told)| *told != number) {
                    let (id, event) = stream.next().unwrap();
                    let told = event["payload"]["payload"]["number"].as_u64();
                    seen.push((id, told.unwrap_or(u64::MAX)));
                }
            } else {
                assert!(!run.numbers(&server).contains(&number), "{point}");
            }
            refused.push(number);
            assert_eq!(run.hook(&server, number, 0).status, 200, "{point}");
        }
        assert_eq!(refused.len(), 1, "{point}: {refused:?}");
        assert_eq!(
            run.numbers(&server),
            (0..HOOKS).collect::<Vec<_>>(),
            "{point}"
        );
        run.end();
        server.wait_status(&run.id, "completed");
        let events = server.events(&run.id);
        in_order(&events);
        let logged = events.iter().map(|event| event["id"].as_i64().unwrap());
        let logged: Vec<i64> = logged.collect();
        let mut seen: Vec<i64> = seen.into_iter().map(|(id, _)| id).collect();
        while seen.last() != logged.last() {
            seen.push(stream.next().unwrap().0);
        }
        assert_eq!(seen, logged, "{point}: what a reader saw");
        assert!(world.log().contains("The writer panicked"), "{point}");
        assert_eq!(server.terminate(), Some(0));
        assert_eq!(world.serve().events(&run.id), events, "{point}");
    }
}

#[test]
fn what_a_panic_refused_is_done_once_when_it_is_asked_again() {
    for point in POINTS {
        let world = World::new();
        let fault = format!("{point}:panic@1");
        let server = world.serve_with(&[("ABBADO_FAULT", &fault)]);
        let headers = [
            ("Content-Type", "application/json"),
            ("Idempotency-Key", "k"),
        ];
        let body = json!({"name": "once"}).to_string();
        let create = || server.post_with("projects", &headers, &body);
        unavailable(&create(), "failed while recording");
        create().expect(201);
        let projects = server.get("projects").expect(200);
        assert_eq!(projects.as_array().unwrap().len(), 1, "{point}");
    }
}

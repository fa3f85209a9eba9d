//! Messages to a webhook: the right ones, once each, whatever happens to receiver and server.

mod kills;
pub mod receiver;
mod trouble;

use crate::support::{World, text};
use receiver::{
    Receiver, SECRET, fail, finish_turn, hook, prompt, serve, set, start, url_at, waiting_agent,
};
use serde_json::{Value, json};

fn titles(told: &[Value]) -> Vec<String> {
    told.iter().map(|embed| text(embed, "title")).collect()
}

#[test]
fn idle_and_ended_are_told_of_runs_that_ask_for_it() {
    let (world, receiver) = (World::new(), Receiver::start());
    let server = serve(&world);
    set(&server, &receiver.url());
    let agent = waiting_agent(&world, &server);
    let end = json!({"hook_event_name": "SessionEnd", "reason": "other"});
    for notify in [false, true] {
        let run = start(&server, &agent, notify);
        finish_turn(
            &server,
            &run,
            &format!("Done, {notify}. {}", "ß".repeat(300)),
        );
        prompt(&server, &run);
        hook(&server, &run, &end);
    }
    let told = receiver.wait_taken(2);
    assert_eq!(titles(&told), ["Session idle", "Session ended"]);
    let text = text(&told[0], "description");
    assert!(
        text.starts_with("Done, true. ß") && text.chars().count() == 200,
        "{text}"
    );
    let fields: Vec<_> = told[0]["fields"].as_array().unwrap().iter().collect();
    let pairs = fields.iter().map(|field| (&field["name"], &field["value"]));
    let (task, worker) = (json!("Fix the login"), json!("worker"));
    assert_eq!(
        pairs.collect::<Vec<_>>(),
        [
            (&json!("Task"), &task),
            (&json!("Agent"), &worker),
            (&json!("State"), &json!("paused")),
            (&json!("Cost"), &json!("unknown")),
        ]
    );
    // `notify` can be switched while the run works, and ends of sessions have their own switch.
    let run = start(&server, &agent, false);
    server
        .post(&format!("runs/{run}/notify"), &json!({"notify": true}))
        .expect(200);
    finish_turn(&server, &run, "third");
    receiver.wait_taken(3);
    prompt(&server, &run);
    let off = json!({"notify_on_pipeline_complete": false});
    server.put("settings/notifications", &off).expect(200);
    hook(&server, &run, &end);
    let run = start(&server, &agent, true);
    finish_turn(&server, &run, "fourth");
    let told = receiver.wait_taken(4);
    assert_eq!(titles(&told)[2..], ["Session idle", "Session idle"]);
}

#[test]
fn failures_are_told_while_their_switch_is_on() {
    let (world, receiver) = (World::new(), Receiver::start());
    let server = serve(&world);
    set(&server, &receiver.url());
    let switch = |on: bool| {
        let change = json!({"notify_on_run_failed": on});
        server.put("settings/notifications", &change).expect(200);
    };
    switch(false);
    fail(&world, &server);
    switch(true);
    let run = fail(&world, &server);
    let told = receiver.wait_taken(1);
    assert_eq!(titles(&told), ["Run failed"]);
    assert!(text(&told[0], "description").contains("exited with code 3"));
    assert!(told[0]["footer"]["text"].as_str().unwrap().contains(&run));
}

#[test]
fn one_question_to_a_person_is_told_once() {
    let (world, receiver) = (World::new(), Receiver::start());
    let server = serve(&world);
    set(&server, &receiver.url());
    let run = start(&server, &waiting_agent(&world, &server), false);
    let asks = json!({"hook_event_name": "PermissionRequest", "tool_name": "Bash",
                      "tool_input": {"command": "rm -rf build"}});
    let again = json!({"hook_event_name": "Notification", "message": "May I use Bash?",
                       "notification_type": "permission_prompt"});
    hook(&server, &run, &asks);
    hook(&server, &run, &again);
    prompt(&server, &run);
    hook(&server, &run, &again);
    let told = receiver.wait_taken(2);
    assert_eq!(titles(&told), ["Needs attention", "Needs attention"]);
    assert!(text(&told[0], "description").contains("rm -rf build"));
    assert_eq!(text(&told[1], "description"), "May I use Bash?");
    let off = json!({"notify_on_attention": false});
    server.put("settings/notifications", &off).expect(200);
    prompt(&server, &run);
    hook(&server, &run, &again);
    fail(&world, &server);
    assert_eq!(titles(&receiver.wait_taken(3))[2], "Run failed");
}

#[test]
fn what_was_before_the_webhook_is_never_told() {
    let (world, receiver) = (World::new(), Receiver::start());
    let server = serve(&world);
    fail(&world, &server);
    set(&server, &receiver.url());
    let first = fail(&world, &server);
    receiver.wait_taken(1);
    set(&server, "");
    fail(&world, &server);
    set(&server, &receiver.url());
    let second = fail(&world, &server);
    let told = receiver.wait_taken(2);
    for (embed, run) in told.iter().zip([first, second]) {
        assert!(
            embed["footer"]["text"].as_str().unwrap().contains(&run),
            "{embed}"
        );
    }
}

#[test]
fn a_test_message_is_sent_at_once_or_says_why_not() {
    let (world, receiver) = (World::new(), Receiver::start());
    let server = serve(&world);
    let test = || server.post_empty("settings/notifications/test");
    let refused = test();
    assert_eq!(
        (refused.status, refused.kind.as_str()),
        (409, "text/plain; charset=utf-8")
    );
    set(&server, &receiver.url());
    assert_eq!(test().expect(200), json!({"delivered": true}));
    assert_eq!(titles(&receiver.wait_taken(1)), ["Test message"]);
    let path = "settings/notifications/test";
    let twice = [(); 2].map(|()| server.post_with(path, &[("Idempotency-Key", "k")], ""));
    assert!(twice.iter().all(|reply| reply.status == 200), "{twice:?}");
    receiver.wait_taken(2);
    receiver.next(&json!([{"status": 404, "body": {"message": "Unknown Webhook", "code": 10015}}]));
    let refused = test();
    assert_eq!(refused.status, 502);
    assert!(refused.text.contains("404: Unknown Webhook"), "{refused:?}");
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    set(&server, &url_at(port));
    let refused = test();
    assert_eq!(refused.status, 502);
    assert!(refused.text.contains("cannot be reached"), "{refused:?}");
    assert!(!refused.text.contains(SECRET), "{refused:?}");
}

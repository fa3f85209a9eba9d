//! Receivers that are slow, dead, full or gone.

use super::receiver::{
    Receiver, SECRET, fail, finish_turn, prompt, serve, serve_with, set, start, url_at, wait_until,
    waiting_agent,
};
use crate::{
    forge::fake::file,
    support::{World, text},
};
use abbado::{
    domain::Time,
    notify::{CHANNELS, Client, DeliveryError, Message},
};
use serde_json::{Value, json};
use std::process::Command;

/// Seconds between the first two requests.
fn waited(requests: &[Value]) -> f64 {
    requests[1]["at"].as_f64().unwrap() - requests[0]["at"].as_f64().unwrap()
}

#[test]
fn a_full_receiver_is_left_alone_for_as_long_as_it_says() {
    for (answer, seconds) in [
        (
            json!({"status": 429, "headers": {"Retry-After": "1"}, "body": null}),
            1.0,
        ),
        (
            json!({"status": 429, "body": {"message": "You are being rate limited.",
                                        "retry_after": 0.64, "global": false}}),
            0.64,
        ),
        (
            json!({"status": 503, "headers": {"Retry-After": "1"}, "body": null}),
            1.0,
        ),
    ] {
        let (world, receiver) = (World::new(), Receiver::start());
        let server = serve(&world);
        set(&server, &receiver.url());
        receiver.next(&json!([answer]));
        fail(&world, &server);
        receiver.wait_taken(1);
        let requests = receiver.wait_requests(2);
        assert!(waited(&requests) >= seconds, "{answer}: {requests:#?}");
        assert_eq!(requests[0]["body"], requests[1]["body"]);
    }
}

#[test]
fn something_new_cuts_no_wait_short() {
    let (world, receiver) = (World::new(), Receiver::start());
    let server = serve(&world);
    set(&server, &receiver.url());
    let run = start(&server, &waiting_agent(&world, &server), true);
    receiver.next(&json!([{"status": 429, "headers": {"Retry-After": "1"}, "body": null}]));
    finish_turn(&server, &run, "one");
    receiver.wait_requests(1);
    prompt(&server, &run);
    finish_turn(&server, &run, "two");
    // Neither does the same webhook, set again.
    set(&server, &receiver.url());
    receiver.wait_taken(2);
    assert!(waited(&receiver.requests()) >= 1.0);
    let texts: Vec<_> = receiver.told().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["one", "two"]);
}

#[test]
fn a_receiver_that_fails_hangs_or_hangs_up_gets_the_message_once_in_the_end() {
    let (world, receiver) = (World::new(), Receiver::start());
    let server = serve_with(
        &world,
        &[("ABBADO_WAITS", "notify.retry=20,notify.request=300")],
    );
    set(&server, &receiver.url());
    receiver.next(
        &json!([{"status": 500, "body": null}, {"drop": true}, {"hang": true},
                          {"status": 502, "body": {"message": 1}}]),
    );
    fail(&world, &server);
    receiver.wait_taken(1);
    assert_eq!(receiver.wait_requests(5).len(), 5);
    fail(&world, &server);
    receiver.wait_taken(2);
}

#[test]
fn a_webhook_that_is_gone_costs_that_message_and_no_other() {
    let (world, receiver) = (World::new(), Receiver::start());
    let server = serve(&world);
    set(&server, &receiver.url());
    let elsewhere = format!("http://127.0.0.1:{}/elsewhere?wait=true", receiver.port);
    receiver.next(&json!([
        {"status": 404, "body": {"message": "Unknown Webhook", "code": 10015}},
        {"status": 307, "headers": {"Location": elsewhere}, "body": null},
    ]));
    fail(&world, &server);
    fail(&world, &server);
    let third = fail(&world, &server);
    let taken = receiver.wait_taken(1);
    assert!(text(&taken[0]["footer"], "text").contains(&third));
    let requests = receiver.requests();
    assert_eq!(requests.len(), 3, "{requests:#?}");
    assert!(
        requests
            .iter()
            .all(|request| text(request, "path").contains(SECRET))
    );
    let log = world.log();
    assert!(
        log.contains("404: Unknown Webhook") && log.contains("answered 307"),
        "{log}"
    );
}

#[test]
fn a_message_is_given_up_after_its_time() {
    let (world, receiver) = (World::new(), Receiver::start());
    let waits = "notify.retry=100,notify.request=2000,notify.give_up=700";
    let server = serve_with(&world, &[("ABBADO_WAITS", waits)]);
    set(&server, &receiver.url());
    receiver.always(&json!({"status": 500, "body": null}));
    fail(&world, &server);
    wait_until("it is given up", || {
        world.log().contains("Gave up on a notification")
    });
    assert!(receiver.requests().len() >= 2);
    receiver.always(&json!({}));
    let second = fail(&world, &server);
    let taken = receiver.wait_taken(1);
    assert!(text(&taken[0]["footer"], "text").contains(&second));
}

/// A run of many turns, each of which is told of to a receiver that is given an hour to answer.
fn turns(world: &World, receiver: &str) {
    let server = serve_with(
        world,
        &[("ABBADO_WAITS", "notify.retry=20,notify.request=3600000")],
    );
    set(&server, receiver);
    let run = start(&server, &waiting_agent(world, &server), true);
    for _ in 0..40 {
        finish_turn(&server, &run, "turn");
        prompt(&server, &run);
    }
}

#[test]
fn a_dead_receiver_delays_no_run() {
    let receiver = Receiver::start();
    receiver.always(&json!({"hang": true}));
    turns(&World::new(), &receiver.url());
    receiver.wait_requests(1);
    let port = receiver.port;
    drop(receiver);
    turns(&World::new(), &url_at(port));
}

#[test]
fn what_waited_for_a_dead_receiver_comes_in_order_when_it_is_back() {
    let (world, receiver) = (World::new(), Receiver::start());
    let port = receiver.port;
    drop(receiver);
    let server = serve(&world);
    set(&server, &url_at(port));
    let run = start(&server, &waiting_agent(&world, &server), true);
    for number in 0..5 {
        finish_turn(&server, &run, &number.to_string());
        prompt(&server, &run);
    }
    wait_until("it was tried", || {
        world.log().contains("Could not deliver a notification yet")
    });
    let receiver = Receiver::start_at(port);
    receiver.wait_taken(5);
    let texts: Vec<_> = receiver.told().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4"]);
}

#[test]
fn another_webhook_ends_the_wait_for_the_old_one() {
    let (world, old, new) = (World::new(), Receiver::start(), Receiver::start());
    let server = serve(&world);
    set(&server, &old.url());
    let limited = json!({"status": 429, "headers": {"Retry-After": "3600"}, "body": null});
    old.next(&json!([limited]));
    fail(&world, &server);
    old.wait_requests(1);
    wait_until("it waits", || {
        world.log().contains("Could not deliver a notification yet")
    });
    set(&server, &new.url());
    new.wait_taken(1);
    assert_eq!(old.requests().len(), 1);
}

#[test]
fn the_url_reaches_no_log_and_no_refusal() {
    let (world, receiver) = (World::new(), Receiver::start());
    let server = serve_with(&world, &[("ABBADO_LOG", "trace")]);
    set(&server, &receiver.url());
    let echo = json!({"message": format!("no webhook {}", receiver.url())});
    receiver.next(&json!([{"status": 500, "body": echo}, {"status": 400, "body": echo}]));
    fail(&world, &server);
    receiver.wait_requests(2);
    receiver.next(&json!([{"status": 400, "body": echo}]));
    let refused = server.post_empty("settings/notifications/test");
    assert_eq!(refused.status, 502);
    assert!(!refused.text.contains(SECRET), "{refused:?}");
    let port = receiver.port;
    drop(receiver);
    fail(&world, &server);
    wait_until("it is tried in vain", || {
        world.log().contains("cannot be reached")
    });
    let wrong = json!({"discord_webhook_url": format!("https://evil.test/{SECRET}")});
    let refused = server.put("settings/notifications", &wrong);
    assert_eq!(refused.status, 400);
    assert!(!refused.text.contains(SECRET), "{refused:?}");
    set(&server, &url_at(port));
    assert_eq!(server.terminate(), Some(0));
    let log = world.log();
    assert!(
        log.contains("400: no webhook"),
        "the receiver's words are kept"
    );
    let told = log.lines().find(|line| line.contains(SECRET));
    assert_eq!(told, None);
}

/// Set for the process in which the test certificate is one of the machine's roots.
const TRUSTS: &str = "ABBADO_TEST_WEBHOOK";

#[actix_web::test]
async fn tls_takes_the_certificates_that_this_machine_trusts_and_no_others() {
    let send = async |url: &str| {
        let client = Client::default();
        let sent = CHANNELS[0].deliver(&client, url, Message::Test, Time::UNIX_EPOCH);
        sent.await
    };
    if let Some(url) = std::env::var_os(TRUSTS) {
        assert_eq!(send(url.to_str().unwrap()).await, Ok(()));
        return;
    }
    let pem = file("forge_tls.pem");
    let receiver = Receiver::start_with(&["--tls", pem.to_str().unwrap()]);
    let url = receiver.url();
    let url = url.replace("http://127.0.0.1", "https://localhost");
    let error = send(&url).await.unwrap_err();
    let distrusted =
        matches!(&error, DeliveryError::Unreachable(why) if why.contains("UnknownIssuer"));
    assert!(distrusted, "{error}");
    assert_eq!(receiver.requests(), [] as [Value; 0]);
    let name = "notify::trouble::tls_takes_the_certificates_that_this_machine_trusts_and_no_others";
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env("SSL_CERT_FILE", pem)
        .env(TRUSTS, url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success() && said.contains("1 passed"),
        "{said}"
    );
    receiver.wait_taken(1);
}

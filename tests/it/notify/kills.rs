//! The server is killed, or stopped, between an event and its notification.

use super::receiver::{
    Receiver, command, fail, finish_turn, prompt, serve, serve_with, set, start, wait_until,
    waiting_agent,
};
use crate::support::{PATIENCE, Server, World, pause, text};
use serde_json::{Value, json};
use std::time::Instant;

fn footer(embed: &Value) -> String {
    text(&embed["footer"], "text")
}

fn wait_gone(mut server: Server) {
    let begun = Instant::now();
    while !server.gone() {
        assert!(begun.elapsed() < PATIENCE, "the server lives");
        pause();
    }
}

/// A run fails under a server that is killed at a point of its telling; gives what was taken up
/// to a second failure, under a server that is left alone.
fn killed_at(point: &str) -> Vec<Value> {
    let (world, receiver) = (World::new(), Receiver::start());
    let fault = format!("{point}:kill@1");
    let server = serve_with(&world, &[("ABBADO_FAULT", &fault)]);
    set(&server, &receiver.url());
    let agent = server.agent(&world, command(&["sh", "-c", "exit 3"]));
    server.run(&agent, "first");
    wait_gone(server);
    let server = serve(&world);
    let second = fail(&world, &server);
    let is_second = |embed: &Value| footer(embed).contains(&second);
    wait_until("the second failure was told", || {
        receiver.taken().iter().any(is_second)
    });
    let taken = receiver.taken();
    assert!(is_second(taken.last().unwrap()), "{point}: {taken:#?}");
    taken
}

#[test]
fn killed_before_the_message_leaves_it_is_told_once() {
    assert_eq!(killed_at("notify.before_send").len(), 2);
}

#[test]
fn killed_after_it_was_remembered_it_is_not_told_again() {
    assert_eq!(killed_at("notify.after_commit").len(), 2);
}

/// What cannot be had over HTTP: see docs/decisions/0008.
#[test]
fn killed_before_it_was_remembered_it_is_told_again_and_known_by_its_footer() {
    let taken = killed_at("notify.after_answer");
    assert_eq!(taken.len(), 3, "{taken:#?}");
    assert_eq!(taken[0], taken[1]);
}

#[test]
fn killed_while_the_receiver_hangs_it_is_told_once() {
    let (world, receiver) = (World::new(), Receiver::start());
    let server = serve(&world);
    set(&server, &receiver.url());
    receiver.next(&json!([{"hang": true}]));
    fail(&world, &server);
    receiver.wait_requests(1);
    server.kill();
    let server = serve(&world);
    receiver.wait_taken(1);
    fail(&world, &server);
    receiver.wait_taken(2);
}

#[test]
fn a_server_that_is_stopped_waits_for_the_receiver_and_does_not_repeat() {
    let (world, receiver) = (World::new(), Receiver::start());
    let server = serve(&world);
    set(&server, &receiver.url());
    receiver.next(&json!([{"slow": 700}]));
    fail(&world, &server);
    receiver.wait_requests(1);
    assert_eq!(server.terminate(), Some(0));
    let server = serve(&world);
    fail(&world, &server);
    receiver.wait_taken(2);
}

#[test]
fn none_is_lost_or_out_of_order_across_many_kills() {
    let (world, receiver) = (World::new(), Receiver::start());
    let mut server = serve(&world);
    set(&server, &receiver.url());
    let run = start(&server, &waiting_agent(&world, &server), true);
    let (total, kills) = match std::env::var_os("ABBADO_PROVE") {
        Some(_) => (1500, 100),
        None => (60, 5),
    };
    for number in 0..total {
        finish_turn(&server, &run, &number.to_string());
        prompt(&server, &run);
        if number % (total / kills) == 7 {
            server.kill();
            server = serve(&world);
        }
    }
    let numbers = || -> Vec<usize> {
        let told = receiver.told().into_iter();
        told.map(|(_, text)| text.parse().unwrap()).collect()
    };
    wait_until("the last was told", || {
        numbers().last() == Some(&(total - 1))
    });
    let mut numbers = numbers();
    assert!(numbers.len() <= total + kills, "{numbers:?}");
    numbers.dedup();
    assert_eq!(numbers, (0..total).collect::<Vec<_>>());
}

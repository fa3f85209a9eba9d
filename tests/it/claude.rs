//! The real Claude Code in runs, against a scripted model.

use crate::{
    programs::{Model, claude, payloads, processes, type_in},
    support::{Server, World, text},
};
use serde_json::Value;
use std::path::PathBuf;

const LONG: &str =
    "Wait #steps:[{\"call\":{\"tool\":\"Bash\",\"input\":{\"command\":\"tail -f /dev/null\"}}}]";

/// 0.3015 dollars, and a tool that goes on.
const COSTLY: &str = r#"Wait #steps:[{"call":{"tool":"Bash","input":{"command":"tail -f /dev/null"}},"usage":{"input":100000,"output":100}}]"#;

/// 0.0045 dollars.
const CHEAP: &str =
    r#"Once more #steps:[{"say":"That is all.","usage":{"input":1000,"output":100}}]"#;

const STEP: &str = "Once more #steps:[{\"say\":\"That is all.\"}]";

#[test]
fn a_whole_run_of_the_real_claude() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let agent = server.agent(&world, claude(&world, &model, "interactive"));
    let run = server.run(&agent, "Write hello.txt and list the files");
    let tokens_in = the_task_is_done(&world, &server, &run);
    a_message_is_answered(&server, &run, tokens_in);
    a_person_leaves(&server, &run);
    let turns = model.requests();
    let turns = turns.iter().filter(|request| request["note"] == "step");
    assert_eq!(
        turns.count(),
        7,
        "six steps of the task, one of the message"
    );
}

/// Gives the tokens that it took.
fn the_task_is_done(world: &World, server: &Server, run: &str) -> Option<u64> {
    let view = server.wait_status(run, "paused");
    let init = payloads(server, run, "session.init");
    assert_eq!(init.len(), 1, "{init:#?}");
    assert_eq!(init[0]["session_id"], view["session_id"]);
    let called = payloads(server, run, "agent.tool_call");
    let names: Vec<_> = called.iter().map(|call| text(call, "tool_name")).collect();
    assert_eq!(
        names,
        [
            "TaskCreate",
            "TaskCreate",
            "TaskUpdate",
            "Write",
            "Bash",
            "TaskUpdate",
            "TaskUpdate"
        ]
    );
    assert_eq!(
        payloads(server, run, "agent.tool_result").len(),
        called.len()
    );
    let tasks = server.get(&format!("runs/{run}/tasks")).expect(200);
    let tasks = tasks.as_array().unwrap();
    assert_eq!(
        tasks.iter().map(|t| text(t, "subject")).collect::<Vec<_>>(),
        ["Write hello.txt", "List files"]
    );
    assert!(
        tasks.iter().all(|task| task["status"] == "completed"),
        "{tasks:#?}"
    );
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    assert_eq!(
        std::fs::read_to_string(worktree.join("hello.txt")).unwrap(),
        "hello\n"
    );
    assert!(
        !world.path("repo/hello.txt").exists(),
        "the user's checkout was touched"
    );
    let result = payloads(server, run, "run.result");
    let last = result.last().unwrap();
    assert!(last["tokens_in"].as_u64() > Some(0) && last["tokens_out"].as_u64() > Some(0));
    let paused = payloads(server, run, "run.paused");
    assert_eq!(
        paused[0]["last_message"],
        "Done: hello.txt is written and listed."
    );

    last["tokens_in"].as_u64()
}

fn a_message_is_answered(server: &Server, run: &str, tokens_in: Option<u64>) {
    let more = serde_json::json!({"message": STEP});
    server
        .post(&format!("runs/{run}/continue"), &more)
        .expect(200);
    // Claude writes its transcript, and so its tokens, a moment after it says that it is done.
    server.wait(run, "the second turn is over and counted", |view| {
        view["status"] == "paused"
            && payloads(server, run, "run.paused").len() == 2
            && view["tokens_in"].as_u64() > tokens_in
    });
    let said = payloads(server, run, "user.message");
    assert_eq!(
        said.len(),
        1,
        "the task is no message of a person: {said:#?}"
    );
    assert_eq!(
        (said[0]["text"].as_str(), &said[0]["delivered_by"]),
        (Some(STEP), &"typed".into())
    );
    let paused = payloads(server, run, "run.paused");
    assert_eq!(paused[1]["last_message"], "That is all.");
}

fn a_person_leaves(server: &Server, run: &str) {
    type_in(server, run, b"/exit");
    server.wait(run, "it was typed", |_| {
        server
            .get(&format!("runs/{run}/logs"))
            .text
            .contains("/exit")
    });
    type_in(server, run, b"\r");
    let view = server.wait(run, "it is over and its process gone", |view| {
        view["status"] == "completed" && view["process"]["alive"] == false
    });
    assert_eq!(view["process"]["exit_code"], 0);
    assert_eq!(payloads(server, run, "run.completed").len(), 1);
}

/// Claude fires SessionEnd when it is ended, which is not a completion.
fn ended_in_mid_turn(how: &str, outcome: &str) {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let agent = server.agent(&world, claude(&world, &model, "interactive"));
    let run = server.run(&agent, LONG);
    // Its transcript is there: a session is resumable only from then on.
    server.wait(&run, "a tool works, and the transcript says so", |view| {
        view["activity"]["what"] == "tool Bash" && view["tokens_in"].as_u64() > Some(0)
    });
    let view = server.post_empty(&format!("runs/{run}/{how}")).expect(200);
    assert_eq!(
        (&view["status"], &view["process"]["alive"]),
        (&outcome.into(), &false.into())
    );
    assert_eq!(processes(&run), [""; 0]);
    if how == "cancel" {
        assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
        assert_eq!(server.get(&format!("runs/{run}")).status, 404);
        return;
    }
    // What it said while it died (SessionEnd, mostly) is in the log, or in the spool that the next
    // start takes in.
    server.kill();
    let server = world.serve();
    assert_eq!(server.view(&run)["status"], outcome);
    assert_eq!(payloads(&server, &run, "run.completed"), [Value::Null; 0]);
    let more = serde_json::json!({"message": STEP});
    server
        .post(&format!("runs/{run}/continue"), &more)
        .expect(200);
    server.wait(&run, "the resumed session took the message", |view| {
        view["status"] == "paused" && payloads(&server, &run, "run.paused").len() == 2
    });
    let inits = payloads(&server, &run, "session.init");
    assert_eq!(inits[0]["session_id"], inits.last().unwrap()["session_id"]);
    let spawned = payloads(&server, &run, "process.spawned");
    assert_eq!(spawned.len(), 2);
    let argv = spawned[1]["argv"].as_array().unwrap();
    assert!(argv.contains(&"--resume".into()), "{argv:?}");
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(server.view(&run)["status"], "cancelled");
    assert_eq!(processes(&run), [""; 0]);
}

#[test]
fn a_cancelled_claude_is_cancelled_and_can_be_deleted_at_once() {
    ended_in_mid_turn("cancel", "cancelled");
}

#[test]
fn a_paused_claude_is_paused_and_resumed_by_a_message() {
    ended_in_mid_turn("pause", "paused");
}

/// No hook reports it: the transcript does, which is followed before it exists.
#[test]
fn an_interrupt_of_the_first_tool_is_seen() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let agent = server.agent(&world, claude(&world, &model, "interactive"));
    let run = server.run(&agent, LONG);
    server.wait(&run, "a tool works", |view| {
        view["activity"]["what"] == "tool Bash"
    });
    type_in(&server, &run, b"\x1b");
    let view = server.wait_status(&run, "paused");
    assert_eq!(view["reason"], "the turn was interrupted");
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(processes(&run), [""; 0]);
}

/// Claude asks whether the folder is trusted, and no hook reports it.
#[test]
fn a_repository_that_is_not_trusted_calls_for_a_person() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve_with(&[("ABBADO_WAITS", "quiet.no_hook=3000")]);
    let fields = claude(&world, &model, "interactive");
    let seen = world.path("claude/.claude.json");
    std::fs::write(seen, r#"{"hasCompletedOnboarding": true}"#).unwrap();
    let agent = server.agent(&world, fields);
    let run = server.run(&agent, STEP);
    let view = server.wait(&run, "a person is called", |view| {
        !view["attention"].is_null()
    });
    assert_eq!(
        (&view["status"], &view["attention"]["kind"]),
        (&"queued".into(), &"no_hook".into())
    );
    server.wait(&run, "the dialog is there", |_| {
        let screen = server.get(&format!("runs/{run}/logs")).text;
        screen.contains("trust")
    });
    // Leaving is its first answer: one up.
    type_in(&server, &run, b"\x1b[A");
    type_in(&server, &run, b"\r");
    let view = server.wait_status(&run, "paused");
    assert_eq!(view["attention"], Value::Null);
    assert_eq!(view["activity"]["what"], "waiting for a prompt");
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(processes(&run), [""; 0]);
}

/// Its next process reports a cost without the killed one's.
#[test]
fn the_cost_of_a_killed_claude_is_not_lost() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let agent = server.agent(&world, claude(&world, &model, "interactive"));
    let run = server.run(&agent, COSTLY);
    let cost = |view: &Value| view["cost_usd"].as_f64().unwrap();
    let before = server.wait(&run, "a tool works, its call is counted", |view| {
        view["activity"]["what"] == "tool Bash" && view["tokens_in"] == 100_000
    });
    let pid = before["process"]["pid"].as_i64().unwrap();
    let pid = nix::unistd::Pid::from_raw(pid.try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    server.wait_status(&run, "failed");
    let more = serde_json::json!({"message": CHEAP});
    server
        .post(&format!("runs/{run}/continue"), &more)
        .expect(200);
    let resumed = server.wait(&run, "the message is answered and counted", |view| {
        view["status"] == "paused" && view["tokens_in"] == 101_000
    });
    a_person_leaves(&server, &run);
    let after = server.view(&run);
    let [before, resumed, after] = [&before, &resumed, &after].map(cost);
    assert!((before - 0.3015).abs() < 1e-6, "{before}");
    assert!((resumed - 0.306).abs() < 1e-6, "{resumed}");
    // What the last process told may hold more than its transcript, such as titles.
    assert!((0.306 - 1e-6..0.5).contains(&after), "{after}");
    let told = payloads(&server, &run, "run.result");
    let sums = told.iter().map(|told| told["cost_usd"].as_f64().unwrap());
    let sums: Vec<f64> = sums.collect();
    assert!(sums.is_sorted(), "it shrank: {sums:?}");
    assert_eq!(told.last().unwrap()["cost_source"], "estimated");
}

#[test]
fn an_idle_claude_is_cancelled_as_well() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let agent = server.agent(&world, claude(&world, &model, "interactive"));
    let run = server.run(&agent, STEP);
    server.wait_status(&run, "paused");
    let view = server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(view["status"], "cancelled");
    assert_eq!(payloads(&server, &run, "run.completed"), [Value::Null; 0]);
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    assert_eq!(processes(&run), [""; 0]);
}

#[test]
fn a_headless_claude_completes_and_tells_its_own_cost() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let agent = server.agent(&world, claude(&world, &model, "headless"));
    let run = server.run(&agent, "Write hello.txt and list the files");
    let view = server.wait(&run, "it is over and its process gone", |view| {
        view["status"] == "completed" && view["process"]["alive"] == false
    });
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    assert!(worktree.join("hello.txt").exists());
    assert_eq!(payloads(&server, &run, "agent.tool_call").len(), 7);
    let result = payloads(&server, &run, "run.result");
    assert_eq!(result.last().unwrap()["cost_source"], "reported");
    let said = payloads(&server, &run, "agent.message");
    assert_eq!(
        said.last().unwrap()["text"],
        "Done: hello.txt is written and listed."
    );
    assert!(!payloads(&server, &run, "agent.token").is_empty());
}

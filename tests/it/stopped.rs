//! A CLI that Ctrl+Z or a signal stopped: seen, said, let go on, ended.

use crate::{
    programs::{Model, claude, payloads, processes, type_in},
    support::{Server, World, pause, repeat, wait_for},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A CLI by its hooks. What is typed is confirmed as a prompt line by line; the turn ends when the
/// file `over` is there.
const CLI: &str = r#"#!/bin/sh
echo $$ > "$ABBADO_RUN_DIR/cli.pid"
hook() { printf '%s' "$1" | "$ABBADO_HOOK" > /dev/null; }
hook '{"hook_event_name":"SessionStart","session_id":"s","source":"startup"}'
hook "{\"hook_event_name\":\"UserPromptSubmit\",\"session_id\":\"s\",\"prompt\":\"$ABBADO_TASK\"}"
while [ ! -e "$ABBADO_RUN_DIR/over" ]; do sleep 0.05; done
hook '{"hook_event_name":"Stop","session_id":"s"}'
while read -r line; do
  hook "{\"hook_event_name\":\"UserPromptSubmit\",\"session_id\":\"s\",\"prompt\":\"$line\"}"
  hook '{"hook_event_name":"Stop","session_id":"s"}'
done
"#;

/// Looks on, where it is asked whether something does not happen.
fn for_a_while(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        pause();
    }
}

struct Stage {
    world: World,
    server: Server,
    run: String,
}

impl Stage {
    /// A run of the script, or of a command in which it is `$0`.
    fn begin(around: Option<&str>) -> Self {
        let world = World::new();
        let script = world.path("cli");
        std::fs::write(&script, CLI).unwrap();
        let script = script.to_str().unwrap();
        let command = around.map_or_else(
            || json!(["sh", script]),
            |around| json!(["sh", "-c", around, script]),
        );
        let server = world.serve_with(&[("ABBADO_WAITS", "quiet.no_event=1500")]);
        let config = json!({"command": command});
        let agent = server.agent(
            &world,
            json!({"cli_name": "command", "provider_config": config}),
        );
        let run = server.run(&agent, "begin");
        let stage = Self { world, server, run };
        stage.wait("it thinks", |view| view["activity"]["what"] == "thinking");
        stage
    }

    fn wait(&self, sentence: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.server.wait(&self.run, sentence, is)
    }

    fn folder(&self) -> std::path::PathBuf {
        self.world.data().join("runs").join(&self.run)
    }

    /// Stops the script itself, and waits until that is said.
    fn stop(&self) {
        let pid = std::fs::read_to_string(self.folder().join("cli.pid")).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap());
        kill(pid, Signal::SIGSTOP).unwrap();
        let view = self.wait("it is said to be stopped", |view| {
            view["process"]["stopped"] == true
        });
        assert_eq!(view["activity"]["what"], "stopped by SIGSTOP");
    }

    fn go_on(&self, body: &Value) -> crate::support::Reply {
        self.server
            .post(&format!("runs/{}/continue", self.run), body)
    }

    fn end_turn(&self) {
        std::fs::write(self.folder().join("over"), "").unwrap();
        self.server.wait_status(&self.run, "paused");
    }

    fn count(&self, kind: &str) -> usize {
        payloads(&self.server, &self.run, kind).len()
    }
}

#[test]
fn a_stopped_cli_is_said_to_be_and_goes_on_when_it_is_asked_to() {
    let stage = Stage::begin(None);
    let refused = stage.go_on(&json!({}));
    assert_eq!(refused.status, 400, "{refused:?}");
    stage.stop();
    // Longer than a working CLI may be silent.
    for_a_while(Duration::from_secs(2));
    assert_eq!(stage.count("run.quiet"), 0);
    stage.go_on(&json!({})).expect(200);
    let view = stage.wait("it goes on", |view| view["process"]["stopped"] == false);
    assert_eq!(view["activity"]["what"], "thinking");
    assert_eq!(
        (
            stage.count("process.stopped"),
            stage.count("process.continued")
        ),
        (1, 1)
    );
    // In the middle of a turn a message waits for its end.
    stage.stop();
    let view = stage.go_on(&json!({"message": "more"})).expect(200);
    assert_eq!(view["queue"]["length"], 1);
    stage.wait("it goes on", |view| view["process"]["stopped"] == false);
    stage.end_turn();
    stage.wait("the message is delivered", |view| {
        view["queue"]["length"] == 0
    });
    assert_eq!(
        payloads(&stage.server, &stage.run, "user.message")[0]["text"],
        "more"
    );
    // At its prompt it takes one at once; the queue waits for somebody.
    stage.server.wait_status(&stage.run, "paused");
    stage.stop();
    let path = format!("runs/{}/queue", stage.run);
    stage
        .server
        .post(&path, &json!({"message": "later"}))
        .expect(201);
    pause();
    assert_eq!(stage.server.view(&stage.run)["queue"]["length"], 1);
    let view = stage.go_on(&json!({"message": "now"})).expect(200);
    assert_eq!(view["process"]["stopped"], false, "{view}");
    stage.wait("the other follows", |view| view["queue"]["length"] == 0);
    let said = payloads(&stage.server, &stage.run, "user.message");
    let said: Vec<&Value> = said.iter().map(|it| &it["text"]).collect();
    assert_eq!(said, ["more", "now", "later"]);
}

#[test]
fn a_cli_below_a_wrapper_is_seen_and_a_key_lets_it_go_on() {
    let stage = Stage::begin(Some("sh \"$0\"; exit 3"));
    stage.end_turn();
    stage.stop();
    type_in(&stage.server, &stage.run, b"fg\r");
    stage.wait("it goes on", |view| view["process"]["stopped"] == false);
    // The key was not for the CLI.
    stage.go_on(&json!({"message": "more"})).expect(200);
    let said = payloads(&stage.server, &stage.run, "user.message");
    assert_eq!((said.len(), &said[0]["text"]), (1, &json!("more")));
}

#[test]
fn a_stopped_tree_is_ended_like_any_other() {
    for how in ["pause", "cancel", "delete"] {
        let stage = Stage::begin(Some("sh \"$0\"; exit 3"));
        stage.stop();
        if how == "delete" {
            stage
                .server
                .post_empty(&format!("runs/{}/cancel", stage.run))
                .expect(200);
            stage
                .server
                .delete(&format!("runs/{}", stage.run))
                .expect(204);
        } else {
            let path = format!("runs/{}/{how}", stage.run);
            let view = stage.server.post_empty(&path).expect(200);
            assert_eq!(view["process"]["stopped"], false);
        }
        wait_for("nothing is left", || processes(&stage.run).is_empty());
    }
}

#[test]
fn a_stop_is_known_to_the_next_server_too() {
    let stage = Stage::begin(None);
    stage.stop();
    let Stage { world, server, run } = stage;
    server.kill();
    let server = world.serve();
    let view = server.view(&run);
    assert_eq!(view["activity"]["what"], "stopped by SIGSTOP");
    server
        .post(&format!("runs/{run}/continue"), &json!({}))
        .expect(200);
    server.wait(&run, "it goes on", |view| {
        view["process"]["stopped"] == false
    });
}

#[test]
fn claude_comes_back_from_ctrl_z() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let agent = server.agent(&world, claude(&world, &model, "interactive"));
    let run = server.run(&agent, r#"Hello #steps:[{"say":"first"}]"#);
    server.wait_status(&run, "paused");
    let suspend = || {
        // Claude takes the key once it shows its prompt.
        repeat(
            "it is stopped",
            1,
            || type_in(&server, &run, b"\x1a"),
            || server.view(&run)["process"]["stopped"] == true,
        );
    };
    suspend();
    let go_on =
        |text: &str| server.post(&format!("runs/{run}/continue"), &json!({"message": text}));
    go_on(r#"Second #steps:[{"say":"second"}]"#).expect(200);
    server.wait_status(&run, "paused");
    suspend();
    type_in(&server, &run, b"fg\r");
    server.wait(&run, "it goes on", |view| {
        view["process"]["stopped"] == false
    });
    go_on(r#"Third #steps:[{"say":"third"}]"#).expect(200);
    let said = payloads(&server, &run, "user.message");
    assert_eq!(said.len(), 2, "{said:#?}");
}

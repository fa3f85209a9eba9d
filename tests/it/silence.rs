//! A live CLI that says nothing: the run says so, calls for a person where one can help, and takes
//! both back. A script stands in for the CLI; its words go through the real hook program.

use crate::{
    programs::payloads,
    support::{PATIENCE, Server, Sse, World, pause, wait_for},
};
use serde_json::{Value, json};
use std::{fs::Permissions, os::unix::fs::PermissionsExt, time::Instant};

const SHORT: &str = "quiet.no_hook=300,quiet.no_event=300";
const NO_HOOK: &str = "The CLI has run for 0.3 s and sent no hook: it may be waiting for a login or \
                       a dialog, or its hooks are switched off; open its terminal and look.";

/// Says to the run what stands in each file that a test puts down, and nothing by itself.
const SCRIPT: &str = r#"#!/bin/sh
cd "$ABBADO_RUN_DIR" || exit 9
next=1
while :; do
  if [ -e "say-$next" ]; then "$ABBADO_HOOK" < "say-$next"; next=$((next + 1)); fi
  sleep 0.05
done
"#;

struct Stage {
    world: World,
    server: Option<Server>,
    run: String,
    said: u32,
}

impl Stage {
    fn begin(waits: &str, cli: &str, config: Value) -> Self {
        let world = World::new();
        let script = world.path("cli");
        std::fs::write(&script, SCRIPT).unwrap();
        std::fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
        let server = world.serve_with(&[("ABBADO_WAITS", waits)]);
        let mut config = config;
        if cli == "command" {
            config["command"] = json!([script]);
        } else {
            config["bin"] = json!(script);
        }
        let agent = server.agent(&world, json!({"cli_name": cli, "provider_config": config}));
        let run = server.run(&agent, "anything");
        Self {
            world,
            server: Some(server),
            run,
            said: 0,
        }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn restart(&mut self, waits: &str) {
        self.server.take().unwrap().kill();
        self.server = Some(self.world.serve_with(&[("ABBADO_WAITS", waits)]));
    }

    fn say(&mut self, hook: &Value) {
        self.said += 1;
        let folder = self.world.data().join("runs").join(&self.run);
        wait_for("the run has a folder", || folder.is_dir());
        let draft = folder.join("draft");
        std::fs::write(&draft, hook.to_string()).unwrap();
        std::fs::rename(draft, folder.join(format!("say-{}", self.said))).unwrap();
    }

    fn wait_activity(&self, what: &str) -> Value {
        let sentence = format!("its activity is {what}");
        let is = |view: &Value| view["activity"]["what"] == what;
        self.server().wait(&self.run, &sentence, is)
    }

    fn count(&self, kind: &str) -> usize {
        payloads(self.server(), &self.run, kind).len()
    }

    fn end(self) {
        let run = format!("runs/{}", self.run);
        self.server()
            .post_empty(&format!("{run}/cancel"))
            .expect(200);
        assert_eq!(self.server().delete(&run).status, 204);
    }
}

fn prompt() -> Value {
    json!({"hook_event_name": "UserPromptSubmit", "session_id": "s1", "prompt": "anything"})
}

#[test]
fn a_cli_without_a_hook_calls_a_person_until_its_first_one() {
    let mut stage = Stage::begin(SHORT, "codex", json!({}));
    let view = stage.wait_activity(NO_HOOK);
    assert_eq!(view["status"], "queued");
    let asked = &view["attention"];
    assert_eq!(
        (&asked["kind"], &asked["message"]),
        (&"no_hook".into(), &NO_HOOK.into())
    );
    let spawned = stage.server().events(&stage.run);
    let spawned = spawned
        .iter()
        .find(|event| event["event_type"] == "process.spawned");
    assert_eq!(view["activity"]["since"], spawned.unwrap()["created_at"]);
    // Readers of the stream hear of it too.
    let path = format!("runs/{}/events/stream", stage.run);
    let mut stream = Sse::open(&stage.server().address, &path, 0).unwrap();
    let heard = std::iter::from_fn(|| stream.next().ok()).find(|(_, event)| {
        event["event_type"] == "agent.needs_attention" && event["payload"]["kind"] == "no_hook"
    });
    assert!(heard.is_some());
    // The log says it, so another server does.
    stage.restart(SHORT);
    assert_eq!(stage.server().view(&stage.run), view);
    stage.say(&json!({"hook_event_name": "SessionStart", "session_id": "s1"}));
    let sentence = "the first hook clears it";
    let view = stage
        .server()
        .wait(&stage.run, sentence, |view| view["attention"].is_null());
    assert_eq!(view["status"], "queued");
    stage.say(&prompt());
    stage.server().wait_status(&stage.run, "running");
    assert_eq!(stage.count("agent.needs_attention"), 1);
    stage.end();
}

#[test]
fn a_turn_without_a_word_says_so_until_the_next_one() {
    let mut stage = Stage::begin("quiet.no_event=300", "codex", json!({}));
    stage.say(&prompt());
    let view = stage.wait_activity("no event for 0.3 s, last: thinking");
    assert_eq!(
        (&view["status"], &view["attention"]),
        (&"running".into(), &Value::Null)
    );
    let quiet = payloads(stage.server(), &stage.run, "run.quiet");
    assert_eq!(
        quiet.last(),
        Some(&json!({"lacks": "event", "millis": 300}))
    );
    let before = stage.count("run.quiet");
    stage.say(&json!({"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {}}));
    stage.server().wait(
        &stage.run,
        "the tool ends the silence, which begins anew",
        |view| view["activity"]["what"] == "no event for 0.3 s, last: tool Bash",
    );
    assert_eq!(stage.count("run.quiet"), before + 1);
    stage.say(&json!({"hook_event_name": "Stop"}));
    stage.server().wait_status(&stage.run, "paused");
    stage.wait_activity("waiting for a prompt");
    stage.end();
}

/// What is left of the time follows from the log, not from the server that counted.
#[test]
fn a_restart_goes_on_counting_and_reads_the_spool_first() {
    let mut stage = Stage::begin("", "codex", json!({}));
    let waiting = "waiting for the first prompt";
    stage.wait_activity(waiting);
    stage.restart("quiet.no_hook=1");
    stage.wait_activity(&NO_HOOK.replace("0.3", "0.001"));
    stage.end();

    let mut stage = Stage::begin("", "codex", json!({}));
    stage.wait_activity(waiting);
    let run_dir = stage.world.data().join("runs").join(&stage.run);
    stage.server.take().unwrap().kill();
    stage.say(&prompt());
    let spooled =
        || std::fs::read_dir(run_dir.join("spool")).is_ok_and(|mut it| it.next().is_some());
    let begun = Instant::now();
    while !spooled() {
        assert!(begun.elapsed() < PATIENCE, "the hook is not spooled");
        pause();
    }
    stage.server = Some(
        stage
            .world
            .serve_with(&[("ABBADO_WAITS", "quiet.no_hook=1")]),
    );
    stage.server().wait_status(&stage.run, "running");
    assert_eq!(stage.count("run.quiet"), 0);
    stage.end();
}

#[test]
fn a_headless_cli_says_it_and_calls_nobody() {
    let stage = Stage::begin("quiet.no_hook=300", "codex", json!({"mode": "headless"}));
    stage.wait_activity(
        "The CLI has run for 0.3 s and sent no hook: it may lack a login or the network, or its \
         hooks are switched off; look at its output.",
    );
    assert_eq!(stage.count("agent.needs_attention"), 0);
    stage.end();
}

#[test]
fn a_program_without_hooks_owes_none() {
    let stage = Stage::begin("quiet.no_hook=1,quiet.no_event=500", "command", json!({}));
    stage.wait_activity("no event for 0.5 s, last: the process runs");
    let quiet = payloads(stage.server(), &stage.run, "run.quiet");
    assert_eq!(quiet, [json!({"lacks": "event", "millis": 500})]);
    stage.end();
}

//! The real Codex in runs, against a scripted model.

use crate::{
    programs::{Model, codex, payloads, processes, type_in},
    support::{Server, World, repeat, text},
};
use serde_json::{Value, json};
use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::PathBuf};

const TASK: &str = "Write hello.txt and list the files";

const LONG: &str =
    r#"Wait #steps:[{"call":{"tool":"exec_command","input":{"cmd":"tail -f /dev/null"}}}]"#;

/// One answer that costs 800 fresh, 200 cached and 100 output tokens.
const STEP: &str = r#"Once more #steps:[{"say":"That is all.","usage":{"input":1000,"output":100,"cache_read":200}}]"#;

const REFUSED: &str = r#"Try #steps:[{"fail":400,"message":"no such luck","times":99}]"#;

/// A server with a run of this task.
fn begun(mode: &str, task: &str) -> (World, Model, Server, String) {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve_patiently();
    let agent = server.agent(&world, codex(&world, &model, mode));
    let run = server.run(&agent, task);
    (world, model, server, run)
}

fn go_on(server: &Server, run: &str, message: &str) {
    let more = json!({"message": message});
    server
        .post(&format!("runs/{run}/continue"), &more)
        .expect(200);
}

/// Waits until as many turns are over, the last one as it should.
fn wait_turns(server: &Server, run: &str, turns: usize, by: &str) -> Value {
    server.wait(run, &format!("turn {turns} is over by {by}"), |view| {
        let paused = payloads(server, run, "run.paused");
        view["status"] == "paused" && paused.len() == turns && paused[turns - 1]["by"] == by
    })
}

fn tokens(view: &Value) -> [Option<u64>; 4] {
    let keys = [
        "tokens_in",
        "tokens_out",
        "tokens_cache_read",
        "tokens_cache_write",
    ];
    keys.map(|key| view[key].as_u64())
}

#[test]
fn a_whole_run_of_the_real_codex() {
    let (world, model, server, run) = begun("interactive", TASK);
    let view = wait_turns(&server, &run, 1, "stop");
    the_task_is_done(&world, &server, &run, &view);
    let before = tokens_when_counted(&server, &run);
    go_on(&server, &run, STEP);
    wait_turns(&server, &run, 2, "stop");
    let after = server.wait(&run, "the second turn is counted", |view| {
        view["tokens_cache_read"] == 200
    });
    let grown = tokens(&after).map(Option::unwrap);
    let [input, output, _, _] = before;
    assert_eq!(grown, [input + 800, output + 100, 200, 0]);
    let said = payloads(&server, &run, "user.message");
    assert_eq!(said.len(), 1, "the task is no message: {said:#?}");
    assert_eq!(said[0]["delivered_by"], "typed");
    let last = payloads(&server, &run, "run.result").pop().unwrap();
    assert_eq!(last["cost_source"], "estimated");
    let dollars = last["cost_usd"].as_f64().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "few tokens")]
    let expected = (grown[0] * 50 + grown[1] * 300 + grown[2] * 5) as f64 / 1e7;
    assert!((dollars - expected).abs() < 1e-6, "{dollars} {expected}");
    the_model_was_told(&model);
    a_person_leaves(&server, &run);
}

fn tokens_when_counted(server: &Server, run: &str) -> [u64; 4] {
    // Codex writes the tokens of its last answer as it ends the turn.
    let view = server.wait(run, "five answers are counted", |view| {
        view["tokens_out"].as_u64() >= Some(100)
            && payloads(server, run, "run.result").last().unwrap()["duration_ms"].as_u64() > Some(0)
    });
    tokens(&view).map(Option::unwrap)
}

fn the_task_is_done(world: &World, server: &Server, run: &str, view: &Value) {
    let init = payloads(server, run, "session.init");
    assert_eq!(init.len(), 1, "{init:#?}");
    assert_eq!(init[0]["session_id"], view["session_id"]);
    assert_eq!(init[0]["model"], "gpt-5.5");
    let called = payloads(server, run, "agent.tool_call");
    let names: Vec<_> = called.iter().map(|call| text(call, "tool_name")).collect();
    assert_eq!(names, ["update_plan", "apply_patch", "Bash", "update_plan"]);
    assert_eq!(payloads(server, run, "agent.tool_result").len(), 4);
    let tasks = server.get(&format!("runs/{run}/tasks")).expect(200);
    let tasks = tasks.as_array().unwrap();
    let shown: Vec<_> = tasks
        .iter()
        .map(|task| (text(task, "subject"), text(task, "status")))
        .collect();
    let done = |subject: &str| (subject.to_owned(), "completed".to_owned());
    assert_eq!(shown, [done("Write hello.txt"), done("List files")]);
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    assert_eq!(
        std::fs::read_to_string(worktree.join("hello.txt")).unwrap(),
        "hello\n"
    );
    assert!(
        !world.path("repo/hello.txt").exists(),
        "the user's checkout was touched"
    );
    let done = "Done: hello.txt is written and listed.";
    let paused = payloads(server, run, "run.paused");
    assert_eq!(paused[0]["last_message"], done);
    let said = payloads(server, run, "agent.message");
    let said: Vec<_> = said.iter().map(|message| text(message, "text")).collect();
    assert_eq!(said, ["I will plan this first.", "Writing the file.", done]);
}

fn the_model_was_told(model: &Model) {
    let steps: Vec<_> = model
        .requests()
        .into_iter()
        .filter(|request| request["note"] == "step")
        .collect();
    assert_eq!(steps.len(), 6, "five steps of the task, one of the message");
    assert!(steps.iter().all(|step| step["body"]["model"] == "gpt-5.5"));
    let told = steps[0]["body"].to_string();
    assert!(told.contains("Your sandbox keeps .git read-only"), "{told}");
}

/// A key that comes before Codex is at its prompt again is not taken for leaving; who types it
/// types it once more.
fn a_person_leaves(server: &Server, run: &str) {
    let type_it = || {
        if server.view(run)["process"]["alive"] == true {
            type_in(server, run, b"\x03");
        }
    };
    repeat("it is over and its process gone", 5, type_it, || {
        let view = server.view(run);
        view["status"] == "completed" && view["process"]["alive"] == false
    });
    let view = server.view(run);
    assert_eq!(view["process"]["exit_code"], 0);
    assert_eq!(payloads(server, run, "run.completed").len(), 1);
}

/// It is asked to quit by keys: after a signal it would send no hook.
fn ended_in_mid_turn(how: &str, outcome: &str) -> (World, Model, Server, String) {
    let (world, model, server, run) = begun("interactive", LONG);
    server.wait(&run, "a tool works", |view| {
        view["activity"]["what"] == "tool Bash"
    });
    let view = server.post_empty(&format!("runs/{run}/{how}")).expect(200);
    assert_eq!(
        (&view["status"], &view["process"]["alive"]),
        (&outcome.into(), &false.into())
    );
    assert_eq!(view["process"]["exit_code"], 0, "it left by itself");
    assert_eq!(processes(&run), [""; 0]);
    let heard = payloads(&server, &run, "hook.received");
    for name in ["Interrupt", "SessionEnd"] {
        let of_name = heard.iter().filter(|hook| hook["hook_event_name"] == name);
        assert_eq!(of_name.count(), 1, "{name}: {heard:#?}");
    }
    assert_eq!(payloads(&server, &run, "run.completed"), [Value::Null; 0]);
    (world, model, server, run)
}

#[test]
fn a_cancelled_codex_is_cancelled_and_can_be_deleted_at_once() {
    let (_world, _model, server, run) = ended_in_mid_turn("cancel", "cancelled");
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    assert_eq!(server.get(&format!("runs/{run}")).status, 404);
}

#[test]
fn a_paused_codex_is_paused_and_resumed_by_a_message() {
    let (world, _model, server, run) = ended_in_mid_turn("pause", "paused");
    server.kill();
    let server = world.serve();
    let before = server.view(&run);
    assert_eq!(before["status"], "paused");
    go_on(&server, &run, STEP);
    wait_turns(&server, &run, 2, "stop");
    server.wait(&run, "the resumed turn is counted", |view| {
        view["tokens_cache_read"] == 200
    });
    let inits = payloads(&server, &run, "session.init");
    assert_eq!(inits.len(), 1, "{inits:#?}");
    let spawned = payloads(&server, &run, "process.spawned");
    let argv = spawned[1]["argv"].as_array().unwrap();
    assert_eq!(argv[1], "resume");
    assert_eq!(argv[argv.len() - 2], inits[0]["session_id"]);
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(server.view(&run)["status"], "cancelled");
    assert_eq!(processes(&run), [""; 0]);
}

#[test]
fn an_interrupted_turn_is_paused_and_the_session_goes_on() {
    let (_world, _model, server, run) = begun("interactive", LONG);
    server.wait(&run, "a tool works", |view| {
        view["activity"]["what"] == "tool Bash"
    });
    type_in(&server, &run, b"\x1b");
    let view = wait_turns(&server, &run, 1, "interrupt");
    assert_eq!(view["reason"], "the turn was interrupted");
    go_on(&server, &run, STEP);
    wait_turns(&server, &run, 2, "stop");
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(processes(&run), [""; 0]);
}

/// No hook reports it: the rollout does.
#[test]
fn a_refusal_by_the_model_fails_the_turn_and_the_session_goes_on() {
    let (_world, _model, server, run) = begun("interactive", REFUSED);
    let view = server.wait_status(&run, "failed");
    assert_eq!(
        (&view["reason"], &view["process"]["alive"]),
        (&"no such luck".into(), &true.into())
    );
    go_on(&server, &run, STEP);
    wait_turns(&server, &run, 1, "stop");
    let said = payloads(&server, &run, "user.message");
    assert_eq!(said[0]["delivered_by"], "typed");
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

#[test]
fn a_question_calls_for_a_person_until_it_is_answered() {
    let asks = r#"Look #steps:[{"call":{"tool":"exec_command","input":{"cmd":"id",
        "sandbox_permissions":"require_escalated","justification":"to know"}}},{"say":"Known."}]"#;
    let (_world, _model, server, run) = begun("interactive", asks);
    let view = server.wait(&run, "it asks", |view| !view["attention"].is_null());
    assert_eq!(view["attention"]["kind"], "permission_prompt");
    let message = "Codex asks for permission to use Bash: id";
    assert_eq!(view["attention"]["message"], message);
    // The dialog comes once the hook was answered.
    server.wait(&run, "the dialog is there", |_| {
        let screen = server.get(&format!("runs/{run}/logs")).text;
        screen.contains("Yes, proceed")
    });
    // A dialog that has just come up takes no key yet.
    repeat(
        "the question is answered",
        1,
        || type_in(&server, &run, b"y"),
        || server.view(&run)["attention"].is_null(),
    );
    let view = wait_turns(&server, &run, 1, "stop");
    assert!(view["attention"].is_null());
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

#[test]
fn a_subagent_is_no_person_and_its_tokens_count() {
    let sub = json!([
        {"call": {"tool": "exec_command", "input": {"cmd": "ls"}}, "usage": {"input": 50, "output": 5}},
        {"say": "Looked.", "usage": {"input": 50, "output": 5}},
    ]);
    let spawn = json!({"tool": "spawn_agent", "namespace": "multi_agent_v1",
        "input": {"message": format!("Look #steps:{sub}")}});
    // It waits for the subagent's last word.
    let wait = json!({"tool": "exec_command", "input": {"cmd": "sleep 2"}});
    let steps = json!([
        {"call": spawn, "usage": {"input": 1000, "output": 100}},
        {"call": wait, "usage": {"input": 1000, "output": 100}},
        {"say": "Done.", "usage": {"input": 1000, "output": 100}},
    ]);
    let (_world, _model, server, run) = begun("interactive", &format!("Ask #steps:{steps}"));
    wait_turns(&server, &run, 1, "stop");
    let types = server.types(&run);
    for once in [
        "session.init",
        "agent.subagent_start",
        "agent.subagent_stop",
    ] {
        let count = types.iter().filter(|kind| *kind == once).count();
        assert_eq!(count, 1, "{once}: {types:?}");
    }
    assert_eq!(payloads(&server, &run, "user.message"), [Value::Null; 0]);
    assert_eq!(payloads(&server, &run, "agent.tool_call").len(), 3);
    let said = payloads(&server, &run, "agent.message");
    assert_eq!((said.len(), &said[0]["text"]), (1, &"Done.".into()));
    let view = server.wait(&run, "all five answers are counted", |view| {
        view["tokens_out"] == 310
    });
    assert_eq!(view["tokens_in"], 3100);
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

/// A login, a trusted repository, offers that were seen: nothing of it is there.
#[test]
fn a_private_state_is_all_in_the_run_folder() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let mut fields = codex(&world, &model, "interactive");
    let config = &mut fields["provider_config"];
    config["state"] = json!("private");
    config["env"].as_object_mut().unwrap().remove("CODEX_HOME");
    let provider = format!(
        r#"model_providers.scripted={{name="scripted",base_url="{}/v1",wire_api="responses",env_key="SCRIPTED_KEY"}}"#,
        model.url
    );
    config["args"] = json!(["-c", "model_provider=\"scripted\"", "-c", provider]);
    let agent = server.agent(&world, fields);
    let run = server.run(&agent, STEP);
    wait_turns(&server, &run, 1, "stop");
    let init = payloads(&server, &run, "session.init");
    let rollout = PathBuf::from(text(&init[0], "transcript_path"));
    let run_dir = world.data().join("runs").join(&run).canonicalize().unwrap();
    assert!(
        rollout
            .canonicalize()
            .unwrap()
            .starts_with(run_dir.join("codex"))
    );
    assert!(!world.path("home/.codex").exists());
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(server.delete(&format!("runs/{run}")).status, 204);
    assert!(!rollout.exists());
}

/// Agent fields of a Codex for which the world's repository is not trusted.
fn untrusting(world: &World, model: &Model) -> Value {
    let fields = codex(world, model, "interactive");
    let settings = world.path("codex/config.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let (before, _) = text.split_once("[projects.").unwrap();
    std::fs::write(&settings, before).unwrap();
    fields
}

fn wait_asked(server: &Server, run: &str) {
    server.wait(run, "Codex asks", |_| {
        let screen = server.get(&format!("runs/{run}/logs")).text;
        screen.contains("Folder access")
    });
}

/// Codex asks without a hook, and a person is called to the terminal.
#[test]
fn a_repository_that_is_not_trusted_calls_for_a_person() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve_with(&[("ABBADO_WAITS", "quiet.no_hook=3000")]);
    let agent = server.agent(&world, untrusting(&world, &model));
    let run = server.run(&agent, STEP);
    wait_asked(&server, &run);
    let view = server.wait(&run, "a person is called", |view| {
        !view["attention"].is_null()
    });
    assert_eq!(
        (&view["status"], &view["attention"]["kind"]),
        (&"queued".into(), &"no_hook".into())
    );
    let what = text(&view["activity"], "what");
    assert!(
        what.starts_with("The CLI has run for 3 s and sent no hook"),
        "{what}"
    );
    type_in(&server, &run, b"\r");
    let view = wait_turns(&server, &run, 1, "stop");
    assert_eq!(view["attention"], Value::Null);
    assert_eq!(view["activity"]["what"], "waiting for a prompt");
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(processes(&run), [""; 0]);
}

/// And when nobody answers, it can be cancelled.
#[test]
fn a_repository_that_is_not_trusted_waits_and_can_be_cancelled() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let agent = server.agent(&world, untrusting(&world, &model));
    let run = server.run(&agent, STEP);
    wait_asked(&server, &run);
    assert_eq!(server.view(&run)["status"], "queued");
    let view = server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(view["status"], "cancelled");
    assert_eq!(processes(&run), [""; 0]);
    // Once more, as soon as there is a process.
    let run = server.run(&agent, STEP);
    server.wait(&run, "a process", |view| view["process"]["alive"] == true);
    let view = server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(view["status"], "cancelled");
    assert_eq!(processes(&run), [""; 0]);
}

/// A program that heeds no key stands in for a Codex that hangs.
#[test]
fn what_does_not_heed_its_keys_is_ended_by_signals() {
    let world = World::new();
    let server = world.serve();
    let deaf = world.path("deaf");
    std::fs::write(
        &deaf,
        "#!/bin/sh\nstty raw -echo\necho deaf\nexec tail -f /dev/null\n",
    )
    .unwrap();
    std::fs::set_permissions(&deaf, Permissions::from_mode(0o755)).unwrap();
    let fields = json!({"cli_name": "codex", "provider_config": {"bin": deaf}});
    let agent = server.agent(&world, fields);
    let run = server.run(&agent, "anything");
    server.wait(&run, "it is deaf", |_| {
        server
            .get(&format!("runs/{run}/logs"))
            .text
            .contains("deaf")
    });
    let view = server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(view["status"], "cancelled");
    let exited = payloads(&server, &run, "process.exited");
    assert_eq!(exited[0]["signal"], "SIGTERM", "{exited:#?}");
    assert_eq!(processes(&run), [""; 0]);
}

fn wait_ended(server: &Server, run: &str, status: &str) -> Value {
    let sentence = format!("it is {status} and its process gone");
    server.wait(run, &sentence, |view| {
        view["status"] == status && view["process"]["alive"] == false
    })
}

#[test]
fn a_headless_codex_completes_and_goes_on_with_its_thread() {
    let (_world, _model, server, run) = begun("headless", TASK);
    let view = wait_ended(&server, &run, "completed");
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    assert!(worktree.join("hello.txt").exists());
    assert_eq!(payloads(&server, &run, "agent.tool_call").len(), 4);
    let said = payloads(&server, &run, "agent.message");
    let done = "Done: hello.txt is written and listed.";
    assert_eq!(said.last().unwrap()["text"], done);
    let init = payloads(&server, &run, "session.init");
    assert_eq!((init.len(), &init[0]["model"]), (1, &"gpt-5.5".into()));
    let [input, output, _, _] = tokens(&view).map(Option::unwrap);
    assert!(input > 0 && output > 0);
    let first = payloads(&server, &run, "run.result").pop().unwrap();
    assert_eq!(first["cost_source"], "estimated");
    assert!(first["cost_usd"].as_f64() > Some(0.0));

    go_on(&server, &run, STEP);
    server.wait(&run, "the message is answered", |_| {
        payloads(&server, &run, "run.completed").len() == 2
    });
    let view = wait_ended(&server, &run, "completed");
    let grown = tokens(&view).map(Option::unwrap);
    assert_eq!(grown, [input + 800, output + 100, 200, 0]);
    assert_eq!(payloads(&server, &run, "session.init").len(), 1);
}

/// Newer models call their tools from a script; hooks and stream look the same.
#[test]
fn a_model_that_scripts_its_tools_does_the_same_task() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let mut fields = codex(&world, &model, "headless");
    fields["model"] = json!("gpt-6-sol");
    let agent = server.agent(&world, fields);
    let run = server.run(&agent, TASK);
    let view = wait_ended(&server, &run, "completed");
    let called = payloads(&server, &run, "agent.tool_call");
    let names: Vec<_> = called.iter().map(|call| text(call, "tool_name")).collect();
    assert_eq!(names, ["update_plan", "apply_patch", "Bash", "update_plan"]);
    let tasks = server.get(&format!("runs/{run}/tasks")).expect(200);
    assert_eq!(tasks[1]["status"], "completed");
    assert!(view["cost_usd"].as_f64() > Some(0.0));
}

#[test]
fn a_headless_codex_that_the_model_refuses_fails() {
    let (_world, _model, server, run) = begun("headless", REFUSED);
    let view = wait_ended(&server, &run, "failed");
    assert_eq!(view["reason"], "no such luck");
    assert_eq!(view["process"]["exit_code"], 1);
}

#[test]
fn keys_that_the_adapter_does_not_know_are_refused() {
    let world = World::new();
    let server = world.serve();
    let project = server.post("projects", &json!({"name": "p"})).expect(201);
    let agent = json!({
        "project_id": project["id"], "name": "a", "cli_name": "codex",
        "provider_config": {"sandbox": "off"},
    });
    let refused = server.post("agents", &agent);
    let begin = "`provider_config.sandbox` must be one of \"workspace-write\"";
    assert!(
        refused.status == 400 && refused.text.starts_with(begin),
        "{refused:?}"
    );
}

//! The recipe of docs/other-clis.md, as it stands there.

use crate::{
    programs::{payloads, processes},
    support::{Server, World, text},
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn wait_completed(server: &Server, run: &str, times: usize) -> Value {
    server.wait(run, "it is over and its process gone", |view| {
        view["status"] == "completed"
            && view["process"]["alive"] == false
            && payloads(server, run, "run.completed").len() == times
    })
}

#[test]
fn the_example_wrapper_tells_what_it_does_and_goes_on_with_its_session() {
    let world = World::new();
    let server = world.serve();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/example-wrapper.sh");
    let command = json!([script, "{session_id}", "{task}"]);
    let fields = json!({"cli_name": "command", "provider_config": {"command": command}});
    let agent = server.agent(&world, fields);
    let task = "Count \"these\" \\ words\nand\tthese";
    let run = server.run(&agent, task);
    let view = wait_completed(&server, &run, 1);
    assert_eq!(view["process"]["exit_code"], 0);
    let session = format!("session-{run}");
    let init = payloads(&server, &run, "session.init");
    assert_eq!(
        (init.len(), text(&init[0], "session_id")),
        (1, session.clone())
    );
    let called = payloads(&server, &run, "agent.tool_call");
    assert_eq!(called.len(), 1, "{called:#?}");
    assert_eq!(called[0]["tool_name"], "Count");
    assert_eq!(called[0]["tool_input"]["text"], task);
    let results = payloads(&server, &run, "agent.tool_result");
    assert_eq!(results[0]["tool_use_id"], called[0]["tool_use_id"]);
    assert_eq!(results[0]["tool_response"]["words"], "6");
    let paused = payloads(&server, &run, "run.paused");
    assert_eq!(paused.len(), 1, "{paused:#?}");
    assert_eq!(
        (&paused[0]["by"], &paused[0]["last_message"]),
        (&"stop".into(), &"The task has 6 words.".into())
    );
    assert_eq!(payloads(&server, &run, "user.message"), [Value::Null; 0]);

    let more = json!({"message": "two more"});
    server
        .post(&format!("runs/{run}/continue"), &more)
        .expect(200);
    let view = wait_completed(&server, &run, 2);
    assert_eq!(view["session_id"], session.as_str());
    assert_eq!(payloads(&server, &run, "session.init").len(), 1);
    let spawned = payloads(&server, &run, "process.spawned");
    let argv = spawned[1]["argv"].as_array().unwrap();
    assert_eq!(argv[argv.len() - 2..], [json!(session), json!("two more")]);
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    let words = std::fs::read_to_string(worktree.join("words.txt")).unwrap();
    assert_eq!(words, "6\n2\n");
    assert_eq!(processes(&run), [""; 0]);
}

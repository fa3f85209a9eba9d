//! Approvals: the real Claude Code and Codex ask, and a person answers over the API, in the terminal,
//! or not at all; the server is killed in between.

use crate::{
    programs::{Model, claude, codex, payloads, processes, type_in},
    support::{Reply, Server, World, raw, text, wait_for},
};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};

/// Appends a line, and so shows how often it ran.
const ASKS: &str = r#"Do it #steps:[{"call":{"tool":"Bash","input":{"command":"echo ran >> ran.txt"}}},{"say":"Finished."}]"#;

const QUESTION: &str = r#"Do it #steps:[{"call":{"tool":"AskUserQuestion","input":{"questions":[{"question":"Which colour?","header":"Colour","multiSelect":true,"options":[{"label":"Red","description":"r"},{"label":"Blue","description":"b"}]},{"question":"Which size?","header":"Size","multiSelect":false,"options":[{"label":"S","description":"s"},{"label":"L","description":"l"}]}]}}},{"say":"Finished."}]"#;

const PLAN: &str = r##"Do it #steps:[{"call":{"tool":"ExitPlanMode","input":{"plan":"# Plan"}}},{"say":"Finished."}]"##;

/// An agent that asks for every command, remotely.
fn remote(mut agent: Value, permission_mode: &str) -> Value {
    let config = &mut agent["provider_config"];
    config["approvals"] = json!("remote");
    config["permission_mode"] = json!(permission_mode);
    agent["allowed_tools"] = json!("");
    agent
}

/// The real Claude in this mode, at a task for which it asks remotely.
fn asking(mode: &str, permission_mode: &str, task: &str) -> (World, Model, Server, String) {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let agent = remote(claude(&world, &model, mode), permission_mode);
    let run = server.run(&server.agent(&world, agent), task);
    (world, model, server, run)
}

fn open(server: &Server, run: &str) -> Vec<Value> {
    let open = server.get(&format!("runs/{run}/approvals?state=open"));
    open.expect(200).as_array().unwrap().clone()
}

/// Waits for the one question of the run.
fn asked(server: &Server, run: &str) -> Value {
    wait_for("a question", || !open(server, run).is_empty());
    let mut open = open(server, run);
    assert_eq!(open.len(), 1, "{open:#?}");
    open.remove(0)
}

fn path(approval: &Value) -> String {
    let (run, id) = (text(approval, "run_id"), text(approval, "approval_id"));
    format!("runs/{run}/approvals/{id}")
}

/// The sentence of a refusal.
fn refused(reply: Reply, status: u16) -> String {
    assert_eq!(reply.status, status, "{reply:?}");
    reply.text
}

fn ran(server: &Server, run: &str) -> usize {
    let view = server.view(run);
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    let file = std::fs::read_to_string(worktree.join("ran.txt"));
    file.map_or(0, |text| text.lines().count())
}

/// What the model was told of its last call.
fn told(model: &Model) -> String {
    let requests = model.requests();
    let last = requests.iter().rev().find(|it| it["note"] == "step");
    let messages = last.unwrap()["body"]["messages"]
        .as_array()
        .unwrap()
        .clone();
    messages.last().unwrap()["content"].to_string()
}

#[test]
fn claude_is_allowed_denied_and_answered_from_elsewhere() {
    let (_world, model, server, run) = asking("interactive", "default", ASKS);
    let question = asked(&server, &run);
    assert_eq!(question["kind"], "permission");
    assert_eq!(question["tool_input"]["command"], "echo ran >> ran.txt");
    assert_eq!(
        question["options"],
        json!(["allow", "allow_always", "deny"])
    );
    assert_eq!(server.view(&run)["attention"]["kind"], "permission_prompt");
    let everywhere = server.get("approvals?state=open").expect(200);
    assert_eq!(everywhere[0]["approval_id"], question["approval_id"]);
    let decide = |approval: &Value, body: Value| server.post(&path(approval), &body);
    let wrong = decide(&question, json!({"decision": "answer", "answer": {}}));
    assert!(refused(wrong, 400).contains("`decision`"));
    let decided = decide(&question, json!({"decision": "allow"})).expect(200);
    assert_eq!(
        (&decided["state"], &decided["by"]),
        (&json!("decided"), &json!("api"))
    );
    let late = decide(&question, json!({"decision": "deny"}));
    assert_eq!(late.code.as_deref(), Some("approval_closed"));
    let why = refused(late, 409);
    assert!(
        why.contains("was decided through the API at") && why.contains("allow"),
        "{why}"
    );
    server.wait_status(&run, "paused");
    assert_eq!(ran(&server, &run), 1);

    let more = json!({"message": ASKS});
    server
        .post(&format!("runs/{run}/continue"), &more)
        .expect(200);
    let question = asked(&server, &run);
    let body = json!({"decision": "deny", "message": "Not on a Tuesday."});
    decide(&question, body).expect(200);
    server.wait(&run, "the second turn is over", |view| {
        view["status"] == "paused" && payloads(&server, &run, "run.paused").len() == 2
    });
    assert_eq!(ran(&server, &run), 1);
    assert!(
        told(&model).contains("Not on a Tuesday."),
        "{}",
        told(&model)
    );
}

#[test]
fn questions_of_claude_are_answered_from_elsewhere() {
    let (_world, model, server, run) = asking("interactive", "default", QUESTION);
    let decide = |approval: &Value, body: Value| server.post(&path(approval), &body);
    let question = asked(&server, &run);
    assert_eq!(
        (&question["kind"], &question["options"]),
        (&json!("question"), &json!(["answer", "deny"]))
    );
    let half = json!({"decision": "answer", "answer": {"Which size?": "L"}});
    assert!(refused(decide(&question, half), 400).contains("`answer`"));
    let whole = json!({"Which colour?": ["Red", "Blue"], "Which size?": "as large as it gets"});
    decide(&question, json!({"decision": "answer", "answer": whole})).expect(200);
    server.wait_status(&run, "paused");
    let told = told(&model);
    assert!(
        told.contains("Red, Blue") && told.contains("as large as it gets"),
        "{told}"
    );
}

#[test]
fn a_plan_of_claude_is_accepted_from_elsewhere() {
    let (_world, model, server, run) = asking("interactive", "plan", PLAN);
    let plan = asked(&server, &run);
    assert_eq!(plan["kind"], "plan");
    server
        .post(&path(&plan), &json!({"decision": "allow"}))
        .expect(200);
    server.wait_status(&run, "paused");
    assert!(told(&model).contains("approved"), "{}", told(&model));
}

#[test]
fn headless_claude_waits_for_a_decision() {
    let (_world, _model, server, run) = asking("headless", "default", ASKS);
    let question = asked(&server, &run);
    server
        .post(&path(&question), &json!({"decision": "allow"}))
        .expect(200);
    server.wait_status(&run, "completed");
    assert_eq!(ran(&server, &run), 1);
}

#[test]
fn what_is_answered_in_the_terminal_is_void() {
    let (_world, _model, server, run) = asking("interactive", "default", ASKS);
    // Yes, then Esc, which Claude tells by no hook.
    for (turn, keys, times) in [(1, b"1".as_slice(), 1), (2, b"\x1b".as_slice(), 1)] {
        if turn > 1 {
            let more = json!({"message": ASKS});
            server
                .post(&format!("runs/{run}/continue"), &more)
                .expect(200);
        }
        let question = asked(&server, &run);
        // Claude reminds of its dialog once it has been on the screen for some seconds.
        wait_for("the dialog", || {
            payloads(&server, &run, "agent.needs_attention").len() == turn
        });
        type_in(&server, &run, keys);
        wait_for("the answer in the terminal", || {
            open(&server, &run).is_empty()
        });
        let late = server.post(&path(&question), &json!({"decision": "allow"}));
        let why = refused(late, 409);
        assert!(why.contains("void") && why.contains("terminal"), "{why}");
        server.wait_status(&run, "paused");
        assert_eq!(ran(&server, &run), times);
    }
    let void = payloads(&server, &run, "approval.void");
    assert!(
        void.len() == 2 && void.iter().all(|it| it["why"] == "terminal"),
        "{void:#?}"
    );
}

#[test]
fn an_approval_that_expires_is_denied_and_the_agent_is_told_why() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    let mut agent = remote(claude(&world, &model, "headless"), "default");
    agent["provider_config"]["approval_minutes"] = json!(0.05);
    let agent = server.agent(&world, agent);
    let run = server.run(&agent, ASKS);
    server.wait_status(&run, "completed");
    assert_eq!(ran(&server, &run), 0);
    assert_eq!(payloads(&server, &run, "approval.expired").len(), 1);
    assert!(
        told(&model).contains("Nobody answered within 3 seconds"),
        "{}",
        told(&model)
    );
}

#[test]
fn codex_is_allowed_and_denied_from_elsewhere() {
    let escalated = r#"Do it #steps:[{"call":{"tool":"exec_command","input":{"cmd":"echo ran >> ran.txt","sandbox_permissions":"require_escalated","justification":"it must"}}},{"say":"Finished."}]"#;
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve_patiently();
    let mut agent = codex(&world, &model, "interactive");
    agent["provider_config"]["approvals"] = json!("remote");
    let agent = server.agent(&world, agent);
    for (decision, times) in [("allow", 1), ("deny", 0)] {
        let run = server.run(&agent, escalated);
        let question = asked(&server, &run);
        assert_eq!(question["options"], json!(["allow", "deny"]));
        server
            .post(&path(&question), &json!({"decision": decision}))
            .expect(200);
        server.wait_status(&run, "paused");
        assert_eq!(ran(&server, &run), times, "{decision}");
        server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    }
}

#[test]
fn the_demo_agent_asks_from_elsewhere_too() {
    let world = World::new();
    let server = world.serve();
    let config = json!({"approvals": "remote", "args": ["--pace", "0"]});
    let agent = json!({"cli_name": "demo", "provider_config": config});
    let agent = server.agent(&world, agent);
    let run = server.run(&agent, "Greet");
    let question = asked(&server, &run);
    server
        .post(
            &path(&question),
            &json!({"decision": "deny", "message": "no"}),
        )
        .expect(200);
    server.wait_status(&run, "paused");
    let results = payloads(&server, &run, "agent.tool_result");
    assert!(
        results.iter().any(|result| result["error"] == "no"),
        "{results:#?}"
    );
}

#[test]
fn only_adapters_that_can_ask_remotely_take_the_setting() {
    let world = World::new();
    let server = world.serve();
    let project = server.get("projects").expect(200);
    let project = project.as_array().unwrap().first().cloned();
    let project =
        project.unwrap_or_else(|| server.post("projects", &json!({"name": "p"})).expect(201));
    for (config, field) in [
        (
            json!({"approvals": "remote"}),
            "`provider_config.approvals`",
        ),
        (
            json!({"approvals": "somewhere"}),
            "`provider_config.approvals`",
        ),
        (
            json!({"approval_minutes": 0}),
            "`provider_config.approval_minutes`",
        ),
    ] {
        let agent = json!({"name": "a", "cli_name": "gemini", "provider_config": config,
            "project_id": project["id"]});
        let why = refused(server.post("agents", &agent), 400);
        assert!(why.contains(field), "{why}");
    }
}

/// Where a round kills the server.
#[derive(Debug, Clone, Copy)]
enum Killed {
    BeforeTheQuestion,
    AfterTheQuestion,
    WithTheDecision,
    AfterTheDecision,
}

/// One round: the tool runs once, or is refused once. Gives the server that runs afterwards.
fn round(seed: u64, world: &World, agent: &str, server: Server) -> Server {
    let places = [
        Killed::BeforeTheQuestion,
        Killed::AfterTheQuestion,
        Killed::WithTheDecision,
        Killed::AfterTheDecision,
    ];
    let killed = places[usize::try_from(seed % 4).unwrap()];
    let allow = (seed / 4).is_multiple_of(2);
    let body = json!({"decision": if allow { "allow" } else { "deny" }});
    let round = format!("seed {seed}, {killed:?}, {body}");
    let run = server.run(agent, ASKS);
    let decided = until_killed(seed, killed, &server, &run, &body);
    server.kill();
    let server = world.serve_patiently();
    let all = || {
        let all = server.get(&format!("runs/{run}/approvals")).expect(200);
        all.as_array().unwrap().clone()
    };
    // Whoever is asked still answers; a decision that was recorded stays.
    wait_for("the question after the restart", || !all().is_empty());
    if let Some(question) = open(&server, &run).first() {
        server.post(&path(question), &body).expect(200);
    }
    if let Some(question) = decided {
        refused(server.post(&path(&question), &body), 409);
    }
    server.wait_status(&run, "paused");
    assert_eq!(all().len(), 1, "{round}");
    assert_eq!(ran(&server, &run), usize::from(allow), "{round}");
    let events = server.types(&run);
    let count = |name: &str| events.iter().filter(|it| *it == name).count();
    let counts = (count("approval.requested"), count("approval.decided"));
    assert_eq!(counts, (1, 1), "{round}");
    let waits = |process: &String| {
        let line = std::fs::read(PathBuf::from(process).join("cmdline")).unwrap_or_default();
        line.windows(6).any(|part| part == b"\0wait\0")
    };
    let waiting: Vec<String> = processes(&run).into_iter().filter(waits).collect();
    assert!(waiting.is_empty(), "{round}: {waiting:?} still wait");
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    server
}

/// Plays up to the moment of the kill. Gives the question that a decision was sent for.
fn until_killed(
    seed: u64,
    killed: Killed,
    server: &Server,
    run: &str,
    body: &Value,
) -> Option<Value> {
    match killed {
        Killed::BeforeTheQuestion => {
            let called = || !payloads(server, run, "agent.tool_call").is_empty();
            wait_for("the call", called);
            None
        }
        Killed::AfterTheQuestion => {
            asked(server, run);
            None
        }
        Killed::WithTheDecision => {
            let question = asked(server, run);
            let (address, path, body) = (server.address.clone(), path(&question), body.to_string());
            std::thread::spawn(move || {
                let length = body.len();
                let request = format!(
                    "POST /api/{path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
                     Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                raw(&address, &request);
            });
            std::thread::park_timeout(Duration::from_micros(seed % 7 * 700));
            Some(question)
        }
        Killed::AfterTheDecision => {
            let question = asked(server, run);
            server.post(&path(&question), body).expect(200);
            Some(question)
        }
    }
}

#[test]
fn killed_around_a_decision_the_tool_runs_once_or_is_refused_once() {
    let prove = std::env::var_os("ABBADO_PROVE").is_some();
    let rounds = if prove { 40 } else { 8 };
    let world = World::new();
    let model = Model::start(&world);
    let mut server = world.serve_patiently();
    let agent = remote(claude(&world, &model, "interactive"), "default");
    let agent = server.agent(&world, agent);
    for seed in 0..rounds {
        server = round(seed, &world, &agent, server);
    }
}

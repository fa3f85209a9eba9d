//! The real Gemini CLI, Qwen Code and OpenCode in runs of ours, against a scripted model.

use crate::{
    programs::{Model, gemini, opencode, payloads, processes, qwen, type_in},
    support::{Server, World, text},
};
use serde_json::{Value, json};
use std::cell::Cell;
use std::path::PathBuf;

/// A CLI may take long to start on a busy machine; OpenCode fetches a package, too.
const SLOW_STARTS: &str = "quiet.no_hook=3600000";

/// One of the CLIs.
#[derive(Clone, Copy)]
struct Cli {
    name: &'static str,
    fields: fn(&World, &Model, &str) -> Value,
    /// Its tools that write a file and run a command, and the first one's name for the path.
    write: &'static str,
    shell: &'static str,
    path: &'static str,
    /// What of the user's configuration must stay as it is.
    settings: &'static str,
}

const GEMINI: Cli = Cli {
    name: "gemini",
    fields: gemini,
    write: "write_file",
    shell: "run_shell_command",
    path: "file_path",
    settings: ".gemini/settings.json",
};
const QWEN: Cli = Cli {
    name: "qwen",
    fields: qwen,
    write: "write_file",
    shell: "run_shell_command",
    path: "file_path",
    settings: ".qwen/settings.json",
};
const OPENCODE: Cli = Cli {
    name: "opencode",
    fields: opencode,
    write: "write",
    shell: "bash",
    path: "filePath",
    settings: ".config/opencode/opencode.json",
};

const STEP: &str =
    r#"Once more #steps:[{"say":"That is all.","usage":{"input":1000,"output":100}}]"#;

const REFUSED: &str = r#"Try #steps:[{"fail":400,"message":"no such luck","times":99}]"#;

impl Cli {
    fn shell(self, command: &str) -> Value {
        let input = json!({"command": command, "description": "run it", "is_background": false});
        json!({"tool": self.shell, "input": input})
    }

    fn task(self) -> String {
        let input = json!({self.path: "{cwd}/hello.txt", "content": "hello\n"});
        let steps = json!([
            {"say": "Writing.", "call": {"tool": self.write, "input": input}},
            {"call": self.shell("cat hello.txt")},
            {"say": "Done: hello.txt is written."},
        ]);
        format!("Write \"hello.txt\" -- it is 1 file #steps:{steps}")
    }

    fn long(self) -> String {
        let steps = json!([{"call": self.shell("tail -f /dev/null")}]);
        format!("Wait #steps:{steps}")
    }
}

/// A server with a run of this task.
struct Stage {
    world: World,
    model: Model,
    server: Server,
    run: String,
    settings: PathBuf,
    before: Vec<u8>,
}

impl Stage {
    fn begin(cli: Cli, mode: &str, task: &str) -> Self {
        Self::begin_with(cli, mode, task, |_| {})
    }

    fn begin_with(cli: Cli, mode: &str, task: &str, change: impl Fn(&mut Value)) -> Self {
        let world = World::new();
        let model = Model::start(&world);
        let server = world.serve_with(&[("ABBADO_WAITS", SLOW_STARTS)]);
        let mut fields = (cli.fields)(&world, &model, mode);
        change(&mut fields);
        let settings = world.path("home").join(cli.settings);
        let before = std::fs::read(&settings).unwrap();
        let agent = server.agent(&world, fields);
        let run = server.run(&agent, task);
        Self {
            world,
            model,
            server,
            run,
            settings,
            before,
        }
    }

    fn payloads(&self, kind: &str) -> Vec<Value> {
        payloads(&self.server, &self.run, kind)
    }

    fn texts(&self, kind: &str, key: &str) -> Vec<String> {
        let payloads = self.payloads(kind);
        payloads.iter().map(|payload| text(payload, key)).collect()
    }

    fn go_on(&self, message: &str) {
        let more = json!({"message": message});
        let path = format!("runs/{}/continue", self.run);
        self.server.post(&path, &more).expect(200);
    }

    fn wait_turns(&self, turns: usize, by: &str) -> Value {
        let sentence = format!("turn {turns} is over by {by}");
        self.server.wait(&self.run, &sentence, |view| {
            let paused = self.payloads("run.paused");
            view["status"] == "paused" && paused.len() == turns && paused[turns - 1]["by"] == by
        })
    }

    fn wait_ended(&self, status: &str, times: usize) -> Value {
        let kind = format!("run.{status}");
        let sentence = format!("it is {status} and its process gone");
        self.server.wait(&self.run, &sentence, |view| {
            view["status"] == status
                && view["process"]["alive"] == false
                && self.payloads(&kind).len() == times
        })
    }

    fn wait_tool(&self) {
        self.server.wait(&self.run, "a tool works", |view| {
            let what = view["activity"]["what"].as_str().unwrap_or_default();
            what.starts_with("tool ")
        });
    }

    fn hello(&self, view: &Value) {
        let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
        let written = std::fs::read_to_string(worktree.join("hello.txt")).unwrap();
        assert_eq!(written.trim_end(), "hello");
        let users = self.world.path("repo/hello.txt");
        assert!(!users.exists(), "the user's checkout was touched");
    }

    /// The user's configuration is what it was, and no process is left.
    fn nothing_is_left(&self) {
        assert_eq!(processes(&self.run), [""; 0]);
        assert_eq!(std::fs::read(&self.settings).unwrap(), self.before);
    }

    /// Input tokens once many looks find the same: a CLI writes the last answer's down after its
    /// hooks.
    fn settled_tokens(&self) -> u64 {
        let (last, looks) = (Cell::new(None), Cell::new(0));
        let view = self.server.wait(&self.run, "its tokens stay", |view| {
            let now = view["tokens_in"].as_u64();
            let same = last.replace(now) == now;
            looks.set(if same { looks.get() + 1 } else { 0 });
            looks.get() > 20
        });
        view["tokens_in"].as_u64().unwrap()
    }

    fn cancel(&self) {
        let path = format!("runs/{}/cancel", self.run);
        let view = self.server.post_empty(&path).expect(200);
        assert_eq!(view["status"], "cancelled");
        assert_eq!(view["process"]["alive"], false);
        self.nothing_is_left();
    }
}

fn the_task_is_done(stage: &Stage, cli: Cli, view: &Value) {
    stage.hello(view);
    assert_eq!(
        stage.texts("agent.tool_call", "tool_name"),
        [cli.write, cli.shell]
    );
    let results = stage.payloads("agent.tool_result");
    assert_eq!(results.len(), 2, "{results:#?}");
    assert!(results.iter().all(|result| result["error"].is_null()));
    let init = stage.payloads("session.init");
    assert_eq!(init.len(), 1, "{init:#?}");
    assert_eq!(init[0]["session_id"], view["session_id"]);
    assert_eq!(stage.payloads("user.message"), [Value::Null; 0]);
}

fn a_whole_interactive_run(cli: Cli) {
    let stage = Stage::begin(cli, "interactive", &cli.task());
    let view = stage.wait_turns(1, "stop");
    the_task_is_done(&stage, cli, &view);
    let done = "Done: hello.txt is written.";
    let paused = stage.payloads("run.paused");
    assert!(text(&paused[0], "last_message").ends_with(done));
    let said = "its answers are told and counted";
    stage.server.wait(&stage.run, said, |view| {
        stage.texts("agent.message", "text") == ["Writing.", done]
            && view["tokens_out"].as_u64() > Some(0)
    });
    let before = stage.settled_tokens();
    stage.go_on(STEP);
    stage.wait_turns(2, "stop");
    let said = stage.payloads("user.message");
    assert_eq!(said.len(), 1, "{said:#?}");
    assert_eq!(text(&said[0], "text").trim_end(), STEP);
    assert_eq!(said[0]["delivered_by"], "typed");
    stage.server.wait(&stage.run, "it is counted", |view| {
        view["tokens_in"] == before + 1000
    });
    stage.cancel();
}

fn a_whole_headless_run(cli: Cli) {
    let stage = Stage::begin(cli, "headless", &cli.task());
    let view = stage.wait_ended("completed", 1);
    assert_eq!(view["process"]["exit_code"], 0);
    the_task_is_done(&stage, cli, &view);
    let done = "Done: hello.txt is written.";
    assert_eq!(stage.texts("agent.message", "text"), ["Writing.", done]);
    let before = view["tokens_in"].as_u64().unwrap();
    assert!(before > 0 && view["tokens_out"].as_u64() > Some(0));
    stage.go_on(STEP);
    let view = stage.wait_ended("completed", 2);
    assert_eq!(view["tokens_in"], before + 1000);
    let said = stage.texts("agent.message", "text");
    assert_eq!(said.last().unwrap(), "That is all.");
    assert_eq!(stage.payloads("session.init").len(), 1);
    let told = stage.model.requests();
    let last = told.iter().rfind(|it| it["note"] == "step").unwrap();
    let last = last["body"].to_string();
    assert!(last.contains("That is all.") && last.contains("hello.txt"));
    stage.nothing_is_left();
}

/// Left in mid-turn, it goes on with its session in another process.
fn a_paused_run_goes_on(cli: Cli) {
    let stage = Stage::begin(cli, "interactive", &cli.long());
    stage.wait_tool();
    let path = format!("runs/{}/pause", stage.run);
    let view = stage.server.post_empty(&path).expect(200);
    assert_eq!(
        (&view["status"], &view["process"]["alive"]),
        (&"paused".into(), &false.into())
    );
    stage.nothing_is_left();
    stage.go_on(STEP);
    stage.wait_turns(2, "stop");
    let init = stage.payloads("session.init");
    assert_eq!(init.len(), 1, "{init:#?}");
    let spawned = stage.payloads("process.spawned");
    let argv = spawned[1]["argv"].as_array().unwrap();
    assert!(argv.contains(&init[0]["session_id"]), "{argv:?}");
    stage.cancel();
}

/// A CLI of the same kind in a tool has its own session: the run goes on with the agent's next step.
fn a_cli_in_a_tool_is_not_the_run(cli: Cli, program: &str, arguments: &str) {
    let bin = crate::programs::program(program);
    let inner = format!(
        "{} {arguments} 'Nested #steps:[{{\"say\":\"an answer\"}}]' && sleep 7",
        bin.display()
    );
    let steps = json!([
        {"say": "I ask another one.", "call": cli.shell(&inner)},
        {"call": cli.shell("echo x > done.txt")},
        {"say": "Both are done."},
    ]);
    let task = format!("Ask #steps:{steps}");
    let yolo = |fields: &mut Value| fields["provider_config"]["approval"] = json!("yolo");
    let stage = Stage::begin_with(cli, "interactive", &task, yolo);
    let view = stage.wait_turns(1, "stop");
    let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
    assert!(worktree.join("done.txt").exists());
    let kept = stage.payloads("hook.received");
    let nested: Vec<String> = kept
        .iter()
        .filter(|it| it["nested"] == true)
        .map(|it| text(it, "hook_event_name"))
        .collect();
    assert!(
        nested.iter().any(|name| name == "SessionStart"),
        "{kept:#?}"
    );
    assert_eq!(stage.payloads("session.init").len(), 1);
    assert_eq!(stage.payloads("user.message"), [Value::Null; 0]);
    assert_eq!(stage.payloads("agent.tool_result").len(), 2);
    stage.go_on(STEP);
    stage.wait_turns(2, "stop");
    stage.cancel();
}

#[test]
fn a_gemini_in_a_tool_of_gemini_is_not_the_run() {
    a_cli_in_a_tool_is_not_the_run(GEMINI, "gemini", "--skip-trust --approval-mode yolo -p");
}

fn cancelled_in_mid_turn(cli: Cli) {
    let stage = Stage::begin(cli, "interactive", &cli.long());
    stage.wait_tool();
    stage.cancel();
    assert_eq!(stage.payloads("run.completed"), [Value::Null; 0]);
}

/// Esc stops the turn; OpenCode asks for it twice.
fn an_interrupted_turn_is_paused(cli: Cli, times: usize) {
    let stage = Stage::begin(cli, "interactive", &cli.long());
    stage.wait_tool();
    for _ in 0..times {
        type_in(&stage.server, &stage.run, b"\x1b");
    }
    stage.wait_turns(1, "interrupt");
    stage.cancel();
}

fn a_refusal_fails_a_headless_run(cli: Cli) {
    let stage = Stage::begin(cli, "headless", REFUSED);
    let view = stage.wait_ended("failed", 1);
    assert!(text(&view, "reason").contains("no such luck"), "{view:#}");
    stage.nothing_is_left();
}

/// A command that is not among the allowed tools waits for a person.
fn a_command_is_asked_for(cli: Cli) {
    let steps = json!([{"call": cli.shell("touch x")}, {"say": "Asked."}]);
    let task = format!("Ask #steps:{steps}");
    let stage = Stage::begin_with(cli, "interactive", &task, |fields| {
        fields["allowed_tools"] = json!("Read,Edit");
    });
    let view = stage
        .server
        .wait(&stage.run, "it asks", |view| !view["attention"].is_null());
    assert_eq!(view["attention"]["kind"], "permission_prompt");
    stage.cancel();
}

fn what_it_does_not_know_is_refused(cli: Cli) {
    let world = World::new();
    let server = world.serve();
    let project = server.post("projects", &json!({"name": "p"})).expect(201);
    for (config, said) in [
        (
            json!({"aproval": "yolo"}),
            "`provider_config.aproval` is not supported",
        ),
        (
            json!({"approval": "x"}),
            "`provider_config.approval` must be one of",
        ),
        (
            json!({"state": 1}),
            "`provider_config.state` must be one of",
        ),
    ] {
        let agent = json!({
            "project_id": project["id"], "name": "a", "cli_name": cli.name,
            "provider_config": config,
        });
        let refused = server.post("agents", &agent);
        assert!(
            refused.status == 400 && refused.text.contains(said),
            "{refused:?}"
        );
    }
}

macro_rules! tests_of {
    ($($module:ident: $cli:expr, $stop:expr;)*) => {$(
        mod $module {
            #[test]
            fn a_whole_interactive_run() {
                super::a_whole_interactive_run($cli);
            }
            #[test]
            fn a_whole_headless_run() {
                super::a_whole_headless_run($cli);
            }
            #[test]
            fn a_paused_run_goes_on() {
                super::a_paused_run_goes_on($cli);
            }
            #[test]
            fn cancelled_in_mid_turn() {
                super::cancelled_in_mid_turn($cli);
            }
            #[test]
            fn an_interrupted_turn_is_paused() {
                super::an_interrupted_turn_is_paused($cli, $stop);
            }
            #[test]
            fn a_refusal_fails_a_headless_run() {
                super::a_refusal_fails_a_headless_run($cli);
            }
            #[test]
            fn a_command_is_asked_for() {
                super::a_command_is_asked_for($cli);
            }
            #[test]
            fn what_it_does_not_know_is_refused() {
                super::what_it_does_not_know_is_refused($cli);
            }
        }
    )*};
}

tests_of! {
    gemini_cli: super::GEMINI, 1;
    qwen_code: super::QWEN, 1;
    open_code: super::OPENCODE, 2;
}

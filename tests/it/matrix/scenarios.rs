//! What is played in a cell.

use super::{
    cell::{Cell, Cli, calls, says},
    stage::Stage,
};
use serde_json::{Value, json};

/// A message whose answer is one sentence, which every script knows.
const MORE: &str = "Once more #scenario:more";

/// Works until it is ended.
const FOREVER: &str = "tail -f /dev/null";

fn scripts(steps: &[Value]) -> Value {
    json!({"act": steps, "more": [says("That is all.")]})
}

/// Plan, edit, shell, done.
pub fn task(cell: Cell, name: &str) {
    let work = cell.work();
    let answers = work.len() as u64 + 1;
    let mut steps: Vec<Value> = work.iter().map(calls).collect();
    steps.push(says("Done: hello.txt is written and listed."));
    let stage = Stage::begin(cell, &scripts(&steps), "Write hello.txt #scenario:act");
    stage.turns(1, answers);
    let hello = std::fs::read_to_string(stage.worktree().join("hello.txt"));
    assert_eq!(hello.unwrap(), "hello\n");
    assert!(!stage.world.path("repo/hello.txt").exists());
    let tasks = stage.server().get(&format!("runs/{}/tasks", stage.run));
    let tasks = tasks.expect(200);
    let done: Vec<_> = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|task| &task["status"])
        .collect();
    assert_eq!(done, ["completed", "completed"]);
    assert!(stage.home.own_hook_ran(), "the user's own hook did not run");
    stage.end(name);
}

pub fn tool_fails(cell: Cell, name: &str) {
    let steps = [calls(&cell.shell("ls /nowhere")), says("It failed.")];
    let stage = Stage::begin(cell, &scripts(&steps), "Try it #scenario:act");
    stage.turns(1, 2);
    stage.end(name);
}

/// A file that only an allowed command makes.
const ASKED: &str = "python3 -c \"open('asked.txt', 'w')\"";

fn asks(cell: Cell) -> Stage {
    let steps = [calls(&cell.asked_shell(ASKED)), says("Done.")];
    let tools = "Read,Edit,Write,Glob,Grep";
    Stage::begin_with(cell, &scripts(&steps), "Ask first #scenario:act", tools)
}

/// Waits until the dialog is on the screen.
fn dialog(stage: &Stage) {
    let words = match stage.cell.cli {
        Cli::Claude => "Yes",
        Cli::Codex => "Yes, proceed",
    };
    stage.until("it asks", |view| {
        view["attention"]["kind"] == "permission_prompt"
    });
    let log = format!("runs/{}/logs", stage.run);
    stage.until("the dialog is there", |_| {
        stage.server().get(&log).text.contains(words)
    });
}

pub fn permission_given(cell: Cell, name: &str) {
    let stage = asks(cell);
    dialog(&stage);
    stage.press(b"\r", "the question is answered", |view| {
        view["attention"].is_null()
    });
    stage.turns(1, 2);
    assert!(stage.worktree().join("asked.txt").exists());
    stage.end(name);
}

/// By a person; headless, by the CLI, since there is nobody to ask.
pub fn permission_refused(cell: Cell, name: &str) {
    let stage = asks(cell);
    if cell.headless() {
        stage.turns(1, 2);
    } else {
        dialog(&stage);
        stage.press(b"\x1b", "the question is answered", |view| {
            view["attention"].is_null()
        });
        stage.until("the turn is over", |view| view["status"] == "paused");
    }
    assert!(!stage.worktree().join("asked.txt").exists());
    stage.end(name);
}

pub fn interrupted(cell: Cell, name: &str) {
    let steps = [calls(&cell.shell(FOREVER)), says("Never said.")];
    let stage = Stage::begin(cell, &scripts(&steps), "Wait #scenario:act");
    stage.tool_works();
    stage.keys(b"\x1b");
    stage.until("the turn is over", |view| view["status"] == "paused");
    stage.go_on(MORE);
    stage.turns(2, 2);
    stage.end(name);
}

pub fn api_recovers(cell: Cell, name: &str) {
    let overloaded = json!({"fail": 529, "message": "overloaded", "times": 2});
    let stage = Stage::begin(
        cell,
        &scripts(&[overloaded, says("At last.")]),
        "Try #scenario:act",
    );
    stage.turns(1, 1);
    stage.end(name);
}

pub fn api_fails(cell: Cell, name: &str) {
    let refused = json!({"fail": 400, "message": "no such luck", "times": 99});
    let stage = Stage::begin(cell, &scripts(&[refused]), "Try #scenario:act");
    stage.until("it failed", |view| {
        view["status"] == "failed" && view["process"]["alive"] == !cell.headless()
    });
    stage.end(name);
}

/// A subagent that is still at work when the agent has ended its turn.
pub fn background(cell: Cell, name: &str) {
    let mut scripts = match cell.cli {
        Cli::Claude => scripts(&[
            calls(&cell.delegate()),
            says("It looks."),
            says("All done."),
        ]),
        Cli::Codex => scripts(&[
            calls(&cell.delegate()),
            calls(&cell.shell("sleep 3")),
            says("All done."),
        ]),
    };
    scripts["sub"] = json!([calls(&cell.shell("sleep 1; ls")), says("Looked.")]);
    let stage = Stage::begin(cell, &scripts, "Delegate #scenario:act");
    // Codex tells nothing of a subagent's tokens in its output stream.
    let untold = cell.cli == Cli::Codex && cell.headless();
    stage.turns(1, if untold { 3 } else { 5 });
    stage.end(name);
}

/// The CLI's own command for another session in the same process.
pub fn cleared(cell: Cell, name: &str) {
    let stage = Stage::begin(cell, &scripts(&[]), MORE);
    stage.turns(1, 1);
    stage.line("/clear");
    if cell.cli == Cli::Claude {
        stage.until("another session", |_| {
            stage.payloads("session.init").len() == 2
        });
    }
    stage.go_on(MORE);
    stage.turns(2, 2);
    stage.end(name);
}

/// By the CLI's own command; headless, by a conversation that has become too long.
pub fn compacted(cell: Cell, name: &str) {
    let mut long = says("That was long.");
    long["usage"]["input"] = json!(990_000);
    let mut scripts = scripts(&[]);
    scripts["long"] = json!([long]);
    let first = if cell.headless() {
        "A long one #scenario:long"
    } else {
        MORE
    };
    let stage = Stage::begin(cell, &scripts, first);
    stage.turns(1, 1);
    if cell.headless() {
        stage.go_on(MORE);
        stage.turns(2, 2);
    } else {
        // A short conversation is not compacted.
        for turn in 2..=4 {
            stage.go_on(MORE);
            stage.turns(turn, turn as u64);
        }
        stage.line("/compact");
        stage.until("it is compacted", |_| {
            stage.payloads("hook.received").iter().any(|hook| {
                hook["hook_event_name"] == "PostCompact" || hook["payload"]["source"] == "compact"
            })
        });
        stage.go_on(MORE);
        stage.turns(5, 5);
    }
    stage.end(name);
}

/// As the task, and as a message.
pub fn long_prompt(cell: Cell, name: &str) {
    let lines = (0..400).map(|n| format!("{n}: Zeile — línea 行 🧪 \u{301}"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let prompt = |what: &str| format!("{what}\n\n{text}\n\n#scenario:more");
    let stage = Stage::begin(cell, &scripts(&[]), &prompt("first"));
    stage.turns(1, 1);
    stage.go_on(&prompt("second"));
    stage.turns(2, 2);
    let asked = stage.asked();
    for (body, what) in asked.iter().zip(["first", "second"]) {
        let wanted = serde_json::to_string(&prompt(what)).unwrap();
        let wanted = wanted.trim_matches('"');
        assert!(body.to_string().contains(wanted), "{what} came otherwise");
    }
    stage.end(name);
}

pub fn after_end(cell: Cell, name: &str) {
    let stage = Stage::begin(cell, &scripts(&[]), MORE);
    stage.turns(1, 1);
    if !cell.headless() {
        match cell.cli {
            Cli::Claude => stage.line("/exit"),
            Cli::Codex => {
                // The turn ends for the user when its last hook is answered; before, the key would
                // interrupt it.
                stage.until("the turn is over for Codex", |_| {
                    stage.transcript().contains("task_complete")
                });
                stage.press(b"\x03", "it leaves", |view| view["status"] == "completed");
            }
        }
        stage.until("it is over", |view| view["process"]["alive"] == false);
    }
    stage.go_on(MORE);
    stage.turns(2, 2);
    stage.end(name);
}

fn at_work(cell: Cell) -> Stage {
    let steps = [calls(&cell.shell(FOREVER)), says("Never said.")];
    let stage = Stage::begin(cell, &scripts(&steps), "Wait #scenario:act");
    stage.tool_works();
    if cell.cli == Cli::Claude {
        // A session can be resumed from when its transcript is there.
        stage.until("the transcript is there", |_| {
            stage.transcript().contains("tool_use")
        });
    }
    stage
}

/// Goes on after a turn that was cut off.
fn goes_on(stage: &Stage, answers: u64) {
    stage.go_on(MORE);
    stage.until("the message is answered", |view| {
        let over = if stage.cell.headless() {
            "completed"
        } else {
            "paused"
        };
        let alive = !stage.cell.headless();
        let said = stage.payloads("agent.message");
        view["status"] == over
            && view["process"]["alive"] == alive
            && said.len() == 1
            && view["tokens_out"] == 10 * answers
    });
}

pub fn after_pause(cell: Cell, name: &str) {
    let stage = at_work(cell);
    let view = stage.post("pause", &json!({}));
    assert_eq!(
        (&view["status"], &view["process"]["alive"]),
        (&json!("paused"), &json!(false))
    );
    // Codex tells the tokens of a turn that is cut off in its rollout only.
    let untold = cell.cli == Cli::Codex && cell.headless();
    goes_on(&stage, if untold { 1 } else { 2 });
    stage.end(name);
}

/// In the middle of a tool's work, which ends when the other server is there.
pub fn after_kill_of_server(cell: Cell, name: &str) {
    let gate = tempfile::tempdir().unwrap();
    let gate = gate.path().join("gate");
    let waits = format!("while [ ! -e {} ]; do sleep 0.1; done", gate.display());
    let waits = cell.shell(&waits);
    let steps = [calls(&waits), says("It went on.")];
    let mut stage = Stage::begin(cell, &scripts(&steps), "Wait #scenario:act");
    stage.tool_works();
    stage.restart();
    std::fs::write(&gate, "open\n").unwrap();
    stage.turns(1, 2);
    stage.go_on(MORE);
    stage.turns(2, 3);
    stage.end(name);
}

pub fn after_kill_of_cli(cell: Cell, name: &str) {
    let stage = at_work(cell);
    let view = stage.server().view(&stage.run);
    let pid = i32::try_from(view["process"]["pid"].as_i64().unwrap()).unwrap();
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    stage.until("it failed", |view| {
        view["status"] == "failed" && view["process"]["alive"] == false
    });
    // Codex writes tokens down as a turn ends.
    goes_on(&stage, if cell.cli == Cli::Codex { 1 } else { 2 });
    stage.end(name);
}

//! Programs that are started for each use: the hook program beside others that post the same.

use crate::{
    Bench,
    report::{Figure, Goal, quantile},
    server::{Server, repository},
};
use serde_json::json;
use std::{
    fs,
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

const GROUP: &str = "programs";
const TITLE: &str = "hook program, start to end";

/// What a hook script does, without a file of its own.
const SCRIPT: &str = r#"curl -s -X POST -H "Content-Type: application/json" \
  -H "X-Abbado-Hook-Token: $TOKEN" --data-binary @- "$URL""#;

/// The hook program, beside scripts and programs that do as much or less.
pub fn figures(bench: &Bench) -> Vec<Figure> {
    if !bench.wants(GROUP, TITLE) {
        return Vec::new();
    }
    let folder = bench.folder.join("programs");
    let server = Server::start(&folder);
    let repo = folder.join("repo");
    repository(&repo, 1);
    let agent = server.agent(&repo, &["sleep", "1000"]);
    let run = server.running(&agent);
    let run_dir = folder.join("data/runs").join(&run);
    let token = fs::read_to_string(run_dir.join("hook.token")).unwrap();
    let port = server.address.rsplit(':').next().unwrap();
    let path = format!("/api/runs/{run}/hook");
    let compiled = compiled(&folder);

    let hook = || Command::new(run_dir.join("hook"));
    let bash = || {
        let mut command = Command::new("bash");
        command.args(["-c", SCRIPT]).env("TOKEN", &token);
        command.env("URL", format!("http://localhost:{port}{path}"));
        command
    };
    let post = || {
        let mut command = Command::new(&compiled);
        command.args([port, &path, &token]);
        command
    };
    let nothing = || Command::new("/bin/true");
    let sides: [(&dyn Fn() -> Command, &str); 4] =
        [(&hook, "{}"), (&bash, "{}"), (&post, "{}"), (&nothing, "")];

    let mut figure = Figure::new(GROUP, TITLE, "ms")
        .beside("bash and curl", Goal::AtMost(0.15))
        .beside("a minimal compiled client", Goal::None)
        .beside("/bin/true", Goal::None);
    let payload = payload();
    for _ in 0..bench.rounds {
        let mut taken = [const { Vec::new() }; 4];
        for _ in 0..bench.count(300, 5) {
            for ((command, answer), taken) in sides.iter().zip(&mut taken) {
                taken.push(timed(command(), &payload, answer));
            }
        }
        let [hook, bash, post, nothing] = taken.each_mut().map(|values| quantile(values, 0.5));
        figure.round(hook, [bash, post, nothing]);
    }
    vec![figure]
}

/// Milliseconds from before the start until after the end.
fn timed(mut command: Command, payload: &[u8], answer: &str) -> f64 {
    let mut said = String::new();
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // One that reads nothing may be gone already.
    let written = child.stdin.take().unwrap().write_all(payload);
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    let status = child.wait().unwrap();
    let taken = begun.elapsed();
    assert!(
        status.success() && said.trim_end() == answer,
        "{command:?}: {status}, {said}"
    );
    assert!(
        answer.is_empty() || written.is_ok(),
        "{command:?}: {written:?}"
    );
    taken.as_secs_f64() * 1e3
}

/// About 1 KiB, as Claude Code sends it after a tool.
fn payload() -> Vec<u8> {
    let payload = json!({
        "session_id": "5c8f3b3e-6f0d-4f3e-9a53-0d5f4a3c2b1a",
        "transcript_path": "/home/user/.claude/projects/-src/5c8f3b3e.jsonl",
        "cwd": "/home/user/src",
        "permission_mode": "default",
        "hook_event_name": "PostToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": "cargo test", "description": "Runs the tests"},
        "tool_response": {"stdout": "test result: ok. ".repeat(35), "stderr": "", "interrupted": false},
        "tool_use_id": "toolu_01",
    });
    payload.to_string().into_bytes()
}

/// Builds the smallest client.
fn compiled(folder: &Path) -> std::path::PathBuf {
    let program = folder.join("post");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/system/peers/post.c");
    let status = Command::new("cc")
        .args(["-O2", "-o"])
        .arg(&program)
        .arg(source)
        .status();
    assert!(status.unwrap().success(), "cc");
    program
}

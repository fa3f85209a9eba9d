//! The two programs that run inside a CLI's tree, as processes: the hook program and the demo agent.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests may fail loudly, and look for one variant"
)]

use abbado::cli::{self, TranscriptContext, hook_files};
use abbado::domain::{
    AgentMode,
    run::command::{Observation, Signal, Usage},
};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const ABBADO: &str = env!("CARGO_BIN_EXE_abbado");
const SESSION: &str = "11111111-2222-4333-8444-555555555555";

/// A run folder whose hooks go to the spool, because no server is running.
struct Run {
    data: tempfile::TempDir,
    dir: PathBuf,
    worktree: PathBuf,
}

impl Run {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let dir = data
            .path()
            .join("runs/00000000-0000-0000-0000-000000000001");
        let worktree = data.path().join("worktree");
        fs::create_dir_all(&dir).unwrap();
        fs::create_dir_all(worktree.join(".git")).unwrap();
        hook_files::ensure(&dir, Path::new(ABBADO)).unwrap();
        Self {
            data,
            dir,
            worktree,
        }
    }

    fn hook(&self, payload: &str) -> Output {
        let mut command = Command::new(self.dir.join("hook"));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(payload.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    /// Payloads of the spool, in order.
    fn hooks(&self) -> Vec<Value> {
        let Ok(entries) = fs::read_dir(self.dir.join("spool")) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.'));
        paths.sort();
        let read = |path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        paths.into_iter().map(read).collect()
    }

    fn names(&self) -> Vec<String> {
        let hooks = self.hooks();
        hooks
            .iter()
            .map(|hook| hook["hook_event_name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn env(&self) -> [(&'static str, PathBuf); 2] {
        [
            ("ABBADO_RUN_DIR", self.dir.clone()),
            ("ABBADO_HOOK", self.dir.join("hook")),
        ]
    }

    fn demo(&self, args: &[&str]) -> Output {
        let mut command = Command::new(ABBADO);
        command
            .arg("demo-agent")
            .args(["--pace", "0"])
            .args(args)
            .envs(self.env());
        command
            .current_dir(&self.worktree)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn transcript(&self) -> PathBuf {
        self.dir
            .join("demo-transcripts")
            .join(format!("{SESSION}.jsonl"))
    }

    fn wait_for(&self, what: &str, seen: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !seen(self) {
            assert!(
                start.elapsed() < Duration::from_secs(90),
                "{what}: {:?}",
                self.names()
            );
            std::thread::yield_now();
        }
    }
}

#[test]
fn the_link_is_the_hook_program() {
    let run = Run::new();
    let output = run.hook(r#"{"hook_event_name": "Stop"}"#);
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), b"{}".as_slice())
    );
    assert!(output.stderr.is_empty());
    assert_eq!(run.names(), ["Stop"]);
}

#[test]
fn outside_a_run_it_says_so_and_still_ends_well() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(ABBADO);
    command
        .arg("hook")
        .env_remove("ABBADO_RUN_DIR")
        .current_dir(data.path())
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), b"{}".as_slice())
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("outside a run"));
}

#[test]
fn the_demo_does_what_a_cli_does() {
    let run = Run::new();
    fs::write(run.worktree.join("README.md"), "# Mine\n").unwrap();
    let output = run.demo(&["--session-id", SESSION, "--exit", "--", "greet\u{1b}[2J me"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!String::from_utf8_lossy(&output.stdout).contains("\u{1b}[2J"));
    assert!(
        fs::read_to_string(run.worktree.join("HELLO.md"))
            .unwrap()
            .contains("greet")
    );
    assert!(
        fs::read_to_string(run.worktree.join("README.md"))
            .unwrap()
            .starts_with("# Mine\n\nThe demo")
    );
    let names = run.names();
    let count = |name: &str| names.iter().filter(|one| *one == name).count();
    assert_eq!(names.first().map(String::as_str), Some("SessionStart"));
    assert_eq!(names.last().map(String::as_str), Some("SessionEnd"));
    assert_eq!((count("PreToolUse"), count("PostToolUse")), (9, 9));
    assert_eq!(
        (
            count("UserPromptSubmit"),
            count("PermissionRequest"),
            count("Stop")
        ),
        (1, 1, 1)
    );
    assert!(count("MessageDisplay") > 5);
}

#[test]
fn its_words_are_understood_by_its_adapter() {
    let run = Run::new();
    assert!(
        run.demo(&["--session-id", SESSION, "--exit", "--", "greet"])
            .status
            .success()
    );
    let demo = cli::adapter("demo").unwrap();
    let hooks: Vec<_> = run
        .hooks()
        .into_iter()
        .map(|hook| demo.hook(hook).unwrap())
        .collect();
    assert!(
        hooks
            .iter()
            .all(|hook| hook.session_id.as_deref() == Some(SESSION))
    );
    assert!(
        hooks
            .iter()
            .all(|hook| !matches!(hook.signal, Signal::Other))
    );
    let streamed: String = hooks
        .iter()
        .filter_map(|hook| match &hook.signal {
            Signal::Token { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let context = TranscriptContext::new(AgentMode::Interactive, Usage::default());
    let mut reader = demo.transcript(context).unwrap();
    let path = hooks[0].transcript_path.clone().unwrap();
    let observed = reader.read(Some(&path)).unwrap();
    let said: String = observed
        .iter()
        .filter_map(|one| match one {
            Observation::Message { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert!(!said.is_empty());
    assert_eq!(streamed, said);
    let Some(Observation::Usage(usage)) = observed.last() else {
        panic!("no totals")
    };
    assert_eq!((usage.tokens_in, usage.cost_usd), (24, 0.0));
}

#[test]
fn it_edits_the_worktree_among_several_and_follows_no_link_out() {
    let run = Run::new();
    let folder = run.data.path().join("all");
    let outside = run.data.path().join("outside");
    fs::create_dir_all(folder.join("one/.git")).unwrap();
    fs::write(&outside, "").unwrap();
    std::os::unix::fs::symlink(&outside, folder.join("one/HELLO.md")).unwrap();
    std::os::unix::fs::symlink(&outside, folder.join("one/README.md")).unwrap();
    let run = Run {
        worktree: folder.clone(),
        ..run
    };
    assert!(run.demo(&["--exit", "--", "x"]).status.success());
    assert_eq!(fs::read_to_string(&outside).unwrap(), "");
    assert!(run.names().contains(&"PostToolUseFailure".to_owned()));
    fs::remove_file(folder.join("one/HELLO.md")).unwrap();
    assert!(run.demo(&["--exit", "--", "x"]).status.success());
    assert!(folder.join("one/HELLO.md").exists());
}

struct Played {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    screen: std::thread::JoinHandle<String>,
}

/// Starts the agent on a terminal.
fn on_terminal(run: &Run, args: &[&str]) -> Played {
    let pty = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(ABBADO);
    command.arg("demo-agent");
    command.args(args);
    command.cwd(&run.worktree);
    for (name, value) in run.env() {
        command.env(name, value);
    }
    let child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let keys = pty.master.take_writer().unwrap();
    let mut output = pty.master.try_clone_reader().unwrap();
    let screen = std::thread::spawn(move || {
        let (mut seen, _master) = (Vec::new(), pty.master);
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut chunk) {
            seen.extend_from_slice(&chunk[..count]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    });
    Played {
        child,
        keys,
        screen,
    }
}

fn stops(run: &Run) -> usize {
    run.names().iter().filter(|name| *name == "Stop").count()
}

#[test]
fn typed_and_pasted_lines_are_turns_and_ctrl_d_ends() {
    let run = Run::new();
    let mut played = on_terminal(
        &run,
        &["--pace", "0", "--session-id", SESSION, "--", "first"],
    );
    run.wait_for("the first turn", |run| stops(run) == 1);
    played.keys.write_all(b"second\r").unwrap();
    run.wait_for("the second turn", |run| stops(run) == 2);
    played
        .keys
        .write_all(b"\x1b[200~third\nline\x1b[201~")
        .unwrap();
    played.keys.write_all(b"\r").unwrap();
    run.wait_for("the third turn", |run| stops(run) == 3);
    played.keys.write_all(b"\x04").unwrap();
    assert_eq!(played.child.wait().unwrap().exit_code(), 0);
    let screen = played.screen.join().unwrap();
    assert!(screen.contains("\u{1b}[?2004h") && screen.contains("demo agent"));
    let prompts: Vec<_> = run
        .hooks()
        .into_iter()
        .filter(|hook| hook["hook_event_name"] == "UserPromptSubmit")
        .collect();
    let prompts: Vec<_> = prompts
        .iter()
        .map(|hook| hook["prompt"].as_str().unwrap())
        .collect();
    assert_eq!(prompts, ["first", "second", "third\nline"]);
    let last = run.hooks().pop().unwrap();
    assert_eq!(
        (&last["hook_event_name"], &last["reason"]),
        (&"SessionEnd".into(), &"prompt_input_exit".into())
    );
    // Later: the same session, in another process.
    assert!(
        run.demo(&["--resume", SESSION, "--exit", "--", "fourth"])
            .status
            .success()
    );
    let start = run
        .hooks()
        .into_iter()
        .rfind(|hook| hook["hook_event_name"] == "SessionStart")
        .unwrap();
    assert_eq!(
        (&start["source"], &start["session_id"]),
        (&"resume".into(), &SESSION.into())
    );
    let rows = fs::read_to_string(run.transcript()).unwrap();
    assert_eq!(rows.matches("\"origin\"").count(), 4);
}

#[test]
fn escape_interrupts_a_turn_and_sigterm_ends_the_session() {
    let run = Run::new();
    let mut played = on_terminal(
        &run,
        &["--pace", "600000", "--session-id", SESSION, "--", "slow"],
    );
    run.wait_for("the first piece", |run| {
        run.names().contains(&"MessageDisplay".to_owned())
    });
    played.keys.write_all(b"\x1b").unwrap();
    run.wait_for("the interrupt", |run| {
        fs::read_to_string(run.transcript()).is_ok_and(|rows| rows.contains("interrupted by user"))
    });
    let pid =
        nix::unistd::Pid::from_raw(i32::try_from(played.child.process_id().unwrap()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(played.child.wait().unwrap().exit_code(), 143);
    let last = run.hooks().pop().unwrap();
    assert_eq!(
        (&last["hook_event_name"], &last["reason"]),
        (&"SessionEnd".into(), &"other".into())
    );
    assert_eq!(stops(&run), 0);
}

//! Launch lines, and what the recorded hooks of the real program mean.

use super::super::testing::{Launch, fixture};
use super::*;
use crate::domain::run::command::Signal;
use std::os::unix::fs::PermissionsExt;

/// A launch whose `codex` is a file of its own.
fn launch() -> Launch {
    let mut launch = Launch::new("codex");
    let bin = launch.root().join("bin");
    std::fs::create_dir(&bin).unwrap();
    launch.program(&bin.join("codex"));
    launch.server_env("PATH", bin.to_str().unwrap());
    launch
}

const RUN_DIR: &str = "ROOT/data/runs/00000000-0000-0000-0000-000000000001";

fn owned(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// The arguments without `-c`, and the settings by themselves.
fn parted(argv: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut plain, mut settings) = (Vec::new(), Vec::new());
    let mut items = argv.iter().cloned();
    while let Some(item) = items.next() {
        if item == "-c" {
            settings.extend(items.next());
        } else {
            plain.push(item);
        }
    }
    (plain, settings)
}

#[test]
fn a_first_interactive_launch() {
    let launch = launch();
    let (plain, settings) = parted(&launch.argv());
    let expected = [
        "ROOT/bin/codex",
        "--no-daemon",
        "--dangerously-bypass-hook-trust",
        "-s",
        "workspace-write",
        "-a",
        "on-request",
        "--",
        "do it",
    ];
    assert_eq!(plain, expected);
    let hook = |event: &str, timeout: u32| {
        format!(
            "hooks.{event}=[{{hooks=[{{type=\"command\",command=\"'{RUN_DIR}/hook'\",timeout={timeout}}}]}}]"
        )
    };
    assert_eq!(settings[0], hook("SessionStart", 5));
    assert_eq!(settings[10], hook("SessionEnd", 3));
    assert_eq!(settings[11], hook("Interrupt", 3));
    let told = format!("developer_instructions={}", toml_string(NO_COMMITS));
    let rest = [
        "tools.update_plan.enabled=true",
        "check_for_update_on_startup=false",
        "tui.model_availability_nux={\"gpt-6.1-sol\"=9}",
        &told,
    ];
    assert_eq!(settings[12..], rest);
    assert!(launch.run_dir().join("hook").exists());
    let plan = launch.plan().unwrap();
    assert_eq!(plan.cwd, launch.cwd());
    assert!(!plan.env.iter().any(|(name, _)| name == "CODEX_HOME"));
}

#[test]
fn a_resumed_launch_with_everything_set() {
    let mut launch = launch();
    launch.resume("t-1");
    launch.task = "--help".into();
    launch.agent.model = Some("gpt-5.5".into());
    launch.agent.instructions = "Say \"so\".\n".into();
    launch.config(
        r#"{"sandbox": "danger-full-access", "approval": "never", "args": ["--search"], "state": null}"#,
    );
    let (plain, settings) = parted(&launch.argv());
    let expected = [
        "ROOT/bin/codex",
        "resume",
        "--no-daemon",
        "--dangerously-bypass-hook-trust",
        "-s",
        "danger-full-access",
        "-a",
        "never",
        "-m",
        "gpt-5.5",
        "--search",
        "--",
        "t-1",
        "--help",
    ];
    assert_eq!(plain, expected);
    let rest = [
        r#"notice.model_migrations={"gpt-5.5"="gpt-6-sol"}"#,
        r#"developer_instructions="Say \"so\".""#,
    ];
    assert_eq!(settings[settings.len() - 2..], rest);
}

#[test]
fn headless_launches() {
    let mut launch = launch();
    launch.config(r#"{"mode": "headless", "sandbox": "read-only"}"#);
    let first = [
        "ROOT/bin/codex",
        "exec",
        "--json",
        "--skip-git-repo-check",
        "--dangerously-bypass-hook-trust",
        "-s",
        "read-only",
    ];
    let (plain, _) = parted(&launch.argv());
    assert_eq!(plain, [owned(&first), owned(&["--", "do it"])].concat());
    launch.resume("t-1");
    let (plain, _) = parted(&launch.argv());
    let resumed = owned(&["resume", "--", "t-1", "do it"]);
    assert_eq!(plain, [owned(&first), resumed].concat());
}

#[test]
fn the_sandbox_is_left_only_when_asked_for_by_name() {
    let mut launch = launch();
    launch.config(r#"{"sandbox": "bypass"}"#);
    let (plain, settings) = parted(&launch.argv());
    assert!(plain.contains(&"--dangerously-bypass-approvals-and-sandbox".to_owned()));
    assert!(!plain.iter().any(|item| item == "-s" || item == "-a"));
    let told = |settings: &[String]| settings.iter().any(|it| it.starts_with("developer_"));
    assert!(!told(&settings), "it can commit, and has no instructions");
    launch.agent.instructions = "Be brief.".into();
    launch.config("{}");
    let (plain, settings) = parted(&launch.argv());
    assert!(
        !plain
            .iter()
            .any(|item| item.contains("approvals-and-sandbox"))
    );
    let both = format!("Be brief.\n\n{NO_COMMITS}");
    let both = format!("developer_instructions={}", toml_string(&both));
    assert_eq!(settings.last(), Some(&both));
}

#[test]
fn what_the_adapter_does_not_know_is_refused() {
    let fault = |json: &str| Codex.validate_config(serde_json::from_str(json).as_ref().unwrap());
    for fine in [
        "{}",
        r#"{"bin": "x", "args": [], "env": {}, "mode": "headless"}"#,
        r#"{"sandbox": "bypass", "approval": null, "state": "private"}"#,
    ] {
        assert_eq!(fault(fine), None, "{fine}");
    }
    for (wrong, begin) in [
        (
            r#"{"sandbx": "read-only"}"#,
            "provider_config.sandbx is not supported",
        ),
        (
            r#"{"sandbox": "off"}"#,
            "provider_config.sandbox must be one of \"workspace-write\"",
        ),
        (
            r#"{"sandbox": true}"#,
            "provider_config.sandbox must be one of",
        ),
        (
            r#"{"approval": "untrusted"}"#,
            "provider_config.approval must be one of",
        ),
        (
            r#"{"sandbox": "bypass", "approval": "never"}"#,
            "provider_config.approval has no",
        ),
        (
            r#"{"state": "own"}"#,
            "provider_config.state must be one of",
        ),
    ] {
        let fault = fault(wrong).unwrap();
        assert!(fault.starts_with(begin), "{fault}");
        let mut launch = launch();
        launch.config(wrong);
        assert!(matches!(launch.plan(), Err(CliError::Config(_))), "{wrong}");
    }
}

#[test]
fn a_private_state_lies_in_the_run_folder_and_trusts_the_worktree() {
    let mut launch = launch();
    launch.config(r#"{"state": "private"}"#);
    let state = launch.run_dir().join(STATE);
    let plan = launch.plan().unwrap();
    let home = ("CODEX_HOME".to_owned(), state.to_str().unwrap().to_owned());
    assert!(plan.env.contains(&home));
    assert_eq!(
        state.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    let (_, settings) = parted(&launch.argv());
    let trust = r#"projects={"ROOT/work tree"={trust_level="trusted"}}"#;
    assert!(settings.contains(&trust.to_owned()), "{settings:?}");
    assert!(
        launch.plan().is_ok(),
        "a folder that is there already will do"
    );
    launch.config(r#"{"state": "private", "env": {"CODEX_HOME": "/mine"}}"#);
    let home = ("CODEX_HOME".to_owned(), "/mine".to_owned());
    assert!(launch.plan().unwrap().env.contains(&home));
}

#[test]
fn the_folder_above_several_worktrees_is_trusted() {
    let mut launch = launch();
    let trusts = |launch: &Launch| {
        let (_, settings) = parted(&launch.argv());
        settings.iter().any(|it| it.starts_with("projects="))
    };
    launch.worktree("one");
    assert!(!trusts(&launch), "a repository is for its owner to trust");
    launch.worktree("two");
    assert!(trusts(&launch));
}

#[test]
fn nothing_outside_the_run_folder_is_touched_and_an_outer_session_is_forgotten() {
    let mut launch = launch();
    launch.server_env("CODEX_THREAD_ID", "outer");
    launch.server_env("CODEX_HOME", "/theirs");
    let env = launch.plan().unwrap().env;
    assert!(!env.iter().any(|(name, _)| name == "CODEX_THREAD_ID"));
    assert!(env.contains(&("CODEX_HOME".into(), "/theirs".into())));
    assert_eq!(std::fs::read_dir(launch.cwd()).unwrap().count(), 0);
}

#[test]
fn strings_are_tomls_and_the_hooks_path_a_shells() {
    assert_eq!(toml_string("a\"\\\n\u{7f}é"), r#""a\"\\\n\u007fé""#);
    let mut launch = launch();
    launch.rename_run_dir("it's here");
    let (_, settings) = parted(&launch.argv());
    let command = r#"command="'ROOT/it'\\''s here/hook'""#;
    assert!(settings[0].contains(command), "{}", settings[0]);
}

#[test]
fn every_recorded_hook_has_its_meaning() {
    let folder = fixture("codex", "0.169.0/hooks");
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let payload: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let hook = Codex.hook(payload.clone()).unwrap();
        assert_eq!(hook.session_id.as_deref(), payload["session_id"].as_str());
        assert_eq!(hook.turn_id.as_deref(), payload["turn_id"].as_str());
        let path_told = hook.transcript_path.is_some();
        assert_eq!(path_told, hook.name != "SessionEnd", "{}", path.display());
        seen.push(format!(
            "{} = {}",
            path.file_stem().unwrap().to_string_lossy(),
            word(&hook.signal)
        ));
    }
    seen.sort();
    let expected = [
        "Interrupt = interrupted",
        "PermissionRequest.Bash = Codex asks for permission to use Bash: touch /home/dev/outside.txt; ls",
        "PostCompact = compacted",
        "PostToolUse.Bash = result Bash call_790bd12823bd44abb278a38b",
        "PostToolUse.apply_patch = result apply_patch call_dc314f24597b4034ad12ab22",
        "PostToolUse.update_plan = result update_plan call_7f4a781957014d78a30cc5ff",
        "PreCompact.manual = compacting",
        "PreToolUse.Bash = call Bash call_790bd12823bd44abb278a38b",
        "PreToolUse.apply_patch = call apply_patch call_dc314f24597b4034ad12ab22",
        "PreToolUse.update_plan = call update_plan call_7f4a781957014d78a30cc5ff",
        "SessionEnd.other = end continues=false",
        "SessionStart.resume = session",
        "SessionStart.startup = session",
        "Stop = stop Some(\"fin\") background=false",
        "UserPromptSubmit = prompt machine=false",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn what_a_subagent_does_is_not_the_turns_doing() {
    let prompt = serde_json::json!({
        "session_id": "s", "turn_id": "t9", "transcript_path": "/its/own", "agent_id": "a",
        "hook_event_name": "UserPromptSubmit", "prompt": "Look around",
    });
    let hook = Codex.hook(prompt).unwrap();
    assert!(hook.subagent && hook.transcript_path.is_none());
    assert_eq!(word(&hook.signal), "prompt machine=true");
}

fn word(signal: &Signal) -> String {
    let id = |id: &Option<String>| id.clone().unwrap_or_default();
    match signal {
        Signal::SessionStarted { .. } => "session".into(),
        Signal::Prompt { machine, .. } => format!("prompt machine={machine}"),
        Signal::ToolCall(call) => format!("call {} {}", call.tool_name, id(&call.tool_use_id)),
        Signal::ToolResult(result) => {
            format!("result {} {}", result.tool_name, id(&result.tool_use_id))
        }
        Signal::NeedsAttention(needs) | Signal::Asks { needs, .. } => needs.message.clone(),
        Signal::TurnEnded {
            last_message,
            background,
        } => {
            format!("stop {last_message:?} background={background}")
        }
        Signal::Interrupted => "interrupted".into(),
        Signal::SessionEnded { continues } => format!("end continues={continues}"),
        Signal::Compacting => "compacting".into(),
        Signal::Compacted => "compacted".into(),
        Signal::Other => "other".into(),
        Signal::SubagentStart(_)
        | Signal::SubagentStop(_)
        | Signal::Token { .. }
        | Signal::TurnFailed { .. } => panic!("not recorded: {signal:?}"),
    }
}

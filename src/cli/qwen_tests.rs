use super::super::testing::{Launch, SESSION};
use super::*;

fn launch(config: &str) -> Launch {
    let mut launch = Launch::new("qwen");
    let bin = launch.root().join("bin");
    std::fs::create_dir(&bin).unwrap();
    launch.program(&bin.join("qwen"));
    launch.server_env("PATH", bin.to_str().unwrap());
    launch.config(config);
    launch
}

fn written(launch: &Launch) -> Value {
    let at = launch.run_dir().join(DEFAULTS);
    serde_json::from_slice(&std::fs::read(at).unwrap()).unwrap()
}

#[test]
fn a_first_interactive_launch() {
    let mut launch = launch("{}");
    launch.task = "'quoted'".into();
    launch.agent.allowed_tools = "Read,Bash(git log:*, git diff *),mcp_x".into();
    assert_eq!(
        launch.argv(),
        [
            "ROOT/bin/qwen",
            "--session-id",
            SESSION,
            "--approval-mode",
            "auto-edit",
            "--allowed-tools=read_file,run_shell_command(git log),run_shell_command(git diff),mcp_x",
            "--prompt-interactive='quoted' ",
        ]
    );
    let env = launch.plan().unwrap().env;
    assert!(!env.iter().any(|(name, _)| name == "QWEN_HOME"));
    let hooks = written(&launch);
    let hooks = hooks["hooks"].as_object().unwrap();
    assert_eq!(hooks.len(), HOOKS.len());
    let stop = &hooks["Stop"][0]["hooks"][0];
    assert_eq!(stop["timeout"], 5000);
    let hook = launch.run_dir().join("hook");
    assert_eq!(stop["command"], format!("'{}'", hook.display()));
}

#[test]
fn a_resumed_headless_launch_with_everything_set() {
    let mut launch =
        launch(r#"{"mode": "headless", "approval": "yolo", "state": "private", "args": ["--x"]}"#);
    launch.resume("s-1");
    launch.agent.model = Some("m".into());
    launch.agent.instructions = "Be brief.".into();
    launch.agent.allowed_tools = String::new();
    launch.agent.max_turns = 7;
    assert_eq!(
        launch.argv()[1..],
        [
            "--output-format",
            "stream-json",
            "--include-partial-messages",
            "--max-session-turns",
            "7",
            "--resume",
            "s-1",
            "--model",
            "m",
            "--approval-mode",
            "yolo",
            "--append-system-prompt=Be brief.",
            "--x",
            "--prompt=do it",
        ]
    );
    let env = launch.plan().unwrap().env;
    let home = env.iter().find(|(name, _)| name == "QWEN_HOME").unwrap();
    assert_eq!(Path::new(&home.1), launch.run_dir().join("qwen"));
}

#[test]
fn the_machines_own_defaults_are_taken_over() {
    let mut launch = launch("{}");
    let theirs = launch.root().join("system-defaults.json");
    let said = json!({"ui": {"theme": "x"}, "hooks": {"Stop": [{"hooks": []}]}});
    std::fs::write(&theirs, said.to_string()).unwrap();
    let settings = launch.root().join("settings.json");
    launch.server_env(SYSTEM_SETTINGS.0, settings.to_str().unwrap());
    launch.plan().unwrap();
    let ours = written(&launch);
    assert_eq!(ours["ui"]["theme"], "x");
    assert_eq!(ours["hooks"]["Stop"].as_array().unwrap().len(), 2);
    std::fs::write(&theirs, "{ // no JSON").unwrap();
    let error = launch.plan().unwrap_err().to_string();
    assert!(error.contains("cannot copy"), "{error}");
}

#[test]
fn its_own_ways_of_telling_are_understood() {
    let signal = |payload| Qwen.hook(payload).unwrap().signal;
    let prompt =
        |text: &str| signal(json!({"hook_event_name": "UserPromptSubmit", "prompt": text}));
    assert!(matches!(prompt(""), Signal::Prompt { machine: true, .. }));
    let files = prompt("see @a\n--- Content from referenced files ---\nx");
    assert!(matches!(files, Signal::Prompt { text, machine: false } if text == "see @a"));
    let waits =
        |kind: &str| signal(json!({"hook_event_name": "Notification", "notification_type": kind}));
    assert!(matches!(waits("idle_prompt"), Signal::Interrupted));
    assert!(matches!(waits("permission_prompt"), Signal::Other));
    let asks = json!({"hook_event_name": "PermissionRequest", "tool_name": "edit"});
    assert!(matches!(signal(asks), Signal::Asks { .. }));
}

#[test]
fn messages_are_prepared() {
    assert!(Qwen.prepare(" /help").is_err() && Qwen.prepare(" !ls").is_err());
    assert!(Qwen.prepare("exit ").is_err());
    assert_eq!(
        Qwen.prepare("/etc/hosts it").as_deref(),
        Ok(" /etc/hosts it")
    );
    assert_eq!(Qwen.prepare(" see @a").as_deref(), Ok("see @a "));
}

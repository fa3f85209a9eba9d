use super::super::testing::{Launch, SESSION};
use super::*;

fn launch(config: &str) -> Launch {
    let mut launch = Launch::new("gemini");
    let (bin, state) = (launch.root().join("bin"), launch.root().join(".gemini"));
    fs::create_dir(&bin).unwrap();
    fs::create_dir_all(state.join("extensions/theirs")).unwrap();
    fs::create_dir(state.join("tmp")).unwrap();
    fs::write(state.join("settings.json"), "{}").unwrap();
    launch.program(&bin.join("gemini"));
    let home = launch.root().to_str().unwrap().to_owned();
    launch.server_env("HOME", &home);
    launch.server_env("PATH", bin.to_str().unwrap());
    launch.config(config);
    launch
}

#[test]
fn a_first_interactive_launch() {
    let launch = launch("{}");
    assert_eq!(
        launch.argv(),
        [
            "ROOT/bin/gemini",
            "--session-id",
            SESSION,
            "--approval-mode",
            "auto_edit",
            "--skip-trust",
            "--allowed-tools=read_file,replace,write_file,run_shell_command,glob,grep_search",
            "--prompt-interactive=do it",
        ]
    );
}

#[test]
fn a_resumed_headless_launch_with_everything_set() {
    let mut launch =
        launch(r#"{"mode": "headless", "approval": "plan", "trust": "ask", "args": ["--x"]}"#);
    launch.resume("s-1");
    launch.agent.model = Some("m".into());
    launch.agent.allowed_tools = String::new();
    launch.agent.instructions = "Be brief.".into();
    assert_eq!(
        launch.argv()[1..],
        [
            "--output-format",
            "stream-json",
            "--resume",
            "s-1",
            "--model",
            "m",
            "--approval-mode",
            "plan",
            "--x",
            "--prompt=do it",
        ]
    );
    let own = launch.run_dir().join("gemini/.gemini/extensions/abbado");
    let told = fs::read_to_string(own.join(INSTRUCTIONS)).unwrap();
    assert_eq!(told, "Be brief.");
    let manifest = fs::read_to_string(own.join("gemini-extension.json")).unwrap();
    assert!(manifest.contains(INSTRUCTIONS));
}

#[test]
fn what_is_the_users_is_linked_and_sessions_are_the_runs() {
    let launch = launch("{}");
    launch.plan().unwrap();
    let ours = launch.run_dir().join("gemini/.gemini");
    let theirs = launch.root().join(".gemini");
    for name in ["settings.json", "extensions/theirs"] {
        assert_eq!(fs::read_link(ours.join(name)).unwrap(), theirs.join(name));
    }
    assert!(!ours.join("tmp").exists());
    // What Gemini wrote stays, and a link follows a user's home that moved.
    fs::create_dir(ours.join("tmp")).unwrap();
    fs::write(ours.join("mine"), "1").unwrap();
    fs::write(theirs.join("mine"), "2").unwrap();
    launch.plan().unwrap();
    assert_eq!(fs::read_to_string(ours.join("mine")).unwrap(), "1");
    assert_eq!(fs::read_dir(theirs.join("extensions")).unwrap().count(), 1);
}

#[test]
fn a_private_state_has_nothing_of_the_users() {
    let launch = launch(r#"{"state": "private"}"#);
    launch.plan().unwrap();
    let ours = launch.run_dir().join("gemini/.gemini");
    let names: Vec<_> = fs::read_dir(ours).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn its_hooks_are_understood_and_kept_as_they_came() {
    let before = json!({"hook_event_name": "BeforeAgent", "prompt": "p", "session_id": "s"});
    let hook = Gemini.hook(before.clone()).unwrap();
    assert!(matches!(hook.signal, Signal::Prompt { text, machine: false } if text == "p"));
    assert_eq!((hook.name.as_str(), hook.payload), ("BeforeAgent", before));
    let signal = |payload| Gemini.hook(payload).unwrap().signal;
    let after = json!({"hook_event_name": "AfterAgent", "prompt_response": "r"});
    let ended = signal(after);
    assert!(matches!(ended, Signal::TurnEnded { last_message: Some(said), .. } if said == "r"));
    let result = |response: Value| {
        signal(json!({"hook_event_name": "AfterTool", "tool_name": "t", "tool_response": response}))
    };
    let failed = result(json!({"error": {"message": "no"}}));
    assert!(matches!(failed, Signal::ToolResult(it) if it.error.as_deref() == Some("no")));
    let stopped = result(json!({"llmContent": format!("{STOPPED} before")}));
    assert!(matches!(stopped, Signal::Interrupted));
    let asks = json!({"hook_event_name": "Notification", "notification_type": "ToolPermission",
        "message": "m", "details": {"title": "Run it?", "command": "ls"}});
    assert!(matches!(signal(asks), Signal::Asks { needs, .. } if needs.message.contains("ls")));
    assert!(matches!(
        signal(json!({"hook_event_name": "PreCompress"})),
        Signal::Other
    ));
}

use super::super::testing::Launch;
use super::*;

fn launch(config: &str) -> Launch {
    let mut launch = Launch::new("opencode");
    let bin = launch.root().join("bin");
    std::fs::create_dir(&bin).unwrap();
    launch.program(&bin.join("opencode"));
    launch.server_env("PATH", bin.to_str().unwrap());
    launch.config(config);
    launch
}

fn content(launch: &Launch) -> Value {
    let env = launch.plan().unwrap().env;
    let (_, content) = env.iter().find(|(name, _)| name == CONTENT).unwrap();
    serde_json::from_str(content).unwrap()
}

#[test]
fn a_first_interactive_launch() {
    let launch = launch("{}");
    assert_eq!(launch.argv(), ["ROOT/bin/opencode", "--prompt=do it"]);
    let content = content(&launch);
    let plugin = launch.run_dir().join(PLUGIN.0);
    assert_eq!(
        content["plugin"],
        json!([format!("file://{}", plugin.display())])
    );
    assert_eq!(std::fs::read_to_string(plugin).unwrap(), PLUGIN.1);
    assert_eq!(
        content["permission"],
        json!({"edit": "allow", "bash": {"*": "allow"}, "webfetch": "ask"})
    );
}

#[test]
fn a_resumed_headless_launch_with_everything_set() {
    let mut launch = launch(r#"{"mode": "headless", "approval": "auto", "state": "private"}"#);
    launch.resume("ses_1");
    launch.task = "42".into();
    launch.agent.model = Some("a/b".into());
    launch.agent.instructions = "Be brief.".into();
    let argv = launch.argv();
    assert_eq!(
        argv[1..],
        [
            "run",
            "--format",
            "json",
            "--session",
            "ses_1",
            "--model",
            "a/b",
            "--auto",
            "--",
            "42 "
        ]
    );
    let content = content(&launch);
    assert!(content.get("permission").is_none());
    let told = content["instructions"][0].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(told).unwrap(), "Be brief.");
    let env = launch.plan().unwrap().env;
    let state = launch.run_dir().join(STATE);
    for (name, folder) in STATE_VARIABLES {
        let at = state.join(folder).to_str().unwrap().to_owned();
        assert!(env.contains(&(name.to_owned(), at)));
    }
}

#[test]
fn the_plugin_gives_the_message_to_a_session_of_the_interface() {
    let mut launch = launch("{}");
    launch.resume("ses_\"1");
    assert_eq!(launch.argv(), ["ROOT/bin/opencode", "--session", "ses_\"1"]);
    let plugin = std::fs::read_to_string(launch.run_dir().join(PLUGIN.0)).unwrap();
    assert!(plugin.contains("\nconst RESUMED = \"ses_\\\"1\"\n"));
}

#[test]
fn configuration_of_the_same_variable_is_added_to() {
    let mut launch = launch("{}");
    launch.agent.allowed_tools = "Bash(git log:*, git diff),WebFetch".into();
    launch.server_env(CONTENT, r#"{"plugin": ["x"], "model": "a/b"}"#);
    let content = content(&launch);
    assert_eq!(content["model"], "a/b");
    assert_eq!(content["plugin"].as_array().unwrap().len(), 2);
    let bash = &content["permission"]["bash"];
    assert_eq!(
        bash,
        &json!({"*": "ask", "git log *": "allow", "git diff": "allow"})
    );
    launch.server_env("OTHER", "x");
    launch.config(r#"{"env": {"OPENCODE_CONFIG_CONTENT": "{ no JSON"}}"#);
    assert!(launch.plan().is_err());
}

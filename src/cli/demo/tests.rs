//! The plan of the demo; the agent itself is tested as a program in `tests/`.

use super::super::testing::{Launch, SESSION};
use super::*;

fn parsed(args: &[&str]) -> Result<Options, lexopt::Error> {
    options(args.iter().map(OsString::from))
}

#[test]
fn the_plan_is_what_the_agent_understands() {
    let mut launch = Launch::new("demo");
    launch.task = "--exit".into();
    launch.config(r#"{"args": ["--pace", "0"]}"#);
    let argv = launch.argv();
    assert_eq!(
        argv,
        [
            "ROOT/abbado",
            "demo-agent",
            "--session-id",
            SESSION,
            "--pace",
            "0",
            "--",
            "--exit"
        ]
    );
    let args: Vec<&str> = argv[2..].iter().map(String::as_str).collect();
    let options = parsed(&args).unwrap();
    assert_eq!(options.task, "--exit");
    assert!(!options.exit && !options.resumed);
    assert_eq!(
        (options.session_id.as_str(), options.pace),
        (SESSION, Duration::ZERO)
    );
    launch.resume("s-1");
    assert_eq!(launch.argv()[2..4], ["--resume", "s-1"]);
}

#[test]
fn unknown_arguments_are_named() {
    assert!(
        parsed(&["--what"])
            .unwrap_err()
            .to_string()
            .contains("--what")
    );
    assert!(parsed(&["--pace", "soon"]).is_err());
    assert!(parsed(&["--hold"]).is_err());
    let alone = parsed(&["--exit", "--hold=/go"]).unwrap();
    assert_eq!(alone.hold, Some("/go".into()));
    assert!(alone.exit && !alone.session_id.is_empty());
    assert_eq!(alone.pace, PACE_DEFAULT);
}

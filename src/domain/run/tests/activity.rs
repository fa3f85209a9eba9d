//! Every text of `activity`, with what leads to it; docs/activity.md lists the same ones.

use super::support::*;
use crate::domain::run::{
    Event, Status,
    command::{Command, Observation, Signal},
    event::*,
    state::NO_HOOK,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// As the docs have it, as it is shown, and the run.
type Case = (&'static str, &'static str, Status, Live);

/// The CLI runs and told nothing yet.
fn mute() -> [Event; 2] {
    [launching(1), spawned(1)]
}

fn subagent(name: &str) -> Command {
    let (agent_id, agent_type, last_message) = ("a1".into(), "Explore".into(), None);
    let signal = if name == "SubagentStart" {
        Signal::SubagentStart(SubagentStart {
            agent_id,
            agent_type,
            last_message,
        })
    } else {
        Signal::SubagentStop(SubagentStop {
            agent_id,
            agent_type,
            last_message,
        })
    };
    of_subagent(hook(name, Some("t1"), signal))
}

fn asking(kind: &str, tool_input: Value) -> Command {
    let needs = NeedsAttention {
        kind: kind.into(),
        message: "well?".into(),
        tool_name: Some("Bash".into()),
        tool_input: Some(tool_input),
    };
    hook("PermissionRequest", None, Signal::NeedsAttention(needs))
}

fn carrying(command: Command, carried: Value) -> Command {
    let Command::Hook { mut hook, observed } = command else {
        panic!("a hook")
    };
    hook.payload = carried;
    Command::Hook { hook, observed }
}

fn background(descriptions: &[&str]) -> Command {
    let signal = Signal::TurnEnded {
        last_message: None,
        background: true,
    };
    let task = |text: &&str| json!({"type": "subagent", "status": "running", "description": text});
    let mut tasks: Vec<Value> = descriptions.iter().map(task).collect();
    tasks.push(json!({"type": "shell", "status": "completed", "description": "done before"}));
    let payload = json!({ "background_tasks": tasks });
    carrying(hook("Stop", Some("t1"), signal), payload)
}

fn compacting() -> Command {
    hook("PreCompact", Some("t1"), Signal::Compacting)
}

fn compacted() -> Command {
    hook("PostCompact", Some("t1"), Signal::Compacted)
}

fn token() -> Command {
    let (text, message_id) = ("a".into(), None);
    hook("MessageDisplay", None, Signal::Token { text, message_id })
}

fn working(commands: impl IntoIterator<Item = Command>) -> Live {
    given(running()).after(commands)
}

fn command_resumed() -> Vec<Event> {
    let log = vec![launching(1), spawned(1), session(S1), completed_by_exit()];
    let again = [said("more", DeliveredBy::Resume), continued(), launching(2)];
    with(with(log, [exited(1, Some(0), ExitedBy::Itself)]), again)
}

/// Shown as it is listed.
const fn same(text: &'static str, status: Status, live: Live) -> Case {
    (text, text, status, live)
}

fn starting() -> Vec<Case> {
    use Status::{Queued, Running};
    let first = "waiting for the first prompt";
    let (preparing, ending) = ("preparing worktrees", "ending the old process");
    let seen = [Observation::Message {
        text: "hm".into(),
        message_id: None,
    }];
    vec![
        (preparing, preparing, Queued, given([])),
        (preparing, preparing, Running, given(resuming())),
        (
            preparing,
            preparing,
            Running,
            given(replacing()).after([gone(1, 0)]),
        ),
        (
            "starting the CLI",
            "starting the CLI",
            Queued,
            given([launching(1)]),
        ),
        (first, first, Queued, given(queued())),
        (
            first,
            first,
            Running,
            given(with(resuming(), [launching(2), spawned(2)])),
        ),
        (
            first,
            first,
            Queued,
            given(queued()).after([Command::Observed(seen.to_vec())]),
        ),
        (ending, ending, Running, given(replacing())),
        // What the old process still says is no evidence of the new one's doing.
        (
            ending,
            ending,
            Running,
            given(replacing()).after([tool_call(None), token()]),
        ),
        (
            "the process runs",
            "the process runs",
            Running,
            given_created(created_command(), [launching(1)]).after([runs_and_works(1)]),
        ),
        (
            "the process runs",
            "the process runs",
            Running,
            given_created(created_command(), command_resumed()).after([runs_and_works(2)]),
        ),
    ]
}

fn at_work() -> Vec<Case> {
    let question = || {
        asking(
            "permission_prompt",
            json!({"questions": [{"question": "which?"}]}),
        )
    };
    let bare = |kind| asking(kind, Value::Null);
    let (called, answered) = (|| tool_call(Some("t1")), || tool_result(Some("t1")));
    let same = |text, commands: Vec<Command>| same(text, Status::Running, working(commands));
    vec![
        same("thinking", vec![]),
        same("thinking", vec![called(), answered()]),
        same("thinking", vec![question(), answered()]),
        same(
            "thinking",
            vec![background(&["a"]), machine_prompt(Some("t2"))],
        ),
        same("writing", vec![token()]),
        same("waiting for your permission", vec![called(), attention()]),
        same("waiting for your answer", vec![question()]),
        same(
            "waiting for your answer",
            vec![question(), bare("permission_prompt")],
        ),
        same("waiting for a person", vec![bare("x")]),
        same("waiting for a prompt", vec![bare("idle_prompt")]),
        same("compacting", vec![compacting()]),
        same("compacted", vec![compacting(), compacted()]),
    ]
}

fn named_work() -> Vec<Case> {
    let subagents = ["SubagentStart", "SubagentStop"].map(subagent);
    let [started, ended] = subagents;
    let case = |listed, shown, commands: Vec<Command>| {
        let live = working(commands);
        (listed, shown, Status::Running, live)
    };
    let task = "background task {description}";
    vec![
        case("tool {name}", "tool Bash", vec![tool_call(Some("t1"))]),
        case("subagent {type}", "subagent Explore", vec![started.clone()]),
        case(
            "subagent {type} ended",
            "subagent Explore ended",
            vec![started, ended],
        ),
        case(task, "background task look", vec![background(&["look"])]),
        case(
            task,
            "background task look and 1 more",
            vec![background(&["look", "build"])],
        ),
    ]
}

fn silences() -> Vec<Case> {
    use Status::{Queued, Running};
    let (hook, event) = (Missing::Hook, Missing::Event);
    let (no_hook, no_event) = (
        "The CLI has run for 30 s and sent no hook: {hint}.",
        "no event for 90 s, last: {what}",
    );
    let sentence = "The CLI has run for 30 s and sent no hook: it may be waiting for a login or a \
                    dialog, or its hooks are switched off; open its terminal and look.";
    let headless = "The CLI has run for 30 s and sent no hook: it may lack a login or the \
                    network, or its hooks are switched off; look at its output.";
    let long = |attempt| Command::Silent {
        attempt,
        missing: event,
        millis: 90_000,
    };
    let again = with(resuming(), [launching(2), spawned(2)]);
    vec![
        (
            no_hook,
            sentence,
            Queued,
            given(mute()).after([silent(1, hook)]),
        ),
        (
            no_hook,
            sentence,
            Running,
            given(again).after([silent(2, hook), long(2)]),
        ),
        (
            no_hook,
            headless,
            Queued,
            given_created(created_headless(), mute()).after([silent(1, hook)]),
        ),
        (
            no_event,
            "no event for 90 s, last: thinking",
            Running,
            working([long(1)]),
        ),
        (
            no_event,
            "no event for 90 s, last: tool Bash",
            Running,
            working([tool_call(None), long(1)]),
        ),
    ]
}

/// Stopped at work and at its prompt, until it is let go on.
fn halts() -> Vec<Case> {
    let by = |signal: Option<&str>| Command::Stopped {
        attempt: 1,
        signal: signal.map(str::to_owned),
    };
    let named = "stopped by {signal}";
    let tstp = by(Some("SIGTSTP"));
    vec![
        (
            named,
            "stopped by SIGTSTP",
            Status::Running,
            working([tool_call(None), tstp.clone()]),
        ),
        (named, "stopped", Status::Running, working([by(None)])),
        (
            named,
            "stopped by SIGTSTP",
            Status::Paused,
            given(resting()).after([tstp.clone()]),
        ),
        (
            "tool {name}",
            "tool Bash",
            Status::Running,
            working([tool_call(None), tstp, Command::Continued { attempt: 1 }]),
        ),
    ]
}

#[test]
fn a_stopped_cli_is_not_silent_and_its_wait_begins_anew() {
    let stopped = Command::Stopped {
        attempt: 1,
        signal: None,
    };
    let live = working([stopped.clone()]);
    assert!(!live.run.waits_for_event());
    live.when(silent(1, Missing::Event)).then_nothing();
    let live = working([stopped, Command::Continued { attempt: 1 }]);
    assert!(live.run.waits_for_event());
    assert_eq!(live.run.heard_at, live.run.updated_at);
    assert_eq!(live.run.runs_since, live.run.updated_at);
}

fn at_rest() -> Vec<Case> {
    let prompt = "waiting for a prompt";
    let rests = |text, live| same(text, Status::Paused, live);
    let rested = |commands: Vec<Command>| given(resting()).after(commands);
    let compact = [compacting(), compacted()];
    let limited = {
        let mut created = created();
        created.agent.max_turns = 1;
        given_created(created, running()).after([turn_ended(Some("t1"))])
    };
    let exits = |shown, exit| {
        (
            "the CLI exited with code {code}",
            shown,
            Status::Paused,
            rested(vec![exit]),
        )
    };
    vec![
        rests(prompt, given(resting())),
        rests(prompt, rested(vec![asking("idle_prompt", Value::Null)])),
        rests("compacting", rested(compact[..1].to_vec())),
        rests(prompt, rested(compact.to_vec())),
        rests(
            "interrupted in the terminal",
            working([interrupted(Some("t1"))]),
        ),
        rests("max_turns was reached", limited),
        rests(
            "paused on request",
            working([stop(StopBy::Pause), killed(1)]),
        ),
        rests(
            "put to rest by the idle limit",
            rested(vec![stop(StopBy::Idle), killed(1)]),
        ),
        rests("the process vanished", working([lost(1)])),
        exits("the CLI exited with code 1", gone(1, 1)),
        exits("the CLI was ended by SIGKILL", killed(1)),
    ]
}

fn at_the_end() -> Vec<Case> {
    use Status::{Cancelled, Completed, Failed, Paused, Running};
    let ending = |shown, status, log: Vec<Event>, commands: Vec<Command>| {
        ("ending: {by}", shown, status, given(log).after(commands))
    };
    let failed = |shown, live| ("failed: {stage}", shown, Failed, live);
    let stage = |stage| given([super::support::failed(stage, None)]);
    let (cancel, delete) = (stop(StopBy::Cancel), stop(StopBy::Delete));
    vec![
        ending(
            "ending: cancel",
            Running,
            running(),
            vec![cancel.clone(), tool_call(None)],
        ),
        ending(
            "ending: pause",
            Running,
            running(),
            vec![stop(StopBy::Pause), token()],
        ),
        ending("ending: delete", Completed, over(), vec![delete]),
        ending(
            "ending: idle limit",
            Paused,
            resting(),
            vec![stop(StopBy::Idle)],
        ),
        same(
            "cancelled on request",
            Cancelled,
            working([cancel, killed(1)]),
        ),
        same("ended: session_end", Completed, given(lingering())),
        same("ended: session_end", Completed, given(over())),
        same("ended: exit", Completed, working([gone(1, 0)])),
        failed("failed: worktree", stage(Stage::Worktree)),
        failed("failed: setup", stage(Stage::Setup)),
        failed("failed: launch", stage(Stage::Launch)),
        failed("failed: agent", working([turn_failed(Some("t1"))])),
        failed("failed: exit", working([gone(1, 1)])),
        failed("failed: lost", given([launching(1)]).after([lost(1)])),
    ]
}

#[test]
fn every_text_has_its_evidence() {
    let cases = [
        starting(),
        at_work(),
        named_work(),
        silences(),
        halts(),
        at_rest(),
        at_the_end(),
    ]
    .concat();
    let mut listed = BTreeSet::new();
    for (pattern, shown, status, live) in cases {
        let run = &live.run;
        let seen = (run.activity().what, run.status);
        assert_eq!(seen, (shown.to_owned(), status), "{:#?}", live.log);
        listed.insert(pattern.to_owned());
    }
    let page = include_str!("../../../../docs/activity.md");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let texts = rows.filter_map(|row| row.split('`').nth(1).filter(|_| !row.contains("| what |")));
    assert_eq!(texts.map(str::to_owned).collect::<BTreeSet<_>>(), listed);
}

#[test]
fn the_first_hook_takes_the_call_back() {
    let live = given(mute())
        .when(silent(1, Missing::Event))
        .then_nothing()
        .when(silent(1, Missing::Hook))
        .then_types(&["run.quiet", "agent.needs_attention"]);
    let asked = live.run.attention.clone().expect("a person is called");
    assert_eq!(
        (asked.kind.as_str(), asked.message),
        (NO_HOOK, live.run.activity().what)
    );
    assert_eq!(live.run.activity().since, live.run.spawned_at);
    // The transcript of a resumed session may grow without any hook: that is no hook.
    let said = Observation::Message {
        text: "hm".into(),
        message_id: None,
    };
    let live = live.after([Command::Observed(vec![said])]);
    assert!(live.run.quiet.is_some() && live.run.attention.is_some());
    for first in [
        hook(
            "SessionStart",
            None,
            Signal::SessionStarted { switches: false },
        ),
        prompt(TASK, Some("t1")),
        tool_call(None),
        attention(),
        token(),
        compacting(),
    ] {
        let live = live.clone().after([first]);
        assert!(live.run.quiet.is_none(), "{:#?}", live.log);
        let kind = live.run.attention.as_ref().map(|asked| asked.kind.as_str());
        assert!(kind != Some(NO_HOOK), "{:#?}", live.log);
        live.when(silent(1, Missing::Hook)).then_nothing();
    }
}

#[test]
fn a_silence_is_told_once_and_ended_by_any_word() {
    let live = working([silent(1, Missing::Event)]);
    let since = live.run.heard_at;
    assert_eq!(live.run.activity().since, since);
    assert!(live.run.attention.is_none(), "most silences are honest");
    let live = live.when(silent(1, Missing::Event)).then_nothing();
    // A person's doings are no word of the CLI.
    let live = live.after([
        Command::SetNotify { notify: true },
        worked(),
        enqueue(2, "later"),
    ]);
    assert_eq!((live.run.heard_at, live.run.quiet.is_some()), (since, true));
    let said = Observation::Message {
        text: "hm".into(),
        message_id: None,
    };
    let live = live.after([Command::Observed(vec![said])]);
    assert_eq!(live.run.activity().what, "thinking");
    live.when(silent(1, Missing::Event))
        .then_types(&["run.quiet"]);
}

#[test]
fn an_open_question_explains_a_silence() {
    let live = working([attention()]);
    let live = live.when(silent(1, Missing::Event)).then_nothing();
    let live = live.after([tool_result(Some("t1"))]);
    live.when(silent(1, Missing::Event))
        .then_types(&["run.quiet"]);
}

#[test]
fn a_headless_cli_without_a_hook_calls_nobody() {
    let live = given_created(created_headless(), mute());
    live.when(silent(1, Missing::Hook))
        .then_types(&["run.quiet"]);
}

#[test]
fn a_program_without_hooks_owes_none() {
    let live = given_created(created_command(), [launching(1)]).after([runs_and_works(1)]);
    let live = live.when(silent(1, Missing::Hook)).then_nothing();
    live.when(silent(1, Missing::Event))
        .then_types(&["run.quiet"]);
}

#[test]
fn each_launch_owes_a_hook_of_its_own() {
    let log = with(resuming(), [launching(2), spawned(2)]);
    let live = given(log).when(silent(1, Missing::Hook)).then_nothing();
    let live = live
        .when(silent(2, Missing::Hook))
        .then_types(&["run.quiet", "agent.needs_attention"]);
    let live = live.after([prompt("more", Some("t2"))]);
    assert!(live.run.attention.is_none() && live.run.quiet.is_none());
}

//! `given(events).when(command).then(events)`, and short names for events and commands.

use crate::domain::{
    Agent, AgentId, ProjectId, RepoId, RunId, Time,
    project::SetUp,
    run::{
        Command, Effect, Event, Rejection, Run, Status,
        callers::Callers,
        command::{Exit, Hook, Observation, Signal, Usage},
        decide::decide,
        effect,
        event::*,
    },
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

mod approvals;
mod messages;
pub use approvals::*;
pub use messages::*;

pub const TASK: &str = "make it work";
pub const S1: &str = "session-1";
pub const S2: &str = "session-2";

/// A run at work, with its log and everything it wanted of the world.
#[derive(Debug, Clone)]
pub struct Live {
    pub run: Run,
    pub log: Vec<Event>,
    pub effects: Vec<Effect>,
}

/// A run whose log is `run.created` and then these.
pub fn given(events: impl IntoIterator<Item = Event>) -> Live {
    given_created(created(), events)
}

pub fn given_created(created: RunCreated, events: impl IntoIterator<Item = Event>) -> Live {
    let run = Run::create(RunId(Uuid::from_u128(1)), &created, at(1));
    let mut live = Live {
        run,
        log: vec![created.into()],
        effects: Vec::new(),
    };
    events.into_iter().for_each(|event| live.append(event));
    live
}

/// What a command came to.
#[derive(Debug)]
pub struct Outcome {
    pub live: Live,
    decision: Result<Vec<Event>, Rejection>,
}

impl Live {
    pub fn append(&mut self, event: Event) {
        self.log.push(event);
        let time = at(self.log.len());
        self.run.apply(self.log.last().expect("just pushed"), time);
    }

    /// Decides, and applies what was chosen.
    pub fn tell(&mut self, command: Command) -> Result<Vec<Event>, Rejection> {
        let events = decide(&self.run, command)?;
        events.iter().cloned().for_each(|event| self.append(event));
        self.effects = effect::after(&self.run, &events);
        Ok(events)
    }

    pub fn when(mut self, command: Command) -> Outcome {
        let decision = self.tell(command);
        Outcome {
            live: self,
            decision,
        }
    }

    /// Tells several, none of which may be refused.
    pub fn after(mut self, commands: impl IntoIterator<Item = Command>) -> Self {
        for command in commands {
            self.tell(command.clone())
                .unwrap_or_else(|refusal| panic!("{command:?} was refused: {refusal}"));
        }
        self
    }

    #[track_caller]
    pub fn is(self, status: Status) -> Self {
        assert_eq!(self.run.status, status, "log: {:#?}", self.log);
        self
    }
}

impl Outcome {
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = Event>) -> Live {
        let expected: Vec<Event> = expected.into_iter().collect();
        assert_eq!(self.decision, Ok(expected));
        self.live
    }

    #[track_caller]
    pub fn then_nothing(self) -> Live {
        self.then([])
    }

    #[track_caller]
    pub fn then_refused(self, rejection: Rejection) -> Live {
        assert_eq!(self.decision, Err(rejection));
        self.live
    }

    /// The names of the chosen events, where their payloads are the matter of another test.
    #[track_caller]
    pub fn then_types(self, expected: &[&str]) -> Live {
        let events = self.decision.expect("a command that is taken");
        let types: Vec<&str> = events.iter().map(Event::event_type).collect();
        assert_eq!(types, expected, "{events:#?}");
        self.live
    }
}

pub fn at(seconds: usize) -> Time {
    let millis = i64::try_from(seconds).expect("a small number") * 1000;
    Time::from_timestamp_millis(millis).expect("a time")
}

// Events.

pub fn created() -> RunCreated {
    RunCreated {
        task: TASK.into(),
        source_branch: "HEAD".into(),
        run_branch: "abbado/run-00000000".into(),
        project_id: ProjectId(Uuid::from_u128(2)),
        agent_id: AgentId(Uuid::from_u128(3)),
        parent_run_id: None,
        notify: false,
        agent: agent(),
        repos: vec![RepoBase {
            repo_id: RepoId(Uuid::from_u128(4)),
            name: "api".into(),
            repo_path: "/home/dev/api".into(),
            base_commit: "0".repeat(40),
            source: None,
        }],
        set_up: SetUp::default(),
    }
}

pub fn agent() -> Agent {
    Agent {
        id: AgentId(Uuid::from_u128(3)),
        project_id: ProjectId(Uuid::from_u128(2)),
        name: "builder".into(),
        cli_name: "claude-code".into(),
        model: None,
        instructions: String::new(),
        allowed_tools: "Read".into(),
        max_turns: 100,
        provider_config: Map::new(),
        role: "builder".into(),
        created_at: at(0),
        updated_at: at(0),
    }
}

/// A run of a program that tells no prompts.
pub fn created_command() -> RunCreated {
    let mut created = created();
    created.agent.cli_name = "command".into();
    created
}

/// A run whose CLI is in print mode: it reads nothing after its prompt.
pub fn created_headless() -> RunCreated {
    let mut created = created();
    created.agent.provider_config = Map::from_iter([("mode".to_owned(), json!("headless"))]);
    created
}

pub fn launching(attempt: u32) -> Event {
    ProcessLaunching { attempt }.into()
}

fn process(attempt: u32) -> ProcessSpawned {
    ProcessSpawned {
        attempt,
        pid: 100 + attempt,
        argv: vec!["claude".into()],
        cols: 80,
        rows: 24,
        output_offset: 0,
    }
}

pub fn spawned(attempt: u32) -> Event {
    process(attempt).into()
}

pub fn session(id: &str) -> Event {
    SessionInit {
        session_id: id.into(),
        cli_version: None,
        model: None,
        transcript_path: None,
        callers: Callers::default(),
    }
    .into()
}

/// Started by the task's own prompt.
pub fn started(turn: &str) -> Event {
    RunStarted {
        by: StartedBy::Prompt,
        turn_id: Some(turn.into()),
        own_prompt: true,
    }
    .into()
}

/// Started by a tool, or by a prompt that was typed in the terminal.
pub fn restarted(turn: Option<&str>) -> Event {
    RunStarted {
        by: StartedBy::Prompt,
        turn_id: turn.map(str::to_owned),
        own_prompt: false,
    }
    .into()
}

pub fn continued() -> Event {
    RunStarted {
        by: StartedBy::Continue,
        turn_id: None,
        own_prompt: false,
    }
    .into()
}

pub fn paused(by: PausedBy, turn: Option<&str>) -> Event {
    RunPaused {
        by,
        last_message: None,
        turn_id: turn.map(str::to_owned),
    }
    .into()
}

pub fn completed() -> Event {
    RunCompleted {
        reason: CompletedBy::SessionEnd,
        exit_code: None,
    }
    .into()
}

pub fn completed_by_exit() -> Event {
    RunCompleted {
        reason: CompletedBy::Exit,
        exit_code: Some(0),
    }
    .into()
}

pub fn failed(stage: Stage, turn: Option<&str>) -> Event {
    RunFailed {
        reason: "no luck".into(),
        stage,
        detail: String::new(),
        turn_id: turn.map(str::to_owned),
    }
    .into()
}

pub fn cancelled() -> Event {
    RunCancelled {}.into()
}

pub fn stop_requested(by: StopBy) -> Event {
    StopRequested { by }.into()
}

pub fn exited(attempt: u32, code: Option<i32>, by: ExitedBy) -> Event {
    ProcessExited {
        exit_code: code,
        signal: None,
        by,
        attempt,
    }
    .into()
}

pub fn kept(name: &str, ignored: bool) -> Event {
    let signal = match name {
        "Stop" => Some(HookSignal::TurnEnded),
        "SessionEnd" => Some(HookSignal::SessionEnded),
        _ => None,
    };
    HookReceived {
        hook_event_name: name.into(),
        signal,
        payload: json!({}),
        turn_id: None,
        ignored,
        nested: false,
        callers: Callers::default(),
    }
    .into()
}

// Places a run can be in; each is a log after `run.created`.

/// The CLI runs and waits for its first prompt.
pub fn queued() -> Vec<Event> {
    vec![launching(1), spawned(1), session(S1)]
}

/// Turn `t1` works on the task.
pub fn running() -> Vec<Event> {
    with(queued(), [started("t1")])
}

/// Turn `t1` is over, the CLI waits at its prompt.
pub fn resting() -> Vec<Event> {
    with(running(), [paused(PausedBy::Stop, Some("t1"))])
}

/// The session is over; its process is still there.
pub fn lingering() -> Vec<Event> {
    with(running(), [completed()])
}

/// The turn failed; the CLI waits at its prompt.
pub fn failed_at_prompt() -> Vec<Event> {
    with(running(), [failed(Stage::Agent, Some("t1"))])
}

/// Completed, and the process has gone.
pub fn over() -> Vec<Event> {
    with(lingering(), [exited(1, Some(0), ExitedBy::Itself)])
}

/// Continued with `more` after it was over: worktrees are made ready again.
pub fn resuming() -> Vec<Event> {
    with(over(), [said("more", DeliveredBy::Resume), continued()])
}

/// Continued with `more` while the old process lingers.
pub fn replacing() -> Vec<Event> {
    with(
        lingering(),
        [said("more", DeliveredBy::Resume), continued()],
    )
}

pub fn with(mut log: Vec<Event>, more: impl IntoIterator<Item = Event>) -> Vec<Event> {
    log.extend(more);
    log
}

// Commands.

pub fn stop(by: StopBy) -> Command {
    Command::Stop { by }
}

pub fn ready() -> Command {
    Command::WorktreesReady { created: None }
}

pub fn set_up_failed(stage: Stage) -> Command {
    Command::SetUpFailed {
        stage,
        reason: "no luck".into(),
        detail: String::new(),
        removed: None,
    }
}

pub fn runs(attempt: u32) -> Command {
    Command::Spawned {
        process: process(attempt),
        works_at_once: false,
    }
}

/// The same of an adapter without a prompt hook.
pub fn runs_and_works(attempt: u32) -> Command {
    Command::Spawned {
        process: process(attempt),
        works_at_once: true,
    }
}

pub fn exit(attempt: u32, code: Option<i32>) -> Exit {
    Exit {
        attempt,
        code,
        signal: code.is_none().then(|| "SIGKILL".to_owned()),
        lost: false,
        detail: String::new(),
        observed: Vec::new(),
        checkpoint: None,
    }
}

pub fn gone(attempt: u32, code: i32) -> Command {
    Command::Exited(exit(attempt, Some(code)))
}

pub fn killed(attempt: u32) -> Command {
    Command::Exited(exit(attempt, None))
}

pub fn lost(attempt: u32) -> Command {
    Command::Exited(Exit {
        signal: None,
        lost: true,
        ..exit(attempt, None)
    })
}

pub fn deleted() -> Command {
    Command::Deleted {
        removed: Vec::new(),
        millis: 1,
    }
}

/// The work was committed.
pub fn worked() -> Command {
    let (message, repos) = ("Fix it".to_owned(), Vec::new());
    Command::Worked(vec![RunCommitted { message, repos }.into()])
}

/// A hook of session 1.
pub fn hook(name: &str, turn: Option<&str>, signal: Signal) -> Command {
    hook_of(S1, name, turn, signal, &[])
}

/// The same hook from within a subagent.
pub fn of_subagent(mut command: Command) -> Command {
    if let Command::Hook { hook, .. } = &mut command {
        hook.subagent = true;
    }
    command
}

pub fn hook_of(
    session: &str,
    name: &str,
    turn: Option<&str>,
    signal: Signal,
    observed: &[Observation],
) -> Command {
    let payload = match &signal {
        Signal::Prompt { text, .. } => json!({ "prompt": text }),
        _ => json!({}),
    };
    Command::Hook {
        hook: Hook {
            callers: Callers::default(),
            name: name.into(),
            session_id: Some(session.into()),
            turn_id: turn.map(str::to_owned),
            transcript_path: None,
            model: None,
            subagent: false,
            terms: None,
            signal,
            payload,
        },
        observed: observed.to_vec(),
    }
}

/// The same hook with news from the transcript.
pub fn seeing(command: Command, news: &[Observation]) -> Command {
    let Command::Hook { hook, .. } = command else {
        panic!("a hook")
    };
    Command::Hook {
        hook,
        observed: news.to_vec(),
    }
}

pub fn prompt(text: &str, turn: Option<&str>) -> Command {
    let (text, machine) = (text.into(), false);
    hook("UserPromptSubmit", turn, Signal::Prompt { text, machine })
}

pub fn machine_prompt(turn: Option<&str>) -> Command {
    let (text, machine) = ("<task-notification>".into(), true);
    hook("UserPromptSubmit", turn, Signal::Prompt { text, machine })
}

pub fn turn_ended(turn: Option<&str>) -> Command {
    let (last_message, background) = (None, false);
    let signal = Signal::TurnEnded {
        last_message,
        background,
    };
    hook("Stop", turn, signal)
}

pub fn turn_failed(turn: Option<&str>) -> Command {
    let reason = "no luck".into();
    hook("StopFailure", turn, Signal::TurnFailed { reason })
}

pub fn session_ended() -> Command {
    hook(
        "SessionEnd",
        None,
        Signal::SessionEnded { continues: false },
    )
}

pub fn interrupted(turn: Option<&str>) -> Command {
    hook("Interrupt", turn, Signal::Interrupted)
}

pub fn call(name: &str, id: &str, input: Value) -> ToolCall {
    ToolCall {
        tool_name: name.into(),
        tool_input: input,
        tool_use_id: Some(id.into()),
        agent_id: None,
    }
}

pub fn result(name: &str, id: &str, response: Value) -> ToolResult {
    ToolResult {
        tool_name: name.into(),
        tool_use_id: Some(id.into()),
        tool_response: Some(response),
        error: None,
        agent_id: None,
    }
}

pub fn tool_call(turn: Option<&str>) -> Command {
    let call = call("Bash", "u1", json!({"command": "ls"}));
    hook("PreToolUse", turn, Signal::ToolCall(call))
}

pub fn tool_result(turn: Option<&str>) -> Command {
    let result = result("Bash", "u1", json!("ok"));
    hook("PostToolUse", turn, Signal::ToolResult(result))
}

/// Nothing of this kind was heard for half a minute.
pub fn silent(attempt: u32, missing: Missing) -> Command {
    Command::Silent {
        attempt,
        missing,
        millis: 30_000,
    }
}

pub fn attention() -> Command {
    let needs = NeedsAttention {
        kind: "permission_prompt".into(),
        message: "may I?".into(),
        tool_name: None,
        tool_input: None,
    };
    hook("PermissionRequest", None, Signal::NeedsAttention(needs))
}

pub fn usage(tokens_out: u64) -> Usage {
    Usage {
        tokens_out,
        cost_usd: 0.1 + 0.2,
        transcript_offset: tokens_out * 10,
        ..Usage::default()
    }
}

//! What holds after any list of commands whatever.
//!
//! A state is *decided* (spec: late facts, "Stopping is a request and an outcome") when
//! - a stop was requested: until the process ends, only its outcome is left;
//! - no CLI runs: there is nobody whose words could be news;
//! - the run is completed or cancelled, also while its process lingers;
//! - the run failed: but for a prompt of another turn at a CLI whose session is open;
//! - an old process is being replaced: only its end is waited for.
//!
//! And a *turn* is decided once it ended: its own hooks move nothing, whatever the state.

use super::support::*;
use crate::domain::run::{
    Command, Effect, Event, Run, Status,
    command::{Exit, Observation, Signal, Usage},
    decide::decide,
    event::*,
    state::Process,
    view,
};
use proptest::{prelude::*, sample::select};
use serde_json::json;

const TURNS: [Option<&str>; 4] = [None, Some("t1"), Some("t2"), Some("t3")];
const SESSIONS: [&str; 3] = [S1, S2, "session-3"];

fn observations() -> impl Strategy<Value = Vec<Observation>> {
    let one = prop_oneof![
        Just(Observation::Interrupted { turn_id: None }),
        Just(Observation::Ended {
            failure: None,
            turn_id: None
        }),
        Just(Observation::Ended {
            failure: Some("no luck".into()),
            turn_id: None,
        }),
        select(&SESSIONS[..]).prop_map(|id| Observation::Session {
            session_id: id.into(),
            cli_version: None,
            model: Some("opus".into()),
        }),
        (0..3u64).prop_map(|id| Observation::Message {
            text: "done".into(),
            message_id: (id > 0).then(|| id.to_string()),
        }),
        (0..3u64, any::<f64>()).prop_map(|(tokens, cost_usd)| {
            Observation::Usage(Usage {
                cost_usd,
                ..usage(tokens)
            })
        }),
    ];
    prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(one, 1..4)]
}

fn signals() -> impl Strategy<Value = Signal> {
    let (texts, tools) = (
        [TASK, "more", "again", "hello"],
        ["Bash", "TaskCreate", "TaskUpdate"],
    );
    let input = json!({"subject": "a", "taskId": "1", "status": "completed", "price": 0.1});
    let response = json!({"task": {"id": "1"}});
    prop_oneof![
        any::<bool>().prop_map(|switches| Signal::SessionStarted { switches }),
        (select(texts.to_vec()), any::<bool>()).prop_map(|(text, machine)| Signal::Prompt {
            text: text.into(),
            machine
        }),
        (select(tools.to_vec()), 0..3u8).prop_map(move |(tool, id)| Signal::ToolCall(call(
            tool,
            &id.to_string(),
            input.clone()
        ))),
        (select(tools.to_vec()), 0..3u8).prop_map(move |(tool, id)| Signal::ToolResult(result(
            tool,
            &id.to_string(),
            response.clone()
        ))),
        Just(Signal::NeedsAttention(NeedsAttention {
            kind: "idle_prompt".into(),
            message: "well?".into(),
            tool_name: None,
            tool_input: None,
        })),
        Just(Signal::Token {
            text: "a".into(),
            message_id: None
        }),
        any::<bool>().prop_map(|background| Signal::TurnEnded {
            last_message: None,
            background
        }),
        Just(Signal::TurnFailed {
            reason: "no luck".into()
        }),
        Just(Signal::Interrupted),
        any::<bool>().prop_map(|continues| Signal::SessionEnded { continues }),
        Just(Signal::Compacting),
        Just(Signal::Compacted),
        Just(Signal::Other),
    ]
}

fn hook_name(signal: &Signal) -> &'static str {
    match signal {
        Signal::Prompt { .. } => "UserPromptSubmit",
        Signal::TurnEnded { .. } => "Stop",
        Signal::SessionEnded { .. } => "SessionEnd",
        _ => "Other",
    }
}

fn hooks() -> impl Strategy<Value = Command> {
    let turns = select(&TURNS[..]);
    let sessions = select(&SESSIONS[..]);
    (signals(), turns, sessions, observations()).prop_map(|(signal, turn, session, observed)| {
        hook_of(session, hook_name(&signal), turn, signal, &observed)
    })
}

fn exits() -> impl Strategy<Value = Command> {
    let codes = select(vec![None, Some(0), Some(1), Some(143)]);
    (1..4u32, codes, any::<bool>(), observations()).prop_map(|(attempt, code, lost, observed)| {
        Command::Exited(Exit {
            lost,
            observed,
            ..exit(attempt, code)
        })
    })
}

/// Facts that a CLI tells, or that were told of an older process.
fn words_of_a_cli() -> impl Strategy<Value = Command> {
    prop_oneof![4 => hooks(), 1 => observations().prop_map(Command::Observed)]
}

fn commands() -> impl Strategy<Value = Command> {
    let stops = [StopBy::Cancel, StopBy::Pause, StopBy::Delete, StopBy::Idle];
    prop_oneof![
        2 => select(vec!["more", "again"]).prop_map(go_on),
        2 => (1..4u128, select(vec!["more", "again"])).prop_map(|(id, text)| enqueue(id, text)),
        1 => (1..4u128).prop_map(|id| Command::Unqueue { id: message(id) }),
        1 => Just(vec![2, 1]).prop_map(|ids| Command::Reorder {
            order: ids.into_iter().map(message).collect(),
        }),
        1 => (1..4u128).prop_map(not_taken),
        2 => select(stops.to_vec()).prop_map(stop),
        1 => any::<bool>().prop_map(|notify| Command::SetNotify { notify }),
        4 => Just(ready()),
        1 => select(vec![Stage::Worktree, Stage::Setup, Stage::Launch]).prop_map(set_up_failed),
        1 => Just(Command::SetUpStopped),
        1 => Just(Command::Relaunch),
        4 => (1..4u32).prop_map(runs),
        2 => exits(),
        1 => Just(deleted()),
        1 => (1..4u32, select(vec![Missing::Hook, Missing::Event])).prop_map(|(n, it)| silent(n, it)),
        10 => words_of_a_cli(),
    ]
}

/// Lists that lead somewhere: most begin with a launch that works.
fn histories() -> impl Strategy<Value = Vec<Command>> {
    let begins = select(vec![
        vec![],
        vec![ready()],
        vec![ready(), runs(1)],
        vec![ready(), runs(1), prompt(TASK, Some("t1"))],
        vec![ready(), runs(1), prompt(TASK, None), turn_ended(None)],
    ]);
    (begins, proptest::collection::vec(commands(), 0..40)).prop_map(|(mut list, more)| {
        list.extend(more);
        list
    })
}

/// What is decided of a run: everything a late fact must leave alone.
fn decided(run: &Run) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        (run.status, run.reason.clone()),
        (run.stop, run.process.clone(), run.attempt),
        (run.launch_wanted, run.resume_with.clone(), run.num_turns),
    )
}

fn is_decided(run: &Run) -> bool {
    run.stop.is_some()
        || !run.has_process()
        || run.launch_wanted
        || matches!(run.status, Status::Completed | Status::Cancelled)
}

/// Tells what may be told; refusals are fine.
fn lived(history: &[Command]) -> Live {
    let mut live = given([]);
    for command in history {
        let _refused = live.tell(command.clone());
    }
    live
}

/// The log as the store gives it back.
fn replayed(log: &[Event]) -> Run {
    let stored: Vec<Event> = log
        .iter()
        .map(|event| {
            let payload = event.encode().expect("every event is JSON");
            Event::decode(event.event_type(), &payload).expect("and comes back")
        })
        .collect();
    let timed = stored
        .iter()
        .enumerate()
        .map(|(n, event)| (event, at(n + 1)));
    Run::fold(given([]).run.id, timed).expect("it begins with its creation")
}

fn holds_together(before: &Run, command: &Command, live: &Live, new: &[Event]) {
    let run = &live.run;
    let works = matches!(run.status, Status::Queued | Status::Running);
    // Nothing is stuck: who works has somebody to hear of, and so is looked after on a restart.
    assert!(!works || run.is_live(), "{run:#?}");
    // A request is open only while something of it is outstanding.
    let deleting = run.stop == Some(StopBy::Delete);
    assert!(run.stop.is_none() || run.is_live() || deleting, "{run:#?}");
    assert!(
        run.status != Status::Cancelled || !run.is_live(),
        "{run:#?}"
    );
    // While it launches, the message may have been heard of before the process was.
    let launching = run.process == Process::Launching;
    assert!(run.resume_with.is_none() || works || launching, "{run:#?}");
    assert!(!run.launch_wanted || works, "{run:#?}");
    assert!(run.attention.is_none() || run.has_process(), "{run:#?}");
    // Only a live CLI that works is said to be silent.
    let alive_and_free = matches!(run.process, Process::Alive { .. }) && run.stop.is_none();
    assert!(run.quiet.is_none() || (works && alive_and_free), "{run:#?}");
    assert!(run.prompts_expected.len() <= 16 && run.turns_ended.len() <= 64);
    for event in new {
        if matches!(event, Event::ProcessLaunching(_)) {
            let again = matches!(command, Command::Relaunch);
            let free = !before.has_process() || (again && before.process == Process::Launching);
            assert!(free && before.stop.is_none(), "two CLIs: {before:#?}");
            assert_eq!(run.attempt, before.attempt + 1);
        }
    }
    for effect in &live.effects {
        let makes = matches!(effect, Effect::SetUp | Effect::Launch { .. });
        assert!(!makes || run.process != alive(run), "{effect:?} {run:#?}");
    }
}

fn alive(run: &Run) -> Process {
    Process::Alive {
        pid: 100 + run.attempt,
    }
}

/// The same histories each time; `make prove` draws others, and more of them.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig {
        // Few histories end in the rarer states.
        max_global_rejects: 1_000_000,
        ..ProptestConfig::default()
    };
    if std::env::var_os("ABBADO_PROVE").is_some() {
        config.cases = 10_000;
    } else {
        config.rng_seed = proptest::test_runner::RngSeed::Fixed(20_261_124);
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_run_is_the_fold_of_its_log(history in histories()) {
        let live = lived(&history);
        let again = replayed(&live.log);
        prop_assert_eq!(&again, &live.run);
        prop_assert_eq!(view::run(&again), view::run(&live.run));
        prop_assert_eq!(view::Documents::of(&again).tasks(), view::Documents::of(&live.run).tasks());
        let length = u64::try_from(live.log.len()).expect("a small number");
        prop_assert_eq!(live.run.last_sequence, length);
    }

    #[test]
    fn after_each_command_the_state_holds_together(history in histories()) {
        let mut live = given([]);
        for command in history {
            let before = live.run.clone();
            if let Ok(new) = live.tell(command.clone()) {
                holds_together(&before, &command, &live, &new);
                // A prefix of whole decisions is all that a crash can leave behind.
                prop_assert_eq!(&replayed(&live.log), &live.run);
            }
        }
    }

    #[test]
    fn equal_inputs_choose_equal_events(history in histories(), next in commands()) {
        let live = lived(&history);
        let twin = replayed(&live.log);
        prop_assert_eq!(decide(&live.run, next.clone()), decide(&twin, next));
    }

    #[test]
    fn the_words_of_a_cli_never_move_a_decided_state(
        history in histories(),
        words in proptest::collection::vec(words_of_a_cli(), 1..6),
    ) {
        let mut live = lived(&history);
        prop_assume!(is_decided(&live.run));
        let before = decided(&live.run);
        for word in words {
            live.tell(word).expect("facts are never refused");
            prop_assert_eq!(&decided(&live.run), &before);
        }
    }

    #[test]
    fn news_of_a_process_that_ended_move_nothing(
        history in histories(),
        late in proptest::collection::vec(prop_oneof![exits(), (1..4u32).prop_map(runs)], 1..4),
    ) {
        let mut live = lived(&history);
        for fact in late {
            let of_now = match &fact {
                Command::Exited(exit) => exit.attempt == live.run.attempt,
                Command::Spawned { process, .. } => process.attempt == live.run.attempt,
                _ => false,
            };
            if !of_now || !live.run.has_process() {
                prop_assert_eq!(decide(&live.run, fact), Ok(Vec::new()));
            } else {
                let _events = live.tell(fact).expect("facts are never refused");
            }
        }
    }

    #[test]
    fn hooks_of_an_ended_turn_move_nothing(history in histories(), signal in signals()) {
        let mut live = lived(&history);
        let ends_session = matches!(signal, Signal::SessionEnded { .. });
        prop_assume!(!ends_session && !live.run.turns_ended.is_empty());
        let turn = live.run.turns_ended[0].clone();
        let session = live.run.session_id().unwrap_or(S1).to_owned();
        let before = (live.run.status, live.run.stop, live.run.num_turns);
        let late = hook_of(&session, hook_name(&signal), Some(&turn), signal, &[]);
        live.tell(late).expect("facts are never refused");
        prop_assert_eq!((live.run.status, live.run.stop, live.run.num_turns), before);
    }

    #[test]
    fn told_twice_is_told_once(history in histories(), word in words_of_a_cli()) {
        // `/resume` and interrupts come without a name of their own: the second may be another.
        let mut live = lived(&history);
        live.tell(word.clone()).expect("facts are never refused");
        let once = (live.run.status, live.run.stop, live.run.process.clone());
        let (Command::Hook { observed, .. } | Command::Observed(observed)) = &word else {
            unreachable!("a word of a CLI")
        };
        prop_assume!(observed.is_empty());
        live.tell(word).expect("facts are never refused");
        prop_assert_eq!((live.run.status, live.run.stop, live.run.process.clone()), once);
    }

    #[test]
    fn a_failed_run_goes_on_only_by_a_prompt(history in histories(), word in words_of_a_cli()) {
        let mut live = lived(&history);
        prop_assume!(live.run.status == Status::Failed);
        let new = live.tell(word.clone()).expect("facts are never refused");
        let prompted = matches!(
            &word,
            Command::Hook { hook, .. } if matches!(hook.signal, Signal::Prompt { .. })
        );
        let started = new.iter().any(|event| matches!(event, Event::RunStarted(_)));
        prop_assert!(live.run.status == Status::Failed || (prompted && started));
    }

    /// The machine restarts and everything of the run is gone: recovery brings it to rest.
    #[test]
    fn whatever_is_lost_comes_to_rest(history in histories()) {
        let mut live = lived(&history);
        for _ in 0..3 {
            if !live.run.needs_recovery() {
                break;
            }
            let (attempt, stopping) = (live.run.attempt, live.run.stop);
            let found = if live.run.has_process() {
                lost(attempt)
            } else if stopping == Some(StopBy::Delete) {
                deleted()
            } else if stopping.is_some() {
                Command::SetUpStopped
            } else {
                set_up_failed(Stage::Worktree)
            };
            live.tell(found).expect("facts are never refused");
        }
        prop_assert!(!live.run.needs_recovery(), "{:#?}", live.run);
        prop_assert!(!matches!(live.run.status, Status::Queued | Status::Running));
    }
}

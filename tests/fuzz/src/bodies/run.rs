//! A run that is told things, with its log.

use abbado::{
    domain::{
        RunId, Time,
        run::{Command, Event, Run, decide::decide, effect, view},
        time,
    },
    store,
};
use serde_json::Value;
use std::sync::LazyLock;

/// The log of a run whose CLI was started just now, from the samples of the events.
const LOG: [&str; 5] = [
    include_str!("../../../../schema/events/run.created.v1.json"),
    include_str!("../../../../schema/events/worktree.created.v1.json"),
    include_str!("../../../../schema/events/process.launching.v1.json"),
    include_str!("../../../../schema/events/process.spawned.v1.json"),
    include_str!("../../../../schema/events/session.init.v1.json"),
];

/// A log, and the run that it makes.
#[derive(Clone)]
pub struct Told {
    log: Vec<(Event, Time)>,
    pub run: Run,
}

impl Told {
    pub fn new() -> Self {
        static BEGUN: LazyLock<Told> = LazyLock::new(Told::begun);
        BEGUN.clone()
    }

    fn begun() -> Self {
        let events = LOG.iter().map(|sample| {
            let sample: Value = serde_json::from_str(sample).expect("a sample is JSON");
            let name = sample["event_type"].as_str().expect("a sample has a name");
            Event::decode(name, &sample["payload"].to_string()).expect("a sample is an event")
        });
        let log: Vec<_> = events.map(|event| (event, now())).collect();
        let run = fold(&log);
        Self { log, run }
    }

    /// Stores what the command comes to, as the writer does, and reads it.
    pub fn tell(&mut self, command: Command) {
        let events = decide(&self.run, command).expect("facts are never refused");
        for event in &events {
            let (kept, payload) = store::encode(event.clone()).expect("an event is encoded");
            let read = Event::decode(payload.event_type, &payload.json)
                .unwrap_or_else(|error| panic!("{error:?}: {}", payload.json));
            assert_eq!(read, kept, "what is read is what was written");
            self.run.apply(&kept, now());
            self.log.push((kept, now()));
        }
        drop(effect::after(&self.run, &events));
    }

    /// Makes the run again from its log.
    pub fn read_again(&self) {
        let read = fold(&self.log);
        assert_eq!(view::run(&read), view::run(&self.run), "the log is the run");
        assert_eq!(
            view::Documents::of(&read).tasks(),
            view::Documents::of(&self.run).tasks()
        );
    }
}

fn now() -> Time {
    time::parse("2025-11-24T04:00:00.000Z").expect("a time")
}

fn fold(log: &[(Event, Time)]) -> Run {
    let id: RunId = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c04"
        .parse()
        .expect("an id");
    Run::fold(id, log.iter().map(|(event, at)| (event, *at))).expect("a log with its creation")
}

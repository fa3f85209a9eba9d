//! What an event tells people who are not looking: a run idles, ended, failed, or needs a person.
//!
//! A [`Story`] hears a run's events in order; after one of [`TELLING`] it may hold a [`Notice`].
//! The notice follows from the log up to that event and the switches alone, so that it is the same
//! whenever, and however often, it is made.

use super::{
    event::{CompletedBy, Event, PausedBy, RunCompleted, RunPaused},
    state::{Run, Status},
};
use crate::domain::{RunId, Secrets, Time, settings::NotificationSettings};

/// Types of the events that may tell something. The store has an index of these.
pub(crate) const TELLING: [&str; 4] = [
    "run.paused",
    "run.completed",
    "run.failed",
    "agent.needs_attention",
];

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The session waits for its next prompt.
    Idle,
    /// The session ended.
    Ended,
    /// The run failed.
    Failed,
    /// A person must look.
    Attention,
}

impl Kind {
    /// What an event may tell, as far as it says by itself. A pause or an end that somebody asked
    /// for tells nobody: whoever asked was there.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        if let Event::RunPaused(paused) = event {
            return match paused.by {
                PausedBy::Stop | PausedBy::Limit | PausedBy::Lost => Some(Self::Idle),
                PausedBy::Interrupt | PausedBy::User | PausedBy::Idle => None,
            };
        }
        match event.event_type() {
            "run.completed" => Some(Self::Ended),
            "run.failed" => Some(Self::Failed),
            "agent.needs_attention" => Some(Self::Attention),
            _ => None,
        }
    }

    /// Whether it is told of a run that asks for it (`notify`) or not.
    #[must_use]
    pub const fn is_wanted(self, switches: &NotificationSettings, notify: bool) -> bool {
        match self {
            Self::Idle => notify,
            Self::Ended => notify && switches.notify_on_pipeline_complete,
            Self::Failed => switches.notify_on_run_failed,
            Self::Attention => switches.notify_on_attention,
        }
    }
}

/// What people are told. Texts are whole: how much of them is shown is the messenger's matter.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// What it is about.
    pub kind: Kind,
    /// Which run.
    pub run_id: RunId,
    /// What happened, or what the agent said.
    pub text: String,
    /// What the agent was to do.
    pub task: String,
    /// Who it is.
    pub agent: String,
    /// The run's state after the event.
    pub status: Status,
    /// US dollars so far, when known.
    pub cost_usd: Option<f64>,
    /// When it happened.
    pub at: Time,
}

/// A run as told so far.
#[derive(Debug)]
pub(crate) struct Story {
    id: RunId,
    /// Told to nobody.
    secrets: Secrets,
    run: Option<Run>,
    /// The agent's last words.
    said: Option<String>,
    /// What the last event told, with its text.
    told: Option<(Kind, String)>,
}

impl Story {
    /// Nothing heard yet of a run whose agent was given these values.
    #[must_use]
    pub(crate) const fn new(id: RunId, secrets: Secrets) -> Self {
        Self {
            id,
            secrets,
            run: None,
            said: None,
            told: None,
        }
    }

    /// Hears the next event, written at `at`.
    pub(crate) fn hear(&mut self, event: &Event, at: Time) {
        let Some(run) = &mut self.run else {
            if let Event::RunCreated(created) = event {
                self.run = Some(Run::create(self.id, created, at));
            }
            return;
        };
        let asked_before = asks(run, event);
        run.apply(event, at);
        if let Some(words) = words(event) {
            self.said = Some(words.to_owned());
        }
        // A CLI tells one question by two hooks; said late, it calls nobody.
        let kind = Kind::of(event)
            .filter(|kind| *kind != Kind::Attention || (asks(run, event) && !asked_before));
        self.told = kind.map(|kind| (kind, text(event, run, self.said.as_deref())));
    }

    /// What the last event heard tells, when that is wanted.
    #[must_use]
    pub(crate) fn notice(&self, switches: &NotificationSettings) -> Option<Notice> {
        let run = self.run.as_ref()?;
        let (kind, text) = self.told.as_ref()?;
        let created = &run.created;
        let secrets = &self.secrets;
        kind.is_wanted(switches, run.notify).then(|| Notice {
            kind: *kind,
            run_id: run.id,
            text: secrets.conceal(text),
            task: secrets.conceal(&created.task),
            agent: secrets.conceal(&created.agent.name),
            status: run.status,
            cost_usd: run.usage.cost().usd,
            at: run.updated_at,
        })
    }
}

/// Whether the run waits for a person, as this event says.
fn asks(run: &Run, event: &Event) -> bool {
    let Event::NeedsAttention(needs) = event else {
        return false;
    };
    let asked = run.attention.as_ref();
    asked.is_some_and(|asked| asked.kind == needs.kind)
}

/// The agent's own words in an event.
fn words(event: &Event) -> Option<&str> {
    let words = if let Event::AgentMessage(message) = event {
        Some(message.text.as_str())
    } else if let Event::RunPaused(paused) = event {
        paused.last_message.as_deref()
    } else {
        None
    };
    words.filter(|words| !words.trim().is_empty())
}

fn text(event: &Event, run: &Run, said: Option<&str>) -> String {
    let reason = || run.reason.clone().unwrap_or_default();
    if let Event::NeedsAttention(needs) = event {
        needs.message.clone()
    } else if let Event::RunCompleted(completed) = event {
        said.map_or_else(|| ended(completed), str::to_owned)
    } else if let Event::RunPaused(RunPaused {
        by: PausedBy::Stop, ..
    }) = event
    {
        said.map_or_else(reason, str::to_owned)
    } else {
        reason()
    }
}

fn ended(completed: &RunCompleted) -> String {
    match completed.reason {
        CompletedBy::SessionEnd => "the session ended".to_owned(),
        CompletedBy::Exit => "the program ended by itself".to_owned(),
    }
}

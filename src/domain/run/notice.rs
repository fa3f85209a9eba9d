//! Notifications: a run went idle, ended, failed, or needs a person.
//!
//! A [`Story`] folds a run's events in order; after one of [`TELLING`] it may have a [`Notice`].
//! The notice follows from the log up to that event and the switches alone, so that it is the same
//! whenever, and however often, it is made.

use super::{
    event::{CompletedBy, Event, PausedBy, RunCompleted, RunPaused},
    state::{Run, Status},
};
use crate::domain::{RunId, Secrets, Time, settings::NotificationSettings};

/// Types of events that may cause a notification. The store has an index of these.
pub(crate) const TELLING: [&str; 5] = [
    "run.paused",
    "run.completed",
    "run.failed",
    "agent.needs_attention",
    "approval.requested",
];

/// The kind of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// The session is waiting for its next prompt.
    Idle,
    /// The session ended.
    Ended,
    /// The run failed.
    Failed,
    /// A person is needed.
    Attention,
}

impl NoticeKind {
    /// The kind of notification that an event may cause. A requested pause or end causes none:
    /// whoever requested it knows.
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
            "agent.needs_attention" | "approval.requested" => Some(Self::Attention),
            _ => None,
        }
    }

    /// Whether it is sent only for runs with `notify`.
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

/// A notification. Texts are complete; each channel decides how much of them it shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Its kind.
    pub kind: NoticeKind,
    /// Which run.
    pub run_id: RunId,
    /// What happened, or the agent's last message.
    pub text: String,
    /// The task of the run.
    pub task: String,
    /// The name of the agent.
    pub agent: String,
    /// The run's state after the event.
    pub status: Status,
    /// US dollars so far, when known.
    pub cost_usd: Option<f64>,
    /// When it happened.
    pub at: Time,
}

/// A run, folded up to an event.
#[derive(Debug)]
pub(crate) struct Story {
    id: RunId,
    /// Values to mask.
    secrets: Secrets,
    run: Option<Run>,
    /// The agent's last message.
    said: Option<String>,
    /// The kind and text of the last event's notification.
    told: Option<(NoticeKind, String)>,
}

impl Story {
    /// A story without events, for a run with these secrets.
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

    /// Folds the next event, written at `at`.
    pub(crate) fn apply(&mut self, event: &Event, at: Time) {
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
        // A CLI may report one question by two hooks; a late one needs no notification.
        let kind = NoticeKind::of(event)
            .filter(|kind| *kind != NoticeKind::Attention || (asks(run, event) && !asked_before));
        self.told = kind.map(|kind| (kind, text(event, run, self.said.as_deref())));
    }

    /// The notification of the last event, if it is wanted.
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

/// Whether the run waits for a person because of this event.
fn asks(run: &Run, event: &Event) -> bool {
    if matches!(event, Event::ApprovalRequested(_)) {
        return run.attention.is_some();
    }
    let Event::NeedsAttention(needs) = event else {
        return false;
    };
    let asked = run.attention.as_ref();
    asked.is_some_and(|asked| asked.kind == needs.kind)
}

/// The agent's message in an event.
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
    } else if let Event::ApprovalRequested(asked) = event {
        asked.message.clone()
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

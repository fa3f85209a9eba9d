//! Tells people who are not looking, through the channels that are set up.
//!
//! It follows the log by itself, one notice at a time and in order: what waits for a receiver
//! waits in the log. The broadcaster says when the log grew by something that may be told; no run
//! waits for anything here. A notice goes to every channel; while one of them does not take it, the
//! next notice waits for all of them.
//!
//! # Crash
//! Its place in the log moves on after the receivers took a message. Killed before the receiver has
//! the message, it is sent by the next server; killed between the receiver's answer and our
//! commit, it is sent again, with the same event in its footer. See docs/decisions/0008.

use crate::{
    domain::{
        EventId,
        run::notice::{Notice, NoticeKind, Story},
        settings::NotificationSettings,
    },
    fault,
    notify::{self, CHANNELS, Channel, Client, DeliveryError, Message},
    runtime::clock,
    store::{NextToNotify, Reader, StoreError, StoredEvent, Writer},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// A message that its receiver did not take for so long is given up.
const GIVE_UP: Duration = Duration::from_secs(24 * 60 * 60);
/// The store failed: so long until it is asked again.
const STORE_WAIT: Duration = Duration::from_secs(5);

/// The handle of the notifier.
pub struct Notifier {
    wakeups: watch::Sender<Wakeups>,
    client: Client,
}

/// Why the notifier wakes up; it reads the log and the settings itself.
#[derive(Clone, Copy, Default)]
struct Wakeups {
    /// Grows with the log.
    log: u64,
    /// Grows when a channel is set up, changed or removed.
    channels: u64,
    stop: bool,
}

impl Notifier {
    /// Starts it on a thread of its own.
    #[must_use]
    pub fn start(reader: Reader, writer: Writer) -> Arc<Self> {
        let (wakeups, woken) = watch::channel(Wakeups::default());
        let notifier = Arc::new(Self {
            wakeups,
            client: Client::default(),
        });
        let follower = Follower {
            notifier: Arc::clone(&notifier),
            wakeups: woken,
            reader,
            writer,
            handled: 0,
            taken_by: Vec::new(),
            failures: 0,
        };
        // The thread ends with the process.
        actix::Arbiter::new().spawn_fn(move || drop(actix::spawn(follower.follow())));
        notifier
    }

    /// The log grew by an event that may tell something.
    pub fn log_grew(&self) {
        self.wakeups.send_modify(|wakeups| wakeups.log += 1);
    }

    /// Other settings were stored. With another address of a channel, a wait for the old one is
    /// over.
    pub fn settings_changed(&self, before: &NotificationSettings, after: &NotificationSettings) {
        let moved = |channel: &&dyn Channel| channel.address(before) != channel.address(after);
        if CHANNELS.iter().any(moved) {
            self.wakeups.send_modify(|wakeups| wakeups.channels += 1);
        }
    }

    /// Sends a test message to every channel that is set up, once. Stays on the thread it was
    /// called on.
    ///
    /// # Errors
    /// The first that was not taken.
    pub async fn send_test(&self, settings: &NotificationSettings) -> Result<(), DeliveryError> {
        for channel in CHANNELS {
            if let Some(address) = channel.address(settings) {
                let sent = channel.deliver(&self.client, address, Message::Test, clock::now());
                sent.await?;
            }
        }
        Ok(())
    }

    /// Begins no other message, and waits for the one under way.
    pub async fn stop(&self) {
        self.wakeups.send_modify(|wakeups| wakeups.stop = true);
        self.wakeups.closed().await;
    }
}

/// Follows the log.
struct Follower {
    notifier: Arc<Notifier>,
    wakeups: watch::Receiver<Wakeups>,
    reader: Reader,
    writer: Writer,
    /// Everything up to here is told of. May be ahead of the database when that failed.
    handled: EventId,
    /// Channels that are done with an event although others are not, by name.
    taken_by: Vec<(EventId, &'static str)>,
    /// Failures of a receiver in a row.
    failures: u32,
}

/// What comes after a step.
enum Next {
    /// Another step.
    Step,
    /// There is nothing to tell.
    Wait,
    /// The receiver is to be tried again.
    TryAgain(Duration),
}

/// What was found in the log.
struct Found {
    remembered: EventId,
    /// Everything before it tells nothing.
    event_id: EventId,
    /// What it tells, and the settings that say where to.
    notice: Option<(Notice, NotificationSettings)>,
}

impl Follower {
    async fn follow(mut self) {
        loop {
            let known = *self.wakeups.borrow_and_update();
            if known.stop {
                return;
            }
            let until = match self.step().await {
                Ok(Next::Step) => continue,
                Ok(Next::Wait) => None,
                Ok(Next::TryAgain(wait)) => Some(Instant::now() + wait),
                Err(StoreError::Closed) => return,
                Err(error) => {
                    log::error!("Notifications are waiting for the database: {error}.");
                    Some(Instant::now() + STORE_WAIT)
                }
            };
            self.wait(known, until).await;
        }
    }

    /// Waits for a time, or for anything new; until a time only another channel is a reason.
    async fn wait(&mut self, known: Wakeups, until: Option<Instant>) {
        let time = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let enough = |wakeups: &Wakeups| {
            let other = wakeups.channels != known.channels;
            wakeups.stop || other || (until.is_none() && wakeups.log != known.log)
        };
        tokio::select! {
            () = time => return,
            // The sender cannot be gone: this side holds it too.
            _ = self.wakeups.wait_for(enough) => {}
        }
        if self.wakeups.borrow().channels != known.channels {
            self.failures = 0;
        }
    }

    async fn step(&mut self) -> Result<Next, StoreError> {
        let (reader, handled) = (self.reader.clone(), self.handled);
        let found = crate::runtime::threads::run(move || look(&reader, handled)).await;
        let found = found.map_err(|error| StoreError::Database(error.to_string()))??;
        let Some((notice, settings)) = found.notice else {
            self.handled = found.event_id;
            if self.handled > found.remembered {
                self.writer.set_notified(self.handled).await?;
            }
            return Ok(Next::Wait);
        };
        let age = clock::now() - notice.at;
        let give_up = fault::wait("notify.give_up", GIVE_UP);
        // A receiver that does not fail now gets also what is old, as after a long stop.
        if self.failures > 0 && age.to_std().is_ok_and(|age| age > give_up) {
            log::warn!(event_id = found.event_id, run_id:% = notice.run_id;
                "Gave up on a notification: its receiver did not accept it in time.");
            return self.told(found.event_id).await;
        }
        self.deliver(&notice, found.event_id, &settings).await
    }

    /// Delivers a notice to the channels that have not taken it yet.
    async fn deliver(
        &mut self,
        notice: &Notice,
        event_id: EventId,
        settings: &NotificationSettings,
    ) -> Result<Next, StoreError> {
        let mut waits_for = None;
        for channel in CHANNELS {
            let name = channel.name();
            let address = channel.address(settings);
            let wanted = |_: &&str| !self.taken_by.contains(&(event_id, name));
            let Some(address) = address.filter(wanted) else {
                continue;
            };
            fault::point("notify.before_send");
            let message = Message::Notice { notice, event_id };
            let client = &self.notifier.client;
            let sent = channel.deliver(client, address, message, clock::now());
            let sent = sent.await;
            fault::point("notify.after_answer");
            match sent {
                Ok(()) => {
                    log::debug!(event_id, run_id:% = notice.run_id, channel = name;
                        "Delivered a notification.");
                }
                Err(error) if !error.may_pass() => {
                    log::warn!(event_id, run_id:% = notice.run_id, channel = name;
                        "Could not deliver a notification, and it is not retried: {error}.");
                }
                Err(error) => {
                    waits_for = Some((name, error));
                    continue;
                }
            }
            self.taken_by.push((event_id, name));
        }
        let Some((channel, error)) = waits_for else {
            self.failures = 0;
            return self.told(event_id).await;
        };
        self.failures = self.failures.saturating_add(1);
        // Without chance, waits have no jitter; nothing worse happens.
        let chance = getrandom::u32().unwrap_or_default();
        let wait = notify::wait(self.failures, error.asked_wait(), chance);
        log::warn!(event_id, run_id:% = notice.run_id, channel, wait_ms = wait.as_millis() as u64;
            "Could not deliver a notification yet; retrying: {error}.");
        Ok(Next::TryAgain(wait))
    }

    /// Moves on behind an event, in memory at once: what was told is not told again because the
    /// disk is full.
    async fn told(&mut self, event_id: EventId) -> Result<Next, StoreError> {
        self.handled = event_id;
        self.taken_by.clear();
        self.writer.set_notified(event_id).await?;
        fault::point("notify.after_commit");
        Ok(Next::Step)
    }
}

/// Finds the next event that tells something. Blocks.
fn look(reader: &Reader, handled: EventId) -> Result<Found, StoreError> {
    let mut event_id = handled;
    loop {
        let next = reader.next_to_notify(event_id)?;
        let remembered = next.remembered;
        event_id = event_id.max(remembered);
        let Some(event) = &next.event else {
            return Ok(Found {
                remembered,
                event_id,
                notice: None,
            });
        };
        event_id = event.id;
        let notice = match notice(reader, &next, event) {
            Err(StoreError::Corrupt(why)) => {
                log::error!(event_id, run_id:% = event.run_id; "Could not read a run for its notification: {why}.");
                None
            }
            notice => notice?,
        };
        if let Some(notice) = notice {
            return Ok(Found {
                remembered,
                event_id,
                notice: Some((notice, next.settings)),
            });
        }
    }
}

/// What an event tells. Its run's log is only read when it may tell something; that of a run that
/// was deleted meanwhile is gone, and tells nothing.
fn notice(
    reader: &Reader,
    next: &NextToNotify,
    event: &StoredEvent,
) -> Result<Option<Notice>, StoreError> {
    let kind = NoticeKind::of(&event.event()?);
    if !kind.is_some_and(|kind| kind.is_wanted(&next.settings, next.notify)) {
        return Ok(None);
    }
    let secrets = reader.run_secrets(event.run_id)?;
    let mut story = Story::new(event.run_id, secrets);
    reader.walk_run(event.run_id, event.sequence, |stored| {
        story.apply(&stored.event()?, stored.created_at);
        Ok(())
    })?;
    Ok(story.notice(&next.settings))
}

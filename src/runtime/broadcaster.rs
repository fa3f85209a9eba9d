//! Feeds readers of the event stream.
//!
//! The store's writer hands over each committed batch in id order. Each event is encoded once and
//! shared. The newest frames stay in a ring, so that a reader who has read the log up to here
//! joins without a hole: it names the last id it has, and gets all later frames of the ring and
//! everything after them.
//!
//! Holds: a reader's queue is bounded; one that cannot keep up is disconnected, never skipped.

use super::notifier::Notifier;
use crate::{
    domain::{EventId, RunId, run::notice::TELLING},
    store::{Batch, StoredEvent},
};
use actix::{Actor, Context, Handler, Message, MessageResult, StreamHandler};
use bytes::{Bytes, BytesMut};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};
use tokio::sync::mpsc;

/// Frames kept for readers that are just joining, and their bytes.
const RING_LEN_MAX: usize = 8192;
const RING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Batches waiting for one reader. A batch is at most 256 writes; 512 of small events is seconds
/// of the fastest log.
const READER_QUEUE_LEN_MAX: usize = 512;
/// Bytes waiting for one reader, over which it is disconnected.
pub const READER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The actor.
pub struct Broadcaster {
    ring: VecDeque<Frame>,
    ring_bytes: usize,
    /// Every event after this place is in the ring.
    floor: EventId,
    everything: Vec<Subscriber>,
    by_run: HashMap<RunId, Vec<Subscriber>>,
    notifier: Arc<Notifier>,
    closed: bool,
}

struct Frame {
    id: EventId,
    run_id: RunId,
    bytes: Bytes,
}

struct Subscriber {
    /// The place it had when it joined.
    after: EventId,
    queue: mpsc::Sender<Bytes>,
    waiting: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

/// A place in the live stream.
pub struct Subscription {
    /// Frames between the caller's place and now.
    pub backlog: Vec<Bytes>,
    /// Frames from now on; ends when the reader is too slow, its run is deleted, or at shutdown.
    pub live: mpsc::Receiver<Bytes>,
    /// Bytes waiting in `live`; the reader takes off what it took.
    pub waiting: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

/// Asks to join after a place.
#[derive(Message)]
#[rtype(result = "Joined")]
pub struct Subscribe {
    /// Only this run.
    pub run_id: Option<RunId>,
    /// The last place the caller has.
    pub after: EventId,
}

/// The answer to [`Subscribe`].
pub enum Joined {
    /// It is in.
    Live(Subscription),
    /// The ring begins later: read on in the log first.
    Behind,
    /// The server is shutting down.
    Closed,
}

/// Ends all streams.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Close;

impl Broadcaster {
    /// Starts on a thread of its own. `floor` is the head of the log before anything was written.
    #[must_use]
    pub fn start(
        floor: EventId,
        batches: mpsc::Receiver<Batch>,
        notifier: Arc<Notifier>,
    ) -> actix::Addr<Self> {
        let arbiter = actix::Arbiter::new();
        Self::start_in_arbiter(&arbiter.handle(), move |context| {
            let stream = futures_util::stream::unfold(batches, |mut batches| async move {
                batches.recv().await.map(|batch| (batch, batches))
            });
            Self::add_stream(stream, context);
            Self {
                ring: VecDeque::new(),
                ring_bytes: 0,
                floor,
                everything: Vec::new(),
                by_run: HashMap::new(),
                notifier,
                closed: false,
            }
        })
    }

    fn remember(&mut self, frame: Frame) {
        self.ring_bytes += frame.bytes.len();
        self.ring.push_back(frame);
        while self.ring.len() > RING_LEN_MAX || self.ring_bytes > RING_BYTES_MAX {
            let Some(old) = self.ring.pop_front() else {
                break;
            };
            self.ring_bytes -= old.bytes.len();
            self.floor = old.id;
        }
    }

    fn publish(&mut self, batch: &[StoredEvent]) {
        let types = batch.iter().map(|event| event.event_type.as_str());
        if types.into_iter().any(|name| TELLING.contains(&name)) {
            self.notifier.log_grew();
        }
        let frames: Vec<Frame> = batch
            .iter()
            .map(|event| Frame {
                id: event.id,
                run_id: event.run_id,
                bytes: frame(event),
            })
            .collect();
        give(&mut self.everything, &frames.iter().collect::<Vec<_>>());
        let mut runs: HashMap<RunId, Vec<&Frame>> = HashMap::new();
        for frame in &frames {
            if self.by_run.contains_key(&frame.run_id) {
                runs.entry(frame.run_id).or_default().push(frame);
            }
        }
        for (run_id, frames) in runs {
            if let Some(subscribers) = self.by_run.get_mut(&run_id) {
                give(subscribers, &frames);
                if subscribers.is_empty() {
                    self.by_run.remove(&run_id);
                }
            }
        }
        for event in batch
            .iter()
            .filter(|event| event.event_type == "run.deleted")
        {
            // Dropping the senders ends the streams after what is queued.
            self.by_run.remove(&event.run_id);
        }
        frames.into_iter().for_each(|frame| self.remember(frame));
    }
}

/// Hands frames to all, in one piece each, and drops those who cannot take them or are gone.
///
/// A batch becomes visible in the log a moment before it comes here: who joined in between has
/// read some of it already, and gets only what lies after its place.
fn give(subscribers: &mut Vec<Subscriber>, frames: &[&Frame]) {
    use std::sync::atomic::Ordering;
    let Some(first) = frames.first().map(|frame| frame.id) else {
        return;
    };
    if subscribers.is_empty() {
        return;
    }
    let all = joined(frames);
    subscribers.retain(|subscriber| {
        let bytes = if subscriber.after < first {
            all.clone()
        } else {
            let later: Vec<&Frame> = frames
                .iter()
                .filter(|frame| frame.id > subscriber.after)
                .copied()
                .collect();
            joined(&later)
        };
        if bytes.is_empty() {
            return true;
        }
        let before = subscriber.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        before < READER_BYTES_MAX && subscriber.queue.try_send(bytes).is_ok()
    });
}

fn joined(frames: &[&Frame]) -> Bytes {
    if let [only] = frames {
        return only.bytes.clone();
    }
    let mut bytes = BytesMut::with_capacity(frames.iter().map(|frame| frame.bytes.len()).sum());
    frames
        .iter()
        .for_each(|frame| bytes.extend_from_slice(&frame.bytes));
    bytes.freeze()
}

/// The frame of an event: its id, and its JSON on one line.
#[must_use]
pub fn frame(event: &StoredEvent) -> Bytes {
    format!("id: {}\ndata: {}\n\n", event.id, event.wire()).into()
}

impl Actor for Broadcaster {
    type Context = Context<Self>;
}

impl StreamHandler<Batch> for Broadcaster {
    fn handle(&mut self, batch: Batch, _: &mut Self::Context) {
        self.publish(&batch);
    }

    /// The writer is gone: shutdown.
    fn finished(&mut self, _: &mut Self::Context) {
        self.everything.clear();
        self.by_run.clear();
        self.closed = true;
    }
}

impl Handler<Subscribe> for Broadcaster {
    type Result = MessageResult<Subscribe>;

    fn handle(&mut self, ask: Subscribe, _: &mut Self::Context) -> Self::Result {
        if self.closed {
            return MessageResult(Joined::Closed);
        }
        if ask.after < self.floor {
            return MessageResult(Joined::Behind);
        }
        let backlog = self
            .ring
            .iter()
            .filter(|frame| frame.id > ask.after)
            .filter(|frame| ask.run_id.is_none_or(|run_id| run_id == frame.run_id))
            .map(|frame| frame.bytes.clone())
            .collect();
        let (queue, live) = mpsc::channel(READER_QUEUE_LEN_MAX);
        let waiting = std::sync::Arc::default();
        let subscriber = Subscriber {
            after: ask.after,
            queue,
            waiting: std::sync::Arc::clone(&waiting),
        };
        match ask.run_id {
            Some(run_id) => self.by_run.entry(run_id).or_default().push(subscriber),
            None => self.everything.push(subscriber),
        }
        MessageResult(Joined::Live(Subscription {
            backlog,
            live,
            waiting,
        }))
    }
}

impl Handler<Close> for Broadcaster {
    type Result = ();

    fn handle(&mut self, _: Close, _: &mut Self::Context) {
        self.everything.clear();
        self.by_run.clear();
        self.closed = true;
    }
}

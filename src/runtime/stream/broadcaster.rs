//! Feeds readers of the event stream.
//!
//! The store's writer hands over each committed batch in id order. Each event is encoded once and
//! shared; the newest frames stay in a ring. A reader who has read the log up to there joins without a
//! hole: it names the last id it has, and gets all later frames of the ring and everything after them.
//!
//! Holds: a reader's queue is bounded; one that cannot keep up is disconnected, never skipped.

use crate::{
    domain::{EventId, RunId, run::notice::TELLING},
    runtime::services::notifier::Notifier,
    store::{Batch, EventRow, StoredEvent},
};
use actix::{Actor, Context, Handler, Message, MessageResult, StreamHandler};
use bytes::{Bytes, BytesMut};
use std::{
    collections::{HashMap, VecDeque},
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::mpsc;

/// The actor.
pub struct Broadcaster {
    ring: Ring,
    notifier: Arc<Notifier>,
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
            let ring = Ring::new(floor, BOUNDS);
            Self { ring, notifier }
        })
    }
}

impl Actor for Broadcaster {
    type Context = Context<Self>;
}

impl StreamHandler<Batch> for Broadcaster {
    fn handle(&mut self, batch: Batch, _: &mut Self::Context) {
        crate::fault::point("publish.before");
        let types = batch.iter().map(|event| event.event_type.as_str());
        if types.into_iter().any(|name| TELLING.contains(&name)) {
            self.notifier.log_grew();
        }
        self.ring.publish(&batch);
        crate::fault::point("publish.after");
    }

    /// The writer is gone: shutdown.
    fn finished(&mut self, _: &mut Self::Context) {
        self.ring.close();
    }
}

impl Handler<Subscribe> for Broadcaster {
    type Result = MessageResult<Subscribe>;

    fn handle(&mut self, ask: Subscribe, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.ring.join(&ask))
    }
}

impl Handler<Close> for Broadcaster {
    type Result = ();

    fn handle(&mut self, _: Close, _: &mut Self::Context) {
        self.ring.close();
    }
}

/// Bytes waiting for one reader, over which it is disconnected.
pub const READER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The last event of a run.
const DELETED: &str = "run.deleted";

/// How much is kept.
pub(in crate::runtime) struct Bounds {
    /// Frames kept for readers that are just joining.
    pub frames: usize,
    /// And their bytes.
    pub bytes: usize,
    /// Batches waiting for one reader. A batch is at most 256 writes; 512 of small events is
    /// seconds of the fastest log.
    pub waiting: usize,
}

/// Those of the server.
pub(in crate::runtime) const BOUNDS: Bounds = Bounds {
    frames: 8192,
    bytes: 16 * 1024 * 1024,
    waiting: 512,
};

/// The ring.
pub(in crate::runtime) struct Ring {
    bounds: Bounds,
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Every event after this place is in the ring.
    floor: EventId,
    everything: Vec<Subscriber>,
    by_run: HashMap<RunId, Vec<Subscriber>>,
    closed: bool,
}

struct Frame {
    id: EventId,
    run_id: RunId,
    /// It says that its run was deleted.
    ends: bool,
    bytes: Bytes,
}

struct Subscriber {
    /// The place it had when it joined.
    after: EventId,
    queue: mpsc::Sender<Bytes>,
    waiting: Arc<AtomicUsize>,
}

/// A place in the live stream.
pub struct Subscription {
    /// Frames between the caller's place and now.
    pub backlog: Vec<Bytes>,
    /// Frames from now on; ends when the reader is too slow, its run is deleted, or at shutdown.
    pub live: mpsc::Receiver<Bytes>,
    /// Bytes waiting in `live`; the reader takes off what it took.
    pub waiting: Arc<AtomicUsize>,
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

impl Ring {
    /// An empty one; `floor` is the head of the log before anything was written.
    pub(crate) fn new(floor: EventId, bounds: Bounds) -> Self {
        Self {
            bounds,
            frames: VecDeque::new(),
            bytes: 0,
            floor,
            everything: Vec::new(),
            by_run: HashMap::new(),
            closed: false,
        }
    }

    fn remember(&mut self, frame: Frame) {
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
        while self.frames.len() > self.bounds.frames || self.bytes > self.bounds.bytes {
            let Some(old) = self.frames.pop_front() else {
                break;
            };
            self.bytes -= old.bytes.len();
            self.floor = old.id;
        }
    }

    /// Hands the events of one commit to all who follow them.
    pub(crate) fn publish(&mut self, batch: &[StoredEvent]) {
        let (all, frames) = frames_of(batch);
        give(
            &mut self.everything,
            &frames.iter().collect::<Vec<_>>(),
            &all,
        );
        if !self.by_run.is_empty() {
            self.publish_by_run(&frames, batch);
        }
        frames.into_iter().for_each(|frame| self.remember(frame));
    }

    fn publish_by_run(&mut self, frames: &[Frame], batch: &[StoredEvent]) {
        let mut runs: HashMap<RunId, Vec<&Frame>> = HashMap::new();
        for frame in frames {
            if self.by_run.contains_key(&frame.run_id) {
                runs.entry(frame.run_id).or_default().push(frame);
            }
        }
        for (run_id, frames) in runs {
            if let Some(subscribers) = self.by_run.get_mut(&run_id) {
                give(subscribers, &frames, &joined(&frames));
                if subscribers.is_empty() {
                    self.by_run.remove(&run_id);
                }
            }
        }
        for event in batch.iter().filter(|event| event.event_type == DELETED) {
            // Dropping the senders ends the streams after what is queued.
            self.by_run.remove(&event.run_id);
        }
    }

    /// Lets a reader in.
    pub(crate) fn join(&mut self, ask: &Subscribe) -> Joined {
        if self.closed {
            return Joined::Closed;
        }
        if ask.after < self.floor {
            return Joined::Behind;
        }
        let first = self.frames.partition_point(|frame| frame.id <= ask.after);
        let missed = self.frames.range(first..);
        let missed = missed.filter(|frame| ask.run_id.is_none_or(|run_id| run_id == frame.run_id));
        let (mut backlog, mut over) = (Vec::new(), false);
        for frame in missed {
            backlog.push(frame.bytes.clone());
            over |= frame.ends;
        }
        let (queue, live) = mpsc::channel(self.bounds.waiting);
        let waiting = Arc::default();
        let subscriber = Subscriber {
            after: ask.after,
            queue,
            waiting: Arc::clone(&waiting),
        };
        match ask.run_id {
            // Nothing comes after it.
            Some(_) if over => drop(subscriber),
            Some(run_id) => self.by_run.entry(run_id).or_default().push(subscriber),
            None => self.everything.push(subscriber),
        }
        Joined::Live(Subscription {
            backlog,
            live,
            waiting,
        })
    }

    /// Ends all streams.
    pub(crate) fn close(&mut self) {
        self.everything.clear();
        self.by_run.clear();
        self.closed = true;
    }
}

/// What a frame has around its event, in bytes, at most.
const FRAME_OVERHEAD: usize = 40;

/// The frames of one commit, all in one buffer, and each by itself.
fn frames_of(batch: &[StoredEvent]) -> (Bytes, Vec<Frame>) {
    let room = batch
        .iter()
        .map(|event| FRAME_OVERHEAD + event.row().wire_len());
    let mut text = String::with_capacity(room.sum());
    let mut ends = Vec::with_capacity(batch.len());
    for event in batch {
        write_frame(&mut text, &event.row());
        ends.push(text.len());
    }
    let (all, mut begin) = (Bytes::from(text), 0);
    let frame = |(event, end): (&StoredEvent, usize)| Frame {
        id: event.id,
        run_id: event.run_id,
        ends: event.event_type == DELETED,
        bytes: all.slice(std::mem::replace(&mut begin, end)..end),
    };
    let frames = batch.iter().zip(ends).map(frame).collect();
    (all, frames)
}

/// Hands frames to all, in one piece each, and drops those who cannot take them or are gone. `all`
/// are the same frames joined.
///
/// A batch becomes visible in the log a moment before it comes here: who joined in between has
/// read some of it already, and gets only what lies after its place.
fn give(subscribers: &mut Vec<Subscriber>, frames: &[&Frame], all: &Bytes) {
    let Some(first) = frames.first().map(|frame| frame.id) else {
        return;
    };
    subscribers.retain(|subscriber| {
        let bytes = if subscriber.after < first {
            all.clone()
        } else {
            let later = frames.partition_point(|frame| frame.id <= subscriber.after);
            joined(&frames[later..])
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
pub fn write_frame(out: &mut String, event: &EventRow<'_>) {
    // A string takes whatever is written into it.
    write!(out, "id: {}\ndata: ", event.id).unwrap_or(());
    event.write_wire(out);
    out.push_str("\n\n");
}

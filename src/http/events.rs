//! Events of a run: a page of them, and the live streams.
//!
//! A stream reads the log up to its head, then joins the broadcaster's ring; the place it has
//! reached travels along, so that nothing is missed and nothing sent twice. A reader that cannot
//! keep up is disconnected and comes back with its `Last-Event-ID`.

use super::{
    answer::{array, id, ok, read, unknown},
    error::ApiError,
    extract::Query,
    metrics::Metrics,
};
use crate::{
    domain::{EventId, RunId, run::Event},
    runtime::{
        Runtime,
        broadcaster::{Joined, Subscription, frame},
    },
    store::{Reader, StoredEvent},
};
use actix_web::{HttpRequest, HttpResponse, http::header, web};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use serde::Deserialize;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Events read from the log at once; about 200 KiB of frames.
const REPLAY_LEN: u32 = 512;
/// Bytes that may leave in one write.
const WRITE_BYTES_MAX: usize = 256 * 1024;
/// A comment line keeps proxies and clients from giving up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    #[serde(default)]
    after_sequence: u64,
    limit: Option<u64>,
    /// One of the event types.
    #[serde(rename = "type")]
    event_type: Option<String>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// The last id that the reader has; the header `Last-Event-ID` wins over it.
    last_event_id: Option<String>,
}

/// GET runs/{id}/events
#[utoipa::path(get, path = "/api/runs/{id}/events", tag = "events",
    params(("id" = uuid::Uuid, Path), PageQuery),
    responses((status = 200, body = [super::schema::EventView]), (status = 400), (status = 404)))]
pub(super) async fn page(
    runtime: web::Data<Runtime>,
    path: web::Path<String>,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let PageQuery {
        after_sequence,
        limit,
        event_type,
    } = query.0;
    if let Some(name) = &event_type
        && !Event::TYPES.contains(&name.as_str())
    {
        return Err(ApiError::invalid(
            "type",
            format!("'{name}' is no event type"),
        ));
    }
    let events = read(&runtime, move |reader| {
        if !reader.run_exists(id)? {
            return Ok(None);
        }
        reader
            .events_of_run(id, after_sequence, limit, event_type.as_deref())
            .map(Some)
    })
    .await?
    .ok_or_else(|| unknown("run"))?;
    Ok(array(
        &events.iter().map(StoredEvent::wire).collect::<Vec<_>>(),
    ))
}

/// GET runs/{id}/events/stream
#[utoipa::path(get, path = "/api/runs/{id}/events/stream", tag = "events",
    params(("id" = uuid::Uuid, Path), StreamQuery),
    responses((status = 200, content_type = "text/event-stream"), (status = 400), (status = 404),
              (status = 429)))]
pub(super) async fn of_run(
    runtime: web::Data<Runtime>,
    metrics: web::Data<Arc<Metrics>>,
    request: HttpRequest,
    path: web::Path<String>,
    query: Query<StreamQuery>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let after = place(&request, query.0.last_event_id.as_deref())?;
    if !read(&runtime, move |reader| reader.run_exists(id)).await? {
        return Err(unknown("run"));
    }
    stream(&runtime, &metrics, Some(id), after)
}

/// GET events/stream
#[utoipa::path(get, path = "/api/events/stream", tag = "events", params(StreamQuery),
    responses((status = 200, content_type = "text/event-stream"), (status = 400), (status = 429)))]
pub(super) async fn of_all(
    runtime: web::Data<Runtime>,
    metrics: web::Data<Arc<Metrics>>,
    request: HttpRequest,
    query: Query<StreamQuery>,
) -> Result<HttpResponse, ApiError> {
    let after = place(&request, query.0.last_event_id.as_deref())?;
    stream(&runtime, &metrics, None, after)
}

/// GET events/head
#[utoipa::path(get, path = "/api/events/head", tag = "events",
    responses((status = 200, body = super::schema::HeadView)))]
pub(super) async fn head(runtime: web::Data<Runtime>) -> Result<HttpResponse, ApiError> {
    let head = read(&runtime, Reader::head).await?;
    ok(&serde_json::json!({ "last_event_id": head }))
}

/// The place to go on from: the header that browsers send on reconnect, else the query.
fn place(request: &HttpRequest, query: Option<&str>) -> Result<EventId, ApiError> {
    let header = request.headers().get("Last-Event-ID");
    let text = match header {
        Some(value) => Some(value.to_str().unwrap_or("?")),
        None => query,
    };
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(0);
    };
    text.parse().ok().filter(|id| *id >= 0).ok_or_else(|| {
        ApiError::invalid(
            "last_event_id",
            "must be the number of an event, 0 or greater",
        )
    })
}

/// Counts one reader for as long as its stream lives.
struct ReaderGuard(Arc<Metrics>);

impl Drop for ReaderGuard {
    fn drop(&mut self) {
        self.0.sse_readers.decrement();
    }
}

fn stream(
    runtime: &Runtime,
    metrics: &Arc<Metrics>,
    run_id: Option<RunId>,
    after: EventId,
) -> Result<HttpResponse, ApiError> {
    let limit = runtime.shared.config.sse_readers_max;
    metrics.sse_readers.increment();
    let guard = ReaderGuard(Arc::clone(metrics));
    if usize::try_from(metrics.sse_readers.value()).unwrap_or(0) > limit {
        let why = format!("{limit} readers follow event streams already.");
        return Err(ApiError::busy(why, 5));
    }
    let follower = Follower {
        runtime: runtime.clone(),
        run_id,
        after,
        place: Place::Opening,
        _guard: guard,
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        // A proxy must not collect frames either.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(follow(follower)))
}

struct Follower {
    runtime: Runtime,
    run_id: Option<RunId>,
    after: EventId,
    place: Place,
    _guard: ReaderGuard,
}

/// Where a stream is.
enum Place {
    /// Before the first byte.
    Opening,
    /// Reading the log.
    Replay,
    /// In the live stream.
    Live(Subscription),
}

type Chunk = Result<Bytes, ApiError>;

/// The bytes of a stream; it ends when the run is deleted, at shutdown, or for a slow reader.
fn follow(follower: Follower) -> impl Stream<Item = Chunk> {
    futures_util::stream::unfold(follower, |mut follower| async move {
        match follower.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), follower)),
            Ok(None) => None,
            Err(error) => {
                // The status line has left; all that can be said now is the end of the stream.
                log::warn!("An event stream ended: {error}.");
                None
            }
        }
    })
}

impl Follower {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            match &mut self.place {
                Place::Opening => {
                    self.place = Place::Replay;
                    return Ok(Some(Bytes::from_static(b"retry: 1000\n\n")));
                }
                Place::Replay => match self.replay().await? {
                    Step::Bytes(bytes) => return Ok(Some(bytes)),
                    Step::Again => {}
                    Step::Ended => return Ok(None),
                },
                Place::Live(live) => return Ok(next_live(live).await),
            }
        }
    }

    /// One piece of the log; at its head, the step into the live stream.
    async fn replay(&mut self) -> Result<Step, ApiError> {
        let (run_id, after) = (self.run_id, self.after);
        let (head, events) = read(&self.runtime, move |reader| {
            // The head first: whatever comes after it is in the ring.
            let head = reader.head()?;
            Ok((head, reader.events_after(run_id, after, REPLAY_LEN)?))
        })
        .await?;
        let more = events.len() == REPLAY_LEN as usize;
        let deleted = run_id.is_some() && events.iter().any(|e| e.event_type == "run.deleted");
        self.after = match events.last() {
            Some(last) if more => last.id,
            Some(last) => last.id.max(head),
            None => after.max(head),
        };
        let mut bytes = BytesMut::new();
        for event in &events {
            bytes.extend_from_slice(&frame(event));
        }
        if deleted {
            // The next look finds nothing to follow.
            self.run_id = None;
            self.after = EventId::MAX;
            self.place = Place::Live(ended());
            return Ok(Step::Bytes(bytes.freeze()));
        }
        if !more {
            match self.runtime.subscribe(run_id, self.after).await {
                Joined::Live(mut live) => {
                    for frame in live.backlog.drain(..) {
                        bytes.extend_from_slice(&frame);
                    }
                    self.place = Place::Live(live);
                }
                Joined::Behind => {}
                Joined::Closed if bytes.is_empty() => return Ok(Step::Ended),
                Joined::Closed => {}
            }
        }
        if bytes.is_empty() {
            Ok(Step::Again)
        } else {
            Ok(Step::Bytes(bytes.freeze()))
        }
    }
}

enum Step {
    Bytes(Bytes),
    Again,
    Ended,
}

/// A live stream that is over.
fn ended() -> Subscription {
    let (_, live) = tokio::sync::mpsc::channel(1);
    Subscription {
        backlog: Vec::new(),
        live,
        waiting: Arc::default(),
    }
}

/// The next write: all frames that wait, or a comment after a quiet while.
async fn next_live(live: &mut Subscription) -> Option<Bytes> {
    let Ok(first) = tokio::time::timeout(KEEP_ALIVE, live.live.recv()).await else {
        return Some(Bytes::from_static(b": still here\n\n"));
    };
    let first = first?;
    let mut taken = first.len();
    let Ok(second) = live.live.try_recv() else {
        live.waiting.fetch_sub(taken, Ordering::Relaxed);
        return Some(first);
    };
    let mut bytes = BytesMut::with_capacity(WRITE_BYTES_MAX);
    bytes.extend_from_slice(&first);
    bytes.extend_from_slice(&second);
    taken += second.len();
    while bytes.len() < WRITE_BYTES_MAX
        && let Ok(next) = live.live.try_recv()
    {
        taken += next.len();
        bytes.extend_from_slice(&next);
    }
    live.waiting.fetch_sub(taken, Ordering::Relaxed);
    Some(bytes.freeze())
}

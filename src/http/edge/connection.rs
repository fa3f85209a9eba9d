//! A connection between the socket and actix-http, with the time limits that actix-http lacks.
//!
//! actix-http limits the time of the first head of a connection only. It would wait for ever for a
//! second head that never ends, or for a chunked body that is no longer read. [`Conn`] closes such
//! connections.
//!
//! Holds: while a request is in progress nothing is timed here (extractors and streams have their
//! own limits); between two requests the first byte starts the limit [`Waits::head`], and silence
//! the limit [`Waits::idle`].
//!
//! Not handled: a head whose beginning came in one piece with the request before it has
//! [`Waits::idle`] instead of [`Waits::head`], because heads are not parsed here.

use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{AppConfig, Extensions, Response, Server};
use actix_web::rt::net::TcpStream;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::peer::Peer;

/// How long a client is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// A request's head must be there within this time of its first byte; a slow one is cut off.
    pub head: Duration,
    /// How long an idle connection is kept for its next request.
    pub idle: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            idle: Duration::from_secs(75),
        }
    }
}

/// How long the rest of a refused request is read, so that the client can read the answer.
const LINGER: Duration = Duration::from_secs(1);
/// Threads that serve requests. The work is elsewhere (writer, actors), so two are enough.
const WORKERS: usize = 2;
/// Connections a worker keeps: readers of streams stay, so there must be room beside them.
const CONNECTIONS_MAX: usize = 2048;
/// How long open answers may take at shutdown; streams are ended before.
const SHUTDOWN_SECONDS: u64 = 2;

/// Serves an application on a listening socket. The gate in it finds [`Peer`] and [`Requests`]
/// among the data of the connection.
///
/// # Errors
/// When the socket cannot be used.
pub fn serve<F, I, S, B>(app: F, listener: TcpListener, waits: Waits) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, actix_http::Request>,
    S: ServiceFactory<actix_http::Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    let builder = Server::build()
        .workers(WORKERS)
        .max_concurrent_connections(CONNECTIONS_MAX)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals();
    let shutdown = builder.graceful_shutdown_signal();
    let builder = builder.listen("abbado", listener, move || {
        let shutdown = shutdown.clone();
        let app = app()
            .into_factory()
            .map_err(|error| error.into().error_response());
        let http = actix_http::HttpService::build()
            .graceful_shutdown_signal(move || {
                let shutdown = shutdown.clone();
                async move { shutdown.notified().await }
            })
            .keep_alive(waits.idle)
            .client_request_timeout(waits.head)
            .client_disconnect_timeout(LINGER)
            .on_connect_ext(Conn::tell)
            .h1(map_config(app, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            // Else a second small answer or piece of output waits for the first to be confirmed.
            stream.set_nodelay(true).ok();
            let conn = Conn::new(stream, waits);
            std::future::ready(Ok::<_, actix_http::error::DispatchError>((conn, peer)))
        })
        .and_then(http)
    })?;
    Ok(builder.run())
}

/// What the connection knows of its requests, from the gate. Lives on the connection's own thread.
#[derive(Debug, Default)]
pub struct Requests {
    /// Requests that reached the gate so far.
    begun: Cell<u64>,
    /// Those whose answer is not complete.
    open: Cell<u32>,
    /// The client sends nothing more: usually it has gone.
    ended: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Requests {
    /// A request begins. It ends when the returned guard is dropped.
    #[must_use]
    pub fn enter(this: &Rc<Self>) -> Visit {
        this.begun.set(this.begun.get().wrapping_add(1));
        this.open.set(this.open.get() + 1);
        Visit(Rc::clone(this))
    }

    /// Says whether the client has ended its side. An answer is still sent to it, since a client
    /// may do so right after its request; one that would go on for ever need not be.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    fn is_idle(&self) -> bool {
        self.open.get() == 0
    }

    fn has_begun(&self) -> bool {
        self.begun.get() > 0
    }
}

/// A request under way.
#[derive(Debug)]
pub struct Visit(Rc<Requests>);

impl Drop for Visit {
    fn drop(&mut self) {
        let requests = &self.0;
        requests.open.set(requests.open.get().saturating_sub(1));
        // So that the connection looks at its clock.
        if let Some(waker) = requests.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl Visit {
    /// Makes the visit last as long as the body of its answer.
    #[must_use]
    pub fn until_sent(self, body: BoxBody) -> BoxBody {
        BoxBody::new(Held { body, _visit: self })
    }
}

/// A body with the visit it belongs to.
struct Held {
    body: BoxBody,
    _visit: Visit,
}

impl MessageBody for Held {
    type Error = Box<dyn StdError>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(context)
    }
}

/// Which wait is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// For the rest of a head.
    Head,
    /// For anything.
    Anything,
}

/// One connection.
#[derive(Debug)]
pub struct Conn {
    stream: TcpStream,
    waits: Waits,
    requests: Rc<Requests>,
    /// The wait that is on, and how many requests had begun when it was started.
    wait: Option<(Wait, u64)>,
    clock: Pin<Box<Sleep>>,
}

impl Conn {
    fn new(stream: TcpStream, waits: Waits) -> Self {
        Self {
            stream,
            waits,
            requests: Rc::default(),
            wait: None,
            clock: Box::pin(sleep_until(Instant::now())),
        }
    }

    /// Stores what the gate needs in the connection's data.
    fn tell(&self, data: &mut Extensions) {
        if let Some(peer) = Peer::of(&self.stream) {
            data.insert(peer);
        }
        data.insert(Rc::clone(&self.requests));
    }

    /// Says whether the limit has passed; starts and stops the clock. `came` when bytes arrived.
    fn is_over(&mut self, came: bool, context: &mut Context<'_>) -> bool {
        // The first head is timed by actix-http, which answers 408.
        if !self.requests.is_idle() || !self.requests.has_begun() {
            self.wait = None;
            *self.requests.waker.borrow_mut() = Some(context.waker().clone());
            return false;
        }
        let begun = self.requests.begun.get();
        let current = self.wait.filter(|(_, at)| *at == begun);
        let wanted = match current {
            Some((Wait::Head, _)) => Wait::Head,
            Some((Wait::Anything, _)) | None if came => Wait::Head,
            Some((Wait::Anything, _)) | None => Wait::Anything,
        };
        if current != Some((wanted, begun)) {
            self.wait = Some((wanted, begun));
            let time = match wanted {
                Wait::Head => self.waits.head,
                Wait::Anything => self.waits.idle,
            };
            self.clock.as_mut().reset(Instant::now() + time);
        }
        self.clock.as_mut().poll(context).is_ready()
    }
}

impl AsyncRead for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let came = buffer.filled().len() > before;
        if polled.is_ready() && !came {
            self.requests.ended.set(true);
        }
        if self.is_over(came, context) && !came && polled.is_pending() {
            // Nothing more comes, as if the client had gone.
            return Poll::Ready(Ok(()));
        }
        polled
    }
}

impl AsyncWrite for Conn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

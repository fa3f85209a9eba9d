//! The terminal: a WebSocket on a run's PTY, or on an ephemeral one.
//!
//! The holder sends each viewer a snapshot and then live bytes; this relays them. A viewer that
//! does not read is not read for either: past 256 KiB without a Pong we stop taking bytes from the
//! holder, which then answers the lag with a fresh snapshot. So a viewer costs bounded memory.
//!
//! This file alone knows `actix-web-actors`; see docs/decisions/0004.

use crate::{
    http::wire::{ApiError, ApiResult, Query},
    runtime::{
        Runtime,
        operations::terminals::{
            self, ExitReport, FrameWriter, NewTerminal, Screen, ToViewer, ViewerReader, Watching,
        },
    },
};
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Handler, Message, ResponseFuture,
    StreamHandler, WrapFuture,
};
use actix_http::ws::Item;
use actix_web::{
    HttpRequest, get,
    web::{Data, Payload},
};
use actix_web_actors::ws;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

pub mod client_message;
mod flow;

use client_message::{MESSAGE_BYTES_MAX, Pieces, ToHolder, TooLong, Whole};
use flow::Flow;

/// Bytes after which a Ping is sent; its Pong says how far the viewer has read.
const PING_BYTES: u64 = 64 * 1024;
/// How long a viewer may send nothing before it counts as gone.
const SILENCE: Duration = Duration::from_secs(60);
const HEARTBEAT: Duration = Duration::from_secs(20);
/// Keystroke messages waiting for the holder.
const INPUT_LEN_MAX: usize = 64;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TerminalQuery {
    /// Attach to this run; without it an ephemeral terminal starts.
    run_id: Option<String>,
    /// Folder of an ephemeral terminal; the home folder by default.
    cwd: Option<String>,
    /// Its program: `claude`, `codex` or `shell`.
    cli: Option<String>,
    /// Run in the program's print mode.
    task: Option<String>,
    cols: Option<u32>,
    rows: Option<u32>,
}

/// A WebSocket to a run's terminal, or to an ephemeral one.
#[utoipa::path(tag = "terminal", params(TerminalQuery),
    responses((status = 101), (status = 404), (status = 409), (status = 429)))]
#[get("/api/terminal")]
pub(crate) async fn open(
    runtime: Data<Runtime>,
    request: HttpRequest,
    Query(query): Query<TerminalQuery>,
    payload: Payload,
) -> ApiResult {
    let size = (
        side("cols", query.cols, 120)?,
        side("rows", query.rows, 30)?,
    );
    let (screen, watching) = match &query.run_id {
        Some(run_id) => {
            let run_id = run_id.parse().map_err(|_| ApiError::not_found("run"))?;
            terminals::attach(&runtime, run_id).await?
        }
        None => {
            let new = NewTerminal {
                cwd: query.cwd,
                cli: query.cli,
                task: query.task,
                size,
            };
            terminals::start(&runtime, new).await?
        }
    };
    let socket = Socket::new(screen, watching);
    ws::WsResponseBuilder::new(socket, &request, payload)
        .frame_size(MESSAGE_BYTES_MAX)
        .start()
        .map_err(|_| ApiError::malformed("This is a WebSocket endpoint; send an upgrade request."))
}

fn side(field: &str, given: Option<u32>, default: u16) -> Result<u16, ApiError> {
    let Some(given) = given else {
        return Ok(default);
    };
    client_message::side(given).ok_or_else(|| ApiError::invalid(field, "must be 1 to 1000"))
}

/// One viewer.
struct Socket {
    /// Until it is shown.
    screen: Option<Screen>,
    _watching: Watching,
    input: Option<mpsc::Sender<ToHolder>>,
    flow: Arc<Flow>,
    pinged: u64,
    heard: Instant,
    pieces: Pieces,
    /// The message that is a snapshot is not at its end.
    in_snapshot: bool,
    /// The size of the terminal as the viewer knows it.
    told: (u16, u16),
    /// The holder takes the colours of a page.
    takes_colors: bool,
}

/// A viewer that left sends no Pong: the relay must not wait for one.
impl Drop for Socket {
    fn drop(&mut self) {
        self.flow.has_read(u64::MAX);
    }
}

/// From the holder, on its way to the viewer.
#[derive(Message)]
#[rtype(result = "()")]
struct Relay(ToViewer);

/// The holder sends nothing more.
#[derive(Message)]
#[rtype(result = "()")]
struct Over;

impl Socket {
    fn new(screen: Screen, watching: Watching) -> Self {
        Self {
            screen: Some(screen),
            _watching: watching,
            input: None,
            flow: Arc::default(),
            pinged: 0,
            heard: Instant::now(),
            pieces: Pieces::default(),
            in_snapshot: false,
            told: (0, 0),
            takes_colors: false,
        }
    }

    /// A snapshot is one message, in as many frames as it has pieces.
    fn snapshot(
        &mut self,
        bytes: Bytes,
        resync: bool,
        more: bool,
        context: &mut ws::WebsocketContext<Self>,
    ) {
        let length = bytes.len();
        let begun = std::mem::replace(&mut self.in_snapshot, more);
        if resync && !begun {
            context.text(json!({"type": "resync"}).to_string());
        }
        let frame = match (begun, more) {
            (false, false) => ws::Message::Binary(bytes),
            (false, true) => ws::Message::Continuation(Item::FirstBinary(bytes)),
            (true, true) => ws::Message::Continuation(Item::Continue(bytes)),
            (true, false) => ws::Message::Continuation(Item::Last(bytes)),
        };
        self.send(frame, length, context);
    }

    /// Tells the size when it changed: what follows was drawn for it.
    fn size(&mut self, cols: u16, rows: u16, context: &mut ws::WebsocketContext<Self>) {
        if std::mem::replace(&mut self.told, (cols, rows)) != (cols, rows) {
            context.text(json!({"type": "resize", "cols": cols, "rows": rows}).to_string());
        }
    }

    fn send(
        &mut self,
        frame: ws::Message,
        length: usize,
        context: &mut ws::WebsocketContext<Self>,
    ) {
        context.write_raw(frame);
        let sent = self.flow.has_sent(length as u64);
        if sent - self.pinged >= PING_BYTES {
            self.pinged = sent;
            context.ping(&sent.to_be_bytes());
        }
    }

    fn exit(report: &ExitReport, context: &mut ws::WebsocketContext<Self>) {
        context.text(json!({"type": "exit", "code": report.code}).to_string());
        context.close(Some(ws::CloseCode::Normal.into()));
        context.stop();
    }

    /// Hands something to the holder in order; a full queue holds this socket alone.
    fn give(&self, what: ToHolder, context: &mut ws::WebsocketContext<Self>) {
        let Some(input) = self.input.clone() else {
            return;
        };
        let what = match input.try_send(what) {
            Err(mpsc::error::TrySendError::Full(what)) => what,
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Closed(_)) => return context.stop(),
        };
        let sent = async move { input.send(what).await }.into_actor(self);
        context.wait(
            sent.map(|outcome, _, context: &mut ws::WebsocketContext<Self>| {
                if outcome.is_err() {
                    context.stop();
                }
            }),
        );
    }

    fn text(&self, text: &str, context: &mut ws::WebsocketContext<Self>) {
        match client_message::control(text) {
            Ok(ToHolder::Colors(_)) if !self.takes_colors => {}
            Ok(what) => self.give(what, context),
            Err(why) => complain(why, context),
        }
    }

    fn piece(&mut self, piece: Item, context: &mut ws::WebsocketContext<Self>) {
        match self.pieces.take(piece) {
            Ok(None) => {}
            Ok(Some(Whole::Text(text))) => self.text(&text, context),
            Ok(Some(Whole::Keys(keys))) => self.give(ToHolder::Keys(keys), context),
            Err(TooLong) => {
                context.close(Some(ws::CloseCode::Size.into()));
                context.stop();
            }
        }
    }
}

fn complain(why: &str, context: &mut ws::WebsocketContext<Socket>) {
    let reason = ws::CloseReason {
        code: ws::CloseCode::Policy,
        description: Some(why.into()),
    };
    context.close(Some(reason));
    context.stop();
}

/// Relays what the holder says, as fast as the viewer reads.
async fn relay(mut reader: ViewerReader, socket: actix::Addr<Socket>, flow: Arc<Flow>) {
    loop {
        flow.room().await;
        let Ok(Some(said)) = reader.next().await else {
            break;
        };
        let over = matches!(said, ToViewer::Exit(_));
        if socket.send(Relay(said)).await.is_err() || over {
            return;
        }
    }
    // A socket that is gone needs no end.
    socket.send(Over).await.ok();
}

/// Hands keystrokes on, in order.
async fn type_on(writer: FrameWriter, mut input: mpsc::Receiver<ToHolder>) {
    while let Some(what) = input.recv().await {
        let done = match what {
            ToHolder::Keys(bytes) | ToHolder::Colors(bytes) => writer.input(bytes).await,
            ToHolder::Resize(cols, rows) => writer.resize(cols, rows).await,
        };
        if let Err(error) = done {
            log::debug!("Lost the holder of a terminal: {error}.");
            return;
        }
    }
}

impl Actor for Socket {
    type Context = ws::WebsocketContext<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let ready = |cols: u16, rows: u16, alive: bool| {
            json!({"type": "ready", "cols": cols, "rows": rows, "alive": alive}).to_string()
        };
        match self.screen.take() {
            Some(Screen::Live(viewer)) => {
                let hello = viewer.hello();
                self.told = (hello.cols, hello.rows);
                self.takes_colors = viewer.takes_colors();
                context.text(ready(hello.cols, hello.rows, hello.exit.is_none()));
                let (reader, writer) = viewer.split();
                let (input, waiting) = mpsc::channel(INPUT_LEN_MAX);
                self.input = Some(input);
                actix::spawn(type_on(writer, waiting));
                actix::spawn(relay(reader, context.address(), Arc::clone(&self.flow)));
            }
            Some(Screen::Last(last)) => {
                context.text(ready(last.cols, last.rows, false));
                context.binary(last.bytes);
                return Self::exit(&last.exit, context);
            }
            None => return context.stop(),
        }
        context.run_interval(HEARTBEAT, |socket, context| {
            if socket.heard.elapsed() > SILENCE {
                context.stop();
            } else {
                context.ping(&socket.flow.sent().to_be_bytes());
            }
        });
    }
}

impl Handler<Relay> for Socket {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, relay: Relay, context: &mut Self::Context) -> Self::Result {
        match relay.0 {
            ToViewer::Output { bytes, .. } => {
                let length = bytes.len();
                self.send(ws::Message::Binary(bytes), length, context);
            }
            ToViewer::Snapshot(piece) => {
                self.size(piece.size.cols, piece.size.rows, context);
                self.snapshot(piece.bytes, piece.resync, piece.more, context);
            }
            ToViewer::Resized(size) => self.size(size.cols, size.rows, context),
            ToViewer::Exit(report) => Self::exit(&report, context),
        }
        Box::pin(std::future::ready(()))
    }
}

impl Handler<Over> for Socket {
    type Result = ();

    fn handle(&mut self, _: Over, context: &mut Self::Context) {
        context.close(Some(ws::CloseCode::Away.into()));
        context.stop();
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Socket {
    fn handle(
        &mut self,
        message: Result<ws::Message, ws::ProtocolError>,
        context: &mut Self::Context,
    ) {
        self.heard = Instant::now();
        match message {
            Ok(ws::Message::Binary(keys)) => self.give(ToHolder::Keys(keys), context),
            Ok(ws::Message::Text(text)) => self.text(&text, context),
            Ok(ws::Message::Continuation(piece)) => self.piece(piece, context),
            Ok(ws::Message::Ping(payload)) => context.pong(&payload),
            Ok(ws::Message::Pong(payload)) => {
                if let Ok(read) = <[u8; 8]>::try_from(&payload[..]) {
                    let read = u64::from_be_bytes(read).min(self.flow.sent());
                    self.flow.has_read(read);
                }
            }
            Ok(ws::Message::Close(reason)) => {
                context.close(reason);
                context.stop();
            }
            Ok(ws::Message::Nop) => {}
            Err(error) => {
                log::debug!("A viewer broke the WebSocket protocol: {error}.");
                let code = if matches!(error, ws::ProtocolError::Overflow) {
                    ws::CloseCode::Size
                } else {
                    ws::CloseCode::Protocol
                };
                context.close(Some(code.into()));
                context.stop();
            }
        }
    }
}

//! A server with the gate and a dummy handler for each class, and a client that sends raw bytes.

use abbado::http::edge::connection::{self, Waits};
use abbado::http::edge::gate::{Gate, GateConfig};
use abbado::http::metrics::{Elsewhere, Metrics};
use abbado::http::wire::extract::{JsonBody, RawJson};
use abbado::http::{api::side, routes};
use actix_web::{App, HttpRequest, HttpResponse, web};
use actix_web_actors::ws;
use futures_util::stream;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub const RUN: &str = "6f1d6c3e-9a0b-4c53-8f57-0d6a4d1a2b3c";
pub const OTHER_RUN: &str = "00000000-9a0b-4c53-8f57-0d6a4d1a2b3c";
pub const TOKEN: &str = "a-good-token-of-forty-characters-0123456";

/// The secret of [`RUN`].
pub fn hook_secret() -> String {
    "5a".repeat(32)
}

struct Silent;

impl actix::Actor for Silent {
    type Context = ws::WebsocketContext<Self>;
}

impl actix::StreamHandler<Result<ws::Message, ws::ProtocolError>> for Silent {
    fn handle(&mut self, _: Result<ws::Message, ws::ProtocolError>, _: &mut Self::Context) {}
}

async fn terminal(request: HttpRequest, body: web::Payload) -> actix_web::Result<HttpResponse> {
    ws::start(Silent, &request, body)
}

async fn events() -> HttpResponse {
    let frame = Ok::<_, actix_web::Error>(web::Bytes::from_static(b"retry: 1000\n\n"));
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .streaming(stream::iter([frame]))
}

async fn hook(payload: RawJson) -> HttpResponse {
    HttpResponse::Ok().json(payload.object)
}

async fn make(body: JsonBody<serde_json::Value>) -> HttpResponse {
    HttpResponse::Created().json(body.0)
}

async fn text() -> &'static str {
    "reached"
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(text))
        .route("/assets/app.js", web::get().to(text))
        .service(side::health)
        .service(side::version)
        .route("/api/metrics", web::get().to(metrics))
        .route("/api/runs", web::get().to(text))
        .route("/api/runs", web::post().to(make))
        .route("/api/runs/{id}/cancel", web::post().to(text))
        .route("/api/runs/{id}/hook", web::post().to(hook))
        .route("/api/events/stream", web::get().to(events))
        .route("/api/terminal", web::get().to(terminal))
        .default_service(web::to(routes::unknown));
}

/// A running server; it ends with the process of the tests.
pub struct Server {
    pub address: SocketAddr,
    pub metrics: Arc<Metrics>,
}

impl Server {
    pub fn start(allowed_hosts: &str, token: Option<&str>) -> Self {
        Self::start_with(allowed_hosts, token, Waits::default())
    }

    pub fn start_with(allowed_hosts: &str, token: Option<&str>, waits: Waits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let token = token.map(str::to_owned);
        let config = GateConfig::new(address, allowed_hosts, token).unwrap();
        let metrics = Arc::new(Metrics::default());
        let secrets = |run: uuid::Uuid| (run.to_string() == RUN).then(hook_secret);
        let gate = Gate::new(config, secrets, Arc::clone(&metrics));
        let data = web::Data::new(Arc::clone(&metrics));
        std::thread::spawn(move || {
            let app = move || {
                App::new()
                    .app_data(data.clone())
                    .configure(routes)
                    .wrap(gate.clone())
            };
            actix_web::rt::System::new()
                .block_on(async { connection::serve(app, listener, waits).unwrap().await })
                .unwrap();
        });
        Self { address, metrics }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Sends raw bytes from an address of its own and reads the head and body of the answer.
    pub fn send(&self, from: Ipv4Addr, request: &str) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(SocketAddr::new(IpAddr::V4(from), 0)).unwrap();
            socket
                .connect(self.address)
                .await
                .unwrap()
                .into_std()
                .unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        stream
            .set_read_timeout(Some(crate::support::PATIENCE))
            .unwrap();
        read_answer(stream, request)
    }

    /// Sends raw bytes from 127.0.0.1.
    pub fn ask(&self, request: &str) -> Answer {
        self.send(Ipv4Addr::LOCALHOST, request)
    }

    /// Sends a request of given lines after a right Host.
    pub fn lines(&self, first: &str, lines: &[&str], body: &str) -> Answer {
        self.ask(&message(first, &self.host_line(), lines, body))
    }

    pub fn host_line(&self) -> String {
        format!("Host: localhost:{}", self.port())
    }
}

/// Writes a request; `Connection: close` unless it upgrades.
pub fn message(first: &str, host: &str, lines: &[&str], body: &str) -> String {
    let mut text = format!("{first} HTTP/1.1\r\n");
    for line in [host].iter().chain(lines).filter(|line| !line.is_empty()) {
        text.push_str(line);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    if !lines.iter().any(|line| line.starts_with("Upgrade:")) {
        text.push_str("Connection: close\r\n");
    }
    format!("{text}\r\n{body}")
}

fn read_answer(mut stream: std::net::TcpStream, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let is_upgrade = request.contains("\r\nUpgrade:");
    loop {
        let length = stream.read(&mut chunk).unwrap_or(0);
        bytes.extend_from_slice(&chunk[..length]);
        if length == 0 || (is_upgrade && is_complete(&bytes)) {
            break;
        }
    }
    Answer::parse(&String::from_utf8_lossy(&bytes))
}

/// A request to upgrade leaves its connection open, whatever the answer: its length tells the end.
fn is_complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let answer = Answer::parse(&text);
    let length = answer.header("content-length").unwrap_or("0");
    text.contains("\r\n\r\n") && answer.body.len() >= length.parse::<usize>().unwrap()
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// What actix-http answers before any of our code: a status and nothing else.
    pub fn is_of_the_parser(&self) -> bool {
        [400, 408, 431].contains(&self.status)
            && self.body.is_empty()
            && self.header("x-error-code").is_none()
            && self.header("content-type").is_none()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A loopback address that no other call has given out: each is a peer of its own.
pub fn fresh_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + number)
}

async fn metrics(metrics: web::Data<Arc<Metrics>>) -> HttpResponse {
    side::metrics_page(&metrics, Elsewhere::default())
}

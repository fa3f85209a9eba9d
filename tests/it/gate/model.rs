//! What the gate should answer, told a second time and as tables: the words of the security page
//! for each dimension of the matrix. Shares no code with the gate.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    No,
    Evil,
    Null,
    Ip,
    OtherPort,
    Exact,
    Two,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    Localhost,
    V4,
    V6,
    Unspecified,
    Foreign,
    TrailingDot,
    Userinfo,
    Doubled,
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Get,
    Head,
    Form,
    Json,
    Text,
    Bodiless,
    Preflight,
    Sse,
    WebSocket,
    Health,
    UnknownGet,
    UnknownForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    Off,
    Missing,
    Bad,
    Good,
    Cookie,
    BadCookie,
}

impl Origin {
    pub const ALL: [Self; 7] = [
        Self::No,
        Self::Evil,
        Self::Null,
        Self::Ip,
        Self::OtherPort,
        Self::Exact,
        Self::Two,
    ];

    pub fn lines(self, port: u16) -> Vec<String> {
        let own = format!("Origin: http://localhost:{port}");
        match self {
            Self::No => vec![],
            Self::Evil => vec!["Origin: http://evil.example".into()],
            Self::Null => vec!["Origin: null".into()],
            Self::Ip => vec![format!("Origin: http://192.0.2.7:{port}")],
            Self::OtherPort => vec![format!("Origin: http://localhost:{}", port ^ 1)],
            Self::Exact => vec![own],
            Self::Two => vec![own.clone(), own],
        }
    }
}

impl Host {
    pub const ALL: [Self; 9] = [
        Self::Localhost,
        Self::V4,
        Self::V6,
        Self::Unspecified,
        Self::Foreign,
        Self::TrailingDot,
        Self::Userinfo,
        Self::Doubled,
        Self::Empty,
    ];

    pub fn line(self, port: u16) -> String {
        match self {
            Self::Localhost => format!("Host: LocalHost:{port}"),
            Self::V4 => format!("Host: 127.0.0.1:{port}"),
            Self::V6 => format!("Host: [::1]:{port}"),
            Self::Unspecified => format!("Host: 0.0.0.0:{port}"),
            Self::Foreign => format!("Host: rebound.example:{port}"),
            Self::TrailingDot => format!("Host: localhost.:{port}"),
            Self::Userinfo => format!("Host: me@localhost:{port}"),
            Self::Doubled => format!("Host: localhost:{port}\r\nHost: localhost:{port}"),
            Self::Empty => "Host:".into(),
        }
    }

    fn refusal(self) -> Option<u16> {
        match self {
            Self::Localhost | Self::V4 | Self::V6 => None,
            Self::Unspecified | Self::Foreign | Self::TrailingDot => Some(403),
            Self::Userinfo | Self::Doubled | Self::Empty => Some(400),
        }
    }
}

const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const ASKED: &str = "Access-Control-Request-Method: POST";

impl Shape {
    pub const ALL: [Self; 12] = [
        Self::Get,
        Self::Head,
        Self::Form,
        Self::Json,
        Self::Text,
        Self::Bodiless,
        Self::Preflight,
        Self::Sse,
        Self::WebSocket,
        Self::Health,
        Self::UnknownGet,
        Self::UnknownForm,
    ];

    /// First line, further lines, body.
    pub fn parts(self) -> (&'static str, Vec<&'static str>, &'static str) {
        match self {
            Self::Get => ("GET /api/runs", vec![], ""),
            Self::Head => ("HEAD /api/runs", vec![], ""),
            Self::Form => ("POST /api/runs", vec![FORM], "{\"task\"=\"x\"}"),
            Self::Json => (
                "POST /api/runs",
                vec!["Content-Type: application/json"],
                "{}",
            ),
            Self::Text => ("POST /api/runs", vec!["Content-Type: text/plain"], "{}"),
            Self::Bodiless => ("POST /api/runs/x/cancel", vec![], ""),
            Self::Preflight => ("OPTIONS /api/runs", vec![ASKED], ""),
            Self::Sse => (
                "GET /api/events/stream",
                vec!["Accept: text/event-stream"],
                "",
            ),
            Self::WebSocket => ("GET /api/terminal", UPGRADE.to_vec(), ""),
            Self::Health => ("GET /api/health", vec![], ""),
            Self::UnknownGet => ("GET /api/nothing", vec![], ""),
            Self::UnknownForm => ("POST /api/nothing", vec![FORM], "a=b"),
        }
    }

    fn when_let_in(self) -> u16 {
        match self {
            Self::Get | Self::Head | Self::Bodiless | Self::Sse | Self::Health => 200,
            Self::Json => 201,
            Self::Form | Self::Text | Self::UnknownForm => 415,
            Self::Preflight => 405,
            Self::WebSocket => 101,
            Self::UnknownGet => 404,
        }
    }
}

impl Token {
    pub const WITH_TOKEN: [Self; 5] = [
        Self::Missing,
        Self::Bad,
        Self::Good,
        Self::Cookie,
        Self::BadCookie,
    ];
}

/// The status that the security page asks for.
pub fn expected(origin: Origin, host: Host, shape: Shape, token: Token) -> u16 {
    if let Some(status) = host.refusal() {
        return status;
    }
    if shape == Shape::Health {
        return 200;
    }
    let by_origin = match origin {
        Origin::No | Origin::Exact => None,
        Origin::Two => Some(400),
        Origin::Evil | Origin::Null | Origin::Ip | Origin::OtherPort => Some(403),
    };
    let by_token = match token {
        Token::Off | Token::Good | Token::Cookie => None,
        Token::Missing | Token::Bad | Token::BadCookie => Some(401),
    };
    by_origin
        .or(by_token)
        .unwrap_or_else(|| shape.when_let_in())
}

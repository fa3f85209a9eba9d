//! A second implementation of the gate as tables: the rules of the security page for each dimension
//! of the matrix. It shares no code with the gate.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    No,
    Evil,
    Null,
    Ip,
    OtherPort,
    Exact,
    Two,
    OverTls,
    NamedHttp,
    NamedHttps,
    ProxyHttp,
    ProxyHttpPort,
    ProxyHttps,
    ProxyHttpsPort,
}

/// What a browser says of the page that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    Unsaid,
    None,
    SameOrigin,
    Sibling,
    Stranger,
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
    Named,
    NamedBare,
    NamedOther,
    NamedDot,
    NamedBelow,
    Proxy,
    ProxyBare,
    ProxyOurs,
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

/// What the servers of the third part of the matrix list: a name, which means with our port, and
/// one with the port of a TLS proxy.
pub const LISTED: &str = "box.lan, proxy.lan:443";

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

    pub const WITH_LIST: [Self; 11] = [
        Self::No,
        Self::Evil,
        Self::Null,
        Self::Exact,
        Self::OverTls,
        Self::NamedHttp,
        Self::NamedHttps,
        Self::ProxyHttp,
        Self::ProxyHttpPort,
        Self::ProxyHttps,
        Self::ProxyHttpsPort,
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
            Self::OverTls => vec![format!("Origin: https://localhost:{port}")],
            Self::NamedHttp => vec![format!("Origin: http://box.lan:{port}")],
            Self::NamedHttps => vec![format!("Origin: https://box.lan:{port}")],
            Self::ProxyHttp => vec!["Origin: http://proxy.lan".into()],
            Self::ProxyHttpPort => vec!["Origin: http://proxy.lan:443".into()],
            Self::ProxyHttps => vec!["Origin: https://proxy.lan".into()],
            Self::ProxyHttpsPort => vec!["Origin: https://proxy.lan:443".into()],
        }
    }

    fn refusal(self, listed: bool) -> Option<u16> {
        match self {
            Self::No | Self::Exact => None,
            Self::Two => Some(400),
            Self::Evil | Self::Null | Self::Ip | Self::OtherPort | Self::OverTls => Some(403),
            // Port 80 of the proxy is not the one that is listed.
            Self::ProxyHttp => Some(403),
            Self::NamedHttp
            | Self::NamedHttps
            | Self::ProxyHttpPort
            | Self::ProxyHttps
            | Self::ProxyHttpsPort => (!listed).then_some(403),
        }
    }
}

impl Site {
    pub const ALL: [Self; 5] = [
        Self::Unsaid,
        Self::None,
        Self::SameOrigin,
        Self::Sibling,
        Self::Stranger,
    ];

    pub fn lines(self) -> Vec<String> {
        let line = |value: &str| vec![format!("Sec-Fetch-Site: {value}")];
        match self {
            Self::Unsaid => vec![],
            Self::None => line("none"),
            Self::SameOrigin => line("same-origin"),
            Self::Sibling => line("same-site"),
            Self::Stranger => line("Cross-Site"),
        }
    }

    fn refusal(self) -> Option<u16> {
        matches!(self, Self::Sibling | Self::Stranger).then_some(403)
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

    pub const WITH_LIST: [Self; 9] = [
        Self::V4,
        Self::Named,
        Self::NamedBare,
        Self::NamedOther,
        Self::NamedDot,
        Self::NamedBelow,
        Self::Proxy,
        Self::ProxyBare,
        Self::ProxyOurs,
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
            Self::Named => format!("Host: Box.lan:{port}"),
            Self::NamedBare => "Host: box.lan".into(),
            Self::NamedOther => "Host: box.lan:443".into(),
            Self::NamedDot => format!("Host: box.lan.:{port}"),
            Self::NamedBelow => format!("Host: a.box.lan:{port}"),
            Self::Proxy => "Host: proxy.lan:443".into(),
            Self::ProxyBare => "Host: proxy.lan".into(),
            Self::ProxyOurs => format!("Host: proxy.lan:{port}"),
        }
    }

    fn refusal(self, listed: bool) -> Option<u16> {
        match self {
            Self::Localhost | Self::V4 | Self::V6 => None,
            Self::Unspecified | Self::Foreign | Self::TrailingDot => Some(403),
            Self::Named | Self::Proxy | Self::ProxyBare => (!listed).then_some(403),
            Self::NamedBare
            | Self::NamedOther
            | Self::NamedDot
            | Self::NamedBelow
            | Self::ProxyOurs => Some(403),
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

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub host: Host,
    pub origin: Origin,
    pub site: Site,
    pub shape: Shape,
    pub token: Token,
    /// Whether the server has [`LISTED`].
    pub listed: bool,
}

/// A rule, to be left out of a model that is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Host,
    Origin,
    Site,
    Token,
    Media,
    Preflight,
}

impl Rule {
    pub const ALL: [Self; 6] = [
        Self::Host,
        Self::Origin,
        Self::Site,
        Self::Token,
        Self::Media,
        Self::Preflight,
    ];
}

/// The status that the security page asks for; `without` a rule, what a gate that lacks it would
/// answer.
pub fn expected(case: Case, without: Option<Rule>) -> u16 {
    let has = |rule| without != Some(rule);
    let by_host = case.host.refusal(case.listed).filter(|_| has(Rule::Host));
    if let Some(status) = by_host {
        return status;
    }
    if case.shape == Shape::Health {
        return 200;
    }
    let by_origin = case
        .origin
        .refusal(case.listed)
        .filter(|_| has(Rule::Origin));
    let by_site = case.site.refusal().filter(|_| has(Rule::Site));
    let by_token = match case.token {
        Token::Off | Token::Good | Token::Cookie => None,
        Token::Missing | Token::Bad | Token::BadCookie => Some(401),
    };
    let by_token = by_token.filter(|_| has(Rule::Token));
    let let_in = match case.shape.when_let_in() {
        415 if !has(Rule::Media) => 201,
        405 if !has(Rule::Preflight) => 204,
        other => other,
    };
    // Two Origins are malformed, whatever the browser says of the site.
    by_origin.or(by_site).or(by_token).unwrap_or(let_in)
}

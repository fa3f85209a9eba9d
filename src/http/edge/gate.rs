//! The gate: who gets in. One middleware in front of every handler, unknown routes included.
//!
//! The rules, in this order (rule 1, the bind, is [`GateConfig::new`]):
//! 2. Host, 3. Origin and Sec-Fetch-Site, 4. the peer's user or the token, 5. the type of a body,
//! 6. the hook secret (which takes the place of the token in 4), 7. headers of every answer.
//!
//! Holds: no handler sees a request that a rule refuses; nothing is read from the body here; no
//! CORS header is ever sent, so a preflight never succeeds.
//!
//! A link on a web page opens the UI: a GET of one of its pages by `Sec-Fetch-Mode: navigate` passes
//! whatever `Sec-Fetch-Site` says, for a page is the same for everybody and changes nothing. The API,
//! its streams and upgrades refuse all that another site makes a browser ask.
//!
//! What actix-http itself answers before any middleware (a doubled or missing Host under HTTP/1.1, a
//! head that does not parse or arrives too slowly) is a status, without a body or our headers.

mod config;
mod credential;
mod hooks;
mod keeper;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::{HttpResponse, ResponseError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

pub use config::{GateConfig, TOKEN_CHARS_MIN, check_bind};
use credential::{Credential, QueryToken, credential, query_token};
use hooks::HookSecrets;
pub use keeper::Gatekeeper;

use super::authority::{self, Authority};
use super::peer::{Peer, Verdict};
use super::token::{GuessLimit, Secret};
use crate::http::metrics::{Metrics, Rule};
use crate::http::route_class::RouteClass;
use crate::http::routes;
use crate::http::wire::error::{self, ApiError};
use crate::http::wire::extract;
use crate::runtime::threads;

/// Carries the secret of a run's hooks.
pub const HOOK_TOKEN: HeaderName = HeaderName::from_static("x-abbado-hook-token");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What pages of the web UI may do. Only our own scripts run; `unsafe-inline` is for styles alone,
/// because the terminal positions its cells by `style` elements.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Rule 7: what every answer carries.
const ANSWER_HEADERS: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
];

/// A file system that takes longer for a few bytes hangs.
const SECRET_WAIT: Duration = Duration::from_secs(5);
/// Query of a page that a browser was sent to for the second time.
const LINKED: &str = "linked";

struct Inner {
    config: GateConfig,
    cookie: Option<Secret>,
    hooks: Arc<HookSecrets>,
    /// Secrets that were read.
    secrets: hooks::Known,
    guesses: GuessLimit,
    metrics: Arc<Metrics>,
}

/// The middleware. Clone it into each worker's `App` and `.wrap` it outermost.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

/// The answer to a refused request, and the rule that refused it.
type Refusal = (Rule, ApiError);

/// What happens to an accepted request.
enum Passage {
    /// To its handler.
    Enter,
    /// Back, with the cookie set.
    SetCookie,
}

impl Gate {
    /// Makes the gate of one server.
    #[must_use]
    pub fn new(
        config: GateConfig,
        hooks: impl Fn(Uuid) -> Option<String> + Send + Sync + 'static,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self(Arc::new(Inner {
            cookie: config.token.as_ref().map(Secret::cookie_value),
            config,
            hooks: Arc::new(hooks),
            secrets: hooks::Known::default(),
            guesses: GuessLimit::default(),
            metrics,
        }))
    }

    /// Runs rules 2 to 6.
    fn check(&self, request: &ServiceRequest, class: RouteClass) -> Result<Passage, Refusal> {
        self.check_host(request)
            .map_err(|error| (Rule::Host, error))?;
        if class == RouteClass::Open {
            return Ok(Passage::Enter);
        }
        self.check_origin(request, class)
            .map_err(|error| (Rule::Origin, error))?;
        let may_set_cookie = class == RouteClass::TokenCookie && self.0.config.token.is_some();
        let token_in_query = if may_set_cookie {
            query_token(request)
        } else {
            QueryToken::Absent
        };
        let sets_cookie = !matches!(token_in_query, QueryToken::Absent);
        if class == RouteClass::Hook && self.check_hook(request)? {
            // The secret replaces the token; without a token, the user is still checked.
            if self.0.config.token.is_none() {
                check_peer(request)?;
            }
        } else {
            self.check_caller(request, token_in_query)?;
        }
        let writes = matches!(
            class,
            RouteClass::Write | RouteClass::Hook | RouteClass::Terminal
        );
        if writes || sets_cookie {
            let has_body = extract::has_body(request.headers());
            extract::check_media(request.headers(), has_body)
                .map_err(|error| (Rule::Media, error))?;
        }
        Ok(if sets_cookie {
            Passage::SetCookie
        } else {
            Passage::Enter
        })
    }

    /// Rule 2. A page whose name was rebound to us sends its own name here, and only here.
    fn check_host(&self, request: &ServiceRequest) -> Result<(), ApiError> {
        let mut hosts = request.headers().get_all(header::HOST);
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            let text = "The request must have exactly one Host header.";
            return Err(ApiError::malformed(text));
        };
        let host = host.to_str().ok().and_then(Authority::parse);
        let host = host.ok_or_else(|| ApiError::malformed("The Host header is malformed."))?;
        check_target(request.uri(), &host)?;
        let config = &self.0.config;
        if authority::host_allowed(&host, config.bound.port(), &config.allowed_hosts) {
            return Ok(());
        }
        let text =
            "This server does not accept that Host; add it to ABBADO_ALLOWED_HOSTS to allow it.";
        Err(ApiError::forbidden(text).with_code("host_not_allowed"))
    }

    /// Rule 3.
    fn check_origin(&self, request: &ServiceRequest, class: RouteClass) -> Result<(), ApiError> {
        let mut origins = request.headers().get_all(header::ORIGIN);
        let (first, second) = (origins.next(), origins.next());
        if second.is_some() {
            let text = "The request has more than one Origin header.";
            return Err(ApiError::malformed(text));
        }
        let config = &self.0.config;
        let allowed = first.is_none_or(|origin| {
            let port = config.bound.port();
            let text = origin.to_str().unwrap_or_default();
            authority::origin_allowed(text, port, &config.allowed_hosts)
        });
        if allowed && (!is_of_other_site(request) || follows_link(request, class)) {
            return Ok(());
        }
        let text = "Pages of other origins may not call this server; open its address directly.";
        Err(ApiError::forbidden(text).with_code("origin_not_allowed"))
    }

    /// The run whose secret has to be read before its hook is judged: none is known, or another than
    /// what was sent.
    fn secret_to_read(&self, request: &ServiceRequest, class: RouteClass) -> Option<Uuid> {
        if class != RouteClass::Hook {
            return None;
        }
        let sent = request.headers().get(HOOK_TOKEN)?;
        let run = routes::run_of_hook(request.match_info().unprocessed())?;
        let known = self.0.secrets.get(run).map(Secret::new);
        let right = known.is_some_and(|secret| secret.matches(sent.as_bytes()));
        (!right).then_some(run)
    }

    /// Reads the secret of a run, off the worker.
    async fn read_secret(&self, run: Uuid) -> Result<(), Refusal> {
        let hooks = Arc::clone(&self.0.hooks);
        match threads::run_within(SECRET_WAIT, move || hooks(run)).await {
            Ok(secret) => {
                self.0.secrets.put(run, secret);
                Ok(())
            }
            Err(_) => {
                let text = "The run's hook secret cannot be read right now; try again.";
                Err((Rule::HookSecret, ApiError::unavailable(text, 5)))
            }
        }
    }

    /// Rule 6. True when the run's own secret opened the way, false when none was sent.
    fn check_hook(&self, request: &ServiceRequest) -> Result<bool, Refusal> {
        let mut secrets = request.headers().get_all(HOOK_TOKEN);
        let Some(sent) = secrets.next() else {
            return Ok(false);
        };
        let run = routes::run_of_hook(request.match_info().unprocessed());
        let Some(secret) = run.and_then(|run| self.0.secrets.get(run)) else {
            return Err((Rule::HookSecret, ApiError::not_found("run")));
        };
        let sound = secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        if secrets.next().is_none() && sound && Secret::new(secret).matches(sent.as_bytes()) {
            return Ok(true);
        }
        let error = ApiError::forbidden("The hook secret does not belong to this run.");
        Err((Rule::HookSecret, error.with_code("hook_secret_wrong")))
    }

    /// Rule 4: the token where there is one, else the peer's user.
    fn check_caller(&self, request: &ServiceRequest, query: QueryToken) -> Result<(), Refusal> {
        let (Some(token), Some(cookie)) = (&self.0.config.token, &self.0.cookie) else {
            return check_peer(request);
        };
        // Without connection data (which `on_connect` gives) all guesses count as one address's.
        let peer = request.conn_data::<Peer>();
        let address = peer.map_or([0, 0, 0, 0].into(), Peer::address);
        if let Some(seconds) = self.0.guesses.wait_s(address, Instant::now()) {
            let text = "Too many wrong tokens from this address; wait a minute.";
            let error = ApiError::busy(text, seconds).with_code("token_rate");
            return Err((Rule::TokenRate, error));
        }
        let name = self.0.config.cookie_name();
        match credential(request, query, &name, token, cookie) {
            Credential::Right => Ok(()),
            Credential::Missing => Err((Rule::Token, ApiError::unauthorized())),
            Credential::Wrong => {
                self.0.guesses.wrong(address, Instant::now());
                let error = ApiError::unauthorized().with_code("token_wrong");
                Err((Rule::Token, error))
            }
        }
    }

    /// Answers a refused request. A cookie that is no longer right is taken back: a forgotten tab
    /// would otherwise lock its own address out.
    ///
    /// A browser keeps a `SameSite=Strict` cookie back when it follows a link of another site. It is
    /// sent once more to the same page, and then on behalf of our own answer: with its cookie.
    fn refuse(
        &self,
        request: &ServiceRequest,
        class: RouteClass,
        refusal: Refusal,
    ) -> HttpResponse {
        let (rule, error) = refusal;
        self.0.metrics.refused(rule);
        log::debug!(code = error.code(), rule:? = rule; "Refused a request.");
        let mut answer = error.error_response();
        let name = self.0.config.cookie_name();
        if error.code() == "token_wrong" && request.cookie(&name).is_some() {
            let mut stale = self.cookie("");
            stale.make_removal();
            answer.add_cookie(&stale).unwrap_or_default();
        }
        let linked = is_of_other_site(request) && follows_link(request, class);
        if error.code() == "unauthorized" && linked && request.query_string() != LINKED {
            let again = format!("0; url={}?{LINKED}", request.path());
            if let Ok(again) = HeaderValue::try_from(again) {
                answer.headers_mut().insert(header::REFRESH, again);
            }
        }
        answer
    }

    fn cookie(&self, value: &str) -> Cookie<'static> {
        Cookie::build(self.0.config.cookie_name(), value.to_owned())
            .path("/")
            .http_only(true)
            .same_site(SameSite::Strict)
            .finish()
    }

    /// Sets the cookie and leads away from the address that holds the token.
    fn welcome(&self) -> HttpResponse {
        let value = self.0.cookie.as_ref().map_or("", Secret::reveal);
        HttpResponse::SeeOther()
            .insert_header((header::LOCATION, "/"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .cookie(self.cookie(value))
            .finish()
    }

    /// Rule 7, counting, and one form for all errors: one without our code is actix's own.
    fn finish(&self, mut answer: HttpResponse, class: RouteClass, path: &str) -> HttpResponse {
        let status = answer.status();
        let refused = status.is_client_error() || status.is_server_error();
        if refused && !answer.headers().contains_key(error::ERROR_CODE) {
            let is_known = !routes::allowed_methods(path).is_empty();
            let error = match status {
                StatusCode::METHOD_NOT_ALLOWED if is_known => routes::refuse(path),
                other => ApiError::from_status(other),
            };
            answer = error.error_response();
        }
        let headers = answer.headers_mut();
        for (name, value) in ANSWER_HEADERS {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        if class.is_page() {
            let policy = HeaderValue::from_static(PAGE_POLICY);
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
            // A page that opened ours in a window has no hold on it.
            let alone = HeaderValue::from_static("same-origin");
            headers.insert(header::CROSS_ORIGIN_OPENER_POLICY, alone);
        }
        self.0.metrics.answered(class, answer.status());
        answer
    }
}

/// Whether a browser says that another site made it ask.
fn is_of_other_site(request: &ServiceRequest) -> bool {
    request.headers().get_all(SEC_FETCH_SITE).any(|site| {
        let site = site.to_str().unwrap_or_default().trim();
        site.eq_ignore_ascii_case("cross-site") || site.eq_ignore_ascii_case("same-site")
    })
}

/// Whether a browser opens one of the UI's pages. A link may not carry a token: other sites could
/// guess it by way of somebody's browser, or use up that address's guesses.
fn follows_link(request: &ServiceRequest, class: RouteClass) -> bool {
    let mut modes = request.headers().get_all(SEC_FETCH_MODE);
    let navigates = modes.next().is_some_and(|mode| mode == "navigate");
    let is_get = *request.method() == Method::GET;
    let has_token = !matches!(query_token(request), QueryToken::Absent);
    class.is_page() && navigates && is_get && !has_token
}

/// Rule 4 without a token.
fn check_peer(request: &ServiceRequest) -> Result<(), Refusal> {
    match request.conn_data::<Peer>().map(Peer::verdict) {
        Some(Verdict::SameUser) => Ok(()),
        Some(Verdict::OtherUser | Verdict::Unknown) | None => {
            let text = "Only programs of the user who runs this server may call it; set \
                        ABBADO_TOKEN to let others in.";
            let error = ApiError::forbidden(text).with_code("peer_not_allowed");
            Err((Rule::Peer, error))
        }
    }
}

/// The target may repeat the authority (absolute form); it must then be the Host's.
fn check_target(target: &Uri, host: &Authority) -> Result<(), ApiError> {
    let agrees = match (target.scheme_str(), target.authority()) {
        (None, None) => true,
        (Some("http") | None, Some(named)) => {
            Authority::parse(named.as_str()).is_some_and(|named| named == *host)
        }
        _ => false,
    };
    if agrees {
        return Ok(());
    }
    let text = "The request target and the Host header name different hosts.";
    Err(ApiError::malformed(text))
}

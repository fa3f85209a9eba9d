//! What the gate asks of a request to each kind of route.

use RouteClass::{Hook, Open, Read, Terminal, TokenCookie, Ui, Write};

/// What the gate asks of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteClass {
    /// Health: behind the Host check alone.
    Open,
    /// Changes nothing.
    Read,
    /// Changes something; a body must be JSON.
    Write,
    /// The terminal's upgrade: a GET that is treated as a write.
    Terminal,
    /// A CLI's hook: opened by the run's own secret.
    Hook,
    /// `GET /`: the web UI's page, and with `?token=` the place where the cookie is set.
    TokenCookie,
    /// Files of the web UI.
    Ui,
}

impl RouteClass {
    /// All classes, in the order of [`RouteClass::index`].
    pub const ALL: [Self; 7] = [Open, Read, Write, Terminal, Hook, TokenCookie, Ui];

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Open => "open",
            Read => "read",
            Write => "write",
            Terminal => "terminal",
            Hook => "hook",
            TokenCookie => "token_cookie",
            Ui => "ui",
        }
    }

    /// The place in [`RouteClass::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether a browser renders the answer, which then needs a Content-Security-Policy.
    #[must_use]
    pub const fn is_page(self) -> bool {
        matches!(self, TokenCookie | Ui)
    }
}

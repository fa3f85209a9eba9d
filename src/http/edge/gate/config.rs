//! The settings of the gate, and rule 1: where the server may listen.

use std::net::SocketAddr;

use crate::http::edge::authority::AllowedHost;
use crate::http::edge::token::Secret;

/// Shortest token that a server beyond loopback starts with.
pub const TOKEN_CHARS_MIN: usize = 32;

/// The settings of the gate.
#[derive(Debug)]
pub struct GateConfig {
    /// The address that the server listens on, with its actual port.
    pub bound: SocketAddr,
    /// `ABBADO_ALLOWED_HOSTS`.
    pub allowed_hosts: Vec<AllowedHost>,
    /// `ABBADO_TOKEN`. With one, everybody needs it.
    pub token: Option<Secret>,
}

impl GateConfig {
    /// Checks the settings (rule 1). Where port 0 is asked for, call it with the port that was
    /// taken; [`check_bind`] answers before anything is bound.
    ///
    /// # Errors
    /// One sentence that says why the server does not start.
    pub fn new(
        bound: SocketAddr,
        allowed_hosts: &str,
        token: Option<String>,
    ) -> Result<Self, String> {
        let token = token.map(Secret::new);
        check_bind(bound, token.as_ref())?;
        let allowed_hosts = AllowedHost::parse_list(allowed_hosts)?;
        Ok(Self {
            bound,
            allowed_hosts,
            token,
        })
    }

    /// Name of the token's cookie. Cookies are shared by all ports of a host, so the port is in the
    /// name: two servers on one machine do not overwrite each other's.
    #[must_use]
    pub fn cookie_name(&self) -> String {
        format!("abbado_token_{}", self.bound.port())
    }
}

/// Rule 1: any address but loopback needs a token, and a long one.
///
/// # Errors
/// One sentence that says why the server does not start, and what to do.
pub fn check_bind(bind: SocketAddr, token: Option<&Secret>) -> Result<(), String> {
    let chars = token.map(Secret::char_count);
    if chars == Some(0) {
        return Err("ABBADO_TOKEN is set but empty; set a token or unset it.".to_owned());
    }
    if token.is_some_and(|token| !token.is_visible_ascii()) {
        return Err(
            "ABBADO_TOKEN must consist of visible ASCII characters without spaces.".to_owned(),
        );
    }
    if bind.ip().to_canonical().is_loopback() || chars.is_some_and(|n| n >= TOKEN_CHARS_MIN) {
        return Ok(());
    }
    let have = chars.map_or("none is set".to_owned(), |n| format!("yours has {n}"));
    Err(format!(
        "{bind} can be reached from other machines, so ABBADO_TOKEN must be set to at least \
         {TOKEN_CHARS_MIN} characters ({have}); or bind to 127.0.0.1."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(bind: &str, token: Option<&str>) -> Result<GateConfig, String> {
        GateConfig::new(bind.parse().unwrap(), "", token.map(str::to_owned))
    }

    #[test]
    fn beyond_loopback_a_long_token_is_needed() {
        let (short, long) = ("t".repeat(31), "t".repeat(32));
        for bind in [
            "127.0.0.1:3000",
            "127.9.9.9:1",
            "[::1]:3000",
            "[::ffff:127.0.0.1]:1",
        ] {
            start(bind, None).unwrap();
            start(bind, Some("short")).unwrap();
        }
        for bind in [
            "0.0.0.0:3000",
            "[::]:3000",
            "192.168.1.5:3000",
            "[fe80::1]:3000",
        ] {
            let refusal = start(bind, None).unwrap_err();
            assert!(
                refusal.contains("ABBADO_TOKEN") && refusal.contains(bind),
                "{refusal}"
            );
            let refusal = start(bind, Some(&short)).unwrap_err();
            assert!(
                refusal.contains("yours has 31") && !refusal.contains(&short),
                "{refusal}"
            );
            start(bind, Some(&long)).unwrap();
        }
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_refused() {
        for token in ["", "with blank", "with\nline", "schlüssel"] {
            assert!(start("127.0.0.1:3000", Some(token)).is_err(), "{token:?}");
        }
    }

    #[test]
    fn a_wrong_list_of_hosts_is_refused() {
        let bind = "127.0.0.1:3000".parse().unwrap();
        assert!(GateConfig::new(bind, "box.lan, https://x", None).is_err());
        assert_eq!(
            GateConfig::new(bind, "box.lan,b:1", None)
                .unwrap()
                .allowed_hosts
                .len(),
            2
        );
    }

    #[test]
    fn debug_output_keeps_the_token() {
        let config = start("127.0.0.1:3000", Some("hush-hush")).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }
}

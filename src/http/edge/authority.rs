//! Authorities: what a request says it was sent to (Host) and which page sent it (Origin).
//!
//! Called by the gate. Holds: a name is compared as a whole and never resolved; whatever the
//! grammar here does not know is malformed.

use std::net::{Ipv4Addr, Ipv6Addr};

/// `host` or `host:port`, lower-case, checked against a strict grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    /// The name; an IPv6 address in its shortest form, in brackets.
    pub host: String,
    /// The port, when one was written.
    pub port: Option<u16>,
}

impl Authority {
    /// Parses `name`, `name:port`, `1.2.3.4:port` or `[v6]:port`. Userinfo, blanks, percent signs,
    /// empty or over-long parts and ports with leading zeros are malformed: nothing is returned.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, rest) = if let Some(inner) = text.strip_prefix('[') {
            let (address, rest) = inner.split_once(']')?;
            (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), rest)
        } else {
            let end = text.find(':').unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            (parse_name(name)?, rest)
        };
        let port = match rest.strip_prefix(':') {
            Some(digits) => Some(parse_port(digits)?),
            None if rest.is_empty() => None,
            None => return None,
        };
        Some(Self { host, port })
    }
}

/// A registered name or IPv4 address; a trailing dot is grammatical (and then refused as foreign).
fn parse_name(name: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let sound = !name.is_empty() && name.len() <= 255 && name.bytes().all(fits);
    sound.then(|| name.to_ascii_lowercase())
}

fn parse_port(digits: &str) -> Option<u16> {
    let sound = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if sound { digits.parse().ok() } else { None }
}

/// One entry of `ABBADO_ALLOWED_HOSTS`: `name` (with our port) or `name:port` (exactly that).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    host: String,
    port: Option<u16>,
}

impl AllowedHost {
    /// Parses one entry.
    ///
    /// # Errors
    /// A sentence part that says what is wrong with it: a scheme, a wildcard, a path, a trailing dot.
    pub fn parse(entry: &str) -> Result<Self, &'static str> {
        if entry.contains("://") {
            return Err("leave the scheme out");
        }
        if entry.contains('*') {
            return Err("wildcards are not supported");
        }
        let authority = Authority::parse(entry).ok_or("expected `name` or `name:port`")?;
        if authority.host.ends_with('.') || authority.host.starts_with('.') {
            return Err("a name neither starts nor ends with a dot");
        }
        if authority.host == Ipv4Addr::UNSPECIFIED.to_string() || authority.host == "[::]" {
            return Err("that address stands for all addresses; name a single one");
        }
        Ok(Self {
            host: authority.host,
            port: authority.port,
        })
    }

    /// Parses the whole comma-separated list; blanks around entries and empty entries are ignored.
    ///
    /// # Errors
    /// A sentence that names the first wrong entry.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, String> {
        let entries = list
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        entries
            .map(|entry| {
                let wrong = |why| format!("ABBADO_ALLOWED_HOSTS: `{entry}` is no host: {why}.");
                Self::parse(entry).map_err(wrong)
            })
            .collect()
    }

    fn port(&self, own_port: u16) -> u16 {
        self.port.unwrap_or(own_port)
    }
}

/// Our own names: those that no other machine can answer for.
const OWN_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Says whether a Host names this server.
///
/// Without a port the Host means the scheme's default. We speak only http, so that is 80; behind a
/// TLS proxy (an entry `name:443`) it is 443.
#[must_use]
pub(crate) fn host_allowed(host: &Authority, own_port: u16, allowed: &[AllowedHost]) -> bool {
    let own = OWN_HOSTS.contains(&host.host.as_str()) && host.port.unwrap_or(80) == own_port;
    own || allowed.iter().any(|entry| {
        let expected = entry.port(own_port);
        let port_fits = host
            .port
            .map_or(matches!(expected, 80 | 443), |port| port == expected);
        entry.host == host.host && port_fits
    })
}

/// Says whether a page of that Origin may call: `http://` + any allowed authority, `https://` only
/// for entries of `ABBADO_ALLOWED_HOSTS`. `null` and everything unparsable is refused.
#[must_use]
pub(crate) fn origin_allowed(origin: &str, own_port: u16, allowed: &[AllowedHost]) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let Some(authority) = Authority::parse(authority) else {
        return false;
    };
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let port = authority.port.unwrap_or(default_port);
    let own = scheme == "http" && OWN_HOSTS.contains(&authority.host.as_str()) && port == own_port;
    own || allowed
        .iter()
        .any(|e| e.host == authority.host && e.port(own_port) == port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str, port: u16, allowed: &str) -> Option<bool> {
        let allowed = AllowedHost::parse_list(allowed).unwrap();
        Authority::parse(text).map(|authority| host_allowed(&authority, port, &allowed))
    }

    #[test]
    fn hosts() {
        let table: &[(&str, u16, &str, Option<bool>)] = &[
            ("localhost:3000", 3000, "", Some(true)),
            ("LOCALHOST:3000", 3000, "", Some(true)),
            ("127.0.0.1:3000", 3000, "", Some(true)),
            ("[::1]:3000", 3000, "", Some(true)),
            ("[0:0:0:0:0:0:0:1]:3000", 3000, "", Some(true)),
            ("localhost", 3000, "", Some(false)),
            ("localhost", 80, "", Some(true)),
            ("localhost:80", 80, "", Some(true)),
            ("localhost:3001", 3000, "", Some(false)),
            ("localhost.:3000", 3000, "", Some(false)),
            ("127.0.0.1.:3000", 3000, "", Some(false)),
            ("0.0.0.0:3000", 3000, "", Some(false)),
            ("127.1:3000", 3000, "", Some(false)),
            ("evil.example:3000", 3000, "", Some(false)),
            ("localhost.evil.example:3000", 3000, "", Some(false)),
            ("", 3000, "", None),
            (":3000", 3000, "", None),
            ("localhost:", 3000, "", None),
            ("localhost:03000", 3000, "", None),
            ("localhost:+3000", 3000, "", None),
            ("localhost:99999", 3000, "", None),
            ("user@localhost:3000", 3000, "", None),
            ("localhost:3000@evil", 3000, "", None),
            ("a:b@localhost:3000", 3000, "", None),
            ("localhost:3000,evil", 3000, "", None),
            ("localhost:3000/", 3000, "", None),
            ("localhost 3000", 3000, "", None),
            ("local%68ost:3000", 3000, "", None),
            ("::1", 3000, "", None),
            ("[::1", 3000, "", None),
            ("[::1]x", 3000, "", None),
            ("[::1%25lo]:3000", 3000, "", None),
            ("box.lan:3000", 3000, "box.lan", Some(true)),
            ("Box.Lan:3000", 3000, "box.LAN", Some(true)),
            ("box.lan:8080", 3000, "box.lan", Some(false)),
            ("box.lan", 3000, "box.lan", Some(false)),
            ("box.lan", 3000, "a , box.lan:443", Some(true)),
            ("box.lan:443", 3000, "box.lan:443", Some(true)),
            ("box.lan:3000", 3000, "box.lan:443", Some(false)),
        ];
        for (text, port, allowed, expected) in table {
            assert_eq!(
                host(text, *port, allowed),
                *expected,
                "{text} at {port} with {allowed}"
            );
        }
    }

    #[test]
    fn origins() {
        let table: &[(&str, &str, bool)] = &[
            ("http://localhost:3000", "", true),
            ("http://127.0.0.1:3000", "", true),
            ("http://[::1]:3000", "", true),
            ("https://localhost:3000", "", false),
            ("http://localhost", "", false),
            ("http://localhost:3001", "", false),
            ("null", "", false),
            ("", "", false),
            ("http://", "", false),
            ("http://localhost:3000/", "", false),
            ("http://localhost:3000 http://evil", "", false),
            ("http://x@localhost:3000", "", false),
            ("file://localhost:3000", "", false),
            ("http://localhost.evil:3000", "", false),
            ("https://box.lan", "box.lan:443", true),
            ("http://box.lan", "box.lan:443", false),
            ("http://box.lan:3000", "box.lan", true),
            ("https://box.lan:3000", "box.lan", true),
            ("https://box.lan:3000", "", false),
        ];
        for (origin, allowed, expected) in table {
            let allowed = AllowedHost::parse_list(allowed).unwrap();
            assert_eq!(
                origin_allowed(origin, 3000, &allowed),
                *expected,
                "{origin}"
            );
        }
        assert!(origin_allowed("http://localhost", 80, &[]));
    }

    #[test]
    fn wrong_entries_are_named() {
        for entry in [
            "https://box",
            "*.lan",
            "box/",
            "box.",
            ".box",
            "a b",
            "0.0.0.0",
            "u@box",
        ] {
            let refusal = AllowedHost::parse_list(&format!("ok.lan,{entry}")).unwrap_err();
            assert!(refusal.contains(entry), "{refusal}");
        }
        assert!(AllowedHost::parse_list(" , ").unwrap().is_empty());
    }
}

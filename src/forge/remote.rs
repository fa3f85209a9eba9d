//! Parses the URL of a git remote into host and repository.

use std::net::Ipv6Addr;

/// Longest URL that is parsed, in bytes.
const URL_BYTES_MAX: usize = 2048;
/// Names under which a forge takes ssh over port 443, or answers as well.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("ssh.github.com", "github.com"),
    ("www.github.com", "github.com"),
    ("altssh.gitlab.com", "gitlab.com"),
];

/// A repository on some host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Remote {
    /// Name or address of the host, in lower case; an IPv6 address is in brackets.
    pub host: String,
    /// Port of the host's web server, when the URL is one of HTTP and names a port. The port of
    /// an ssh URL says nothing about the API.
    pub web_port: Option<u16>,
    /// Owner on GitHub; group and subgroups on GitLab, with `/` between them.
    pub owner_path: String,
    /// Name of the repository, without `.git`.
    pub repo: String,
}

impl Remote {
    /// Reads `https://`, `http://`, `git://`, `ssh://` and scp-like (`git@host:owner/repo.git`)
    /// URLs. None for paths of this machine and for whatever cannot be a repository of a forge.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let url = url.trim();
        if url.len() > URL_BYTES_MAX {
            return None;
        }
        let (authority, path, web) = match url.split_once("://") {
            Some((scheme, rest)) => {
                let web = match scheme.to_ascii_lowercase().as_str() {
                    "https" | "http" => true,
                    "ssh" | "git" | "git+ssh" | "ssh+git" => false,
                    _ => return None,
                };
                let (authority, path) = rest.split_once('/')?;
                (authority, path, web)
            }
            None => scp_like(url).map(|(authority, path)| (authority, path, false))?,
        };
        // The part before the last `@` may hold a password, and is never kept.
        let authority = authority.rsplit('@').next()?;
        let (host, port) = host_and_port(authority)?;
        let (owner_path, repo) = repository(path)?;
        Some(Self {
            host,
            web_port: port.filter(|port| web && !matches!(port, 80 | 443)),
            owner_path,
            repo,
        })
    }

    /// The host of a URL that is reached by ssh; it may be an alias that only `ssh` knows.
    #[must_use]
    pub fn ssh_host(url: &str) -> Option<String> {
        let scheme = url.trim().split_once("://").map(|(scheme, _)| scheme);
        let by_ssh = scheme.is_none_or(|scheme| scheme.to_ascii_lowercase().contains("ssh"));
        Self::parse(url)
            .filter(|_| by_ssh)
            .map(|remote| remote.host)
    }

    /// The repository as forges write it: `owner/repo`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner_path, self.repo)
    }

    /// Host and port of the web server.
    pub(super) fn web_authority(&self) -> String {
        self.web_port
            .map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }
}

/// `user@host:path`, `user@[::1]:path` and `[user@host:port]:path`, into authority and path.
fn scp_like(url: &str) -> Option<(&str, &str)> {
    if url.starts_with('[') {
        let (inside, path) = url.strip_prefix('[')?.split_once("]:")?;
        if inside.parse::<Ipv6Addr>().is_ok() {
            return Some((&url[..inside.len() + 2], path));
        }
        return Some((inside, path));
    }
    let (authority, path) = match url.split_once("@[") {
        Some((user, rest)) if !user.contains([':', '/']) => {
            let (inside, path) = rest.split_once("]:")?;
            (&url[..user.len() + inside.len() + 3], path)
        }
        _ => url.split_once(':')?,
    };
    // `./a:b` is a path, and `c:\a` one of another system.
    let drive = authority.len() == 1;
    (!authority.contains('/') && !drive).then_some((authority, path))
}

fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        (
            format!("[{address}]"),
            port.strip_prefix(':')
                .or(Some(port).filter(|p| p.is_empty()))?,
        )
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        (host_name(host)?, port)
    };
    let port = if port.is_empty() {
        None
    } else {
        Some(port.parse().ok()?)
    };
    Some((host, port))
}

/// A text as one part of a URL's path.
pub(super) fn in_url(text: &str) -> String {
    use std::fmt::Write as _;
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            part.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            write!(part, "%{byte:02X}").ok();
        }
    }
    part
}

/// A name of a host in lower case, as the forge itself calls it.
pub(super) fn host_name(host: &str) -> Option<String> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let fine = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'-' | b'_');
    let starts = host.bytes().next()?.is_ascii_alphanumeric();
    if !starts || host.len() > 253 || !host.bytes().all(fine) || host.contains("..") {
        return None;
    }
    let other = OTHER_NAMES.iter().find(|(name, _)| *name == host);
    Some(other.map_or(host, |(_, name)| (*name).to_owned()))
}

/// Owner path and name. Forges allow no other letters than these in either, so that both can
/// stand in a URL as they are.
fn repository(path: &str) -> Option<(String, String)> {
    let fine = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'-' | b'_');
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let last = parts.pop()?;
    let repo = last.strip_suffix(".git").unwrap_or(last);
    let plain =
        |part: &&str| part.bytes().all(fine) && !part.is_empty() && !matches!(*part, "." | "..");
    let all_plain = parts.iter().all(plain) && plain(&repo);
    (all_plain && !parts.is_empty()).then(|| (parts.join("/"), repo.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(url: &str) -> Option<(String, String, String)> {
        Remote::parse(url).map(|r| (r.web_authority(), r.owner_path, r.repo))
    }

    #[test]
    fn urls_of_every_kind_are_read() {
        for (url, host, owner, repo) in [
            ("https://github.com/o/r", "github.com", "o", "r"),
            ("https://github.com/o/r.git", "github.com", "o", "r"),
            ("https://github.com/o/r.git/", "github.com", "o", "r"),
            ("HTTPS://GitHub.com./o/r/", "github.com", "o", "r"),
            (
                "https://user:pass%40@github.com/o/r",
                "github.com",
                "o",
                "r",
            ),
            ("https://x@y:z@github.com/o/r", "github.com", "o", "r"),
            ("https://github.com:443/o/r", "github.com", "o", "r"),
            ("https://ghe.corp:8443/o/r", "ghe.corp:8443", "o", "r"),
            ("https://gitlab.com/a/b/c/d.git", "gitlab.com", "a/b/c", "d"),
            ("https://h.example//o//r", "h.example", "o", "r"),
            ("ssh://git@github.com/o/r.git", "github.com", "o", "r"),
            ("ssh://git@h.example:2222/o/r.git", "h.example", "o", "r"),
            (
                "ssh://git@ssh.github.com:443/o/r.git",
                "github.com",
                "o",
                "r",
            ),
            ("git@github.com:o/r.git", "github.com", "o", "r"),
            ("github.com:o/r.git", "github.com", "o", "r"),
            ("git@gitlab.com:a/b/c.git", "gitlab.com", "a/b", "c"),
            ("git@h.example:/o/r.git", "h.example", "o", "r"),
            ("[git@h.example:2222]:o/r.git", "h.example", "o", "r"),
            ("git@[::1]:o/r.git", "[::1]", "o", "r"),
            ("[::1]:o/r.git", "[::1]", "o", "r"),
            (
                "https://[2001:DB8::1]:8080/o/r.git",
                "[2001:db8::1]:8080",
                "o",
                "r",
            ),
            ("ssh://git@[::1]:22/o/r", "[::1]", "o", "r"),
            ("git://h.example/o/r.git.git", "h.example", "o", "r.git"),
            (
                " https://github.com/o/my.repo-x_y \n",
                "github.com",
                "o",
                "my.repo-x_y",
            ),
        ] {
            let wanted = Some((host.to_owned(), owner.to_owned(), repo.to_owned()));
            assert_eq!(read(url), wanted, "{url}");
        }
    }

    #[test]
    fn what_is_no_repository_of_a_forge_is_none() {
        for url in [
            "",
            "/srv/git/r.git",
            "../r",
            "./a:b/c",
            "file:///srv/o/r",
            "c:\\o\\r",
            "C:/o/r",
            "https://github.com",
            "https://github.com/",
            "https://github.com/r",
            "git@h:r.git",
            "https:///o/r",
            "https://:80/o/r",
            "https://h:port/o/r",
            "https://h:99999/o/r",
            "https://h/o/.git",
            "https://h/../r",
            "https://h/o/r?x=1",
            "https://h/o/r%2fx",
            "https://h/o/r r",
            "https://[::1/o/r",
            "https://[h]/o/r",
            "https://-h/o/r",
            "ext::sh -c o/r",
            "https://h\0/o/r",
            "https://h..x/o/r",
            "git@h:o/ä",
            "ftp://h/o/r",
        ] {
            assert_eq!(read(url), None, "{url}");
        }
        assert_eq!(read(&format!("https://h/o/{}", "r".repeat(3000))), None);
    }

    #[test]
    fn only_ssh_knows_aliases() {
        for (url, host) in [
            ("git@work:o/r.git", Some("work")),
            ("ssh://git@work:22/o/r", Some("work")),
            ("git+ssh://work/o/r", Some("work")),
            ("https://work/o/r", None),
            ("git://work/o/r", None),
            ("/srv/o/r", None),
        ] {
            assert_eq!(Remote::ssh_host(url).as_deref(), host, "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_can_stand_in_a_url(
            url in "(https?://|ssh://|git@|\\[|)[a-zA-Z0-9@:/\\[\\].%\\PC-]{0,60}"
        ) {
            if let Some(remote) = Remote::parse(&url) {
                let name = remote.full_name();
                prop_assert!(!remote.host.is_empty() && !remote.host.contains(['@', '/', ' ']));
                prop_assert!(name.split('/').all(|part| !part.is_empty() && part != ".."));
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b)));
            }
        }

        #[test]
        fn a_repository_is_the_same_whatever_the_url(
            host in "[a-z][a-z0-9]{0,8}\\.[a-z]{2,5}", owner in "[a-z][a-z0-9_-]{0,8}(/[a-z]{1,5}){0,3}",
            repo in "[a-zA-Z0-9_-]{1,12}"
        ) {
            let wanted = Some((host.clone(), owner.clone(), repo.clone()));
            for url in [
                format!("https://{host}/{owner}/{repo}"), format!("https://u:p@{host}/{owner}/{repo}.git/"),
                format!("ssh://git@{host}:2222/{owner}/{repo}.git"), format!("git@{host}:{owner}/{repo}.git"),
            ] {
                prop_assert_eq!(read(&url), wanted.clone(), "{}", url);
            }
        }
    }
}

//! Which variables of the server's environment its children inherit.
//!
//! The rule is written once, here. CLIs, set-up and clean-up scripts, terminals, holders, `git`,
//! `gh` and `glab` get what a login session has: `PATH`, `HOME`, `SSH_AUTH_SOCK`, the locale, XDG
//! folders, proxies, keys and whatever else the user exports. They do not get what the program
//! around the server has set for its own children: a parent git or hook, a terminal, a
//! multiplexer, an editor, another coding CLI, a build, a service manager.
//!
//! - `GIT_*` passes only if it says how to reach remotes, which configuration files to read, or
//!   who the user is; everything else could lead `git` to another repository or change its output.
//! - A name in [`NEVER`] does not pass.
//! - A name in [`BESIDE`] does not pass beside a variable that shows who set it: `OUT_DIR` is a
//!   build's beside `CARGO`, and may be the user's own without.
//! - Everything else passes.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

mod names;

use names::{BESIDE, GIT_PASSES, IDENTITY, NEVER, PARENT_GIT};

/// The terminal that every PTY here is.
const TERMINAL: [(&str, &str); 2] = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor")];
/// A locale with UTF-8 that needs no installation.
const UTF8: &str = if cfg!(target_os = "macos") {
    "en_US.UTF-8"
} else {
    "C.UTF-8"
};

/// What the children of a process with these variables inherit, in the same order.
#[must_use]
pub(crate) fn inherited(
    all: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let all: Vec<_> = all.into_iter().collect();
    let names: Vec<String> = all
        .iter()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .collect();
    let seen = |list: &[&str]| names.iter().any(|name| listed(list, name));
    let beside: Vec<&[&str]> = BESIDE
        .iter()
        .filter(|(marks, _)| seen(marks))
        .map(|(_, dropped)| *dropped)
        .collect();
    let passes = |name: &str| {
        if name.starts_with("GIT_") && !listed(GIT_PASSES, name) {
            return listed(IDENTITY, name) && !seen(PARENT_GIT);
        }
        !listed(NEVER, name) && !beside.iter().any(|dropped| listed(dropped, name))
    };
    let around = Around {
        git_core: value(&all, "GIT_EXEC_PATH"),
        npm: seen(names::NPM),
    };
    let kept = all.iter().zip(&names).filter(|(_, name)| passes(name));
    kept.map(|((name, value), _)| match name.to_str() {
        Some("PATH") => (name.clone(), around.path(value)),
        _ => (name.clone(), value.clone()),
    })
    .collect()
}

/// The same for a holder, which outlives its parent: with our own settings, without the
/// server's token.
#[must_use]
pub(crate) fn for_a_holder(
    all: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let all: Vec<_> = all.into_iter().collect();
    let ours = |name: &OsStr| {
        let name = name.to_string_lossy();
        name.starts_with("ABBADO_") && name != "ABBADO_TOKEN"
    };
    let own: Vec<_> = all.iter().filter(|(name, _)| ours(name)).cloned().collect();
    let mut kept = inherited(all);
    kept.extend(own);
    kept
}

/// Adds what every program in a PTY needs: the kind of terminal, and a locale with UTF-8 unless
/// there is one.
pub(crate) fn for_terminal(env: &mut BTreeMap<String, String>) {
    for (name, value) in TERMINAL {
        env.insert(name.to_owned(), value.to_owned());
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| Some((name, env.get(name).filter(|value| !value.is_empty())?)));
    let utf8 = |value: &str| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    };
    match locale {
        Some((_, value)) if utf8(value) => {}
        Some(("LC_ALL", _)) => drop(env.insert("LC_ALL".to_owned(), UTF8.to_owned())),
        Some(_) | None => drop(env.insert("LC_CTYPE".to_owned(), UTF8.to_owned())),
    }
}

/// Programs around the server that put folders of their own into `PATH`.
struct Around<'a> {
    /// A git that runs a hook or an alias puts this before everything else.
    git_core: Option<&'a OsStr>,
    npm: bool,
}

impl Around<'_> {
    /// The user's own part of `PATH`.
    fn path(&self, path: &OsStr) -> OsString {
        if self.git_core.is_none() && !self.npm {
            return path.to_owned();
        }
        let own = std::env::split_paths(path).filter(|folder| {
            let npm = folder.ends_with("node_modules/.bin") || folder.ends_with("node-gyp-bin");
            self.git_core != Some(folder.as_os_str()) && !(self.npm && npm)
        });
        // No part of a split path contains the separator.
        std::env::join_paths(own).unwrap_or_else(|_| path.to_owned())
    }
}

fn value<'a>(all: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    let found = all.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_os_str())
}

/// Whether a list has the name, or a beginning of it followed by `*`.
fn listed(list: &[&str], name: &str) -> bool {
    list.iter().any(|entry| match entry.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => *entry == name,
    })
}

#[cfg(test)]
mod tests;

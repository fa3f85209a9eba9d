//! Which remotes a branch has: where `git push` takes it, and where a pull request of it belongs.
//!
//! All of it comes from the configuration as `git` lists it for a place, so that included files,
//! `GIT_CONFIG_GLOBAL` and a worktree's own file count. Nothing here starts a program.

use super::{GitError, open_worktree::OpenWorktree, place::Place, repository, text::line};
use crate::domain::run::event::WorktreeAt;
use git2::Repository;
use std::path::Path;

/// Remotes at which a pull request is opened rather than where the branch is pushed, by the names
/// that `gh` prefers too.
const BASES: [&str; 3] = ["upstream", "github", "origin"];

/// A remote of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteOf {
    /// Its name, or its URL when the configuration names no more.
    pub name: String,
    /// Where it leads, what `url.*.insteadOf` makes of it first, as it is written after. May hold
    /// passwords.
    pub urls: Vec<String>,
}

/// The remotes of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remotes {
    /// Where it is pushed: URLs to push to, then those to fetch from.
    pub push: RemoteOf,
    /// Where a pull request may go, the best first; the last one is `push` itself.
    pub bases: Vec<RemoteOf>,
    /// `owner/repo` that `gh repo set-default` chose, at the host of one of them.
    pub chosen: Option<String>,
    /// The branch that `gh` would merge into.
    pub base_branch: Option<String>,
    /// The user's own `core.sshCommand`; the repository's is not looked at.
    pub ssh_command: Option<String>,
}

/// Reads the remotes of a branch, in its worktree when there is one.
///
/// # Errors
/// `NotARepository`; `NoRemote` and `NoDefaultRemote` named by `name`; those of starting `git`.
pub(crate) fn remotes_of(
    repo_path: &Path,
    at: Option<&WorktreeAt>,
    name: &str,
    branch: &str,
) -> Result<Remotes, GitError> {
    let repository = repository::open(repo_path)?;
    let place = place_of(&repository, repo_path, at)?;
    let mut remotes = Settings::of(&place).remotes(name, branch)?;
    let trusted = place.trusted_value(b"core.sshcommand").map(line);
    remotes.ssh_command = trusted.filter(|command| !command.is_empty());
    Ok(remotes)
}

/// The worktree's place, or the user's checkout when there is no worktree.
pub(super) fn place_of(
    repository: &Repository,
    repo_path: &Path,
    at: Option<&WorktreeAt>,
) -> Result<Place, GitError> {
    if let Some(at) = at.filter(|at| at.worktree.is_dir())
        && let Ok(open) = OpenWorktree::open(at, repo_path)
    {
        return open.place(at);
    }
    Place::of_repository(repository, repo_path)
}

/// Where a push of a branch goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    /// The remote's name or URL.
    pub remote: String,
    /// The first URL, for people. May hold a password.
    pub url: String,
    /// The full name of the ref there.
    pub reference: String,
    /// The branch does not follow another yet.
    pub follows_nothing: bool,
}

/// A place's configuration, keys as git lists them.
pub(super) struct Settings(Vec<(String, String)>);

impl Settings {
    pub(super) fn of(place: &Place) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let all = place.configuration().settings();
        let all = all.map(|it| (text(it.key), text(it.value.unwrap_or_default())));
        Self(all.collect())
    }

    fn values<'s>(&'s self, key: &str) -> impl DoubleEndedIterator<Item = &'s str> {
        let fitting = self.0.iter().filter(move |(known, _)| known == key);
        fitting.map(|(_, value)| value.as_str())
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.values(key)
            .next_back()
            .filter(|value| !value.is_empty())
    }

    /// Names between `section.` and `.variable`, in the order of the configuration.
    fn names(&self, section: &str, variables: &[&str]) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (key, _) in &self.0 {
            let rest = key
                .strip_prefix(section)
                .and_then(|rest| rest.strip_prefix('.'));
            let Some((name, variable)) = rest.and_then(|rest| rest.rsplit_once('.')) else {
                continue;
            };
            if variables.contains(&variable) && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn remotes(&self, name: &str, branch: &str) -> Result<Remotes, GitError> {
        let pushed = self.push_remote(name, branch)?;
        let all = self.names("remote", &["url", "pushurl"]);
        let resolved = |remote: &&&str| self.value(&format!("remote.{remote}.gh-resolved"));
        let by_gh = all
            .iter()
            .find_map(|remote| Some((*remote, resolved(&remote)?)));
        let chosen = by_gh.and_then(|(_, value)| (value != "base").then(|| value.to_owned()));
        let known = BASES.into_iter().filter(|base| all.contains(base));
        let mut bases: Vec<&str> = by_gh.map(|(remote, _)| remote).into_iter().collect();
        bases.extend(known);
        bases.push(&pushed);
        let fetched = |remote: &str| RemoteOf {
            name: remote.to_owned(),
            urls: self.candidates(remote, false),
        };
        let mut push = fetched(&pushed);
        push.urls.splice(0..0, self.candidates(&pushed, true));
        Ok(Remotes {
            push,
            bases: bases.into_iter().map(fetched).collect(),
            chosen,
            base_branch: self
                .value(&format!("branch.{branch}.gh-merge-base"))
                .map(str::to_owned),
            ssh_command: None,
        })
    }

    /// The remote that git pushes a branch to: its own, the default for pushes, the one it
    /// follows, the only one, or `origin`. It may be a URL, as `gh pr checkout` sets it.
    fn push_remote(&self, name: &str, branch: &str) -> Result<String, GitError> {
        let set = [
            format!("branch.{branch}.pushremote"),
            "remote.pushdefault".to_owned(),
            format!("branch.{branch}.remote"),
        ];
        // `.` is this repository: the branch follows another local one.
        let mut set = set
            .iter()
            .filter_map(|key| self.value(key).filter(|it| *it != "."));
        if let Some(remote) = set.next() {
            return Ok(remote.to_owned());
        }
        let name = name.to_owned();
        match self.names("remote", &["url", "pushurl"]).as_slice() {
            [] => Err(GitError::NoRemote { name }),
            [only] => Ok((*only).to_owned()),
            several if several.contains(&"origin") => Ok("origin".to_owned()),
            several => {
                let remotes = several.iter().map(|remote| (*remote).to_owned()).collect();
                Err(GitError::NoDefaultRemote { name, remotes })
            }
        }
    }

    /// Where a push of the branch goes, by `remote.*.push` and `push.default`.
    ///
    /// # Errors
    /// `NoRemote` and `NoDefaultRemote` named by `name`.
    pub(super) fn destination(&self, name: &str, branch: &str) -> Result<Destination, GitError> {
        let remote = self.push_remote(name, branch)?;
        let own = format!("refs/heads/{branch}");
        let follows = self.value(&format!("branch.{branch}.merge"));
        let by_refspec = self
            .values(&format!("remote.{remote}.push"))
            .find_map(|refspec| mapped(refspec, &own));
        let by_upstream = || {
            let upstream = matches!(self.value("push.default"), Some("upstream" | "tracking"));
            let same = self.value(&format!("branch.{branch}.remote")) == Some(remote.as_str());
            follows.filter(|_| upstream && same).map(str::to_owned)
        };
        let reference = by_refspec.or_else(by_upstream).unwrap_or(own);
        Ok(Destination {
            url: self
                .urls(&remote, true)
                .into_iter()
                .next()
                .unwrap_or_default(),
            follows_nothing: follows.is_none(),
            reference,
            remote,
        })
    }

    /// The URLs of a remote as git uses them, then as they are written.
    fn candidates(&self, remote: &str, push: bool) -> Vec<String> {
        let mut all = self.urls(remote, push);
        for url in self.written(remote, push) {
            if !all.contains(&url) {
                all.push(url);
            }
        }
        all
    }

    fn written(&self, remote: &str, push: bool) -> Vec<String> {
        let of = |variable: &str| -> Vec<String> {
            let key = format!("remote.{remote}.{variable}");
            // An empty one forgets those before it.
            let mut values: Vec<&str> = self.values(&key).collect();
            let from = values.iter().rposition(|value| value.is_empty());
            values.drain(..from.map_or(0, |at| at + 1));
            values.into_iter().map(str::to_owned).collect()
        };
        let mut urls = if push { of("pushurl") } else { Vec::new() };
        if urls.is_empty() {
            urls = of("url");
        }
        if urls.is_empty() {
            urls.push(remote.to_owned());
        }
        urls
    }

    fn urls(&self, remote: &str, push: bool) -> Vec<String> {
        let explicit = self.value(&format!("remote.{remote}.pushurl")).is_some();
        let instead = |url: String| {
            let for_push = || self.rewritten(&url, "pushinsteadof");
            let for_both = || self.rewritten(&url, "insteadof");
            let pushed = if push && !explicit { for_push() } else { None };
            pushed.or_else(for_both).unwrap_or(url)
        };
        self.written(remote, push)
            .into_iter()
            .map(instead)
            .collect()
    }

    /// What the longest fitting `url.<base>.<variable>` makes of a URL.
    fn rewritten(&self, url: &str, variable: &str) -> Option<String> {
        let mut best: Option<(&str, &str)> = None;
        for base in self.names("url", &[variable]) {
            for value in self.values(&format!("url.{base}.{variable}")) {
                let longer = best.is_none_or(|(_, known)| value.len() > known.len());
                if !value.is_empty() && url.starts_with(value) && longer {
                    best = Some((base, value));
                }
            }
        }
        let (base, value) = best?;
        Some(format!("{base}{}", &url[value.len()..]))
    }
}

/// Where a refspec of `remote.*.push` takes a branch. None of them may force.
fn mapped(refspec: &str, reference: &str) -> Option<String> {
    let refspec = refspec.strip_prefix('+').unwrap_or(refspec);
    let (from, to) = refspec.split_once(':').unwrap_or((refspec, ""));
    let short = reference.strip_prefix("refs/heads/").unwrap_or(reference);
    let full = |name: &str| match name {
        "" => reference.to_owned(),
        name if name.starts_with("refs/") => name.to_owned(),
        name => format!("refs/heads/{name}"),
    };
    if from.is_empty() || [reference, short, "HEAD", "@"].contains(&from) {
        return Some(full(to));
    }
    let (before, after) = from.split_once('*')?;
    let middle = reference.strip_prefix(before)?.strip_suffix(after)?;
    Some(full(&to.replacen('*', middle, 1)))
}

#[cfg(test)]
mod tests;

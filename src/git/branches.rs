//! The local branches of a repository, and how far each is from the default branch.
//!
//! Distances come from one `git for-each-ref` for all branches: it walks the history once, and with a
//! commit graph only as far as needed. Before git 2.41, which cannot do that, we walk all of it once.
//! libgit2 would walk it again for each branch (20 times as long with 300 branches, see
//! `benches/branches.rs`), and counts wrongly when clocks were set back.

use super::{
    Context, GitError, checkouts,
    command::HEAVY,
    place::Place,
    repository::{self, Tip},
};
use crate::domain::{Time, time};
use chrono::DateTime;
use git2::{BranchType, Oid, Repository, Sort};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

const COUNTING: &str = "counting commits";

/// A local branch.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Branch {
    /// Its name, without `refs/heads/`.
    pub name: String,
    /// It is the default branch.
    pub is_default: bool,
    /// The checkout that was asked about has it.
    pub is_head: bool,
    /// The commit it points at, in hex.
    pub commit: String,
    /// First paragraph of that commit's message, on one line.
    pub subject: String,
    /// When that commit was made.
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub committed_at: Time,
    /// The default branch; null for itself.
    #[schema(required)]
    pub base: Option<String>,
    /// Commits that the default branch does not have.
    pub ahead: u64,
    /// Commits of the default branch that it does not have.
    pub behind: u64,
    /// Its remote-tracking branch (`origin/x`), when there is one: that of its configuration,
    /// else the one of its own name at `origin`.
    #[schema(required)]
    pub upstream: Option<String>,
    /// The upstream has all its commits; false without one.
    pub pushed: bool,
    /// Commits that the upstream does not have; null without one.
    #[schema(required)]
    pub unpushed: Option<u64>,
    /// The folder it is checked out in, which may be the user's own.
    #[schema(required, value_type = Option<String>)]
    pub worktree: Option<PathBuf>,
}

/// All local branches that point at a commit, by name.
///
/// The default branch is the one that `origin/HEAD` names, if there is a local branch of that
/// name; else `main`, `master`, or `init.defaultBranch`; else the one checked out; else the first.
///
/// # Errors
/// `NotARepository`, `Library` when the history cannot be read, and those of starting `git`.
pub fn branches(repo_path: &Path) -> Result<Vec<Branch>, GitError> {
    let repository = repository::open(repo_path)?;
    let tips = tips(&repository)?;
    let default = default_of(&repository, &tips);
    let Some((default, base)) = default.and_then(|name| tips.get_key_value(&name)) else {
        return Ok(Vec::new());
    };
    let mut folders: HashMap<String, PathBuf> = HashMap::new();
    for checkout in checkouts::checkouts(&repository)? {
        folders.entry(checkout.branch).or_insert(checkout.folder);
    }
    let distances = distances(&repository, repo_path, &tips, *base)?;
    let head = repository::head_branch(&repository);
    let mut found = Vec::with_capacity(tips.len());
    for (name, tip) in &tips {
        let commit = repository.find_commit(*tip).context("reading a branch")?;
        let upstream = upstream(&repository, name);
        let unpushed = upstream
            .as_ref()
            .map(|(_, there)| own_commits(&repository, *tip, *there).context(COUNTING))
            .transpose()?;
        let (ahead, behind) = distances.get(name).copied().unwrap_or_default();
        found.push(Branch {
            is_default: name == default,
            is_head: head.as_ref() == Some(name),
            commit: tip.to_string(),
            subject: String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default())
                .into_owned(),
            committed_at: DateTime::from_timestamp(commit.time().seconds(), 0).unwrap_or_default(),
            base: (name != default).then(|| default.clone()),
            ahead,
            behind,
            upstream: upstream.map(|(name, _)| name),
            pushed: unpushed == Some(0),
            unpushed,
            worktree: folders.remove(name),
            name: name.clone(),
        });
    }
    Ok(found)
}

/// The branch that was named, else the default branch.
///
/// # Errors
/// `UnknownRevision` when there is none.
pub(super) fn named_or_default(
    repository: &Repository,
    repo_path: &Path,
    name: Option<&str>,
) -> Result<Tip, GitError> {
    let default = match name {
        Some(_) => None,
        None => default_of(repository, &tips(repository)?),
    };
    let name = name.or(default.as_deref()).unwrap_or("main");
    Tip::find(repository, repo_path, name)
}

/// The commits that local branches point at.
fn tips(repository: &Repository) -> Result<BTreeMap<String, Oid>, GitError> {
    let doing = "listing branches";
    let mut tips = BTreeMap::new();
    for found in repository
        .branches(Some(BranchType::Local))
        .context(doing)?
    {
        let (branch, _) = found.context(doing)?;
        // A name that is not UTF-8 cannot be requested; a broken branch has nothing to show.
        if let (Ok(Some(name)), Ok(commit)) = (branch.name(), branch.get().peel_to_commit()) {
            tips.insert(name.to_owned(), commit.id());
        }
    }
    Ok(tips)
}

fn default_of(repository: &Repository, tips: &BTreeMap<String, Oid>) -> Option<String> {
    let at_remote = |remote: &String| repository::default_branch_at(repository, remote);
    let at_remotes = || main_remotes(repository).iter().find_map(at_remote);
    let configured = || {
        let config = repository.config().ok()?;
        config.get_string("init.defaultBranch").ok()
    };
    let known = |name: &String| tips.contains_key(name);
    at_remotes()
        .filter(known)
        .or_else(|| Some("main".to_owned()).filter(known))
        .or_else(|| Some("master".to_owned()).filter(known))
        .or_else(|| configured().filter(known))
        .or_else(|| repository::head_branch(repository).filter(known))
        .or_else(|| tips.keys().next().cloned())
}

/// Remotes that a project is fetched from: `origin`, `upstream`, or its only one.
fn main_remotes(repository: &Repository) -> Vec<String> {
    let mut found = vec!["origin".to_owned(), "upstream".to_owned()];
    if let Ok(remotes) = repository.remotes()
        && remotes.len() == 1
    {
        let only = remotes.iter().flatten().flatten();
        found.extend(only.map(str::to_owned));
    }
    found
}

/// A branch's remote-tracking branch and the commit it points at.
fn upstream(repository: &Repository, name: &str) -> Option<(String, Oid)> {
    let reference = format!("refs/heads/{name}");
    let configured = repository.branch_upstream_name(&reference).ok();
    let configured = configured.and_then(|name| name.as_str().ok().map(str::to_owned));
    let own = main_remotes(repository).into_iter();
    let own = own.map(|remote| format!("refs/remotes/{remote}/{name}"));
    let mut found = configured.into_iter().chain(own);
    found.find_map(|full| {
        let commit = repository::commit_at(repository, &full)?;
        let short = full
            .strip_prefix("refs/remotes/")
            .or_else(|| full.strip_prefix("refs/heads/"));
        Some((short.unwrap_or(&full).to_owned(), commit))
    })
}

/// Commits ahead and behind of `base`, by branch.
fn distances(
    repository: &Repository,
    repo_path: &Path,
    tips: &BTreeMap<String, Oid>,
    base: Oid,
) -> Result<HashMap<String, (u64, u64)>, GitError> {
    let asked = Place::of_repository(repository, repo_path)?
        .git("for-each-ref refs/heads/")
        .arg(format!("--format=%(refname)%00%(ahead-behind:{base})"))
        .limit(HEAVY)
        .run();
    match asked {
        Ok(said) => Ok(parsed(&String::from_utf8_lossy(&said))),
        Err(GitError::Failed { .. }) => walked(repository, tips, base).context(COUNTING),
        Err(error) => Err(error),
    }
}

/// Reads lines of `refs/heads/x`, NUL, `ahead behind`.
fn parsed(said: &str) -> HashMap<String, (u64, u64)> {
    let one = |line: &str| {
        let (name, counts) = line.split_once('\0')?;
        let (ahead, behind) = counts.split_once(' ')?;
        let name = name.strip_prefix("refs/heads/")?.to_owned();
        Some((name, (ahead.parse().ok()?, behind.parse().ok()?)))
    };
    said.lines().filter_map(one).collect()
}

/// The same without a recent `git`: one walk from all tips, children before their parents, that
/// propagates which tips reach a commit. Exact whatever the dates of the commits.
pub(in crate::git) fn walked(
    repository: &Repository,
    tips: &BTreeMap<String, Oid>,
    base: Oid,
) -> Result<HashMap<String, (u64, u64)>, git2::Error> {
    // Bit n stands for the n-th branch, the next one for the base.
    let words = tips.len() / 64 + 1;
    let mut reached: HashMap<Oid, Vec<u64>> = HashMap::new();
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL)?;
    for (number, tip) in tips.values().chain([&base]).enumerate() {
        walk.push(*tip)?;
        let bits = reached.entry(*tip).or_insert_with(|| vec![0; words]);
        set(bits, number);
    }
    let (mut ahead, mut both) = (vec![0_u64; tips.len()], vec![0_u64; tips.len()]);
    let mut of_base = 0;
    for id in walk {
        let id = id?;
        let Some(bits) = reached.remove(&id) else {
            continue;
        };
        let in_base = is_set(&bits, tips.len());
        of_base += u64::from(in_base);
        let counts = if in_base { &mut both } else { &mut ahead };
        for (number, count) in counts.iter_mut().enumerate() {
            *count += u64::from(is_set(&bits, number));
        }
        for parent in repository.find_commit(id)?.parent_ids() {
            let above = reached.entry(parent).or_insert_with(|| vec![0; words]);
            above
                .iter_mut()
                .zip(&bits)
                .for_each(|(to, from)| *to |= from);
        }
    }
    let counts = ahead.into_iter().zip(both);
    let counts = counts.map(|(ahead, both)| (ahead, of_base - both));
    Ok(tips.keys().cloned().zip(counts).collect())
}

fn set(bits: &mut [u64], number: usize) {
    if let Some(word) = bits.get_mut(number / 64) {
        *word |= 1 << (number % 64);
    }
}

fn is_set(bits: &[u64], number: usize) -> bool {
    let word = bits.get(number / 64).copied().unwrap_or_default();
    word >> (number % 64) & 1 == 1
}

/// How many commits of one tip the other does not have.
fn own_commits(repository: &Repository, of: Oid, other: Oid) -> Result<u64, git2::Error> {
    if of == other {
        return Ok(0);
    }
    let mut walk = repository::walk(repository, of, &[other])?;
    walk.try_fold(0, |count, commit| commit.map(|_| count + 1))
}

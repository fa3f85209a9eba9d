//! Objects that a partial clone (`git clone --filter=…`) has left at its remote.
//!
//! `git` fetches such an object when it reads it, over the user's own transport; libgit2 cannot. So
//! work that reads objects by libgit2 runs in [`filled`]: when an object is not here, `git` reads
//! it, and the work begins again. In a repository that is no partial clone nothing is retried.

use super::{
    GitError, branches,
    command::{Command, HEAVY},
    place::Place,
    repository::{self, Tip},
};
use git2::{ErrorClass, ErrorCode, Oid, Repository};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Longest time for fetching what one operation lacks.
const FETCH: Duration = Duration::from_secs(300);

/// Does `work` with a branch and another one, by default the default branch; it changes nothing when
/// it fails. In a partial clone that lacks an object, `ahead` first lets `git` read what `work` is
/// known to need of the two commits, many objects a fetch; the rest is fetched as `work` asks for it.
///
/// # Errors
/// `UnknownRevision` and `InvalidName` for the branches; those of `work` and `ahead`; `NotFetched`
/// when the remote does not give an object, and `TimedOut`.
pub(super) fn filled<T>(
    repo_path: &Path,
    branch: &str,
    other: Option<&str>,
    ahead: fn(&Place, Oid, Oid) -> Result<(), GitError>,
    work: impl Fn(&Repository, &Tip, &Tip) -> Result<T, GitError>,
) -> Result<T, GitError> {
    let began = Instant::now();
    let mut fetched = None;
    loop {
        let repository = repository::open(repo_path)?;
        let branch = Tip::find(&repository, repo_path, branch)?;
        let other = branches::named_or_default(&repository, repo_path, other)?;
        let error = match work(&repository, &branch, &other) {
            Err(error) => error,
            done => return done,
        };
        let Some(id) = absent(&error).filter(|id| fetched != Some(*id)) else {
            return Err(error);
        };
        let place = Place::of_repository(&repository, repo_path)?;
        if place.promisor().is_none() {
            return Err(error);
        }
        if fetched.is_none() {
            ahead(&place, branch.commit, other.commit)?;
        }
        let left = FETCH.checked_sub(began.elapsed());
        let left = left.ok_or(GitError::TimedOut {
            program: "fetch",
            limit: FETCH,
        })?;
        let read = place.git("cat-file -t").arg(id.to_string());
        read.limit(left).run()?;
        fetched = Some(id);
    }
}

/// The object that libgit2 did not find.
pub(super) fn absent(error: &GitError) -> Option<Oid> {
    let GitError::Library { source, .. } = error else {
        return None;
    };
    if (source.class(), source.code()) != (ErrorClass::Odb, ErrorCode::NotFound) {
        return None;
    }
    // "object not found - no match for id (…)"
    let (_, id) = source.message().rsplit_once('(')?;
    Oid::from_str(id.strip_suffix(')')?).ok()
}

/// Lets `git` read what a merge of two commits reads: all folders of both and of their merge bases,
/// and the files that differ.
pub(super) fn read_merge(place: &Place, ours: Oid, theirs: Oid) -> Result<(), GitError> {
    let tips = [ours.to_string(), theirs.to_string()];
    let bases = place.git("merge-base --all").args(&tips);
    let bases = bases.also_fine(1).run_line()?;
    for commit in bases.lines().chain(tips.iter().map(String::as_str)) {
        // A folder comes with all that is below it.
        read(place.git("ls-tree -r -d").arg(commit))?;
    }
    for base in bases.lines() {
        for tip in &tips {
            read(place.git("diff-tree -r -M --numstat").args([base, tip]))?;
        }
    }
    Ok(())
}

/// The same for a rebase, which also reads what each commit changed.
pub(super) fn read_rebase(place: &Place, own: Oid, onto: Oid) -> Result<(), GitError> {
    read_merge(place, own, onto)?;
    let log = place.git("log --format= --numstat");
    read(log.arg(format!("{own}...{onto}")).arg("--"))
}

/// Lets `git` read what it needs for a command, whose output is of no interest.
pub(super) fn read(command: Command<'_>) -> Result<(), GitError> {
    let command = command.shown_as("fetch").limit(HEAVY.min(FETCH));
    command.run_into(&mut |_| Ok(()))
}

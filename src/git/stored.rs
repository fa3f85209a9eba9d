//! Files that a worktree has as the repository stores them, because their filter was not allowed yet when
//! they were checked out ([`super::filters`]): what git-crypt encrypted, pointers of Git LFS.
//!
//! To run the filter over them now would apply it twice. So they count as unchanged in every comparison,
//! and they are checked out again, through their filter, before the CLI starts or gets a message, and
//! before a commit.

use super::{
    Context, GitError, by_hand,
    command::{Command, HEAVY},
    large,
    on_disk::set_times,
    place::Place,
    repository,
    staging::Staging,
    text::{list, os_string, push_staged, staged},
    trusted::trusted,
};
use crate::domain::run::event::WorktreeAt;
use git2::Oid;
use std::{collections::BTreeMap, fs, path::Path};

/// A file in an index.
pub(super) struct Listed {
    /// As git writes it.
    mode: String,
    /// Its blob, in hex.
    id: String,
}

/// Files of an index whose attributes name a filter that the user allowed, by their paths. `ls_files` is a
/// start of git on that index.
pub(super) fn filtered(
    place: &Place,
    ls_files: Command<'_>,
) -> Result<BTreeMap<Vec<u8>, Listed>, GitError> {
    let names = trusted(place.git_dir()).into_iter();
    // What else a name may have would mean something in a pathspec.
    let plain = |name: &String| {
        let fine = |letter: char| letter.is_alphanumeric() || "-_".contains(letter);
        name.chars().all(fine)
    };
    let names = names.map(|allowed| allowed.name).filter(plain);
    let specs: Vec<_> = names
        .map(|name| format!(":(top,attr:filter={name})"))
        .collect();
    let mut found = BTreeMap::new();
    if specs.is_empty() {
        return Ok(found);
    }
    let listed = ls_files.args(["-s", "-z", "--"]).args(specs);
    for file in staged(&listed.limit(HEAVY).run()?) {
        // One in conflict has no stage 0.
        if matches!(file.mode, "100644" | "100755") && file.stage == "0" {
            let (mode, id) = (file.mode.to_owned(), file.id.to_owned());
            found.insert(file.path.to_vec(), Listed { mode, id });
        }
    }
    Ok(found)
}

/// Those that lie in the worktree byte for byte as the blob that is given with each.
fn lying_so<'f>(
    staging: &Staging,
    files: impl Iterator<Item = (&'f [u8], &'f str)>,
) -> Result<Vec<&'f [u8]>, GitError> {
    let odb = staging.repository.odb();
    let odb = odb.context("reading objects")?;
    let may_be = |(path, id): &(&[u8], &str)| {
        let found = fs::symlink_metadata(staging.place.work_tree().join(os_string(path)));
        let Some(found) = found.ok().filter(fs::Metadata::is_file) else {
            return false;
        };
        let stored = Oid::from_str(id).and_then(|id| odb.read_header(id));
        // Most differ in size, and are not read.
        let fits = stored.map_or(true, |(size, _)| u64::try_from(size) == Ok(found.len()));
        fits && !large::is_large(found.len())
    };
    let files: Vec<_> = files.filter(may_be).collect();
    let paths: Vec<_> = files.iter().map(|(path, _)| *path).collect();
    let lie = by_hand::hash(staging, &paths, &["--no-filters"], usize::MAX)?;
    let same = files.iter().zip(lie);
    let same = same.filter(|((_, id), lies)| lies.as_deref() == Ok(*id));
    Ok(same.map(|((path, _), _)| *path).collect())
}

/// Whether one of the files, which come with their blobs, lies as it is stored, though the user allowed its
/// filter.
pub(super) fn any<'f>(
    staging: &Staging,
    files: impl Iterator<Item = (&'f [u8], Oid)>,
) -> Result<bool, GitError> {
    let tracked = filtered(&staging.place, staging.git("ls-files"))?;
    if tracked.is_empty() {
        return Ok(false);
    }
    let files = files.filter_map(|(path, id)| Some((path, tracked.get(path)?, id.to_string())));
    let files: Vec<_> = files.filter(|(_, listed, id)| listed.id == *id).collect();
    let files = files.iter().map(|(path, _, id)| (*path, id.as_str()));
    Ok(!lying_so(staging, files)?.is_empty())
}

/// Puts back what `before` says of files that were staged anew and lie as they were stored.
pub(super) fn keep(staging: &Staging, before: &BTreeMap<Vec<u8>, Listed>) -> Result<(), GitError> {
    if before.is_empty() {
        return Ok(());
    }
    let now = filtered(&staging.place, staging.git("ls-files"))?;
    let changed = before.iter().filter(|(path, listed)| {
        let now = now.get(*path);
        now.is_some_and(|now| now.id != listed.id)
    });
    let changed = changed.map(|(path, listed)| (path.as_slice(), listed.id.as_str()));
    let mut input = Vec::new();
    for path in lying_so(staging, changed)? {
        if let (Some(listed), Some(now)) = (before.get(path), now.get(path)) {
            push_staged(&mut input, &now.mode, &listed.id, path);
        }
    }
    if input.is_empty() {
        return Ok(());
    }
    let update = staging.edit_index("update-index -z --index-info");
    update.input(input).run().map(drop)
}

/// Checks such files of a staged worktree out again.
pub(super) fn fill_in(staging: &Staging) -> Result<(), GitError> {
    let place = &staging.place;
    let tracked = filtered(place, place.git("ls-files"))?;
    let files = tracked.iter();
    let files = files.map(|(path, listed)| (path.as_slice(), listed.id.as_str()));
    let stored = lying_so(staging, files)?;
    for path in &stored {
        // Git leaves alone what the index knows by its times.
        set_times(&place.work_tree().join(os_string(path)), 0).context("touching a file")?;
    }
    if stored.is_empty() {
        return Ok(());
    }
    let write = place.git("checkout-index --force --index -z --stdin");
    write.input(list(stored)).limit(HEAVY).run().map(drop)
}

/// Checks such files of a worktree out again, where the user allowed a filter.
///
/// # Errors
/// `WorktreeGone`, `NotARepository`, and those of starting `git`.
pub(crate) fn fill_in_stored(at: &WorktreeAt, repo_path: &Path) -> Result<(), GitError> {
    let repository = repository::open(repo_path)?;
    if trusted(&repository::common_dir(&repository)?).is_empty() {
        return Ok(());
    }
    fill_in(&Staging::open(at, repo_path)?)
}

//! Files that Git LFS keeps elsewhere: whether a worktree has their contents.

use super::{GitError, changes::Index, entries, place::Place, program::os_string, repository};
use crate::domain::run::event::WorktreeAt;
use std::{fs, path::PathBuf};

/// A sentence when a worktree has files of Git LFS that are pointers only, since the user's own
/// configuration has no LFS filter (`git lfs install` makes it). A filter that the repository
/// itself names does not count: it is never run.
///
/// # Errors
/// `WorktreeGone`, `NotARepository`, and those of starting `git`.
pub fn missing_lfs(
    at: &WorktreeAt,
    repo_path: &std::path::Path,
) -> Result<Option<String>, GitError> {
    let common_dir = repository::common_dir(&repository::open(repo_path)?)?;
    let entry = entries::of_worktree(&common_dir, at)?;
    let place = Place::open(&entry.admin, &at.worktree)?;
    if ["filter.lfs.smudge", "filter.lfs.process"]
        .iter()
        .any(|key| place.is_configured(key))
    {
        return Ok(None);
    }
    let names_lfs = attributes(&place)?
        .iter()
        .map(|path| at.worktree.join(PathBuf::from(os_string(path.as_slice()))))
        .filter(|path| fs::symlink_metadata(path).is_ok_and(|found| found.is_file()))
        .any(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("filter=lfs")));
    Ok(names_lfs.then(|| {
        "Files of Git LFS are pointers here: Git LFS is not set up in your own git configuration. \
         `git lfs install` sets it up; `git lfs pull` in the worktree brings the contents."
            .to_owned()
    }))
}

/// Paths of the files of attributes in a worktree's index.
fn attributes(place: &Place) -> Result<Vec<Vec<u8>>, GitError> {
    const NAME: &[u8] = b".gitattributes";
    let index = fs::read(place.git_dir().join("index")).ok();
    if let Some(index) = index.and_then(|bytes| Index::parse(&bytes)) {
        let below = |path: &[u8]| {
            path.strip_suffix(NAME)
                .is_some_and(|folder| folder.is_empty() || folder.ends_with(b"/"))
        };
        let paths = index.paths().filter(|path| below(path));
        return Ok(paths.map(<[u8]>::to_vec).collect());
    }
    let told = place
        .git("git ls-files")
        .args([
            "ls-files",
            "-z",
            "--",
            ".gitattributes",
            "**/.gitattributes",
        ])
        .run()?;
    let paths = told
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty());
    Ok(paths.map(<[u8]>::to_vec).collect())
}

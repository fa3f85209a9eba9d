//! Asks git which paths it does not ignore.

use super::{
    GitError,
    place::Place,
    text::{items, list},
};
use std::collections::BTreeSet;

/// Those of the paths, in their order, that git does not ignore. A path that ends with a slash names
/// a folder. None may be in the index, nor lie beyond a symbolic link.
pub(super) fn not_ignored(
    place: &Place,
    mut paths: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, GitError> {
    // Keeps a name from being read as a pattern with magic.
    const HERE: &[u8] = b"./";
    if paths.is_empty() {
        return Ok(paths);
    }
    let asked = list(paths.iter().map(|path| [HERE, name(path)].concat()));
    let told = place
        .git("check-ignore --no-index -z --stdin")
        .input(asked)
        // None of them is ignored.
        .also_fine(1)
        .run()?;
    let ignored = items(&told).filter_map(|path| path.strip_prefix(HERE));
    let ignored: BTreeSet<_> = ignored.collect();
    paths.retain(|path| !ignored.contains(name(path)));
    Ok(paths)
}

/// Without the slash of a folder: with it, the pattern `build/*` would match the folder itself.
fn name(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

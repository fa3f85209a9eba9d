//! Folders of this machine, for choosing a repository.

use super::{OperationError, blocking};
use crate::runtime::Runtime;
use serde::Serialize;
use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// Most folders in one answer.
const FOLDERS_MAX: usize = 50;
/// Most entries of a folder that are looked at for one answer.
const ENTRIES_MAX: usize = 10_000;

/// One folder of `GET /api/fs/dirs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Folder {
    /// The absolute path, written as the home folder is.
    pub path: String,
    /// Whether it contains `.git`.
    pub is_repo: bool,
}

/// Folders under the home folder whose path starts with the prefix; empty, relative and `~/` mean
/// the home folder.
///
/// # Errors
/// `Invalid` prefix: with `..` or a NUL in it.
pub(crate) async fn list(runtime: &Runtime, prefix: String) -> Result<Vec<Folder>, OperationError> {
    let home = runtime.shared.config.home.clone();
    blocking(move || list_folders(&home, &prefix)).await?
}

/// Lists folders one level below the last `/` of the prefix, sorted, at most [`FOLDERS_MAX`].
///
/// What cannot be read, is hidden, or leads out of the home folder by a link is left out.
fn list_folders(home: &Path, prefix: &str) -> Result<Vec<Folder>, OperationError> {
    if prefix.contains('\0')
        || Path::new(prefix)
            .components()
            .any(|c| c == Component::ParentDir)
    {
        return Err(OperationError::invalid(
            "prefix",
            "must be a plain path, without `..`",
        ));
    }
    let Some((parent, start)) = split_prefix(home, prefix) else {
        return Ok(Vec::new());
    };
    let (Ok(real_home), Ok(real_parent)) = (home.canonicalize(), parent.canonicalize()) else {
        return Ok(Vec::new());
    };
    let Ok(entries) = fs::read_dir(&real_parent) else {
        return Ok(Vec::new());
    };
    if !real_parent.starts_with(&real_home) {
        return Ok(Vec::new());
    }
    let mut names: Vec<String> = entries
        .take(ENTRIES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && name.starts_with(&start))
        .collect();
    names.sort_unstable();
    let folders = names
        .iter()
        .filter_map(|name| folder(&parent, name, &real_home));
    Ok(folders.take(FOLDERS_MAX).collect())
}

/// Splits a prefix into the folder to list and the start of the names wanted; nothing when no path
/// under the home folder can start so.
fn split_prefix(home: &Path, prefix: &str) -> Option<(PathBuf, String)> {
    let home_text = home.to_str()?.trim_end_matches('/');
    let full = match prefix {
        "" | "~" => format!("{home_text}/"),
        _ if prefix.starts_with('/') => prefix.to_owned(),
        _ => format!(
            "{home_text}/{}",
            prefix.strip_prefix("~/").unwrap_or(prefix)
        ),
    };
    if format!("{home_text}/").starts_with(&full) {
        return Some((home.to_path_buf(), String::new()));
    }
    let below = full.strip_prefix(home_text)?.strip_prefix('/')?;
    let (parents, start) = below.rsplit_once('/').unwrap_or(("", below));
    if parents.split('/').any(|name| name.starts_with('.')) {
        return None;
    }
    Some((home.join(parents), start.to_owned()))
}

fn folder(parent: &Path, name: &str, real_home: &Path) -> Option<Folder> {
    let path = parent.join(name);
    let real = path.canonicalize().ok()?;
    if !real.is_dir() || !real.starts_with(real_home) {
        return None;
    }
    Some(Folder {
        path: path.to_str()?.to_owned(),
        is_repo: real.join(".git").exists(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home {
        _dir: tempfile::TempDir,
        path: PathBuf,
    }

    impl Home {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("home");
            for folder in [
                "code/app/.git",
                "code/api",
                "code/.cache",
                "music",
                ".ssh/keys",
            ] {
                fs::create_dir_all(path.join(folder)).unwrap();
            }
            fs::create_dir_all(dir.path().join("outside/secret")).unwrap();
            fs::write(path.join("code/file"), "").unwrap();
            std::os::unix::fs::symlink(dir.path().join("outside"), path.join("out")).unwrap();
            std::os::unix::fs::symlink(path.join("code/app"), path.join("code/link")).unwrap();
            Self { _dir: dir, path }
        }

        fn list(&self, prefix: &str) -> Vec<String> {
            let prefix = prefix.replace("HOME", self.path.to_str().unwrap());
            let found = list_folders(&self.path, &prefix).unwrap();
            let home = self.path.to_str().unwrap();
            let name = |f: Folder| f.path.replace(home, "~") + if f.is_repo { "!" } else { "" };
            found.into_iter().map(name).collect()
        }
    }

    #[test]
    fn folders_are_found_by_their_start() {
        let home = Home::new();
        for all in ["", "~", "~/", "/", "HOME", "HOME/"] {
            assert_eq!(home.list(all), ["~/code", "~/music"], "{all}");
        }
        for some in ["HOME/code/", "code/", "~/code/"] {
            assert_eq!(
                home.list(some),
                ["~/code/api", "~/code/app!", "~/code/link!"],
                "{some}"
            );
        }
        assert_eq!(home.list("HOME/code/ap"), ["~/code/api", "~/code/app!"]);
        assert_eq!(home.list("mu"), ["~/music"]);
    }

    #[test]
    fn nothing_hidden_or_outside_is_told() {
        let home = Home::new();
        for none in [
            "/etc/",
            "/etc",
            "HOME/.ssh/",
            "HOME/.s",
            "HOME/out/",
            "~/none/",
            "HOMEx/",
        ] {
            assert!(home.list(none).is_empty(), "{none}");
        }
        for wrong in ["../", "/home/../etc", "a\0b"] {
            assert!(list_folders(&home.path, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn at_most_fifty() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..60 {
            fs::create_dir(dir.path().join(format!("d{number:02}"))).unwrap();
        }
        let found = list_folders(dir.path(), "d").unwrap();
        assert_eq!(found.len(), FOLDERS_MAX);
        assert!(found[49].path.ends_with("d49"));
    }
}

//! The files of a run folder that a CLI's hooks need.
//!
//! `hook` is a symbolic link to `abbado-hook` beside our own binary, or to the binary itself, which
//! sees by its name what it is to do: so the CLI starts one process a hook, without a shell.
//! `hook.token` is the run's secret.
//!
//! # Crash
//! Every file is written aside and renamed; a launch writes all of them again but the secret, which
//! is made once and kept, and made again when a crash of the machine lost it.

use super::{CliError, launch};
use crate::files;
use serde_json::{Value, json};
use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

/// Name of the link to the hook program.
pub const HOOK: &str = "hook";
/// Name of the small hook program, beside this binary.
pub const PROGRAM: &str = "abbado-hook";
/// Name of the file with the secret.
pub const TOKEN: &str = "hook.token";
/// Length of the secret: 256 bits in hexadecimal digits.
pub const TOKEN_CHARS: usize = 64;

/// How long a CLI waits for a hook. The hook program takes one second at most; the rest is for a
/// machine under load.
const TIMEOUT_MILLISECONDS: u32 = 5000;

/// Creates the secret if there is none, and points `hook` at the current binary, or at the small
/// one beside it.
///
/// # Errors
/// When a file cannot be written or the system has no random bytes.
pub fn ensure(run_dir: &Path, abbado: &Path) -> Result<(), CliError> {
    let failed = |name: &'static str| move |source: io::Error| CliError::File { name, source };
    ensure_secret(run_dir, TOKEN).map_err(failed(TOKEN))?;
    point(run_dir, abbado).map_err(failed(HOOK))
}

/// The run's secret; none when it was never created, or incompletely.
///
/// # Errors
/// When the file exists but cannot be read.
pub fn token(run_dir: &Path) -> io::Result<Option<String>> {
    secret(run_dir, TOKEN)
}

/// A secret of a folder, created when there is none.
pub(super) fn ensure_secret(folder: &Path, name: &str) -> io::Result<String> {
    if let Some(secret) = secret(folder, name)? {
        return Ok(secret);
    }
    let secret = random_hex()?;
    write_private(folder, name, secret.as_bytes())?;
    Ok(secret)
}

/// 256 random bits in hexadecimal digits.
pub(super) fn random_hex() -> io::Result<String> {
    let mut bytes = [0_u8; TOKEN_CHARS / 2];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A secret of a folder; none when it was never created, or incompletely.
pub(super) fn secret(folder: &Path, name: &str) -> io::Result<Option<String>> {
    let text = files::if_regular(files::read_text(&folder.join(name), files::SMALL))?;
    let whole =
        |text: &String| text.len() == TOKEN_CHARS && text.bytes().all(|b| b.is_ascii_hexdigit());
    Ok(text.filter(whole))
}

/// Creates a folder in the run folder that only its owner may enter, unless it exists.
///
/// # Errors
/// When it cannot be created.
pub(super) fn folder(run_dir: &Path, name: &'static str) -> Result<PathBuf, CliError> {
    let folder = run_dir.join(name);
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(|source| CliError::File { name, source })?;
    Ok(folder)
}

/// Writes a file atomically that only its owner may read. It is not synced to disk: a crash of the
/// machine also ends all readers, and the next launch writes it again.
pub(super) fn write_private(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let aside = folder.join(format!(".{name}.new"));
    files::make(&aside)?.write_all(bytes)?;
    files::rename(&aside, &folder.join(name))
}

/// The same for a file of the run folder.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(run_dir: &Path, name: &'static str, bytes: &[u8]) -> Result<(), CliError> {
    write_private(run_dir, name, bytes).map_err(|source| CliError::File { name, source })
}

/// The hook program as the command of a shell.
///
/// # Errors
/// When the path is not UTF-8.
pub(super) fn shell_command(run_dir: &Path) -> Result<String, CliError> {
    Ok(launch::quoted(launch::utf8(&run_dir.join(HOOK))?))
}

/// The hook program as a hook in the settings of a CLI that gives it to a shell.
///
/// # Errors
/// When the path is not UTF-8.
pub(super) fn shell_hook(run_dir: &Path) -> Result<Value, CliError> {
    let command = shell_command(run_dir)?;
    Ok(json!({"hooks": [
        {"type": "command", "command": command, "timeout": TIMEOUT_MILLISECONDS},
    ]}))
}

fn point(run_dir: &Path, abbado: &Path) -> io::Result<()> {
    let aside = run_dir.join(".hook.new");
    files::remove(&aside)?;
    let small = abbado.with_file_name(PROGRAM);
    symlink(if small.is_file() { &small } else { abbado }, &aside)?;
    files::rename(&aside, &run_dir.join(HOOK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_secret_is_made_once_and_the_link_follows_the_binary() {
        let folder = tempfile::tempdir().unwrap();
        let run_dir = folder.path();
        assert_eq!(token(run_dir).unwrap(), None);
        ensure(run_dir, Path::new("/opt/one/abbado")).unwrap();
        let secret = token(run_dir).unwrap().unwrap();
        assert_eq!(secret.len(), TOKEN_CHARS);
        let mode = fs::metadata(run_dir.join(TOKEN))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        ensure(run_dir, Path::new("/opt/two/abbado")).unwrap();
        assert_eq!(token(run_dir).unwrap(), Some(secret));
        assert_eq!(
            fs::read_link(run_dir.join(HOOK)).unwrap(),
            Path::new("/opt/two/abbado")
        );
        assert_eq!(
            fs::read_dir(run_dir).unwrap().count(),
            2,
            "nothing is left aside"
        );
    }

    #[test]
    fn the_small_program_is_taken_where_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let programs = tempfile::tempdir().unwrap();
        let small = programs.path().join(PROGRAM);
        fs::write(&small, "").unwrap();
        ensure(folder.path(), &programs.path().join("abbado")).unwrap();
        assert_eq!(fs::read_link(folder.path().join(HOOK)).unwrap(), small);
    }

    #[test]
    fn a_half_made_secret_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TOKEN), "abc").unwrap();
        fs::write(folder.path().join(".hook.token.new"), "left by a crash").unwrap();
        ensure(folder.path(), Path::new("/abbado")).unwrap();
        assert!(token(folder.path()).unwrap().is_some());
    }

    #[test]
    fn two_runs_have_two_secrets() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&one, &two] {
            ensure(folder.path(), Path::new("/abbado")).unwrap();
        }
        assert_ne!(token(one.path()).unwrap(), token(two.path()).unwrap());
    }
}

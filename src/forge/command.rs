//! Runs the user's programs: `gh` and `glab` for a token, `ssh` for the name of a host.

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::io::AsyncReadExt;

/// A variable of an environment.
pub(super) fn variable<'e>(environment: &'e [(String, String)], name: &str) -> Option<&'e str> {
    let found = environment.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// What a program prints; without a terminal, in `/` so that no repository configures it.
///
/// # Errors
/// Why it printed nothing, as part of a sentence.
pub(super) async fn output_of(
    argv: &[&str],
    environment: &[(String, String)],
    limit: Duration,
    bytes_max: u64,
) -> Result<Vec<u8>, String> {
    let path = variable(environment, "PATH").unwrap_or_default().to_owned();
    let name = argv[0].to_owned();
    let found = tokio::task::spawn_blocking(move || on_path(&name, &path)).await;
    let program = found.ok().flatten().ok_or("not installed")?;
    let mut child = tokio::process::Command::new(program)
        .args(&argv[1..])
        .env_clear()
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("did not start: {error}"))?;
    let group = child.id();
    let stdout = child.stdout.take();
    let mut said = Vec::new();
    let work = async {
        if let Some(stdout) = stdout {
            stdout.take(bytes_max).read_to_end(&mut said).await?;
        }
        child.wait().await
    };
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(status)) if !status.success() => Err("printed none".to_owned()),
        Ok(Ok(_)) => Ok(said),
        Ok(Err(error)) => Err(format!("failed: {error}")),
        Err(_) => {
            end_group(group);
            Err(format!("took longer than {} s", limit.as_secs_f32()))
        }
    }
}

/// Kills the program and what it started. It has not been waited for, so that the group's number
/// cannot have passed to somebody else.
fn end_group(group: Option<u32>) {
    let Some(group) = group.and_then(|id| i32::try_from(id).ok()) else {
        return;
    };
    if let Err(error) = killpg(Pid::from_raw(group), Signal::SIGKILL) {
        log::debug!(error:% = error; "A program had ended before it was killed.");
    }
}

/// First program of that name in the absolute folders of `path`.
fn on_path(name: &str, path: &str) -> Option<PathBuf> {
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    folders
        .map(|folder| folder.join(name))
        .find(|file| runs(file))
}

fn runs(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

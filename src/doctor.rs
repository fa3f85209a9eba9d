//! `abbado doctor`: looks for trouble, and says how to mend it.

use crate::{
    cli,
    config::Config,
    domain::{RunId, settings::ModelSettings},
    git,
    store::{self, Location},
};
use std::{
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

/// Looks at everything and prints a line each.
///
/// # Errors
/// A sentence when something needs mending.
pub fn run(config: &Config) -> Result<(), String> {
    let mut troubles = 0;
    let mut report = |fine: bool, line: String| {
        troubles += usize::from(!fine);
        let mark = if fine { "ok  " } else { "MEND" };
        // A closed stdout ends nothing.
        drop(writeln!(std::io::stdout().lock(), "{mark}  {line}"));
    };
    folder(config, &mut report);
    programs(config, &mut report);
    database(config, &mut report);
    match troubles {
        0 => Ok(()),
        1 => Err("one thing needs mending".into()),
        many => Err(format!("{many} things need mending")),
    }
}

type Report<'r> = &'r mut dyn FnMut(bool, String);

fn folder(config: &Config, report: Report<'_>) {
    let data_dir = &config.data_dir;
    match std::fs::metadata(data_dir) {
        Ok(found) => {
            let mode = found.permissions().mode() & 0o777;
            let own = found.uid() == nix::unistd::getuid().as_raw();
            report(
                own && mode == 0o700,
                format!(
                    "data folder {} is yours alone (mode {mode:o})",
                    data_dir.display()
                ),
            );
        }
        Err(error) => report(
            false,
            format!("data folder {}: {error}", data_dir.display()),
        ),
    }
    report(
        true,
        format!(
            "disk used by runs: {} KiB",
            size(&data_dir.join("runs")) / 1024
        ),
    );
    report(
        true,
        format!(
            "disk used by worktrees: {} KiB",
            size(&data_dir.join("worktrees")) / 1024
        ),
    );
}

fn programs(config: &Config, report: Report<'_>) {
    let git = Command::new("git").arg("--version").output();
    match git {
        Ok(said) if said.status.success() => {
            report(
                true,
                String::from_utf8_lossy(&said.stdout).trim().to_owned(),
            );
        }
        _ => report(
            false,
            "git does not run: install it, version 2.30 or newer".into(),
        ),
    }
    for provider in ModelSettings::defaults().providers {
        let found = cli::find_program(&provider.bin, &config.server_env);
        let hint = cli::adapter(&provider.id).map_or("", |adapter| adapter.install_hint());
        let line = match found {
            Some(path) => format!("{}: {}", provider.label, path.display()),
            None => format!("{}: not installed ({hint})", provider.label),
        };
        // A CLI that is not installed is a choice, not trouble.
        report(true, line);
    }
}

fn database(config: &Config, report: Report<'_>) {
    let location = Location::of(&config.data_dir);
    if !location.path().exists() {
        return report(true, "no database yet".into());
    }
    let (batches, _committed) = tokio::sync::mpsc::channel(1);
    let reader = match store::open(&location, batches) {
        Ok((_, reader)) => reader,
        Err(error) => return report(false, format!("database: {error}")),
    };
    match reader.live_runs() {
        Ok(live) => report(
            true,
            format!("database opens; {} runs are live", live.len()),
        ),
        Err(error) => report(false, format!("database: {error}")),
    }
    kept_work(&reader, report);
    for (folder, what) in [("runs", "files"), ("worktrees", "worktrees")] {
        let Ok(entries) = std::fs::read_dir(config.data_dir.join(folder)) else {
            continue;
        };
        for entry in entries.flatten() {
            let id = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<RunId>().ok());
            let known = id.is_some_and(|id| reader.run_exists(id).unwrap_or(true));
            if !known {
                let line = format!(
                    "{what} of no run: {}; look and remove",
                    entry.path().display()
                );
                report(false, line);
            }
        }
    }
}

/// Lists what deleted runs left in the repositories of the projects.
fn kept_work(reader: &store::Reader, report: Report<'_>) {
    let projects = match reader.projects() {
        Ok(projects) => projects,
        Err(error) => return report(false, format!("projects: {error}")),
    };
    for repo in projects.into_iter().flat_map(|project| project.repos) {
        let path = repo.repo_path.display();
        match git::deleted_runs(&repo.repo_path) {
            Ok(runs) => {
                for run in runs {
                    let (id, day) = (run.run_id, run.deleted_at.format("%Y-%m-%d"));
                    let note = run.note;
                    let line = format!("{path}: refs/abbado/deleted/{id} since {day} ({note})");
                    report(true, line);
                }
            }
            Err(error) => report(false, format!("repository of a project: {error}")),
        }
    }
}

/// Bytes on disk below a folder; what cannot be read counts nothing.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

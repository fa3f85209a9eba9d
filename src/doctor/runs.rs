//! What runs use, and what deleted runs left.

use super::{Report, quoted};
use crate::{
    config::Config,
    domain::RunId,
    git, pty,
    store::{Reader, StoreError},
};
use std::{collections::HashMap, fs, os::unix::fs::MetadataExt, path::Path};

/// Runs whose disk is shown, the largest first.
const RUNS_SHOWN_MAX: usize = 20;

pub(super) fn look(config: &Config, reader: &Reader, report: &mut Report) {
    for checked in [holders(config, reader, report), worktrees(reader, report)] {
        if let Err(error) = checked {
            let problem = format!("cannot read the runs ({error})");
            report.fix(problem, "check the database");
        }
    }
    strays(config, reader, report);
    spares(config, report);
    kept_work(reader, report);
    disk(config, report);
}

/// Holders without a run.
fn holders(config: &Config, reader: &Reader, report: &mut Report) -> Result<(), StoreError> {
    let runs = config.data_dir.join("runs");
    let found = match pty::holders(&runs) {
        Ok(found) => found,
        // Without the folder there can be no holder.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            report.fix(format!("cannot list the holders ({error})"), "check /proc");
            return Ok(());
        }
    };
    let mut fine = 0;
    for holder in found {
        let known = match holder.run_id() {
            Some(id) => reader.run_exists(RunId(id))?,
            None => false,
        };
        if known && holder.run_dir.exists() {
            fine += 1;
            continue;
        }
        let (pid, path) = (holder.pid, holder.run_dir.display());
        let why = if known {
            "whose folder no longer exists"
        } else {
            "without a run"
        };
        report.fix(
            format!("holder {pid} {why} ({path}) keeps its program alive"),
            format!("run `kill {pid}`, which ends both"),
        );
    }
    report.fine(format!("holders of runs: {fine}"));
    Ok(())
}

/// Worktrees that no longer exist although their run has them.
fn worktrees(reader: &Reader, report: &mut Report) -> Result<(), StoreError> {
    for run in reader.runs_repos(None)? {
        let (id, status) = (run.id, run.status);
        for repo in run.repos {
            let Some(path) = repo.worktree.filter(|path| !path.exists()) else {
                continue;
            };
            let (name, path) = (repo.name, path.display());
            report.fix(
                format!("worktree '{name}' of run {id} ({status}) no longer exists: {path}"),
                "its branch and checkpoints are in the repository; continue or delete the run",
            );
        }
    }
    Ok(())
}

/// Folders whose run is not in the database.
fn strays(config: &Config, reader: &Reader, report: &mut Report) {
    for (folder, what) in [("runs", "files"), ("worktrees", "worktrees")] {
        let Ok(entries) = fs::read_dir(config.data_dir.join(folder)) else {
            continue;
        };
        for entry in entries.flatten() {
            let id = run_of(&entry.path());
            if id.is_some_and(|id| reader.run_exists(id).unwrap_or(true)) {
                continue;
            }
            let path = entry.path();
            report.fix(
                format!("{what} without a run: {}", path.display()),
                format!("check what is in it, then run `rm -r {}`", quoted(&path)),
            );
        }
    }
}

/// Worktrees that are kept ready for a next run.
fn spares(config: &Config, report: &mut Report) {
    let found = git::spares_on_disk(&config.data_dir.join("spares"));
    if found.is_empty() {
        return;
    }
    let used: u64 = found.iter().map(|folder| size(folder)).sum();
    report.fine(format!(
        "spare worktrees: {} ({} KiB), ready for new runs; the server removes those that are not needed",
        found.len(),
        used / 1024
    ));
}

fn run_of(path: &Path) -> Option<RunId> {
    path.file_name()?.to_str()?.parse().ok()
}

/// Lists what deleted runs left in the repositories of the projects.
fn kept_work(reader: &Reader, report: &mut Report) {
    let projects = reader.projects().unwrap_or_else(|error| {
        let problem = format!("cannot read the projects ({error})");
        report.fix(problem, "check the database");
        Vec::new()
    });
    for repo in projects.into_iter().flat_map(|project| project.repos) {
        let path = repo.repo_path.display();
        match git::deleted_runs(&repo.repo_path) {
            Ok(runs) => {
                for run in runs {
                    let (id, day) = (run.run_id, run.deleted_at.format("%Y-%m-%d"));
                    let note = run.note;
                    report.fine(format!(
                        "{path}: refs/abbado/deleted/{id} since {day} ({note})"
                    ));
                }
            }
            Err(error) => report.fix(
                format!("repository {path} of a project ({error})"),
                "restore it, or remove it from the project",
            ),
        }
    }
}

/// What each run uses, the largest first.
fn disk(config: &Config, report: &mut Report) {
    let mut used: HashMap<RunId, [u64; 2]> = HashMap::new();
    for (at, folder) in ["runs", "worktrees"].iter().enumerate() {
        let entries = fs::read_dir(config.data_dir.join(folder));
        for entry in entries.into_iter().flatten().flatten() {
            if let Some(id) = run_of(&entry.path()) {
                used.entry(id).or_default()[at] += size(&entry.path());
            }
        }
    }
    let mut used: Vec<_> = used.into_iter().collect();
    used.sort_by_key(|(id, [files, worktrees])| (std::cmp::Reverse(files + worktrees), id.0));
    let all: u64 = used.iter().flat_map(|(_, sizes)| sizes).sum();
    let (runs, all) = (used.len(), all / 1024);
    report.fine(format!("disk used by {runs} runs: {all} KiB"));
    for (id, sizes) in used.iter().take(RUNS_SHOWN_MAX) {
        let [files, worktrees] = sizes.map(|bytes| bytes / 1024);
        report.fine(format!(
            "disk used by run {id}: files {files} KiB, worktrees {worktrees} KiB"
        ));
    }
}

/// Bytes on disk below a folder; what cannot be read counts nothing.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
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

//! The output of a run's terminal, without secrets.

use super::{OperationError, blocking, read};
use crate::{
    domain::{RunId, Secrets},
    pty::output_log::{self, Extent},
    runtime::{Runtime, order::OrderError},
};
use std::{io, path::PathBuf};

/// What the CLI of a run put out, as far as it is kept.
#[derive(Clone)]
pub(crate) struct Output {
    run_dir: PathBuf,
    extent: Extent,
    secrets: Secrets,
}

/// The output of a run.
///
/// # Errors
/// `Unknown` run; [`OrderError::Missing`] when there is no output.
pub(crate) async fn of_run(runtime: &Runtime, id: RunId) -> Result<Output, OperationError> {
    let found = read(runtime, move |reader| {
        let known = reader.run_exists(id)?;
        known.then(|| reader.run_secrets(id)).transpose()
    });
    let secrets = found.await?.ok_or(OperationError::Unknown("run"))?;
    let run_dir = runtime.shared.run_dir(id);
    let folder = run_dir.clone();
    let extent = blocking(move || output_log::extent(&folder)).await?;
    let extent = extent.map_err(OperationError::failed)?.ok_or_else(|| {
        let why = "This run has no output: its CLI was never started.";
        OrderError::Missing(why.to_owned())
    })?;
    Ok(Output {
        run_dir,
        extent,
        secrets,
    })
}

impl Output {
    /// Where what is kept begins, in bytes since the run's first launch.
    #[must_use]
    pub(crate) const fn base(&self) -> u64 {
        self.extent.base
    }

    /// Where it ends.
    #[must_use]
    pub(crate) const fn end(&self) -> u64 {
        self.extent.end
    }

    /// A part of it, with asterisks over the values of the agent's environment.
    ///
    /// # Errors
    /// When the file system fails.
    pub(crate) async fn part(&self, from: u64, length: usize) -> Result<Vec<u8>, OperationError> {
        let output = self.clone();
        let read = blocking(move || output.read(from, length)).await?;
        read.map_err(OperationError::failed)
    }

    /// Blots out a secret that lies across the ends of the part, too.
    fn read(&self, from: u64, length: usize) -> io::Result<Vec<u8>> {
        let around = self.secrets.longest().saturating_sub(1);
        let before = (from - self.extent.base).min(around as u64);
        let skipped = usize::try_from(before).unwrap_or_default();
        let length_around = skipped + length + around;
        let mut bytes = output_log::read_at(&self.run_dir, from - before, length_around)?;
        self.secrets.blot(&mut bytes);
        bytes.drain(..skipped.min(bytes.len()));
        bytes.truncate(length);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_part_of_the_output_shows_a_piece_of_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let said = "key=sk-12345678; again sk-12345678";
        let mut log = output_log::OutputLog::open(folder.path(), 1024 * 1024).unwrap();
        log.append(said.as_bytes()).unwrap();
        let config = json!({"env": {"KEY": "sk-12345678"}});
        let mut output = Output {
            run_dir: folder.path().to_owned(),
            extent: output_log::extent(folder.path()).unwrap().unwrap(),
            secrets: Secrets::of(config.as_object().unwrap()),
        };
        let shown = "key=***********; again ***********";
        for from in 0..said.len() {
            for to in from + 1..=said.len() {
                let part = output.read(from as u64, to - from).unwrap();
                assert_eq!(String::from_utf8_lossy(&part), shown[from..to]);
            }
        }
        output.secrets = Secrets::default();
        assert_eq!(output.read(0, said.len()).unwrap(), said.as_bytes());
    }
}

//! Reads what a run's CLI wrote down: its transcript file, or the output of a headless one.

use super::cli_output;
use crate::{
    cli::{Transcript, TranscriptContext},
    domain::{AgentMode, run::command::Observation, settings::ModelSettings},
    runtime::run::output::TranscriptRead,
};
use std::{io, path::Path, sync::Arc};

/// A reader, and how far it has read.
pub(crate) struct Reader {
    /// What it is kept for.
    session: String,
    transcript: Box<dyn Transcript>,
    /// Absolute offset up to which the output of a headless CLI was read.
    output_read: u64,
}

impl Reader {
    /// The reader that goes on where `former` is, if that one reads the same; none for a CLI that
    /// writes nothing down.
    pub(crate) fn of(
        read: &TranscriptRead,
        former: Option<Self>,
        prices: impl FnOnce() -> Arc<ModelSettings>,
    ) -> Option<Self> {
        let former = former.filter(|former| former.session == read.session);
        let mut reader = former.or_else(|| {
            let context = TranscriptContext::new(read.mode, read.usage.clone()).priced(prices());
            let transcript = read.adapter.transcript(context)?;
            Some(Self {
                session: read.session.clone(),
                output_read: read.output_offset + transcript.output_read(),
                transcript,
            })
        })?;
        if let Some(model) = &read.model {
            reader.transcript.model_is(model);
        }
        Some(reader)
    }

    /// Reads up to the present end. Blocks.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn read(
        &mut self,
        read: &TranscriptRead,
        run_dir: &Path,
    ) -> io::Result<Vec<Observation>> {
        match read.mode {
            AgentMode::Interactive => self.transcript.read(read.path.as_deref()),
            AgentMode::Headless => {
                let (observed, end) =
                    cli_output::feed(run_dir, self.output_read, self.transcript.as_mut())?;
                self.output_read = self.output_read.max(end);
                Ok(observed)
            }
        }
    }
}

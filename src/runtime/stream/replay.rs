//! A reader's way through the log, up to the live stream.

use super::broadcaster::write_frame;
use crate::{
    domain::{EventId, RunId},
    store::{Reader, StoreError},
};
use bytes::Bytes;
use std::ops::ControlFlow;

/// Events read from the log at once, at most.
pub const PAGE_LEN: u32 = 1024;
/// A piece ends with the event that makes its frames this long.
const PAGE_BYTES: usize = 96 * 1024;

/// Where a reader is in the log.
#[derive(Debug, Clone, Copy)]
pub struct Replay {
    /// The only run it reads.
    pub run_id: Option<RunId>,
    /// The last place it has.
    pub after: EventId,
    page_len: u32,
    /// Of its last event in its run, as far as it was read here.
    sequence: Option<u64>,
}

/// A piece of the log.
pub struct Page {
    head: EventId,
    frames: Bytes,
    last: Option<EventId>,
    sequence: Option<u64>,
    /// There may be more of the log behind it.
    more: bool,
    /// Its last event says that the run was deleted.
    deleted: bool,
    /// The reader named a place that this log has not reached.
    beyond: bool,
}

/// What comes after a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another piece.
    Page,
    /// The live stream, joined after the reader's place.
    Join,
    /// Nothing: its run was deleted.
    End,
}

impl Replay {
    /// From a place on, pages of so many events.
    #[must_use]
    pub const fn new(run_id: Option<RunId>, after: EventId, page_len: u32) -> Self {
        Self {
            run_id,
            after,
            page_len,
            sequence: None,
        }
    }

    /// Reads the next piece. Blocks.
    ///
    /// # Errors
    /// When the database fails.
    pub fn read(&self, reader: &Reader) -> Result<Page, StoreError> {
        // The head first: whatever comes after it is in the ring.
        let head = reader.head()?;
        if self.after > head {
            return Ok(Self::resync(head, reader.log_id()?));
        }
        let mut frames = String::new();
        let (mut count, mut last, mut deleted) = (0, None, false);
        let mut sequence = self.sequence;
        reader.visit_after(self.run_id, self.after, self.page_len, |event| {
            deleted = event.event_type == "run.deleted";
            // What the reader lacks before it went with the run. It comes back, and hears that there is
            // no such run.
            let follows = sequence.map_or(1, |sequence| sequence + 1) == event.sequence;
            if self.run_id.is_some() && deleted && !follows {
                return ControlFlow::Break(());
            }
            write_frame(&mut frames, &event);
            count += 1;
            last = Some(event.id);
            sequence = Some(event.sequence);
            if frames.len() < PAGE_BYTES {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(Page {
            head,
            more: count == self.page_len || frames.len() >= PAGE_BYTES,
            frames: frames.into(),
            last,
            sequence,
            deleted,
            beyond: false,
        })
    }

    /// For a reader whose place is of another log, or of a later state of this one. The frame has an
    /// id, so that a reader who reconnects by it is at home here.
    fn resync(head: EventId, log: uuid::Uuid) -> Page {
        let data = serde_json::json!({"head": head, "log": log});
        Page {
            head,
            frames: format!("id: {head}\nevent: resync\ndata: {data}\n\n").into(),
            last: None,
            sequence: None,
            more: false,
            deleted: false,
            beyond: true,
        }
    }

    /// Moves on to the end of a piece; its frames, and what comes next.
    pub fn take(&mut self, page: Page) -> (Bytes, Next) {
        let next = match self.run_id {
            Some(_) if page.deleted => Next::End,
            Some(_) | None if page.more => Next::Page,
            Some(_) | None => Next::Join,
        };
        self.sequence = page.sequence;
        self.after = match page.last {
            Some(last) if page.more => last,
            Some(last) => last.max(page.head),
            None if page.beyond => page.head,
            None => self.after.max(page.head),
        };
        (page.frames, next)
    }
}

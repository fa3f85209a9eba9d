//! Hook deliveries that an actor knows: each is recorded once, and said to be so once it is durable.

use crate::runtime::reply::ReplySender;
use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
};
use uuid::Uuid;

/// Deliveries remembered, to recognise one that comes twice within moments. Older ones are looked
/// up in the log, whose index is the last word.
const SEEN_MAX: usize = 256;

/// Who brought a hook.
pub(super) enum Bringer {
    /// A caller waits for it.
    Caller(ReplySender),
    /// A spool file, removed when its events are durable.
    Spool(PathBuf),
}

/// The deliveries.
#[derive(Default)]
pub(super) struct Deliveries {
    seen: VecDeque<Uuid>,
    /// Not durable yet, and who brought the same again meanwhile.
    under_way: HashMap<Uuid, Vec<Bringer>>,
}

impl Deliveries {
    /// True for one that came before; remembers it otherwise.
    pub fn came_before(&mut self, delivery: Uuid) -> bool {
        if self.seen.contains(&delivery) {
            return true;
        }
        if self.seen.len() == SEEN_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(delivery);
        false
    }

    /// Its events are being stored.
    pub fn begin(&mut self, delivery: Option<Uuid>) {
        if let Some(delivery) = delivery {
            self.under_way.entry(delivery).or_default();
        }
    }

    /// Puts who brought it again behind the commit; gives them back when it is durable already.
    pub fn wait(&mut self, delivery: Uuid, bringer: Bringer) -> Option<Bringer> {
        match self.under_way.get_mut(&delivery) {
            Some(waiting) => {
                waiting.push(bringer);
                None
            }
            None => Some(bringer),
        }
    }

    /// Its events are durable: gives those who brought it again.
    pub fn durable(&mut self, delivery: Option<Uuid>) -> Vec<Bringer> {
        let waiting = delivery.and_then(|delivery| self.under_way.remove(&delivery));
        waiting.unwrap_or_default()
    }

    /// Nothing under way will become durable: gives all who wait.
    pub fn give_up(&mut self) -> Vec<Bringer> {
        self.under_way
            .drain()
            .flat_map(|(_, waiting)| waiting)
            .collect()
    }
}

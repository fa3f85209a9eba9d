//! What few cells have, kept once: clusters of characters, underlines, links.

use std::collections::HashMap;
use std::hash::Hash;

use super::cell::{Cell, Content, Extended, flag};

/// A link of OSC 8: its identifier, its address.
pub(super) type Link = (Box<str>, Box<str>);

/// So many places are used before it is looked which are still needed.
const SWEEP_LEN: usize = 4096;

/// Values by their place; place 0 is the empty value.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    values: Vec<T>,
    places: HashMap<T, u32>,
    len_max: usize,
    sweep_at: usize,
}

impl<T: Clone + Default + Eq + Hash> Pool<T> {
    fn new(len_max: usize) -> Self {
        Self {
            values: vec![T::default()],
            places: HashMap::from([(T::default(), 0)]),
            len_max,
            sweep_at: SWEEP_LEN.min(len_max),
        }
    }

    /// The place of a value; 0 when there is no room for more.
    pub(crate) fn place(&mut self, value: &T) -> u32 {
        if let Some(place) = self.places.get(value) {
            return *place;
        }
        if self.values.len() >= self.len_max {
            return 0;
        }
        let place = self.values.len() as u32;
        self.values.push(value.clone());
        self.places.insert(value.clone(), place);
        place
    }

    /// The value at a place.
    pub(crate) fn get(&self, place: u32) -> &T {
        self.values.get(place as usize).unwrap_or(&self.values[0])
    }

    const fn is_full(&self) -> bool {
        self.values.len() >= self.sweep_at
    }

    /// Keeps what is used; tells the new places.
    fn sweep(&mut self, used: &[bool]) -> Vec<u32> {
        let mut kept = Self::new(self.len_max);
        let moved = self.values.iter().enumerate().map(|(at, value)| {
            if at > 0 && used[at] {
                kept.place(value)
            } else {
                0
            }
        });
        let moved = moved.collect();
        kept.sweep_at = (2 * kept.values.len()).clamp(SWEEP_LEN, self.len_max.max(SWEEP_LEN));
        *self = kept;
        moved
    }
}

/// All of a terminal's.
#[derive(Debug)]
pub(crate) struct Pools {
    /// Characters that are drawn as one.
    pub clusters: Pool<Box<str>>,
    /// Underlines and links.
    pub extended: Pool<Extended>,
    /// Links.
    pub links: Pool<Link>,
}

impl Default for Pools {
    fn default() -> Self {
        Self {
            clusters: Pool::new(1 << 20),
            extended: Pool::new(1 << 16),
            links: Pool::new(1 << 13),
        }
    }
}

impl Pools {
    /// Whether it is time for [`Pools::sweep`].
    pub(crate) const fn is_full(&self) -> bool {
        self.clusters.is_full() || self.extended.is_full() || self.links.is_full()
    }

    /// Forgets what neither a cell nor a pen has.
    pub(crate) fn sweep(&mut self, cells: &mut [&mut Cell], pens: &mut [&mut Extended]) {
        let mut clusters = vec![false; self.clusters.values.len()];
        let mut extended = vec![false; self.extended.values.len()];
        let mut links = vec![false; self.links.values.len()];
        for cell in &*cells {
            if let Content::Cluster(place) = cell.content() {
                clusters[place as usize] = true;
            }
            extended[usize::from(cell.attr.extended)] = true;
        }
        let used = extended.iter().zip(&self.extended.values);
        let used = used.filter(|(used, _)| **used).map(|(_, value)| value.link);
        for link in used.chain(pens.iter().map(|pen| pen.link)) {
            links[link as usize] = true;
        }
        let links = self.links.sweep(&links);
        for value in &mut self.extended.values {
            value.link = links[value.link as usize];
        }
        for pen in pens {
            pen.link = links[pen.link as usize];
        }
        let clusters = self.clusters.sweep(&clusters);
        let extended = self.extended.sweep(&extended);
        for cell in cells {
            if let Content::Cluster(place) = cell.content() {
                cell.set_cluster(clusters[place as usize]);
            }
            if cell.attr.flags & flag::EXTENDED != 0 {
                cell.attr.extended = extended[usize::from(cell.attr.extended)] as u16;
            }
        }
    }
}

//! The live stream of events: who reads along, and what they are given.

pub mod broadcaster;
pub mod replay;

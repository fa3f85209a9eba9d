//! In front of every handler: connections with their time limits, and the gate, which says who gets
//! in.

pub(crate) mod authority;
pub mod connection;
pub mod gate;
pub(crate) mod peer;
pub(crate) mod token;

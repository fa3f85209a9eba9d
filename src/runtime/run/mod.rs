//! One run: what it decides ([`core`]), and the actor that feeds it and carries out what it says.

pub(crate) mod actor;
pub(crate) mod core;
pub(crate) mod input;
pub(crate) mod mailbox;
pub(crate) mod output;
pub(crate) mod spool;
pub(crate) mod waits;

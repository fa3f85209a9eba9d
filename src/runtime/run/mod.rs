//! One run: what it decides ([`core`]), and the actor that feeds it and carries out what it says.

pub mod actor;
pub mod after_commit;
pub mod core;
pub mod input;
pub mod mailbox;
pub mod output;
pub mod recovery;
pub mod spool;
pub mod waits;
pub mod worked;

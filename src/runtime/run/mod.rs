//! One run: what it decides ([`core`]), and the actor that feeds it and carries out what it says.

pub mod actor;
pub mod core;
mod deliveries;
pub mod input;
pub mod output;
pub mod recovery;
pub mod reply;
pub mod spool;

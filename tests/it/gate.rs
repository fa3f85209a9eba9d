//! The gate in front of a real server, asked with raw bytes over TCP.

mod dawdling;
mod hushed;
mod malformed;
mod matrix;
mod model;
mod peers;
mod server;
mod single;
mod start;

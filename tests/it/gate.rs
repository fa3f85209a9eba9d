//! The gate in front of a real server, asked with raw bytes over TCP.

mod matrix;
mod model;
mod peers;
mod server;
mod single;

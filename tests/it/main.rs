//! Black-box tests: real sockets, raw bytes.

mod gate;

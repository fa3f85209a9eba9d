//! Black box tests of the built program.

mod pty;

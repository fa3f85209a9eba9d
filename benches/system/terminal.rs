//! The terminal: a flood through it, keystrokes to their echo, and a viewer that never reads.
//!
//! One program stands at the other end of all sides: a shell loop that floods on a key, or `cat`
//! on a raw terminal. Our client and terminado's are the same WebSocket client.

mod flood;
mod keys;
mod sides;
mod silent;

use crate::{
    Bench,
    report::Figure,
    server::{Server, repository},
};

pub use sides::TmuxServer;

const GROUP: &str = "terminal";

/// Flood, echo and the silent viewer.
pub fn figures(bench: &Bench) -> Vec<Figure> {
    let mut figures = Vec::new();
    figures.extend(flood::figure(bench));
    figures.extend(keys::figures(bench));
    figures.extend(silent::figures(bench));
    figures
}

/// A server, and a run in it of this shell script.
fn running(bench: &Bench, name: &str, script: &str) -> (Server, String) {
    let folder = bench.folder.join(name);
    let server = Server::start(&folder);
    let repo = folder.join("repo");
    repository(&repo, 1);
    let agent = server.agent(&repo, &["sh", "-c", script]);
    let run = server.running(&agent);
    (server, run)
}

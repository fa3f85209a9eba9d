//! The matrix: real programs × modes × scenarios, each cell's story compared with a reviewed file.
//!
//! A cell is one program of one version in one mode. `make test` plays each scenario once a CLI, in
//! its first mode with the newest version; `make prove` plays all cells. The stories lie in
//! tests/fixtures/matrix; `ABBADO_WRITE_STORIES=1` writes them anew, to be reviewed.

mod cell;
mod home;
mod scenarios;
mod stage;
mod story;

use cell::{CLAUDE, CODEX, Cell, Mode};
use std::collections::BTreeMap;

/// Event types of the original API.
const ORIGINAL: [&str; 16] = [
    "run.created",
    "run.started",
    "run.completed",
    "run.failed",
    "run.cancelled",
    "run.paused",
    "run.result",
    "session.init",
    "agent.token",
    "agent.message",
    "agent.tool_call",
    "agent.tool_result",
    "agent.needs_attention",
    "agent.subagent_start",
    "agent.subagent_stop",
    "user.message",
];

/// Plays the scenario in the cells of this CLI that `make test` or `make prove` asks for.
fn play(name: &str, versions: &[Cell], modes: &[Mode], act: fn(Cell, &str)) {
    let all = std::env::var_os("ABBADO_PROVE").is_some();
    let count = if all { usize::MAX } else { 1 };
    for version in versions.iter().take(count) {
        for mode in modes.iter().take(count) {
            let cell = version.in_mode(*mode);
            eprintln!("{name}: {}", cell.name());
            act(cell, name);
        }
    }
}

/// Tests of one CLI: a scenario, and the modes in which it exists, the first one for `make test`.
macro_rules! matrix {
    ($cli:ident, $versions:expr, $($name:ident in $modes:expr;)+) => {
        mod $cli {
            use super::{*, Mode::*};
            $(#[test]
            fn $name() {
                play(stringify!($name), &$versions, &$modes, scenarios::$name);
            })+
        }
    };
}

// Headless, nobody is there to answer, to interrupt or to give the CLI a command of its own.
matrix! { claude, CLAUDE,
    task in [Interactive, Headless];
    tool_fails in [Headless, Interactive];
    permission_given in [Interactive];
    permission_refused in [Interactive, Headless];
    interrupted in [Interactive];
    api_recovers in [Headless, Interactive];
    api_fails in [Interactive, Headless];
    background in [Interactive, Headless];
    cleared in [Interactive];
    compacted in [Interactive, Headless];
    long_prompt in [Interactive, Headless];
    after_end in [Headless, Interactive];
    after_pause in [Interactive, Headless];
    after_kill_of_server in [Interactive, Headless];
    after_kill_of_cli in [Interactive, Headless];
}

matrix! { codex, CODEX,
    task in [Headless, Interactive];
    tool_fails in [Interactive, Headless];
    permission_given in [Interactive];
    permission_refused in [Interactive, Headless];
    interrupted in [Interactive];
    api_recovers in [Interactive, Headless];
    api_fails in [Headless, Interactive];
    background in [Interactive, Headless];
    cleared in [Interactive];
    compacted in [Interactive, Headless];
    long_prompt in [Headless, Interactive];
    after_end in [Interactive, Headless];
    after_pause in [Headless, Interactive];
    after_kill_of_server in [Headless, Interactive];
    after_kill_of_cli in [Headless, Interactive];
}

/// Each type of the original API stands in a story that a real program told.
#[test]
fn every_original_event_type_is_told_by_a_real_program() {
    let mut cells: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (cell, story) in story::all() {
        for kind in ORIGINAL {
            if story
                .lines()
                .any(|line| line.split(' ').next() == Some(kind))
            {
                cells.entry(kind).or_default().push(cell.clone());
            }
        }
    }
    for kind in ORIGINAL {
        let told = cells.get(kind).map_or(&[][..], Vec::as_slice);
        println!(
            "{kind:24} {:3} cells, such as {:?}",
            told.len(),
            told.first()
        );
        assert!(!told.is_empty(), "no program tells {kind}");
    }
}

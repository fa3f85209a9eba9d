//! Every figure that is promised, beside a peer or a limit, in one run: `make bench`.
//!
//! `cargo bench --bench system -- [--quick] [--rounds N] [FIGURE…]`. A FIGURE is the name of a
//! group or a part of a title. `--quick` runs everything once with small counts: it shows that the
//! bench runs, and its figures mean nothing. What comes out goes to the screen and to
//! `bench-results/system.json`.
//!
//! Two things run only when they are named: `growth`, and `soak [--minutes N]`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for developers that may fail loudly, and prints its table"
)]

mod git;
mod growth;
mod hooks;
mod idle;
mod load;
mod plot;
mod prefilled;
mod programs;
mod readers;
mod report;
mod server;
mod soak;
mod startup;
mod streams;
mod terminal;

use report::Figure;
use std::path::{Path, PathBuf};

/// How the bench was asked to run.
pub struct Bench {
    /// Small counts: only that everything runs.
    pub quick: bool,
    /// Interleaved rounds a figure.
    pub rounds: usize,
    /// How long the soak lasts.
    pub minutes: f64,
    /// For everything that is made; gone at the end.
    pub folder: PathBuf,
    only: Vec<String>,
}

impl Bench {
    /// The count for a real run, or the one for a quick run.
    pub const fn count(&self, real: usize, quick: usize) -> usize {
        if self.quick { quick } else { real }
    }

    /// The list for a real run, or the one for a quick run.
    pub const fn pick<'a>(&self, real: &'a [usize], quick: &'a [usize]) -> &'a [usize] {
        if self.quick { quick } else { real }
    }

    /// Where plots go: those of a quick run show nothing, and are not kept with the sources.
    pub fn plots(&self) -> PathBuf {
        let place = if self.quick {
            "bench-results/quick"
        } else {
            "docs/performance"
        };
        Path::new(env!("CARGO_MANIFEST_DIR")).join(place)
    }

    /// Whether a figure of this group and title is asked for.
    pub fn wants(&self, group: &str, title: &str) -> bool {
        let wanted = |only: &String| group == only || title.contains(only.as_str());
        self.only.is_empty() || self.only.iter().any(wanted)
    }
}

/// Something to run, with its name.
type Named<T> = (&'static str, fn(&Bench) -> T);

/// The groups in the order of the table.
const GROUPS: &[Named<Vec<Figure>>] = &[
    ("hooks", hooks::figures),
    ("streams", streams::figures),
    ("terminal", terminal::figures),
    ("programs", programs::figures),
    ("idle", idle::figures),
    ("startup", startup::figures),
    ("git", git::figures),
];

/// What runs only when it is named.
const WHEN_NAMED: &[Named<()>] = &[("growth", growth::run), ("soak", soak::run)];

fn bench(folder: PathBuf) -> Bench {
    let mut bench = Bench {
        quick: false,
        rounds: 5,
        minutes: 30.0,
        folder,
        only: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // What cargo adds.
            "--bench" => {}
            "--quick" => {
                (bench.quick, bench.rounds, bench.minutes) = (true, 1, 0.1);
            }
            "--minutes" => bench.minutes = arguments.next().unwrap().parse().unwrap(),
            "--rounds" => bench.rounds = arguments.next().unwrap().parse().unwrap(),
            name => bench.only.push(name.to_owned()),
        }
    }
    bench
}

/// Whether a name is one of [`WHEN_NAMED`].
fn is_extra(only: &str) -> bool {
    WHEN_NAMED.iter().any(|(name, _)| *name == only)
}

fn main() {
    let folder = tempfile::Builder::new().prefix("abb").tempdir().unwrap();
    let bench = bench(folder.path().to_owned());
    let mut figures = Vec::new();
    let named = |name: &str| bench.only.iter().any(|only| only == name);
    for (_, work) in WHEN_NAMED.iter().filter(|(name, _)| named(name)) {
        work(&bench);
    }
    if !bench.only.is_empty() && bench.only.iter().all(|only| is_extra(only)) {
        return;
    }
    for (name, group) in GROUPS {
        eprintln!("measuring {name}");
        for figure in group(&bench) {
            print!("{figure}");
            figures.push(figure);
        }
    }
    report::write(&figures, bench.quick);
}

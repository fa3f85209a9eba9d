//! From a key to its echo by a program that reads and writes in raw mode, one key at a time.

use super::{
    GROUP, running,
    sides::{Bare, Ours, Side, Terminado, Tmux},
};
use crate::{
    Bench,
    report::{Figure, Goal, quantile},
};
use std::time::Instant;

const SCRIPT: &str = "stty raw -echo; printf @READY@; exec cat";
const TITLES: [&str; 2] = [
    "terminal, keystroke to echo, p50",
    "terminal, keystroke to echo, p99",
];

/// Microseconds of each key.
fn echoes(side: &mut dyn Side, count: usize) -> Vec<f64> {
    let keys = ('a'..='z').cycle().take(count);
    let echo = keys.map(|key| {
        let key = key.to_string();
        let begun = Instant::now();
        side.keys(&key);
        side.until(&key);
        begun.elapsed().as_secs_f64() * 1e6
    });
    echo.collect()
}

pub fn figures(bench: &Bench) -> Vec<Figure> {
    if !TITLES.iter().any(|title| bench.wants(GROUP, title)) {
        return Vec::new();
    }
    let (server, run) = running(bench, "keys", SCRIPT);
    let program = ["sh", "-c", SCRIPT];
    let mut ours = Ours::attach(&server, &run);
    let mut bare = Bare::start(&program);
    let mut terminado = Terminado::start(&program);
    let mut tmux = Tmux::start(&bench.folder, "keys.tmux", &program);
    let mut sides: [&mut dyn Side; 4] = [&mut ours, &mut bare, &mut terminado, &mut tmux];
    for side in &mut sides {
        side.until("@READY@");
        echoes(&mut **side, 50);
    }
    let mut figures = TITLES.map(|title| {
        let goal = |most| if title == TITLES[0] { most } else { Goal::None };
        Figure::new(GROUP, title, "µs")
            .beside("tmux attach", goal(Goal::AtMost(1.0)))
            .beside("terminado", Goal::None)
            .beside("a bare PTY", Goal::None)
    });
    for _ in 0..bench.rounds {
        // In small turns, so that what else the machine does meets all of them.
        let mut echoed = [const { Vec::new() }; 4];
        for _ in 0..bench.count(20, 1) {
            for (side, echoed) in sides.iter_mut().zip(&mut echoed) {
                echoed.extend(echoes(&mut **side, bench.count(100, 20)));
            }
        }
        for (figure, part) in figures.iter_mut().zip([0.5, 0.99]) {
            let [ours, bare, terminado, tmux] =
                echoed.each_mut().map(|values| quantile(values, part));
            figure.round(ours, [tmux, terminado, bare]);
        }
    }
    figures.into()
}

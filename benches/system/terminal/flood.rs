//! A flood: how fast what a program writes arrives at the other end of its terminal.

use super::{
    GROUP, running,
    sides::{Bare, Ours, Side, Terminado, Tmux},
};
use crate::{
    Bench,
    report::{Figure, Goal, quantile},
};
use std::{fmt::Write as _, fs, path::PathBuf, time::Instant};

pub const BYTES: usize = 50_000_000;
pub const BYTES_QUICK: usize = 2_000_000;
/// Floods of each side in one round, in turns; the medians count. One takes less than a second.
const FLOODS: usize = 3;

/// What is flooded: lines as a build writes them, some in colour.
pub fn file(bench: &Bench) -> (PathBuf, usize) {
    let path = bench.folder.join("flood.txt");
    let wanted = bench.count(BYTES, BYTES_QUICK);
    let mut text = String::with_capacity(wanted + 200);
    let mut number = 0_u64;
    while text.len() < wanted {
        let color = 31 + number % 7;
        writeln!(
            text,
            "\x1b[{color}m{number:>8}\x1b[0m Compiling crate_{} v{}.{}.{} (/src/part{}/module{})",
            number * 7919 % 1000,
            number % 3,
            number % 50,
            number % 10,
            number % 50,
            number % 500,
        )
        .unwrap();
        number += 1;
    }
    fs::write(&path, &text).unwrap();
    (path, text.len())
}

/// Floods once for each key that is typed; what ends a flood counts them, since a screen may still
/// show the last one.
pub fn script(path: &std::path::Path) -> String {
    format!(
        "stty -icanon -echo; printf @READY@; while head -c1 >/dev/null; do \
         i=$((i+1)); cat {}; printf @END$i@; done",
        path.display()
    )
}

/// Floods for the `number`th time, from 1 on; MB/s.
pub fn flood(side: &mut dyn Side, number: usize, bytes: usize) -> f64 {
    let begun = Instant::now();
    side.keys("g");
    side.until(&format!("@END{number}@"));
    bytes as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

pub fn figure(bench: &Bench) -> Option<Figure> {
    let title = "terminal, flood of 50 MB";
    if !bench.wants(GROUP, title) {
        return None;
    }
    let (path, bytes) = file(bench);
    let script = script(&path);
    let (server, run) = running(bench, "flood", &script);
    let program = ["sh", "-c", script.as_str()];
    let mut ours = Ours::attach(&server, &run);
    let mut bare = Bare::start(&program);
    let mut terminado = Terminado::start(&program);
    let mut tmux = Tmux::start(&bench.folder, "flood.tmux", &program);
    let mut sides: [&mut dyn Side; 4] = [&mut ours, &mut bare, &mut terminado, &mut tmux];
    for side in &mut sides {
        side.until("@READY@");
        flood(&mut **side, 1, bytes);
    }
    let mut figure = Figure::new(GROUP, title, "MB/s")
        .beside("a bare PTY", Goal::AtLeast(0.8))
        .beside("terminado", Goal::AtLeast(1.0))
        .beside("tmux attach", Goal::AtLeast(1.0));
    let floods = bench.count(FLOODS, 1);
    for round in 0..bench.rounds {
        let mut rates: [Vec<f64>; 4] = Default::default();
        for flood_of_round in 0..floods {
            for (side, rates) in sides.iter_mut().zip(&mut rates) {
                let number = 2 + round * floods + flood_of_round;
                rates.push(flood(&mut **side, number, bytes));
            }
        }
        let [ours, bare, terminado, tmux] = rates.each_mut().map(|rates| quantile(rates, 0.5));
        figure.round(ours, [bare, terminado, tmux]);
    }
    Some(figure)
}

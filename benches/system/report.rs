//! A figure: our side, the sides beside it, and what was promised of their ratio.

use serde_json::{Value, json};
use std::{fmt, path::Path};

/// What is promised of ours divided by theirs.
#[derive(Clone, Copy)]
pub enum Goal {
    /// More is better.
    AtLeast(f64),
    /// Less is better.
    AtMost(f64),
    /// Shown, not promised.
    None,
}

/// A peer or a limit, measured in the same rounds.
pub struct Beside {
    /// What it is.
    pub name: String,
    /// One value a round, in the figure's unit.
    pub values: Vec<f64>,
    /// Of ours divided by it.
    pub goal: Goal,
}

/// One line of the table with what stands beside it.
pub struct Figure {
    /// Of which group.
    pub group: &'static str,
    /// What was measured.
    pub title: String,
    /// Of all values.
    pub unit: &'static str,
    /// One value a round.
    pub ours: Vec<f64>,
    /// Peers and limits.
    pub beside: Vec<Beside>,
}

impl Figure {
    /// A figure without values yet.
    pub fn new(group: &'static str, title: impl Into<String>, unit: &'static str) -> Self {
        let (ours, beside) = (Vec::new(), Vec::new());
        let title = title.into();
        Self {
            group,
            title,
            unit,
            ours,
            beside,
        }
    }

    /// Names a peer or a limit.
    #[must_use]
    pub fn beside(mut self, name: impl Into<String>, goal: Goal) -> Self {
        let (name, values) = (name.into(), Vec::new());
        self.beside.push(Beside { name, values, goal });
        self
    }

    /// What one round gave: ours, and theirs in the order in which they were named.
    pub fn round<const SIDES: usize>(&mut self, ours: f64, theirs: [f64; SIDES]) {
        assert_eq!(self.beside.len(), SIDES, "{}", self.title);
        self.ours.push(ours);
        for (side, value) in self.beside.iter_mut().zip(theirs) {
            side.values.push(value);
        }
    }

    /// The ratio of each round, sorted.
    fn ratios(&self, side: &Beside) -> Vec<f64> {
        let rounds = self.ours.iter().zip(&side.values);
        sorted(rounds.map(|(ours, theirs)| ours / theirs).collect())
    }

    fn json(&self) -> Value {
        let beside = self.beside.iter().map(|side| {
            let ratios = self.ratios(side);
            let (goal, met) = (side.goal.to_string(), side.goal.met(median(&ratios)));
            json!({"name": side.name, "values": side.values, "ratio": median(&ratios),
                   "ratios": ratios, "goal": goal, "met": met})
        });
        json!({"group": self.group, "title": self.title, "unit": self.unit, "ours": self.ours,
               "median": median(&sorted(self.ours.clone())), "beside": beside.collect::<Vec<_>>()})
    }
}

impl Goal {
    fn met(self, ratio: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(ratio >= least),
            Self::AtMost(most) => Some(ratio <= most),
            Self::None => None,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(out, ">= {least}"),
            Self::AtMost(most) => write!(out, "<= {most}"),
            Self::None => Ok(()),
        }
    }
}

impl fmt::Display for Figure {
    /// `title  median unit`, then a line a side: `beside name  median  ratio (lowest to highest)`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = median(&sorted(self.ours.clone()));
        writeln!(out, "{:<52} {:>12} {}", self.title, short(ours), self.unit)?;
        for side in &self.beside {
            let (ratios, theirs) = (self.ratios(side), median(&sorted(side.values.clone())));
            let spread = format!("({:.3} to {:.3})", ratios[0], ratios[ratios.len() - 1]);
            let verdict = match side.goal.met(median(&ratios)) {
                None => "",
                Some(true) => "met",
                Some(false) => "MISSED",
            };
            writeln!(
                out,
                "  beside {:<43} {:>12} {}  ratio {:.3} {spread} {} {verdict}",
                side.name,
                short(theirs),
                self.unit,
                median(&ratios),
                side.goal,
            )?;
        }
        Ok(())
    }
}

/// Four digits that matter.
fn short(value: f64) -> String {
    if value >= 1000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The middle one, or what lies between the two in the middle; not a number when there is none.
fn median(sorted: &[f64]) -> f64 {
    let upper = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 0 => sorted[upper - 1].midpoint(sorted[upper]),
        _ => sorted[upper],
    }
}

/// The value below which `part` (0 to 1) of them lie; sorts them.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * part) as usize;
    values[at.min(values.len() - 1)]
}

/// Keeps results as JSON.
pub fn keep(name: &str, results: &Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench-results");
    std::fs::create_dir_all(&folder).unwrap();
    let text = serde_json::to_string_pretty(results).unwrap();
    std::fs::write(folder.join(format!("{name}.json")), text).unwrap();
}

/// Writes the figures beside the earlier ones; how many were missed is the last line.
pub fn write(figures: &[Figure], quick: bool) {
    let rows: Vec<Value> = figures.iter().map(Figure::json).collect();
    let taken = chrono::Utc::now().to_rfc3339();
    let all = json!({"taken": taken, "quick": quick, "figures": rows});
    keep("system", &all);
    let goals = rows
        .iter()
        .flat_map(|row| row["beside"].as_array().unwrap());
    let verdicts: Vec<bool> = goals.filter_map(|side| side["met"].as_bool()).collect();
    let met = verdicts.iter().filter(|met| **met).count();
    println!("{met} of {} goals met", verdicts.len());
}

//! The server is killed at named points and restarted: nothing acknowledged is lost, nothing is
//! duplicated, nothing is left over.
//!
//! A seed is a history. `ABBADO_SEED=17` plays that one alone.

mod history;
mod leftovers;
mod log;

use abbado::fault::POINTS;
use history::Outcome;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// Histories played at the same time: most of one is waiting.
const AT_ONCE: usize = 4;

/// Points at which these histories kill; those of the notifier have theirs in `notify/kills.rs`,
/// those of spare worktrees in `spares.rs`.
fn points() -> Vec<&'static str> {
    let all = POINTS.iter().copied();
    all.filter(|name| !name.starts_with("notify.") && !name.starts_with("spare."))
        .collect()
}

#[test]
fn every_point_of_the_code_is_listed_and_the_reverse() {
    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let names = text.split("fault::point(\"").skip(1);
                found.extend(names.map(|rest| rest.split('"').next().unwrap().to_owned()));
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    let listed: BTreeSet<String> = POINTS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, listed);
}

#[test]
fn killed_at_any_point_nothing_is_lost_doubled_or_left() {
    let one = std::env::var_os("ABBADO_SEED");
    let seeds: Vec<u64> = match (&one, std::env::var_os("ABBADO_PROVE")) {
        (Some(seed), _) => vec![seed.to_str().unwrap().parse().unwrap()],
        (None, Some(_)) => (0..500).collect(),
        (None, None) => (0..25).collect(),
    };
    let next = AtomicU64::new(0);
    let outcomes: Vec<(u64, std::thread::Result<Outcome>)> = std::thread::scope(|scope| {
        let play = || {
            let mut played = Vec::new();
            while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst) as usize) {
                let outcome = std::panic::catch_unwind(|| history::play(*seed, &points()));
                if outcome.is_err() {
                    println!("seed {seed} failed: ABBADO_SEED={seed} plays it again");
                }
                played.push((*seed, outcome));
            }
            played
        };
        let players: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(play)).collect();
        let played = players.into_iter().map(|player| player.join().unwrap());
        played.flatten().collect()
    });
    let failed: Vec<u64> = outcomes
        .iter()
        .filter_map(|(seed, outcome)| outcome.is_err().then_some(*seed))
        .collect();
    let mut all = Outcome::default();
    let fine = outcomes.into_iter().filter_map(|(_, outcome)| outcome.ok());
    fine.for_each(|outcome| all.add(outcome));
    println!("point: passes, kills");
    for point in points() {
        let count = |of: &BTreeMap<String, usize>| of.get(point).copied().unwrap_or(0);
        println!("  {point}: {}, {}", count(&all.passes), count(&all.kills));
    }
    println!(
        "{} seeds, {} kills at points, {} at other moments, {} hooks and {} commands acknowledged; \
         lost, doubled, orphans, leftovers: {}",
        seeds.len(),
        all.kills.values().sum::<usize>(),
        all.other_kills,
        all.hooks,
        all.commands,
        if failed.is_empty() {
            "0, 0, 0, 0".to_owned()
        } else {
            format!("see the failed seeds {failed:?}")
        }
    );
    assert!(failed.is_empty(), "failed seeds: {failed:?}");
    if one.is_none() {
        let missing = |of: &BTreeMap<String, usize>| -> Vec<&str> {
            let names = points().into_iter();
            names.filter(|name| !of.contains_key(*name)).collect()
        };
        assert_eq!(
            missing(&all.passes),
            [""; 0],
            "points that no history passes"
        );
        assert_eq!(missing(&all.kills), [""; 0], "points that killed nobody");
    }
}

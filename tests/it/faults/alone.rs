//! A holder without a server for a long time: much output, many hooks.

use super::in_order;
use crate::support::{PATIENCE, World, descriptors, lock_owner, pause, wait_for};
use serde_json::json;
use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

/// Fill the scrollback of 10,000 lines, piece by piece: in one flood the bounded log overtakes a
/// screen that cannot follow, and what is taken in after that may be less.
const WARM_PIECES: u64 = 8;
const WARM_KIB: u64 = 256;
const OUTPUT_MIB: u64 = 64;
const LOG_LEN_MAX: u64 = 1024 * 1024;
const HOOKS: u64 = 60;

/// Memory of its own, in KiB.
fn private_kib(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("Private_"));
    lines
        .map(|line| -> u64 { line.split_whitespace().nth(1).unwrap().parse().unwrap() })
        .sum()
}

/// The same, once it has taken in all that it was given.
fn settled_kib(pid: i32) -> u64 {
    let mut known = private_kib(pid);
    let begun = Instant::now();
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_secs(1) && begun.elapsed() < PATIENCE {
        pause();
        let now = private_kib(pid);
        if now != known {
            (known, since) = (now, Instant::now());
        }
    }
    known
}

fn on_disk(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().blocks() * 512
}

fn script() -> String {
    format!(
        "say() {{ head -c $1 /dev/zero | tr '\\0' x; }}
         i=1; while [ $i -le {WARM_PIECES} ]; do say {}; sleep 0.4; i=$((i+1)); done; touch ready
         while [ ! -e go ]; do sleep 0.05; done; say {}
         i=1; while [ $i -le {HOOKS} ]; do
           printf '{{\"hook_event_name\":\"Note\",\"number\":%d}}' $i | \"$ABBADO_HOOK\"; i=$((i+1)); done
         touch done; while [ ! -e end ]; do sleep 0.05; done",
        WARM_KIB << 10,
        OUTPUT_MIB << 20
    )
}

#[test]
fn a_holder_alone_stays_small_and_nothing_it_was_told_is_lost() {
    let world = World::new();
    let bound = LOG_LEN_MAX.to_string();
    let env = [("ABBADO_OUTPUT_LOG_LEN_MAX", bound.as_str())];
    let server = world.serve_with(&env);
    let config = json!({"command": ["sh", "-c", script()]});
    let agent = server.agent(
        &world,
        json!({"cli_name": "command", "provider_config": config}),
    );
    let run = server.run(&agent, "x");
    let view = server.wait_status(&run, "running");
    let worktree = Path::new(view["repos"][0]["worktree"].as_str().unwrap()).to_owned();
    wait_for("it is ready", || worktree.join("ready").exists());
    let run_dir = world.data().join("runs").join(&run);
    let holder = lock_owner(&run_dir).unwrap();
    server.kill();
    let before = (settled_kib(holder), descriptors(holder));
    std::fs::write(worktree.join("go"), "").unwrap();
    wait_for("all is said", || worktree.join("done").exists());
    let after = (settled_kib(holder), descriptors(holder));
    println!("KiB and descriptors of a holder alone: {before:?}, then {after:?}");
    assert!(after.0 < before.0 + 4 * 1024, "{before:?} {after:?}");
    assert!(after.1 <= before.1, "{before:?} {after:?}");
    let log = on_disk(&run_dir.join("output.log"));
    assert!(log <= LOG_LEN_MAX + 256 * 1024, "{log} bytes of output");
    let holder_log = on_disk(&run_dir.join("holder.log"));
    assert!(holder_log <= 64 * 1024, "{holder_log} bytes of complaints");
    let spool = std::fs::read_dir(run_dir.join("spool")).unwrap();
    assert_eq!(spool.count() as u64, HOOKS, "one file a hook");
    let server = world.serve_with(&env);
    std::fs::write(worktree.join("end"), "").unwrap();
    server.wait_status(&run, "completed");
    assert_eq!(server.hook_numbers(&run), (1..=HOOKS).collect::<Vec<_>>());
    in_order(&server.events(&run));
    let spool = std::fs::read_dir(run_dir.join("spool")).unwrap();
    assert_eq!(spool.count(), 0, "the spool is taken in");
}

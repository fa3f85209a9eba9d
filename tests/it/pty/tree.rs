//! Nothing that a run started outlives it.

use std::fs;
use std::time::{Duration, Instant};

use super::support::{self, Run, block_on, until, within};

/// Children of every kind that tries to get away; each leaves its process id in a file.
const ESCAPERS: &str = r#"
stubborn='trap "" TERM HUP INT; echo $$ > $0; while :; do sleep 0.05; done'
sh -c "$stubborn" plain &
setsid sh -c "$stubborn" session &
(setsid sh -c "(sh -c '$stubborn' forked &) &" &)
(env -i PATH="$PATH" setsid sh -c "$stubborn" bare &)
nohup sh -c 'echo $$ > stopped; kill -STOP $$' >/dev/null 2>&1 &
python3 -c '
import ctypes, os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    TRACEME = 0
    ctypes.CDLL(None).ptrace(TRACEME, 0, 0, 0)
    open("traced", "w").write(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)
while True:
    time.sleep(1)
' &
sh -c 'echo $$ > polite; while :; do sleep 0.05; done' &
"#;
const NAMES: [&str; 7] = [
    "plain", "session", "forked", "bare", "stopped", "traced", "polite",
];

fn pids(run: &Run) -> Option<Vec<u32>> {
    let read = |name| {
        fs::read_to_string(run.path().join(name))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    NAMES.into_iter().map(read).collect()
}

async fn all_up(run: &Run) -> Vec<u32> {
    until("all escapers are up", || pids(run).is_some()).await;
    let pids = pids(run).unwrap();
    assert!(pids.iter().all(|pid| support::alive(*pid)));
    pids
}

fn assert_all_gone(run: &Run, pids: &[u32]) {
    for (name, pid) in NAMES.iter().zip(pids) {
        assert!(!support::alive(*pid), "{name} ({pid}) outlived the run");
    }
    assert!(run.processes().is_empty(), "{:?}", run.processes());
}

#[test]
fn the_end_of_the_program_takes_the_whole_tree_along() {
    block_on(async {
        let run = Run::new();
        let mut session = run.launch(&format!("{ESCAPERS}read line; exit 7")).await;
        let pids = all_up(&run).await;
        let begin = Instant::now();
        session
            .handle()
            .input(bytes::Bytes::from_static(b"\r"))
            .await
            .unwrap();
        let exit = within("the exit", session.wait_exit()).await.unwrap();
        assert_eq!(exit.code, Some(7));
        assert!(
            begin.elapsed() >= Duration::from_secs(5),
            "the grace was not given"
        );
        assert_all_gone(&run, &pids);
    });
}

#[test]
fn what_a_set_up_script_left_behind_is_ended_with_the_run() {
    block_on(async {
        let run = Run::new();
        // Older than the holder, and never below it.
        let before = std::process::Command::new("sh")
            .args(["-c", "setsid sleep 600 >/dev/null 2>&1 & echo $!"])
            .env("ABBADO_RUN_ID", run.id().to_string())
            .output()
            .unwrap();
        let left: u32 = String::from_utf8(before.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert!(support::alive(left));
        let mut session = run.launch("exit 0").await;
        within("the exit", session.wait_exit()).await.unwrap();
        until("it is gone", || !support::alive(left)).await;
    });
}

#[test]
fn stop_ends_the_whole_tree_after_the_grace() {
    block_on(async {
        let run = Run::new();
        let script = format!("{ESCAPERS}trap '' TERM; while :; do sleep 0.05; done");
        let mut session = run.launch(&script).await;
        let pids = all_up(&run).await;
        let polite = *pids.last().unwrap();
        session
            .handle()
            .stop(Duration::from_secs(60))
            .await
            .unwrap();
        until("the polite one is gone", || !support::alive(polite)).await;
        assert!(support::alive(session.hello().pid), "it has a minute");
        session
            .handle()
            .stop(Duration::from_millis(200))
            .await
            .unwrap();
        let exit = within("the exit", session.wait_exit()).await.unwrap();
        assert_eq!((exit.code, exit.signal.as_deref()), (None, Some("SIGKILL")));
        assert_all_gone(&run, &pids);
    });
}

#[test]
fn a_tree_that_keeps_forking_is_ended() {
    block_on(async {
        let run = Run::new();
        // Each process replaces itself by a new one, in a session of its own, without pause.
        let script = "printf 'trap \"\" TERM; setsid sh ./again & exit' > again; \
                      for n in 1 2 3 4; do sh ./again & done; echo up; sleep 0.3; exit 0";
        let mut session = run.launch(script).await;
        run.wait_output("up").await;
        session
            .handle()
            .stop(Duration::from_millis(300))
            .await
            .unwrap();
        within("the exit", session.wait_exit()).await.unwrap();
        assert!(run.processes().is_empty(), "{:?}", run.processes());
    });
}

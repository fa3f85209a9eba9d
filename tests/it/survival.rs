//! Runs that go on while their server is killed again and again, and readers that come back.

use crate::support::{PATIENCE, Server, Sse, World, pause, text, wait_for};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

/// Tells numbers by the hook program until it finds the file `go`, and then how many there were.
const COUNTER: &str = r#"i=0; while [ ! -e go ]; do i=$((i+1))
printf '{"hook_event_name":"Note","number":%d}' $i | "$ABBADO_HOOK" > hook.out
sleep $ABBADO_TASK; done; echo $i > count.new; mv count.new count"#;

struct Run {
    id: String,
    worktree: PathBuf,
    run_dir: PathBuf,
}

impl Run {
    fn spooled(&self) -> usize {
        let files = std::fs::read_dir(self.run_dir.join("spool"));
        let names = files.into_iter().flatten().flatten();
        names
            .filter(|entry| entry.path().extension().is_some_and(|it| it == "json"))
            .count()
    }

    /// Numbers of its hooks, as the log has them.
    fn numbers(&self, server: &Server) -> Vec<u64> {
        server.hook_numbers(&self.id)
    }
}

fn start(server: &Server, world: &World, script: &str, count: usize, task: &str) -> Vec<Run> {
    let fields =
        json!({"cli_name": "command", "provider_config": {"command": ["sh", "-c", script]}});
    let agent = server.agent(world, fields);
    let ids: Vec<String> = (0..count).map(|_| server.run(&agent, task)).collect();
    let made = ids.into_iter().map(|id| {
        let view = server.wait(&id, "its process lives", |view| {
            view["process"]["alive"] == true
        });
        let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
        let run_dir = world.data().join("runs").join(&id);
        Run {
            id,
            worktree,
            run_dir,
        }
    });
    made.collect()
}

/// Reads a run's stream to its end, over all kills; gives the ids in the order seen.
fn read(address: &Mutex<String>, run: &str, reconnects: &AtomicUsize) -> Vec<i64> {
    let mut seen = Vec::new();
    let begun = Instant::now();
    loop {
        assert!(
            begun.elapsed() < PATIENCE * 20,
            "a reader of {run} saw {}",
            seen.len()
        );
        let at = address.lock().unwrap().clone();
        let last = seen.last().copied().unwrap_or(0);
        let Ok(mut stream) = Sse::open(&at, &format!("runs/{run}/events/stream"), last) else {
            pause();
            continue;
        };
        reconnects.fetch_add(1, Ordering::SeqCst);
        while let Ok((id, event)) = stream.next() {
            seen.push(id);
            if event["event_type"] == "process.exited" {
                return seen;
            }
        }
    }
}

/// A run came to its end with all its hooks, and its reader saw all of it; gives how many of both.
fn finish(server: &Server, run: &Run, seen: &[i64]) -> (usize, usize) {
    server.wait(&run.id, "it is over", |view| {
        view["status"] == "completed" && view["process"]["alive"] == false
    });
    let last = std::fs::read_to_string(run.worktree.join("count")).unwrap();
    let told: Vec<u64> = (1..=last.trim().parse().unwrap()).collect();
    assert_eq!(run.numbers(server), told, "hooks of run {}", run.id);
    let logged = server.events(&run.id);
    let logged: Vec<i64> = logged
        .iter()
        .map(|event| event["id"].as_i64().unwrap())
        .collect();
    assert_eq!(
        seen,
        &logged[..seen.len()],
        "what a reader of run {} saw",
        run.id
    );
    let types = server.types(&run.id);
    let of = |name: &str| types.iter().filter(|it| *it == name).count();
    assert_eq!((of("process.spawned"), of("process.exited")), (1, 1));
    (told.len(), seen.len())
}

#[test]
fn runs_finish_and_every_hook_is_told_once_over_kills_of_the_server() {
    let (count, kills, pace) = match std::env::var_os("ABBADO_PROVE") {
        Some(_) => (50, 20, "1"),
        None => (5, 3, "0.1"),
    };
    let world = World::new();
    let mut server = world.serve();
    let runs = start(&server, &world, COUNTER, count, pace);
    let address = Arc::new(Mutex::new(server.address.clone()));
    let connections = Arc::new(AtomicUsize::new(0));
    let readers: Vec<_> = runs
        .iter()
        .map(|run| {
            let (address, connections) = (Arc::clone(&address), Arc::clone(&connections));
            let id = run.id.clone();
            std::thread::spawn(move || read(&address, &id, &connections))
        })
        .collect();
    let (mut spooled, mut before) = (0, 0);
    for kill in 0..kills {
        // At every other restart hooks of the time before are still in line, and readers away.
        if kill % 2 == 0 {
            let all_read = before + count;
            wait_for("hooks come in and are read", || {
                let connected = connections.load(Ordering::SeqCst);
                connected >= all_read && runs.iter().all(|run| run.spooled() == 0)
            });
        }
        server.kill();
        wait_for("each run keeps hooks for itself", || {
            runs.iter().all(|run| run.spooled() > 0)
        });
        spooled += runs.iter().map(Run::spooled).sum::<usize>();
        if kill + 1 == kills {
            // The last end while no server is there.
            for run in &runs[..count / 2] {
                std::fs::write(run.worktree.join("go"), "").unwrap();
                wait_for("it has ended", || run.run_dir.join("exit.json").exists());
            }
        }
        before = connections.load(Ordering::SeqCst);
        server = world.serve();
        address.lock().unwrap().clone_from(&server.address);
    }
    for run in &runs {
        std::fs::write(run.worktree.join("go"), "").unwrap();
    }
    let mut hooks = 0;
    let mut events = 0;
    for (run, reader) in runs.iter().zip(readers) {
        let (told, read) = finish(&server, run, &reader.join().unwrap());
        hooks += told;
        events += read;
    }
    let connections = connections.load(Ordering::SeqCst);
    println!(
        "{count} runs, {kills} kills: {hooks} hooks told, {hooks} in the log once and in order, \
         {spooled} of them by the spool; {count} readers on {connections} connections saw {events} \
         events once and in order"
    );
    assert!(spooled >= count * kills, "{spooled}");
    assert!(connections >= count * kills.div_ceil(2), "{connections}");
}

fn spool(run: &Run, number: usize) {
    let delivery = uuid::Uuid::from_u128(fastrand::u128(..));
    let name = format!("{number:020}-{delivery}.json");
    let payload: Value = json!({"hook_event_name": "Note", "number": number});
    std::fs::write(run.run_dir.join("spool").join(name), payload.to_string()).unwrap();
}

/// More hooks than one look takes, of more runs than the writer's queue holds; the runs end
/// meanwhile, and a hook comes the live way as soon as the server is back.
#[test]
fn a_long_spool_comes_in_whole_in_order_and_before_what_came_after_it() {
    let world = World::new();
    let server = world.serve();
    let runs = start(
        &server,
        &world,
        "while [ ! -e go ]; do sleep 0.05; done",
        6,
        "x",
    );
    server.kill();
    let total = 700;
    for run in &runs {
        (1..=total).for_each(|number| spool(run, number));
    }
    let (ended, living) = runs.split_at(3);
    for run in ended {
        std::fs::write(run.worktree.join("go"), "").unwrap();
        wait_for("it has ended", || run.run_dir.join("exit.json").exists());
    }
    let server = world.serve();
    for run in living {
        let hook = json!({"hook_event_name": "Note", "number": total + 1});
        server
            .post(&format!("runs/{}/hook", run.id), &hook)
            .expect(200);
        let told: Vec<u64> = (1..=total as u64 + 1).collect();
        assert_eq!(run.numbers(&server), told);
        std::fs::write(run.worktree.join("go"), "").unwrap();
    }
    for run in &runs {
        server.wait_status(&run.id, "completed");
        let types = server.types(&run.id);
        let completed = types
            .iter()
            .position(|name| name == "run.completed")
            .unwrap();
        let last = types
            .iter()
            .rposition(|name| name == "hook.received")
            .unwrap();
        assert!(last < completed, "hooks of {} come after its end", run.id);
        assert_eq!(run.numbers(&server).first(), Some(&1));
        wait_for("the spool is empty", || run.spooled() == 0);
    }
    for run in ended {
        let told: Vec<u64> = (1..=total as u64).collect();
        assert_eq!(run.numbers(&server), told);
    }
    assert!(
        !world.log().contains("Could not store events"),
        "{}",
        world.log()
    );
}

/// Who brings a delivery that the log has already hears yes, and nothing is recorded.
#[test]
fn a_delivery_that_comes_again_after_a_restart_is_recorded_once() {
    let world = World::new();
    let server = world.serve();
    let run = &start(
        &server,
        &world,
        "while [ ! -e go ]; do sleep 0.05; done",
        1,
        "x",
    )[0];
    let delivery = uuid::Uuid::from_u128(7).to_string();
    let headers = [
        ("X-Abbado-Delivery", delivery.as_str()),
        ("Content-Type", "application/json"),
    ];
    let body = json!({"hook_event_name": "Note", "number": 1}).to_string();
    let post = |server: &Server| {
        server
            .post_with(&format!("runs/{}/hook", run.id), &headers, &body)
            .status
    };
    assert_eq!((post(&server), post(&server)), (200, 200));
    server.kill();
    let server = world.serve();
    assert_eq!((post(&server), post(&server)), (200, 200));
    assert_eq!(run.numbers(&server), [1]);
}

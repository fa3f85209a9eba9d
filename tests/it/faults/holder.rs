//! Holders of another version, stopped, stuck or killed: only their run is affected, and its state
//! is true.

use super::{STAY, Stayer, in_order, stayer};
use crate::support::{Server, World, lock_owner, text, wait_for};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

/// Waits of the server, in milliseconds.
const WAITS: &str = "holder.hello=500,holder.again=300,holder.stuck=500,holder.end=3000";

fn serve(world: &World) -> Server {
    world.serve_with(&[("ABBADO_WAITS", WAITS)])
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

fn state_of(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn lives(pid: i32) -> bool {
    state_of(pid).is_some_and(|state| state != 'Z')
}

/// A program of another version in the place of the run's holder; ended when dropped.
struct OldHolder(Child);

impl OldHolder {
    /// Takes the place of the run's holder while no server runs.
    fn take_over(run: &Stayer, protocol: u32, env: &[(&str, &str)]) -> Self {
        send(lock_owner(&run.run_dir).unwrap(), Signal::SIGKILL);
        wait_for("the holder is gone", || lock_owner(&run.run_dir).is_none());
        abbado::pty::end_leftovers(run.id.parse().unwrap()).unwrap();
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/old_holder.py");
        let mut command = Command::new("python3");
        command.arg(program).arg(&run.run_dir);
        command.args([&run.id, "1", &protocol.to_string()]);
        let child = command
            .args(["sh", "-c", &format!("echo of old; {STAY}"), "holder"])
            .current_dir(&run.worktree)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let log = run.run_dir.join("output.log");
        wait_for("it holds a program", || {
            String::from_utf8_lossy(&std::fs::read(&log).unwrap()).contains("of old")
        });
        Self(child)
    }

    fn pid(&self) -> i32 {
        self.0.id().try_into().unwrap()
    }

    /// The program that it runs.
    fn program(&self) -> i32 {
        let pid = self.0.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        children.unwrap().trim().parse().unwrap()
    }

    fn wait_gone(&mut self) {
        let pid = self.pid();
        wait_for("the old holder is gone", || !lives(pid));
        self.0.wait().unwrap();
    }
}

impl Drop for OldHolder {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn exit_of(server: &Server, run: &Stayer) -> serde_json::Value {
    let events = server.events(&run.id);
    in_order(&events);
    let mut exits = events
        .into_iter()
        .filter(|event| event["event_type"] == "process.exited");
    let exit = exits.next().unwrap();
    assert!(exits.next().is_none(), "two exits");
    exit["payload"].clone()
}

#[test]
fn a_holder_of_the_version_before_goes_on_under_a_new_server() {
    let world = World::new();
    let server = serve(&world);
    let agent = stayer(&world, &server);
    let ends = Stayer::of(&world, &server, &agent);
    let cancelled = Stayer::of(&world, &server, &agent);
    server.kill();
    let before = abbado::pty::PROTOCOL - 1;
    let mut holders = [&ends, &cancelled].map(|run| OldHolder::take_over(run, before, &[]));
    let server = serve(&world);
    for run in [&ends, &cancelled] {
        assert_eq!(run.hook(&server, 1, 0).status, 200);
        assert_eq!(server.view(&run.id)["process"]["alive"], true);
        let logs = server.get(&format!("runs/{}/logs", run.id));
        assert!(logs.text.contains("of old"), "{logs:?}");
    }
    server
        .post_empty(&format!("runs/{}/cancel", cancelled.id))
        .expect(200);
    ends.end();
    server.wait_status(&ends.id, "completed");
    assert_eq!(exit_of(&server, &ends)["exit_code"], 0);
    assert_eq!(server.view(&cancelled.id)["status"], "cancelled");
    assert_eq!(exit_of(&server, &cancelled)["signal"], "SIGTERM");
    holders.iter_mut().for_each(OldHolder::wait_gone);
    assert!(
        !world.log().contains("Cannot reach the holder"),
        "{}",
        world.log()
    );
}

#[test]
fn a_holder_of_an_unknown_version_is_left_alone_until_it_ends_or_is_cancelled() {
    for protocol in [abbado::pty::PROTOCOL + 6, u32::MAX] {
        let world = World::new();
        let server = serve(&world);
        let agent = stayer(&world, &server);
        let ends = Stayer::of(&world, &server, &agent);
        let cancelled = Stayer::of(&world, &server, &agent);
        server.kill();
        let mut holders = [&ends, &cancelled].map(|run| OldHolder::take_over(run, protocol, &[]));
        let program = holders[1].program();
        let server = serve(&world);
        wait_for("the server says why", || {
            let why = format!("speaks protocol {protocol}");
            world.log().matches(&why).count() == 2
        });
        for run in [&ends, &cancelled] {
            assert_eq!(server.view(&run.id)["process"]["alive"], true);
            assert_eq!(run.hook(&server, 1, 0).status, 200);
        }
        assert!(lives(program));
        server
            .post_empty(&format!("runs/{}/cancel", cancelled.id))
            .expect(200);
        assert_eq!(server.view(&cancelled.id)["status"], "cancelled");
        assert_eq!(exit_of(&server, &cancelled)["by"], "cancel");
        wait_for("its program is gone", || !lives(program));
        ends.end();
        server.wait_status(&ends.id, "completed");
        assert_eq!(exit_of(&server, &ends)["exit_code"], 0);
        holders.iter_mut().for_each(OldHolder::wait_gone);
        let deleted = server.delete(&format!("runs/{}", cancelled.id));
        assert_eq!(deleted.status, 204);
    }
}

/// What neither speaks nor heeds SIGTERM is killed, with all that it ran.
#[test]
fn a_holder_that_heeds_nothing_is_killed_with_its_run() {
    let world = World::new();
    let server = serve(&world);
    let run = Stayer::start(&world, &server);
    server.kill();
    let mut holder = OldHolder::take_over(&run, 99, &[("STUBBORN", "1")]);
    let program = holder.program();
    let server = serve(&world);
    server
        .post_empty(&format!("runs/{}/cancel", run.id))
        .expect(200);
    assert_eq!(server.view(&run.id)["status"], "cancelled");
    holder.wait_gone();
    wait_for("its program is gone", || !lives(program));
}

#[test]
fn a_stopped_holder_holds_up_nobody_and_is_found_again_when_it_goes_on() {
    let world = World::new();
    let server = serve(&world);
    let agent = stayer(&world, &server);
    let run = Stayer::of(&world, &server, &agent);
    let other = Stayer::of(&world, &server, &agent);
    let holder = lock_owner(&run.run_dir).unwrap();
    send(holder, Signal::SIGSTOP);
    wait_for("it is stopped", || state_of(holder) == Some('T'));
    assert_eq!(server.view(&run.id)["process"]["alive"], true);
    for it in [&run, &other] {
        assert_eq!(it.hook(&server, 1, 0).status, 200);
    }
    server.kill();
    let server = serve(&world);
    wait_for("it is out of reach", || {
        world
            .log()
            .contains(&format!("Cannot reach the holder of run {}", run.id))
    });
    assert_eq!(server.view(&run.id)["process"]["alive"], true);
    for it in [&run, &other] {
        assert_eq!(it.hook(&server, 2, 0).status, 200);
    }
    other.end();
    server.wait_status(&other.id, "completed");
    send(holder, Signal::SIGCONT);
    run.end();
    server.wait_status(&run.id, "completed");
    assert_eq!(exit_of(&server, &run)["exit_code"], 0);
    wait_for("the holder is gone", || lock_owner(&run.run_dir).is_none());
}

#[test]
fn a_run_is_cancelled_while_its_holder_is_stopped() {
    let world = World::new();
    let server = serve(&world);
    let run = Stayer::start(&world, &server);
    let program = server.view(&run.id)["process"]["pid"].as_i64().unwrap();
    let holder = lock_owner(&run.run_dir).unwrap();
    send(holder, Signal::SIGSTOP);
    server
        .post_empty(&format!("runs/{}/cancel", run.id))
        .expect(200);
    assert_eq!(server.view(&run.id)["status"], "cancelled");
    assert_eq!(exit_of(&server, &run)["by"], "cancel");
    assert!(!lives(program.try_into().unwrap()));
    wait_for("the holder is gone", || lock_owner(&run.run_dir).is_none());
    server.delete(&format!("runs/{}", run.id)).expect(204);
}

fn lost(server: &Server, run: &Stayer) {
    let view = server.wait_status(&run.id, "failed");
    assert!(text(&view, "reason").contains("vanished"), "{view}");
    assert_eq!(view["process"]["alive"], false);
    assert_eq!(exit_of(server, run)["by"], "lost");
}

#[test]
fn a_killed_holder_costs_its_own_run_and_says_so() {
    let world = World::new();
    let server = serve(&world);
    let agent = stayer(&world, &server);
    let runs: Vec<_> = (0..3)
        .map(|_| Stayer::of(&world, &server, &agent))
        .collect();
    let programs: Vec<i32> = runs
        .iter()
        .map(|run| server.view(&run.id)["process"]["pid"].as_i64().unwrap())
        .map(|pid| pid.try_into().unwrap())
        .collect();
    let owner = |run: &Stayer| lock_owner(Path::new(&run.run_dir)).unwrap();
    send(owner(&runs[0]), Signal::SIGKILL);
    lost(&server, &runs[0]);
    server.kill();
    send(owner(&runs[1]), Signal::SIGKILL);
    let server = serve(&world);
    lost(&server, &runs[1]);
    for program in &programs[..2] {
        wait_for("its program is gone", || !lives(*program));
    }
    assert!(lives(programs[2]));
    assert_eq!(runs[2].hook(&server, 1, 0).status, 200);
    runs[2].end();
    server.wait_status(&runs[2].id, "completed");
    assert_eq!(exit_of(&server, &runs[2])["exit_code"], 0);
}

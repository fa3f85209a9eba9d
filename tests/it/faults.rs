//! Faults without a kill: errors are reported, what was acknowledged stays, and the server
//! continues when the fault is over.

mod alone;
mod clock;
mod disk;
mod doctor;
mod git;
mod holder;
mod hooks;
mod replaced;
mod start;
mod writer;

use crate::support::{Reply, Server, World, text};
use serde_json::{Value, json};
use std::path::PathBuf;

/// A run that lives until its file `stay` is removed, which works on a full disk too.
struct Stayer {
    id: String,
    worktree: PathBuf,
    run_dir: PathBuf,
}

const STAY: &str = "touch stay; echo ready; while [ -e stay ]; do sleep 0.05; done";

impl Stayer {
    fn start(world: &World, server: &Server) -> Self {
        Self::of(world, server, &stayer(world, server))
    }

    fn of(world: &World, server: &Server, agent: &str) -> Self {
        let id = server.run(agent, "x");
        let view = server.wait(&id, "its process lives", |view| {
            view["process"]["alive"] == true
        });
        let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
        server.wait(&id, "it is ready", |_| {
            server
                .get(&format!("runs/{id}/logs"))
                .text
                .contains("ready")
        });
        let run_dir = world.data().join("runs").join(&id);
        Self {
            id,
            worktree,
            run_dir,
        }
    }

    fn end(&self) {
        std::fs::remove_file(self.worktree.join("stay")).unwrap();
    }

    /// Posts a hook, each number a delivery of its own.
    fn hook(&self, server: &Server, number: u64, filler: usize) -> Reply {
        let delivery = uuid::Uuid::from_u128(u128::from(number) + 1).to_string();
        let headers = [
            ("Content-Type", "application/json"),
            ("X-Abbado-Delivery", delivery.as_str()),
        ];
        let filler = "x".repeat(filler);
        let hook = json!({"hook_event_name": "Note", "number": number, "filler": filler});
        server.post_with(
            &format!("runs/{}/hook", self.id),
            &headers,
            &hook.to_string(),
        )
    }

    /// Numbers of its hooks, as the log has them.
    fn numbers(&self, server: &Server) -> Vec<u64> {
        server.hook_numbers(&self.id)
    }
}

fn stayer(world: &World, server: &Server) -> String {
    server.agent(
        world,
        json!({"cli_name": "command", "provider_config": {"command": ["sh", "-c", STAY]}}),
    )
}

/// The one answer of a store that takes nothing now.
fn unavailable(reply: &Reply, cause: &str) {
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.kind, "text/plain; charset=utf-8", "{reply:?}");
    assert_eq!(reply.code.as_deref(), Some("unavailable"), "{reply:?}");
    assert!(reply.text.contains(cause), "'{cause}' is not in {reply:?}");
    let wait: u32 = reply.retry_after.as_ref().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{reply:?}");
}

/// Sequences of a run begin at 1 and have no hole, ids only grow.
fn in_order(events: &[Value]) {
    let sequences: Vec<u64> = events
        .iter()
        .map(|event| event["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(
        sequences,
        (1..=events.len() as u64).collect::<Vec<_>>(),
        "sequences"
    );
    let ids: Vec<i64> = events
        .iter()
        .map(|event| event["id"].as_i64().unwrap())
        .collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
}

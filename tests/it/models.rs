//! The table of models: its prices are what estimates are made with, and it says who keeps limits.

use crate::{
    programs::{Model, codex, payloads},
    support::{Server, World},
};
use serde_json::{Value, json};

/// One answer of 800 fresh, 200 cached and 100 output tokens.
const STEP: &str = r#"Once more #steps:[{"say":"That is all.","usage":{"input":1000,"output":100,"cache_read":200}}]"#;

const PATH: &str = "settings/models";

/// The stored table with another price for input of the model that is used here.
fn store_price(server: &Server, input_per_mtok: f64) {
    let mut table = server.get(PATH).expect(200);
    let providers = table["providers"].as_array_mut().unwrap();
    let codex = providers.iter_mut().find(|one| one["id"] == "codex");
    codex.unwrap()["models"] = json!([{
        "id": "gpt-5.5", "label": "GPT-5.5", "input_per_mtok": input_per_mtok,
        "output_per_mtok": 2000.0, "cache_read_per_mtok": 100.0, "cache_write_per_mtok": 0.0,
    }]);
    server.put(PATH, &table).expect(200);
}

fn cost(server: &Server, run: &str) -> f64 {
    server.view(run)["cost_usd"].as_f64().unwrap()
}

fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-6
}

#[test]
fn estimates_are_made_with_stored_prices() {
    let world = World::new();
    let model = Model::start(&world);
    let server = world.serve();
    store_price(&server, 1000.0);
    // They are on disk, not in the server that was told.
    server.kill();
    let server = world.serve();
    let agent = server.agent(&world, codex(&world, &model, "headless"));
    let run = server.run(&agent, STEP);
    server.wait_status(&run, "completed");
    // (800 × 1000 + 100 × 2000 + 200 × 100) / 1000000
    let first = cost(&server, &run);
    assert!(is_near(first, 1.02), "{first}");
    // Other prices hold for what comes later, without a restart.
    store_price(&server, 10_000.0);
    let more = json!({"message": STEP});
    server
        .post(&format!("runs/{run}/continue"), &more)
        .expect(200);
    server.wait(&run, "the second turn is over", |view| {
        view["status"] == "completed" && view["tokens_out"] == 200
    });
    // 1.02 + (800 × 10000 + 100 × 2000 + 200 × 100) / 1000000
    let both = cost(&server, &run);
    assert!(is_near(both, 9.24), "{both}");
    let last = payloads(&server, &run, "run.result").pop().unwrap();
    assert_eq!(last["cost_source"], "estimated");
}

#[test]
fn the_table_is_dated_and_need_not_be() {
    let world = World::new();
    let server = world.serve();
    let fresh = server.get(PATH).expect(200);
    let day = fresh["prices_as_of"].as_str().unwrap();
    assert_eq!((day.len(), &day[..2]), (10, "20"), "{day}");
    let mut undated = fresh.clone();
    undated.as_object_mut().unwrap().remove("prices_as_of");
    let stored = server.put(PATH, &undated).expect(200);
    assert_eq!(stored["prices_as_of"], Value::Null);
    assert_eq!(stored["providers"], fresh["providers"]);
    assert_eq!(server.get(PATH).expect(200), stored);
    let mut wrong = fresh.clone();
    wrong["prices_as_of"] = json!("last week");
    let refused = server.put(PATH, &wrong);
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.text.contains("prices_as_of"), "{refused:?}");
    assert_eq!(server.put(PATH, &fresh).expect(200), fresh);
}

#[test]
fn who_keeps_which_limit_is_told_and_not_stored() {
    let world = World::new();
    let server = world.serve();
    let mut table = server.get(PATH).expect(200);
    let limits = |table: &Value, id: &str| {
        let providers = table["providers"].as_array().unwrap();
        let found = providers.iter().find(|one| one["id"] == id);
        found.unwrap()["limits"].clone()
    };
    assert_eq!(
        limits(&table, "claude-code"),
        json!({"interactive": {"max_turns": "counted", "allowed_tools": "cli"},
               "headless": {"max_turns": "cli", "allowed_tools": "cli"}})
    );
    assert_eq!(
        limits(&table, "codex"),
        json!({"interactive": {"max_turns": "counted", "allowed_tools": "none"},
               "headless": {"max_turns": "none", "allowed_tools": "none"}})
    );
    let before = limits(&table, "command");
    let providers = table["providers"].as_array_mut().unwrap();
    for provider in providers.iter_mut() {
        provider["limits"] = json!("whatever");
    }
    let stranger = json!({"id": "stranger", "label": "S", "bin": "s", "enabled": true,
                          "default_model": null, "models": []});
    providers.push(stranger);
    let stored = server.put(PATH, &table).expect(200);
    assert_eq!(limits(&stored, "command"), before);
    assert_eq!(limits(&stored, "stranger"), Value::Null);
}

//! Programs of other people read schema/openapi.json: a validator, and a generator whose client
//! speaks to a real server. The UI's client is made by a third one, openapi-typescript (`make check`).

use crate::{
    programs::programs_folder,
    support::{World, text},
};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Asks for what the first argument's server has, with the client of the current folder.
const CALLER: &str = r#"
import sys
from abbado_client import Client
from abbado_client.api.agents import get_projects_id_agents as agents
from abbado_client.api.events import get_events_head, get_runs_id_events
from abbado_client.api.projects import get_projects_id, post_projects
from abbado_client.api.runs import get_runs, get_runs_id
from abbado_client.models import NewProject, RunView, StatusView

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)
project = post_projects.sync(client=client, body=NewProject(name="generated"))
assert get_projects_id.sync(project.id, client=client) == project, project
(run,) = get_runs.sync(client=client)
assert isinstance(run, RunView) and run.status == StatusView.COMPLETED, run
assert get_runs_id.sync(run.id, client=client).task == "t"
(agent,) = agents.sync(run.project_id, client=client)
assert agent.id == run.agent_id
events = get_runs_id_events.sync(run.id, client=client)
assert events[-1].id == get_events_head.sync(client=client).last_event_id
refused = get_projects_id.sync_detailed(run.id, client=client)
assert (refused.status_code, refused.parsed) == (404, "Unknown project."), refused
"#;

/// A program of tests/openapi, at its pinned version.
fn program(name: &str) -> Command {
    let folder = programs_folder().join("openapi");
    let pinned = root().join("tests/openapi/requirements.txt");
    let installed = std::fs::read(folder.join("installed.txt")).unwrap_or_default();
    assert!(
        installed == std::fs::read(pinned).unwrap(),
        "{} is not the pinned one: run `make generators`",
        folder.display()
    );
    let mut command = Command::new(folder.join("bin").join(name));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

#[test]
fn a_validator_and_a_generator_of_others_take_the_document() {
    let world = World::new();
    let document = root().join("schema/openapi.json");
    succeeds(program("openapi-spec-validator").arg(&document));
    let config = world.path("config.json");
    std::fs::write(&config, r#"{"post_hooks": []}"#).unwrap();
    let client = world.path("abbado_client");
    let said = succeeds(
        program("openapi-python-client")
            .args(["generate", "--meta", "none", "--fail-on-warning", "--path"])
            .arg(&document)
            .arg("--output-path")
            .arg(&client)
            .arg("--config")
            .arg(&config),
    );
    assert!(!said.contains("Warning"), "{said}");
    let server = world.serve();
    let config = json!({"command": ["true"]});
    let fields = json!({"cli_name": "command", "provider_config": config});
    let run = server.run(&server.agent(&world, fields), "t");
    server.wait_status(&run, "completed");
    assert_eq!(text(&server.view(&run), "id"), run);
    let caller = world.path("caller.py");
    std::fs::write(&caller, CALLER).unwrap();
    succeeds(
        program("python")
            .arg(&caller)
            .arg(format!("http://{}", server.address))
            .current_dir(world.folder.path()),
    );
}

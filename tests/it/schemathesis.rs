//! Schemathesis against a real server: every answer is one that schema/openapi.json knows, of the
//! form that it says, and none is a fault. Its requests come from the document itself.
//!
//! Left out are the terminal and whatever names a program to start; the PATH has git and a shell
//! only. Of the event streams, which have no end, those that are refused are tried.

use crate::{
    programs::programs_folder,
    support::{Server, World, git, text},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,response_headers_conformance,unsupported_method";

/// Requests for each operation beyond those that cover its parameters one by one.
fn examples() -> &'static str {
    std::env::var_os("ABBADO_PROVE").map_or("12", |_| "400")
}

/// The program, at the versions of tests/schemathesis.
fn schemathesis() -> PathBuf {
    let folder = programs_folder().join("schemathesis");
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/requirements.txt");
    let installed = std::fs::read(folder.join("installed.txt")).unwrap_or_default();
    assert!(
        installed == std::fs::read(pinned).unwrap(),
        "{} is not the pinned one: run `make schemathesis`",
        folder.display()
    );
    folder.join("bin/schemathesis")
}

/// What the requests are about: ids that exist, and one that does not.
struct Things {
    project: String,
    repo: String,
    agent: String,
    /// At their prompts.
    runs: Vec<String>,
    /// A checkout that is no repo of the project yet.
    more_repo: PathBuf,
    spare: Spare,
}

/// Things to be deleted.
struct Spare {
    project: String,
    repo: String,
    agent: String,
    run: String,
}

const NONE: &str = "00000000-0000-4000-8000-000000000000";

impl Things {
    fn made(server: &Server, world: &World) -> Self {
        let config = json!({"args": ["--pace", "1"]});
        let agent = server.agent(
            world,
            json!({"cli_name": "demo", "provider_config": config}),
        );
        let project = server.get(&format!("agents/{agent}")).expect(200);
        let project = text(&project, "project_id");
        let repos = server.get(&format!("projects/{project}")).expect(200);
        let mut runs: Vec<String> = (0..4).map(|_| server.run(&agent, "do it")).collect();
        for run in &runs {
            server.wait_status(run, "paused");
        }
        let made = |path: &str, fields: Value| text(&server.post(path, &fields).expect(201), "id");
        let spare_repo = json!({"name": "spare", "repo_path": world.repository("spare")});
        let spare = Spare {
            project: made("projects", json!({"name": "spare"})),
            repo: made(&format!("projects/{project}/repos"), spare_repo),
            agent: made("agents", json!({"project_id": project, "name": "b"})),
            run: runs.pop().unwrap(),
        };
        Self {
            repo: text(&repos["repos"][0], "id"),
            more_repo: world.repository("more"),
            project,
            agent,
            runs,
            spare,
        }
    }

    /// Values of an id in this path.
    fn ids(&self, method: &str, path: &str, name: &str) -> Vec<&str> {
        let rest = path.strip_prefix("/api/").unwrap();
        let mut ids: Vec<&str> = match (method, rest, name) {
            ("delete", "projects/{id}", _) => vec![&self.spare.project],
            ("delete", "agents/{id}", _) => vec![&self.spare.agent],
            ("delete", "runs/{id}", _) => vec![&self.spare.run],
            ("delete", "projects/{id}/repos/{repo_id}", "repo_id") => vec![&self.spare.repo],
            (_, "runs/{id}/events/stream", _) => Vec::new(),
            (_, _, "repo_id") => vec![&self.repo],
            _ if name == "id" && rest.starts_with("projects/") => vec![&self.project],
            _ if name == "id" && rest.starts_with("agents/") => vec![&self.agent],
            _ if name == "id" => self.runs.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        ids.push(NONE);
        ids
    }
}

/// The document, about `things`, without what starts programs.
fn narrowed(things: &Things) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/openapi.json");
    let mut document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let paths = document["paths"].as_object_mut().unwrap();
    for left_out in ["/api/terminal", "/api/events/stream"] {
        assert!(paths.remove(left_out).is_some(), "{left_out}");
    }
    for (path, operations) in paths {
        for (method, operation) in operations.as_object_mut().unwrap() {
            let parameters = operation
                .get_mut("parameters")
                .and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap().to_owned();
                if parameter["schema"]["format"] == "uuid" {
                    parameter["schema"]["enum"] = json!(things.ids(method, path, &name));
                }
                if ["branch", "into", "onto"].contains(&&*name) {
                    parameter["schema"]["enum"] = json!(["main", "topic", "gone", "a..b", ""]);
                }
            }
        }
    }
    narrow_bodies(&mut document["components"]["schemas"], things);
    let hook = "/api/runs/{id}/hook";
    let payload = &mut document["paths"][hook]["post"]["requestBody"]["content"];
    payload["application/json"]["schema"] = json!({"type": "object", "properties": {
        "hook_event_name": {"enum": ["UserPromptSubmit", "PreToolUse", "Stop", "Odd"]},
        "prompt": {"type": "string"}, "tool_name": {"type": "string"},
    }, "required": ["hook_event_name"]});
    document
}

fn narrow_bodies(schemas: &mut Value, things: &Things) {
    let words = |words: &[&str]| json!({"type": "string", "enum": words});
    let env = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let config = json!({"type": "object", "additionalProperties": false,
        "properties": {"env": env, "mode": {"enum": ["interactive", "headless"]}}});
    let more_repo = things.more_repo.to_str().unwrap();
    let changes = [
        ("AgentFields", "provider_config", Some(config)),
        ("AgentFields", "cli_name", Some(words(&["demo", "none"]))),
        ("AgentFields", "name", Some(words(&["a", "", " "]))),
        ("AgentFields", "role", Some(words(&["builder", ""]))),
        (
            "AgentFields",
            "project_id",
            Some(words(&[&things.project, NONE])),
        ),
        (
            "NewRunFields",
            "agent_id",
            Some(words(&[&things.agent, NONE])),
        ),
        (
            "NewRunFields",
            "source_branch",
            Some(words(&["HEAD", "topic", "gone", "a..b"])),
        ),
        (
            "NewRunFields",
            "parent_run_id",
            Some(words(&[&things.runs[0], NONE])),
        ),
        ("NewRepo", "name", Some(words(&["more", "../x", ""]))),
        (
            "NewRepo",
            "repo_path",
            Some(words(&[more_repo, "/", "x", ""])),
        ),
        (
            "BranchName",
            "name",
            Some(words(&["renamed", "main", "a..b", ""])),
        ),
        ("ProjectChange", "setup_script", None),
        ("ProjectChange", "cleanup_script", None),
    ];
    for (schema, field, value) in changes {
        let fields = schemas[schema]["properties"].as_object_mut().unwrap();
        assert!(fields.remove(field).is_some(), "{schema} has no {field}");
        if let Some(value) = value {
            fields.insert(field.to_owned(), value);
        }
    }
}

/// A folder with git and a shell, and nothing else to start.
fn few_programs(world: &World) -> String {
    let folder = world.path("bin");
    std::fs::create_dir(&folder).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for name in ["git", "sh"] {
        let found = std::env::split_paths(&path).map(|folder| folder.join(name));
        let program = found.into_iter().find(|program| program.is_file()).unwrap();
        symlink(program, folder.join(name)).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

/// Reads that nothing here can bring to a success: one needs a forge, the other never ends.
const REFUSED: [&str; 2] = [
    "GET /api/projects/{id}/branches/pr-status",
    "GET /api/runs/{id}/events/stream",
];

/// The operations of a report, and how many requests of each were answered by a success.
fn successes(report: &Path) -> BTreeMap<String, usize> {
    let mut successes = BTreeMap::new();
    for line in std::fs::read_to_string(report).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let recorder = &event["ScenarioFinished"]["recorder"];
        let Some(label) = recorder["label"].as_str() else {
            continue;
        };
        let interactions = recorder["interactions"].as_object().unwrap().values();
        let statuses = interactions.map(|it| it["response"]["status_code"].as_u64());
        let fine = statuses
            .filter(|status| matches!(status, Some(200..300)))
            .count();
        *successes.entry(label.to_owned()).or_default() += fine;
    }
    successes
}

/// The number before this word in what was printed.
fn count(printed: &str, word: &str) -> u32 {
    let before = printed.split(word).next().unwrap().trim_end();
    let number = before
        .rsplit(|it: char| !it.is_ascii_digit())
        .next()
        .unwrap();
    number
        .parse()
        .unwrap_or_else(|_| panic!("no number before '{word}'"))
}

#[test]
fn every_answer_is_documented_and_none_is_a_fault() {
    let world = World::new();
    git(&world.path("repo"), &["branch", "topic"]);
    let path = few_programs(&world);
    let server = world.serve_with(&[("PATH", &path), ("ABBADO_LIVE_RUNS_MAX", "12")]);
    let things = Things::made(&server, &world);
    let document = world.path("openapi.json");
    std::fs::write(&document, narrowed(&things).to_string()).unwrap();
    let report = world.path("report.ndjson");
    let output = Command::new(schemathesis())
        .arg("run")
        .arg(&document)
        .args(["--url", &format!("http://{}", server.address)])
        .args(["--checks", CHECKS, "--phases", "coverage,fuzzing"])
        .args(["--max-examples", examples(), "--seed", "7"])
        .args(["--continue-on-failure", "--generation-database", "none"])
        .args(["--request-timeout", "30", "--no-color", "--warnings", "off"])
        .args(["--report", "ndjson", "--report-ndjson-path"])
        .arg(&report)
        .current_dir(world.folder.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", world.path("home"))
        .env("TMPDIR", world.path("tmp"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let requests = count(&printed, " generated");
    println!("{requests} requests of Schemathesis were answered");
    assert!(requests > 1_000, "{printed}");
    let successes = successes(&report);
    assert!(successes.len() > 50, "{successes:#?}");
    // What else succeeds hangs on what the runs are just doing.
    let done = successes.values().filter(|count| **count > 0).count();
    assert!(done > 40, "{successes:#?}");
    for (operation, count) in successes {
        let refused = REFUSED.contains(&&*operation);
        let read = operation.starts_with("GET ");
        assert!(!read || refused || count > 0, "no success: {operation}");
    }
    server.get("health").expect(200);
    let faults: Vec<String> = world
        .log()
        .lines()
        .filter(|line| line.contains("Fault "))
        .map(str::to_owned)
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

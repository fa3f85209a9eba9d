//! A user's own configuration of a CLI, which no run may change.

use super::cell::{Cell, Cli};
use crate::support::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the user wrote, file by file.
pub struct Home {
    folder: PathBuf,
    own: BTreeMap<PathBuf, Vec<u8>>,
}

impl Home {
    /// A home with settings, instructions and a hook of the user's own, in which the CLI was
    /// started before and trusts the world's repository.
    pub fn seed(world: &World, cell: Cell, model: &str) -> Self {
        let folder = world.path("home").canonicalize().unwrap();
        let repository = world.path("repo").canonicalize().unwrap();
        let own = match cell.cli {
            Cli::Claude => claude(&folder, &repository),
            Cli::Codex => codex(&folder, &repository, model),
        };
        for (name, content) in &own {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Self { folder, own }
    }

    /// The user's hook, which runs beside ours.
    pub fn own_hook_ran(&self) -> bool {
        self.folder.join("own-hook-ran").exists()
    }

    /// Every file is byte for byte what the user wrote, and nothing like it came to be.
    pub fn check(&self) {
        for (name, content) in &self.own {
            let now = std::fs::read(self.folder.join(name)).unwrap_or_default();
            assert_eq!(
                String::from_utf8_lossy(&now),
                String::from_utf8_lossy(content),
                "{} was changed",
                name.display()
            );
        }
        for other in [
            ".claude/settings.local.json",
            ".claude/hooks",
            ".claude/agents",
            ".claude/commands",
            ".codex/AGENTS.override.md",
            ".codex/prompts",
        ] {
            assert!(!self.folder.join(other).exists(), "{other} came to be");
        }
    }
}

/// Leaves a mark in the home.
fn own_hook(home: &Path) -> Value {
    let mark = home.join("own-hook-ran");
    json!({"hooks": [{"type": "command", "command": format!("touch '{}'", mark.display())}]})
}

fn claude(home: &Path, repository: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let state = json!({
        "hasCompletedOnboarding": true,
        "projects": {repository.to_str().unwrap(): {"hasTrustDialogAccepted": true}},
    });
    // The CLI's own state, which grows.
    std::fs::write(home.join(".claude.json"), state.to_string()).unwrap();
    let settings = json!({"hooks": {"Stop": [own_hook(home)]}, "includeCoAuthoredBy": false});
    BTreeMap::from([
        (".claude/settings.json".into(), settings.to_string().into()),
        (".claude/CLAUDE.md".into(), b"Be kind.\n".to_vec()),
    ])
}

fn codex(home: &Path, repository: &Path, model: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let settings = format!(
        r#"# what I like
model_provider = "scripted"

[model_providers.scripted]
name = "scripted"
base_url = "{model}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
request_max_retries = 3
stream_max_retries = 1

[analytics]
enabled = false

[projects."{}"]
trust_level = "trusted"

[tui]
screen_reader_detection_done = true
"#,
        repository.display()
    );
    let hooks = json!({"hooks": {"Stop": [own_hook(home)]}});
    BTreeMap::from([
        (".codex/config.toml".into(), settings.into()),
        (".codex/hooks.json".into(), hooks.to_string().into()),
        (".codex/AGENTS.md".into(), b"Be kind.\n".to_vec()),
    ])
}

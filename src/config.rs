//! The only reader of the environment: every setting and bound with its default and unit.

use crate::domain::{RunId, environment};
use nix::unistd::{AccessFlags, access, geteuid};
use std::{
    ffi::OsString,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

mod login;

/// Default of `ABBADO_BIND`.
pub const BIND_DEFAULT: &str = "127.0.0.1:3000";
/// Default of `ABBADO_IDLE_MINUTES`.
pub const IDLE_MINUTES_DEFAULT: u64 = 120;
/// Most commands of one run in progress at once; more are answered 429.
pub const COMMANDS_MAX: usize = 64;
/// Default of `ABBADO_LIVE_RUNS_MAX`: live runs at once.
pub const LIVE_RUNS_MAX: usize = 256;
/// Readers of event streams at once.
pub const SSE_READERS_MAX: usize = 1024;
/// Viewers of one terminal at once.
pub const VIEWERS_MAX: usize = 64;

/// Settings of this process.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder, with mode 0700.
    pub data_dir: PathBuf,
    /// The address to listen on; port 0 chooses a free port.
    pub bind: SocketAddr,
    /// The token that callers must send, when set.
    pub token: Option<String>,
    /// More names of the server that requests may use, comma-separated.
    pub allowed_hosts: String,
    /// Minutes after which a CLI that idles at its prompt is ended; 0 for never.
    pub idle_minutes: u64,
    /// Whether a webhook may lead to this machine.
    pub loopback_webhook: bool,
    /// See [`COMMANDS_MAX`].
    pub commands_max: usize,
    /// See [`LIVE_RUNS_MAX`].
    pub live_runs_max: usize,
    /// See [`SSE_READERS_MAX`].
    pub sse_readers_max: usize,
    /// See [`VIEWERS_MAX`].
    pub viewers_max: usize,
    /// Base URL of GitHub's API, instead of the hosts' own.
    pub github_api: Option<String>,
    /// Base URL of GitLab's API, instead of the hosts' own.
    pub gitlab_api: Option<String>,
    /// The user's home folder.
    pub home: PathBuf,
    /// The environment that children inherit; see [`environment`].
    pub server_env: Vec<(String, String)>,
    /// This program, for holders and hooks.
    pub program: PathBuf,
}

/// Flags of the command line, which override the environment.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--bind`
    pub bind: Option<String>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
}

impl Config {
    /// Reads flags and environment, and creates the data folder.
    ///
    /// # Errors
    /// One sentence for the person who started the server.
    pub fn read(flags: Flags) -> Result<Self, String> {
        let config = Self::look(flags)?;
        config.make_folders()?;
        Ok(config)
    }

    /// Reads flags and environment, and changes nothing.
    ///
    /// # Errors
    /// One sentence for the person who started the program.
    pub fn look(flags: Flags) -> Result<Self, String> {
        let bind = flags
            .bind
            .or_else(|| text("ABBADO_BIND"))
            .unwrap_or(BIND_DEFAULT.into());
        let bind: SocketAddr = bind.parse().map_err(|_| {
            format!("ABBADO_BIND must be an address and a port like 127.0.0.1:3000, not '{bind}'")
        })?;
        let home = path("HOME").ok_or("HOME is not set; set it to your home folder")?;
        let data_dir = flags
            .data_dir
            .or_else(|| path("ABBADO_DATA_DIR"))
            .unwrap_or_else(|| data_dir_default(&home));
        let data_dir = std::path::absolute(&data_dir).map_err(|error| {
            format!(
                "the data folder {} is unusable: {error}",
                data_dir.display()
            )
        })?;
        let idle = number("ABBADO_IDLE_MINUTES", IDLE_MINUTES_DEFAULT)?;
        let program = std::env::current_exe()
            .map_err(|error| format!("cannot find the path of this program: {error}"))?;
        Ok(Self {
            data_dir,
            bind,
            token: token()?,
            allowed_hosts: text("ABBADO_ALLOWED_HOSTS").unwrap_or_default(),
            idle_minutes: idle,
            loopback_webhook: text("ABBADO_ALLOW_LOOPBACK_WEBHOOK").as_deref() == Some("1"),
            commands_max: COMMANDS_MAX,
            live_runs_max: number("ABBADO_LIVE_RUNS_MAX", LIVE_RUNS_MAX)?,
            sse_readers_max: SSE_READERS_MAX,
            viewers_max: VIEWERS_MAX,
            github_api: text("ABBADO_GITHUB_API"),
            gitlab_api: text("ABBADO_GITLAB_API"),
            home,
            server_env: inherited(),
            program,
        })
    }

    /// Folder of a run's own files.
    #[must_use]
    pub fn run_dir(&self, run_id: RunId) -> PathBuf {
        self.data_dir.join("runs").join(run_id.to_string())
    }

    /// Path of the address file.
    #[must_use]
    pub fn server_file(&self) -> PathBuf {
        self.data_dir.join("server.json")
    }

    fn make_folders(&self) -> Result<(), String> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for folder in [
            &self.data_dir,
            &self.data_dir.join("runs"),
            &self.data_dir.join("worktrees"),
        ] {
            let made = builder.create(folder);
            made.and_then(|()| usable(folder))
                .map_err(|error| unusable(folder, &error))?;
        }
        let mode = std::fs::Permissions::from_mode(0o700);
        let private = std::fs::set_permissions(&self.data_dir, mode);
        private.map_err(|error| unusable(&self.data_dir, &error))
    }
}

/// Checks that files can be created in a folder.
fn usable(folder: &Path) -> std::io::Result<()> {
    let all = AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK;
    Ok(access(folder, all)?)
}

/// Why the folder cannot be used.
fn unusable(folder: &Path, error: &std::io::Error) -> String {
    let shown = folder.display();
    let found = std::fs::metadata(folder).ok();
    match found {
        Some(found) if !found.is_dir() => format!("{shown} is not a folder"),
        Some(found) if found.uid() != geteuid().as_raw() => {
            let owner = found.uid();
            format!("the folder {shown} is unusable: {error}; it belongs to user id {owner}")
        }
        None if folder.is_symlink() => format!("{shown} is a broken symbolic link"),
        Some(_) | None => format!("the folder {shown} is unusable: {error}"),
    }
}

fn data_dir_default(home: &Path) -> PathBuf {
    if cfg!(target_os = "macos") {
        return home.join("Library/Application Support/abbado");
    }
    path("XDG_DATA_HOME")
        .unwrap_or_else(|| home.join(".local/share"))
        .join("abbado")
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the place the lint points to"
)]
fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns an empty token as such, which is refused at start: a set `ABBADO_TOKEN` must not
/// silently mean none.
fn token() -> Result<Option<String>, String> {
    let told = std::env::var_os("ABBADO_TOKEN").map(OsString::into_string);
    told.transpose().map_err(|_| {
        "ABBADO_TOKEN must consist of visible ASCII characters without spaces".to_owned()
    })
}

fn number<T: std::str::FromStr>(name: &str, default: T) -> Result<T, String> {
    text(name).map_or(Ok(default), |value| {
        let wrong = |_| format!("{name} must be a number, not '{value}'");
        value.parse().map_err(wrong)
    })
}

fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Skips variables that are not UTF-8: the holder's launch document cannot carry them.
fn inherited() -> Vec<(String, String)> {
    let utf8 = |(key, value): (OsString, OsString)| {
        Some((key.into_string().ok()?, value.into_string().ok()?))
    };
    let mut passed = environment::inherited(std::env::vars_os());
    login::complete_path(&mut passed, |name| std::env::var_os(name).is_some());
    passed.into_iter().filter_map(utf8).collect()
}

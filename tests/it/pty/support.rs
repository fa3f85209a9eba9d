//! One run in a folder of its own, which ends with the test, whatever the test did.

use std::cell::Cell;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abbado::pty::process_tree::{carrying, end_leftovers};
use abbado::pty::protocol::Size;
use abbado::pty::run_files::{LockState, lock_state};
use abbado::pty::{HolderConnection, LaunchError, LaunchSpec, Probe, launch, probe};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tempfile::TempDir;
use uuid::Uuid;

/// Long enough for a busy machine; only a failing test waits for it.
const DEADLINE: Duration = Duration::from_secs(60);
pub const SIZE: Size = Size { cols: 80, rows: 24 };

/// Runs a test on the runtime that the server has.
pub fn block_on<T>(test: impl Future<Output = T>) -> T {
    actix::System::new().block_on(test)
}

pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Waits for a fact that nobody tells.
pub async fn until(what: &str, mut fact: impl FnMut() -> bool) {
    within(what, async {
        while !fact() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Also true of a zombie.
pub fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

pub fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

pub fn kill(pid: u32) {
    nix::sys::signal::kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
}

pub struct Run {
    dir: TempDir,
    path: PathBuf,
    id: Uuid,
    program: PathBuf,
    attempt: Cell<u32>,
    holders: Cell<Vec<u32>>,
}

impl Run {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let program = env!("CARGO_BIN_EXE_abbado").into();
        let id = Uuid::from_u128(fastrand::u128(..));
        Self {
            dir,
            path,
            id,
            program,
            attempt: Cell::new(0),
            holders: Cell::default(),
        }
    }

    pub fn in_deep_folder() -> Self {
        let mut run = Self::new();
        run.path = run.dir.path().join("d".repeat(100));
        fs::create_dir(&run.path).unwrap();
        run
    }

    pub fn with_log_bound(bound: u64) -> Self {
        Self::after(&format!("export ABBADO_OUTPUT_LOG_LEN_MAX={bound}"))
    }

    /// A run whose holder starts after a line of shell: a test process may not change its own
    /// environment or signals; a program in between may.
    pub fn after(line: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let mut run = Self::new();
        let wrapper = run.dir.path().join("wrapper");
        let program = run.program.display();
        let script = format!("#!/bin/sh\n{line}\nexec '{program}' \"$@\"\n");
        fs::write(&wrapper, script).unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o700)).unwrap();
        run.program = wrapper;
        run
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub const fn id(&self) -> Uuid {
        self.id
    }

    pub fn next_attempt(&self) -> u32 {
        self.attempt.set(self.attempt.get() + 1);
        self.attempt.get()
    }

    pub fn spec(&self, attempt: u32, script: &str) -> LaunchSpec {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        LaunchSpec {
            run_id: self.id,
            attempt,
            run_dir: self.path.clone(),
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            cwd: self.dir.path().to_owned(),
            env: vec![
                variable("PATH", "/usr/local/bin:/usr/bin:/bin"),
                variable("HOME", "/tmp"),
                variable("TERM", "xterm-256color"),
                variable("GREETED", "world"),
                variable("ABBADO_RUN_ID", &self.id.to_string()),
            ],
            cols: SIZE.cols,
            rows: SIZE.rows,
            ephemeral: false,
        }
    }

    pub async fn launch_spec(&self, spec: &LaunchSpec) -> Result<HolderConnection, LaunchError> {
        let session = within("the launch", launch(&self.program, spec)).await?;
        let mut holders = self.holders.take();
        holders.extend(lock_owner(&self.path));
        self.holders.set(holders);
        Ok(session)
    }

    pub async fn try_launch(
        &self,
        attempt: u32,
        script: &str,
    ) -> Result<HolderConnection, LaunchError> {
        self.launch_spec(&self.spec(attempt, script)).await
    }

    pub async fn launch(&self, script: &str) -> HolderConnection {
        self.try_launch(self.next_attempt(), script).await.unwrap()
    }

    pub async fn probe(&self) -> Probe {
        within("the probe", probe(&self.path, self.id))
            .await
            .unwrap()
    }

    /// The holder of the last launch.
    pub fn holder_pid(&self) -> u32 {
        let holders = self.holders.take();
        let last = *holders.last().unwrap();
        self.holders.set(holders);
        last
    }

    pub fn is_locked(&self) -> bool {
        lock_state(&self.path).unwrap() == LockState::Held
    }

    pub fn output(&self) -> Vec<u8> {
        fs::read(self.path.join("output.log")).unwrap_or_default()
    }

    pub async fn wait_output(&self, text: &str) {
        let what = format!("{text:?} in the output");
        let holds = || {
            self.output()
                .windows(text.len())
                .any(|it| it == text.as_bytes())
        };
        until(&what, holds).await;
    }

    /// What a terminal of the usual size shows of these bytes.
    pub fn shown(&self, bytes: &[u8]) -> Vec<u8> {
        super::screen_of(SIZE, &[bytes])
    }

    /// Living processes that carry the run's id.
    pub fn processes(&self) -> Vec<u32> {
        carrying(self.id)
            .unwrap()
            .into_iter()
            .map(|process| process.pid)
            .collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for pid in self.holders.take() {
            // The lock's owner may have gone long ago, and its number to another process.
            let name = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if name.ends_with(b"\0holder\0") {
                kill(pid);
            }
        }
        end_leftovers(self.id).unwrap();
        let log = fs::read_to_string(self.path.join("holder.log")).unwrap_or_default();
        if std::thread::panicking() && !log.is_empty() {
            println!("holder.log:\n{log}");
        }
    }
}

/// The process that has `holder.lock` open.
fn lock_owner(run_dir: &Path) -> Option<u32> {
    let lock = run_dir.join("holder.lock");
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| {
            let fds = fs::read_dir(format!("/proc/{pid}/fd"))
                .into_iter()
                .flatten()
                .flatten();
            fds.filter_map(|fd| fs::read_link(fd.path()).ok())
                .any(|target| target == lock)
        })
}

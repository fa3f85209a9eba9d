//! A real server in a world of its own: scratch home, scratch data folder, scratch repository.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up, with what it was waiting for: real CLIs start
/// slowly on a machine that has other work.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A scratch world: folders that outlive a server, so that it can be killed and started again.
pub struct World {
    pub folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let world = Self { folder };
        world.repository("repo");
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A repository with one commit.
    pub fn repository(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).unwrap();
        git(&path, &["init", "-q", "-b", "main"]);
        std::fs::write(path.join("README.md"), "# scratch\n").unwrap();
        git(&path, &["add", "-A"]);
        let who = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
        git(
            &path,
            &[&who[..], &["commit", "-q", "-m", "begin"]].concat(),
        );
        path
    }

    /// What `abbado doctor` prints.
    pub fn doctor(&self) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_abbado"))
            .args(["doctor", "--data-dir"])
            .arg(self.data())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// Serves with as much time for a CLI to leave by its own keys as a busy machine may need.
    pub fn serve_patiently(&self) -> Server {
        self.serve_with(&[("ABBADO_WAITS", "holder.quit=120000")])
    }

    pub fn serve_with(&self, env: &[(&str, &str)]) -> Server {
        let command = Command::new(env!("CARGO_BIN_EXE_abbado"));
        self.serve_by(command, "127.0.0.1:0", env)
    }

    /// Serves on an address of its own, by a command that becomes the server.
    pub fn serve_by(&self, command: Command, bind: &str, env: &[(&str, &str)]) -> Server {
        self.try_serve(command, bind, env)
            .unwrap_or_else(|first| panic!("{first:?}\n{}", self.log()))
    }

    /// Starts a server; gives its first line when it does not come up.
    pub fn try_serve(
        &self,
        mut command: Command,
        bind: &str,
        env: &[(&str, &str)],
    ) -> Result<Server, String> {
        let mut child = command
            .args(["serve", "--bind", bind, "--data-dir"])
            .arg(self.data())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("LANG", "C.UTF-8")
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(
                std::fs::File::options()
                    .create(true)
                    .append(true)
                    .open(self.path("log"))
                    .unwrap(),
            )
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        let Some(address) = first.trim().strip_prefix("listening on http://") else {
            child.kill().ok();
            child.wait().ok();
            return Err(first);
        };
        let address = address.to_owned();
        Ok(Server { child, address })
    }

    /// Ends what is left of the world's runs: also a test that fails leaves nothing behind.
    fn end_leftovers(&self) {
        let runs = std::fs::read_dir(self.data().join("runs"));
        for run in runs.into_iter().flatten().flatten() {
            let id = run.file_name().to_string_lossy().parse();
            if let Ok(id) = id {
                abbado::pty::end_leftovers(id).ok();
            }
            if let Some(holder) = lock_owner(&run.path()) {
                let holder = nix::unistd::Pid::from_raw(holder);
                nix::sys::signal::kill(holder, nix::sys::signal::Signal::SIGKILL).ok();
            }
        }
    }

    /// Living processes that the world's servers started: its folder is in their environment.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let mark = self.folder.path().as_os_str().as_bytes();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let others = pids.filter(|pid| *pid != std::process::id());
        others
            .filter_map(|pid| {
                let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
                let marked = environ.windows(mark.len()).any(|part| part == mark);
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
                marked.then(|| (pid, String::from_utf8_lossy(&line).replace('\0', " ")))
            })
            .collect()
    }

    /// The same without the server itself.
    pub fn processes_beside(&self, server: &Server) -> Vec<(u32, String)> {
        let mut all = self.processes();
        all.retain(|(pid, _)| *pid != server.pid());
        all
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.end_leftovers();
    }
}

/// The process that has the run folder's `holder.lock` open.
pub fn lock_owner(run_dir: &Path) -> Option<i32> {
    let lock = run_dir.join("holder.lock");
    let pids = std::fs::read_dir("/proc").ok()?.flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(|pid: &i32| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd"));
        let files = files.into_iter().flatten().flatten();
        files
            .filter_map(|file| std::fs::read_link(file.path()).ok())
            .any(|target| target == lock)
    })
}

/// What a git of a test reads as the system's configuration.
pub const GIT_CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gitconfig");

pub fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", GIT_CONFIG)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Starts a program of tests/programs that writes the port it listens on into `--port-file`.
pub fn listening(mut command: Command) -> (Child, u16) {
    let folder = tempfile::tempdir().unwrap();
    let port_file = folder.path().join("port");
    command.arg("--port-file").arg(&port_file);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let text = std::fs::read_to_string(&port_file).unwrap_or_default();
        if let Ok(port) = text.parse() {
            return (child, port);
        }
        pause();
    }
    child.kill().ok();
    child.wait().ok();
    panic!("{command:?} does not listen");
}

/// A running server; ended by SIGKILL when dropped, with the holders of its runs.
pub struct Server {
    child: Child,
    pub address: String,
}

/// An answer: status, content type, body.
#[derive(Debug)]
#[must_use]
pub struct Reply {
    pub status: u16,
    pub kind: String,
    pub retry_after: Option<String>,
    /// `X-Error-Code`.
    pub code: Option<String>,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the status and gives the JSON.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        if self.text.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }
}

impl Server {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; gives the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        self.child.wait().unwrap().code()
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// True when the server has ended by itself.
    pub fn gone(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Reply {
        reply(agent().get(self.url(path)).call())
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = agent().get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        reply(request.call())
    }

    /// The body of a 200, as it came.
    pub fn bytes(&self, path: &str) -> Vec<u8> {
        let mut answer = agent().get(self.url(path)).call().unwrap();
        assert_eq!(answer.status(), 200);
        let body = answer.body_mut().with_config().limit(100_000_000);
        body.read_to_vec().unwrap()
    }

    pub fn delete(&self, path: &str) -> Reply {
        reply(agent().delete(self.url(path)).call())
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        reply(agent().post(self.url(path)).send_json(body))
    }

    pub fn put(&self, path: &str, body: &Value) -> Reply {
        reply(agent().put(self.url(path)).send_json(body))
    }

    pub fn post_empty(&self, path: &str) -> Reply {
        reply(agent().post(self.url(path)).send_empty())
    }

    pub fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = agent().post(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        reply(request.send(body))
    }

    /// A project with one repo and an agent of these fields; gives the agent's id.
    pub fn agent(&self, world: &World, fields: Value) -> String {
        let project = self.post("projects", &json!({"name": "p"})).expect(201);
        let id = project["id"].as_str().unwrap();
        let repo = json!({"name": "repo", "repo_path": world.path("repo")});
        self.post(&format!("projects/{id}/repos"), &repo)
            .expect(201);
        let mut agent = json!({"project_id": id, "name": "a"});
        agent
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        text(&self.post("agents", &agent).expect(201), "id")
    }

    /// Starts a run; gives its id.
    pub fn run(&self, agent_id: &str, task: &str) -> String {
        text(
            &self
                .post("runs", &json!({"agent_id": agent_id, "task": task}))
                .expect(201),
            "id",
        )
    }

    pub fn view(&self, run: &str) -> Value {
        self.get(&format!("runs/{run}")).expect(200)
    }

    pub fn events(&self, run: &str) -> Vec<Value> {
        self.get(&format!("runs/{run}/events"))
            .expect(200)
            .as_array()
            .unwrap()
            .clone()
    }

    /// Numbers of the run's hooks that became `hook.received`, as the log has them.
    pub fn hook_numbers(&self, run: &str) -> Vec<u64> {
        let events = self.events(run);
        let hooks = events
            .iter()
            .filter(|event| event["event_type"] == "hook.received");
        hooks
            .filter_map(|hook| hook["payload"]["payload"]["number"].as_u64())
            .collect()
    }

    pub fn types(&self, run: &str) -> Vec<String> {
        self.events(run)
            .iter()
            .map(|event| text(event, "event_type"))
            .collect()
    }

    /// Waits until the run is in this state.
    pub fn wait_status(&self, run: &str, status: &str) -> Value {
        self.wait(run, &format!("run is {status}"), |view| {
            view["status"] == status
        })
    }

    /// Waits for a sentence to become true of the run.
    pub fn wait(&self, run: &str, sentence: &str, is: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let view = self.view(run);
            if is(&view) {
                return view;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "not so: {sentence}\n{view:#}\n{:#?}",
                self.events(run)
            );
            pause();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A moment between two looks at a fact that nothing announces.
#[expect(clippy::disallowed_methods, reason = "the one wait between two looks")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Does something again and again until its effect is seen, for keys that a program takes only once it
/// is ready for them. Each time it waits twice as long, so that what is slow is not done twice.
pub fn repeat(sentence: &str, seconds: u64, act: impl Fn(), is: impl Fn() -> bool) {
    let mut patience = Duration::from_secs(seconds);
    loop {
        act();
        let acted = Instant::now();
        while acted.elapsed() < patience {
            if is() {
                return;
            }
            pause();
        }
        assert!(patience < PATIENCE, "not so: {sentence}");
        patience *= 2;
    }
}

/// How many files and sockets a process has open.
pub fn descriptors(pid: impl std::fmt::Display) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count()
}

pub fn wait_for(sentence: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "not so: {sentence}");
        pause();
    }
}

pub fn text(value: &Value, key: &str) -> String {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
        .to_owned()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

fn reply(outcome: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Reply {
    let mut answer = outcome.unwrap();
    let header = |name: &str| {
        let value = answer.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    let (kind, retry_after) = (header("content-type"), header("retry-after"));
    let code = header("x-error-code");
    let status = answer.status().as_u16();
    let body = answer
        .body_mut()
        .with_config()
        .limit(100_000_000)
        .read_to_vec()
        .unwrap();
    Reply {
        status,
        kind: kind.unwrap_or_default(),
        retry_after,
        code,
        text: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// A reader of an event stream, over a plain socket, which can go away at any byte.
pub struct Sse {
    lines: BufReader<TcpStream>,
}

impl Sse {
    pub fn open(address: &str, path: &str, last: i64) -> std::io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        write!(
            socket,
            "GET /api/{path} HTTP/1.1\r\nHost: {address}\r\nLast-Event-ID: {last}\r\n\r\n"
        )?;
        let mut lines = BufReader::new(socket);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        if !line.starts_with("HTTP/1.1 200") {
            return Err(std::io::Error::other(line));
        }
        Ok(Self { lines })
    }

    /// The next event: its id and its JSON.
    pub fn next(&mut self) -> std::io::Result<(i64, Value)> {
        let mut id = None;
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.parse().ok();
            } else if let Some(data) = line.strip_prefix("data: ") {
                let id = id.take().ok_or(std::io::ErrorKind::InvalidData)?;
                return Ok((
                    id,
                    serde_json::from_str(data).map_err(std::io::Error::other)?,
                ));
            }
        }
    }
}

/// Sends raw bytes, gives the raw answer up to the end of the connection, for which the request asks
/// by `Connection: close`.
pub fn raw(address: &str, request: &str) -> String {
    raw_until(address, request, |_| false)
}

/// The same for an answer without an end: up to where it is `enough`.
pub fn raw_until(address: &str, request: &str, enough: impl Fn(&str) -> bool) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&answer);
        if enough(&text) {
            return text.into_owned();
        }
        match socket.read(&mut piece) {
            Ok(read @ 1..) => answer.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("no end of the answer: {text}")
            }
            // A server that is killed resets the connection.
            Ok(0) | Err(_) => return text.into_owned(),
        }
    }
}

//! The binary that users install (`make dist`) at work, and a plain client of it.

use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A server with a data folder of its own; killed when dropped, with the runs cancelled before.
pub struct Server {
    child: Child,
    /// `127.0.0.1:port`
    pub address: String,
    /// Where its data and home are.
    pub folder: PathBuf,
}

impl Server {
    /// Starts one over `folder`, and waits until it listens.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, None)
    }

    /// The same, with a variable of the environment.
    pub fn start_with(folder: &Path, variable: Option<(&str, &Path)>) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_abbado"))
            .args(["serve", "--bind", "127.0.0.1:0", "--data-dir"])
            .arg(folder.join("data"))
            .env("HOME", folder)
            .env("ABBADO_LOG", "error")
            .envs(variable)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut first).unwrap();
        let address = first.trim().rsplit('/').next().unwrap().to_owned();
        let folder = folder.to_owned();
        Self {
            child,
            address,
            folder,
        }
    }

    /// Of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A connection of its own.
    pub fn client(&self) -> Client {
        Client::connect(&self.address)
    }

    /// One request on a connection of its own; the JSON that comes back.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.client().post(path, body.to_string().as_bytes());
        serde_json::from_slice(&answer).unwrap_or(Value::Null)
    }

    /// One GET on a connection of its own; the JSON that comes back.
    pub fn get(&self, path: &str) -> Value {
        serde_json::from_slice(&self.client().get(path)).unwrap()
    }

    /// A project over a repository, and an agent that runs `command`; the agent's id.
    pub fn agent(&self, repo: &Path, command: &[&str]) -> String {
        let name = repo.file_name().unwrap().to_string_lossy();
        let project = self.post("projects", &json!({ "name": name }));
        let project = project["id"].as_str().unwrap();
        let repo = json!({"name": "repo", "repo_path": repo});
        self.post(&format!("projects/{project}/repos"), &repo);
        let agent = json!({"project_id": project, "name": "a", "cli_name": "command",
                           "provider_config": {"command": command}});
        text(&self.post("agents", &agent)["id"])
    }

    /// A run of the agent; its id.
    pub fn run(&self, agent: &str) -> String {
        text(&self.post("runs", &json!({"agent_id": agent, "task": "x"}))["id"])
    }

    /// A run, once it is running.
    pub fn running(&self, agent: &str) -> String {
        let id = self.run(agent);
        self.wait_status(&id, "running");
        id
    }

    /// Waits until the run has this state.
    pub fn wait_status(&self, run: &str, status: &str) {
        let path = format!("runs/{run}");
        wait_for(status, || self.get(&path)["status"] == *status);
    }

    /// Cancels what lives, and waits until the holders have gone: they outlive a server.
    fn end_runs(&self) {
        for run in self.get("runs").as_array().unwrap() {
            if ["running", "paused"].contains(&run["status"].as_str().unwrap()) {
                self.post(
                    &format!("runs/{}/cancel", run["id"].as_str().unwrap()),
                    &Value::Null,
                );
            }
        }
        let Ok(folders) = fs::read_dir(self.folder.join("data/runs")) else {
            return;
        };
        for folder in folders {
            let socket = folder.unwrap().path().join("holder.sock");
            wait_for("end of a holder", || !socket.exists());
        }
    }

    /// SIGTERM, and its end.
    pub fn stop(mut self) {
        self.end_runs();
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_some() {
            return;
        }
        // After a failure there is nothing to ask.
        if !std::thread::panicking() {
            self.end_runs();
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// Waits for up to a minute.
#[expect(
    clippy::disallowed_methods,
    reason = "what is waited for announces nothing"
)]
pub fn wait_for(what: &str, mut come: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !come() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A connection that is kept open; as cheap as a client can be, so that the server is measured.
pub struct Client {
    /// What comes from the server.
    pub lines: BufReader<TcpStream>,
    address: String,
}

impl Client {
    /// Connects, without Nagle's delay.
    pub fn connect(address: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        let (lines, address) = (BufReader::new(socket), address.to_owned());
        Self { lines, address }
    }

    /// A POST of JSON; gives the body of the answer, which must be a success.
    pub fn post(&mut self, path: &str, body: &[u8]) -> Vec<u8> {
        let request = request_of(&self.address, path, body);
        self.exchange(&request)
    }

    /// A GET; gives the body of the answer, which must be a success.
    pub fn get(&mut self, path: &str) -> Vec<u8> {
        let head = format!("GET /api/{path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        self.exchange(head.as_bytes())
    }

    /// A PUT of JSON; gives the body of the answer, which must be a success.
    pub fn put(&mut self, path: &str, body: &[u8]) -> Vec<u8> {
        let request = request(&self.address, "PUT", path, body);
        self.exchange(&request)
    }

    /// A DELETE, which must succeed.
    pub fn delete(&mut self, path: &str) {
        let head = format!(
            "DELETE /api/{path} HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.address
        );
        self.exchange(head.as_bytes());
    }

    /// Sends a whole request and reads the answer, which must be a success.
    pub fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        self.lines.get_mut().write_all(request).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        self.lines.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 2"), "{line}");
        while line != "\r\n" {
            line.clear();
            self.lines.read_line(&mut line).unwrap();
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.lines.read_exact(&mut body).unwrap();
        body
    }
}

/// The bytes of a POST of JSON under `/api`.
pub fn request_of(address: &str, path: &str, body: &[u8]) -> Vec<u8> {
    request(address, "POST", path, body)
}

fn request(address: &str, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} /api/{path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A git command that must succeed.
pub fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=B", "-c", "user.email=b@localhost"])
        .args(arguments)
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "git {arguments:?}");
}

/// What a git command prints.
pub fn git_says(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A repository with this many files of about 2 KiB, and one commit.
pub fn repository(path: &Path, files: usize) {
    fs::create_dir_all(path).unwrap();
    git(path, &["init", "-q", "-b", "main"]);
    for number in 0..files {
        let folder = path.join(format!("src/part{}/module{}", number % 50, number % 500));
        fs::create_dir_all(&folder).unwrap();
        let line = |line| format!("fn f{number}_{line}() {{ call({}); }}\n", number * line);
        let text: String = (0..40).map(line).collect();
        fs::write(folder.join(format!("file{number}.rs")), text).unwrap();
    }
    git(path, &["add", "-A"]);
    git(path, &["commit", "-q", "--allow-empty", "-m", "base"]);
}

/// What `/proc` says of a process, in KiB: a line of `status` or `smaps_rollup`.
pub fn kib_of(pid: u32, file: &str, name: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Processor time of a process so far: user and system, of all of its threads.
pub fn cpu_of(pid: u32) -> Duration {
    let pid = nix::unistd::Pid::from_raw(pid.try_into().unwrap());
    let clock = nix::time::ClockId::pid_cpu_clock_id(pid).unwrap();
    clock.now().unwrap().into()
}

//! The terminal's WebSocket, as pages and scripts use it.

use crate::support::{PATIENCE, Server, World, descriptors, pause, wait_for};
use abbado::pty::{emulator::Emulator, protocol::Size};
use serde_json::{Value, json};
use std::{io::Write, net::TcpStream, path::PathBuf, time::Instant};
use tungstenite::{Error, Message, WebSocket, stream::MaybeTlsStream};

const SIZE: Size = Size {
    cols: 120,
    rows: 30,
};

/// A viewer: what it was sent since the last snapshot, and what was said in text.
struct Viewer {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    bytes: Vec<u8>,
    said: Vec<Value>,
    close: Option<(u16, String)>,
}

impl Viewer {
    fn open(server: &Server, query: &str) -> Self {
        let url = format!("ws://{}/api/terminal?{query}", server.address);
        let (socket, _) = tungstenite::connect(url).unwrap();
        let MaybeTlsStream::Plain(stream) = socket.get_ref() else {
            panic!("no TLS on loopback")
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut viewer = Self {
            socket,
            bytes: Vec::new(),
            said: Vec::new(),
            close: None,
        };
        viewer.until("ready", |viewer| !viewer.said.is_empty());
        viewer
    }

    fn attach(server: &Server, run: &str) -> Self {
        Self::open(server, &format!("run_id={run}"))
    }

    /// Takes the next message; false when there are no more.
    fn take(&mut self) -> bool {
        match self.socket.read() {
            Ok(Message::Binary(bytes)) => self.bytes.extend_from_slice(&bytes),
            Ok(Message::Text(text)) => {
                let said: Value = serde_json::from_str(&text).unwrap();
                if said["type"] == "resync" {
                    self.bytes.clear();
                }
                self.said.push(said);
            }
            Ok(Message::Close(frame)) => {
                self.close = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                return false;
            }
            Ok(_) => {}
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => return false,
            Err(error) => panic!("{error}; said {:?}, closed {:?}", self.said, self.close),
        }
        true
    }

    fn until(&mut self, sentence: &str, is: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is(self) {
            let told = self.take() && begun.elapsed() < PATIENCE;
            assert!(
                told,
                "not so: {sentence}; {:?}\n{:?}",
                self.said,
                self.text()
            );
        }
    }

    fn until_shows(&mut self, text: &str) {
        self.until(text, |viewer| viewer.text().contains(text));
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn read_to_end(&mut self) {
        while self.take() {}
    }

    fn send(&mut self, text: &Value) {
        self.socket.send(Message::text(text.to_string())).unwrap();
    }

    fn keys(&mut self, keys: &str) {
        self.socket
            .send(Message::binary(keys.as_bytes().to_vec()))
            .unwrap();
    }

    fn screen(&self) -> Vec<u8> {
        screen(&self.bytes)
    }
}

/// What the emulator shows of these bytes.
fn screen(bytes: &[u8]) -> Vec<u8> {
    let mut emulator = Emulator::new(SIZE);
    emulator.process(bytes);
    emulator.snapshot()
}

/// A run of a program, whose worktree is there.
fn start(world: &World, server: &Server, argv: &[&str]) -> (String, PathBuf) {
    let fields = json!({"cli_name": "command", "provider_config": {"command": argv}});
    let run = server.run(&server.agent(world, fields), "x");
    let view = server.wait(&run, "its process lives or has ended", |view| {
        view["process"]["pid"].is_u64()
    });
    let worktree = PathBuf::from(view["repos"][0]["worktree"].as_str().unwrap());
    (run, worktree)
}

fn logs(server: &Server, run: &str) -> Vec<u8> {
    server.bytes(&format!("runs/{run}/logs"))
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// Paints the whole screen over and over: colours, attributes, wide and combining letters, scroll
/// regions, inserted and deleted lines, the alternate screen and back.
const PAINTER: &str = r#"
import os, random, sys, time
r = random.Random(7)
out = lambda s: (sys.stdout.write(s), sys.stdout.flush())
def style():
    return "\x1b[%d;%d;%dm" % (r.choice([0, 1, 3, 4, 7]), r.randint(30, 37), r.randint(40, 47))
def rich():
    return "\x1b[38;2;%d;%d;%dm\x1b[48;5;%dm" % (r.randrange(256), r.randrange(256), r.randrange(256), r.randrange(256))
words = ["plain", "wide \u6f22\u5b57", "e\u0301", "\u2500\u2502\u250c", "tab\there", "\u26a1", ""]
def frame():
    parts = []
    for row in range(1, 31):
        parts.append("\x1b[%d;1H" % row)
        while len(parts[-1]) < 90 and r.random() < 0.8:
            parts[-1] += r.choice([style, rich])() + r.choice(words) + " " * r.randrange(9)
    parts.append(r.choice(["\x1b[5;20r\x1b[20;1H\n\n\n\x1b[r", "\x1b[3L", "\x1b[2M", "\x1b[4;7H\x1b[K", "\x1b[J", "\x1bM", "\x1b[?25l", "\x1b[?25h", "\x1b[?2004h", "\x1b[?1h\x1b=", "\x1b[10;10H\x1b[3P\x1b[2@", "\n" * 40]))
    return "".join(parts)
out("\x1b[?1049h")
for n in range(100000):
    out(frame())
    if n % 50 == 49:
        out(r.choice(["\x1b[?1049l", "\x1b[?1049h", "\x1b[0m\x1b[2J"]))
    if os.path.exists("stop"):
        break
    time.sleep(0.002)
out("\x1b[15;40H\x1b[1;4;35mFINISHED\x1b[17;9H")
sys.stdin.readline()
"#;

#[test]
fn a_hundred_detaches_later_a_fresh_attach_shows_the_screen() {
    let world = World::new();
    let server = world.serve();
    let (run, worktree) = start(&world, &server, &["python3", "-c", PAINTER]);
    let mut random = fastrand::Rng::with_seed(3);
    for cycle in 0..100 {
        let mut viewer = Viewer::attach(&server, &run);
        let wanted = random.usize(0..30_000);
        viewer.until("more of it", |viewer| viewer.bytes.len() >= wanted);
        // Some say goodbye, others are gone in the middle of a frame.
        if cycle % 2 == 0 {
            viewer.socket.close(None).unwrap();
            viewer.read_to_end();
        }
    }
    std::fs::write(worktree.join("stop"), "").unwrap();
    wait_for("it has painted all", || {
        contains(&logs(&server, &run), "FINISHED")
    });
    let mut viewer = Viewer::attach(&server, &run);
    viewer.until_shows("FINISHED");
    let log = logs(&server, &run);
    assert!(log.len() > 100_000, "it painted {} bytes only", log.len());
    assert!(viewer.screen() == screen(&log), "the screens differ");
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

#[test]
fn a_killed_server_loses_nothing_of_the_screen() {
    let world = World::new();
    let server = world.serve();
    let (run, worktree) = start(&world, &server, &["python3", "-c", PAINTER]);
    let mut viewer = Viewer::attach(&server, &run);
    viewer.until("some of it", |viewer| viewer.bytes.len() > 50_000);
    server.kill();
    let server = world.serve();
    std::fs::write(worktree.join("stop"), "").unwrap();
    wait_for("it has painted all", || {
        contains(&logs(&server, &run), "FINISHED")
    });
    let mut viewer = Viewer::attach(&server, &run);
    viewer.until_shows("FINISHED");
    assert!(
        viewer.screen() == screen(&logs(&server, &run)),
        "the screens differ"
    );
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

#[test]
fn what_one_types_all_see() {
    let world = World::new();
    let server = world.serve();
    let script = "stty -echo; echo up; while read line; do echo \"<$line>\"; done; exit 7";
    let (run, _) = start(&world, &server, &["sh", "-c", script]);
    let mut viewers: Vec<_> = (0..8).map(|_| Viewer::attach(&server, &run)).collect();
    for viewer in &mut viewers {
        viewer.until_shows("up");
    }
    viewers[0].keys("binary\r");
    viewers[5].send(&json!({"type": "input", "data": "t\u{e9}xt\r"}));
    for viewer in &mut viewers {
        viewer.until_shows("<binary>");
        viewer.until_shows("<t\u{e9}xt>");
    }
    // Who breaks the protocol, here by a frame without a mask, is told by the close code.
    let mut broken = viewers.pop().unwrap();
    broken.socket.get_mut().write_all(b"\x81\x02{}").unwrap();
    broken.read_to_end();
    assert_eq!(broken.close, Some((1002, String::new())));
    viewers[2].keys("\x04");
    for viewer in &mut viewers {
        viewer.read_to_end();
        assert_eq!(
            viewer.said.last(),
            Some(&json!({"type": "exit", "code": 7}))
        );
        assert_eq!(viewer.close, Some((1000, String::new())));
    }
}

#[test]
fn one_resizes_and_the_program_knows() {
    let world = World::new();
    let server = world.serve();
    let script = "trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done";
    let (run, _) = start(&world, &server, &["sh", "-c", script]);
    let mut viewer = Viewer::attach(&server, &run);
    assert_eq!(
        viewer.said[0],
        json!({"type": "ready", "cols": 120, "rows": 30, "alive": true})
    );
    viewer.until_shows("up");
    let mut other = Viewer::attach(&server, &run);
    viewer.send(&json!({"type": "resize", "cols": 93, "rows": 17}));
    viewer.until_shows("17 93");
    let told = json!({"type": "resize", "cols": 93, "rows": 17});
    other.until("the other viewer is told", |other| {
        other.said.contains(&told)
    });
    other.until_shows("17 93");
    let ready = &Viewer::attach(&server, &run).said[0];
    assert_eq!((&ready["cols"], &ready["rows"]), (&json!(93), &json!(17)));
    viewer.send(&json!({"type": "resize", "cols": 0, "rows": 17}));
    viewer.read_to_end();
    let (code, why) = viewer.close.unwrap();
    assert_eq!(code, 1008);
    assert!(why.contains("cols"), "{why}");
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

#[test]
fn an_ended_run_shows_its_last_screen() {
    let world = World::new();
    let server = world.serve();
    let script = "printf '\\033[2J\\033[5;5H\\033[1mlast words'; exit 3";
    let (run, _) = start(&world, &server, &["sh", "-c", script]);
    server.wait(&run, "it has ended", |view| {
        view["status"] == "failed" && view["process"]["alive"] == false
    });
    let mut viewer = Viewer::attach(&server, &run);
    viewer.read_to_end();
    assert_eq!(viewer.said[0]["alive"], false);
    assert_eq!(viewer.said[1], json!({"type": "exit", "code": 3}));
    assert!(
        viewer.screen() == screen(&logs(&server, &run)),
        "{:?}",
        viewer.text()
    );
    assert!(viewer.text().contains("last words"));
    // A power cut may have taken it.
    let head = world.data().join("runs").join(&run).join("screen.json");
    std::fs::write(head, "").unwrap();
    let refused = server.get(&format!("terminal?run_id={run}"));
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(
        refused
            .text
            .contains("The last screen of this run is not available"),
        "{refused:?}"
    );
}

#[test]
fn an_ephemeral_terminal_ends_with_its_socket() {
    let world = World::new();
    let server = world.serve();
    let cwd = world.path("repo");
    let mut viewer = Viewer::open(&server, &format!("cli=shell&cwd={}", cwd.display()));
    viewer.keys("pwd; sleep 1000 & echo child=$!=\r");
    viewer.until("the child's id", |viewer| child(viewer).is_some());
    assert!(viewer.text().contains(cwd.to_str().unwrap()));
    let child = child(&viewer).unwrap();
    assert!(PathBuf::from(format!("/proc/{child}")).exists());
    drop(viewer);
    wait_for("what it started is gone", || {
        let status = std::fs::read_to_string(format!("/proc/{child}/stat"));
        status.is_err() || status.is_ok_and(|text| text.contains(") Z"))
    });
    wait_for("its folder is gone", || {
        let terminals = std::fs::read_dir(world.data().join("terminals"));
        terminals.is_ok_and(|mut entries| entries.next().is_none())
    });
    wait_for("its shell and its holder are gone", || {
        world.processes_beside(&server).is_empty()
    });
}

fn child(viewer: &Viewer) -> Option<u32> {
    let text = viewer.text();
    text.split("child=")
        .find_map(|rest| rest.split_once('=')?.0.parse().ok())
}

fn resident_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn who_does_not_read_costs_bounded_memory_and_holds_up_nobody() {
    let world = World::new();
    let server = world.serve();
    let script = "echo up; read line; seq -f 'line %012.0f of a long story' 1 600000; exit 0";
    let (run, _) = start(&world, &server, &["sh", "-c", script]);
    let mut reader = Viewer::attach(&server, &run);
    reader.until_shows("up");
    // The lazy one answers nothing, not even pings.
    let lazy = Viewer::attach(&server, &run);
    let before = resident_kib(&server);
    reader.keys("\r");
    reader.read_to_end();
    assert_eq!(
        reader.said.last(),
        Some(&json!({"type": "exit", "code": 0}))
    );
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < 8 * 1024, "the server grew by {grown} KiB");
    let log = logs(&server, &run);
    assert!(log.len() > 19_000_000);
    assert!(
        reader.screen() == screen(&log),
        "the reader's screen differs"
    );
    drop(lazy);
}

#[test]
fn who_leaves_without_reading_leaves_nothing_open() {
    let world = World::new();
    let server = world.serve();
    let script = "echo up; read line; seq -f 'line %012.0f of a story' 1 100000; echo over; read x";
    let (run, _) = start(&world, &server, &["sh", "-c", script]);
    let mut reader = Viewer::attach(&server, &run);
    reader.until_shows("up");
    let files = descriptors(server.pid());
    let lazy: Vec<_> = (0..8).map(|_| Viewer::attach(&server, &run)).collect();
    assert!(
        descriptors(server.pid()) >= files + 16,
        "a socket to each side"
    );
    reader.keys("\r");
    reader.until_shows("over");
    // More was under way to each than may be without a Pong.
    drop(lazy);
    wait_for("their connections are closed", || {
        descriptors(server.pid()) <= files
    });
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

#[test]
fn one_viewer_too_many_is_told_so() {
    let world = World::new();
    let server = world.serve();
    let (run, _) = start(&world, &server, &["sh", "-c", "echo up; read line"]);
    let mut viewers: Vec<_> = (0..64).map(|_| Viewer::attach(&server, &run)).collect();
    let upgrade = |server: &Server| {
        server.get_with(
            &format!("terminal?run_id={run}"),
            &[
                ("Connection", "Upgrade"),
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ],
        )
    };
    let refused = upgrade(&server);
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.kind, "text/plain; charset=utf-8");
    assert!(refused.text.contains("64"), "{refused:?}");
    viewers.truncate(10);
    let begun = Instant::now();
    while upgrade(&server).status == 429 {
        assert!(begun.elapsed() < PATIENCE, "places do not become free");
        pause();
    }
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

/// Asks its terminal a question, and prints what it read within a second and a half.
const ASKS: &str = r"
import os, select, sys, time, tty
tty.setraw(0)
os.write(1, b'up')
sys.stdin.buffer.raw.read(1)
os.write(1, sys.argv[1].encode().decode('unicode_escape').encode())
until, heard = time.time() + 1.5, b''
while time.time() < until:
    if select.select([0], [], [], 0.1)[0]:
        heard += os.read(0, 1000)
os.write(1, b'HEARD ' + repr(heard).encode() + b'\r\n')
time.sleep(60)
";

#[test]
fn a_question_is_answered_once_with_three_viewers_that_answer_too() {
    let world = World::new();
    let server = world.serve();
    let argv = ["python3", "-c", ASKS, r"\x1b[c\x1b[6n\x1b]11;?\x07"];
    let (run, _) = start(&world, &server, &argv);
    let mut viewers = [(); 3].map(|()| Viewer::attach(&server, &run));
    let colors = json!({"type": "colors", "foreground": "#000000", "background": "#fafafa", "cursor": "#ff0000"});
    viewers[0].send(&colors);
    viewers[0].until_shows("up");
    viewers[0].keys("g");
    for viewer in &mut viewers {
        viewer.until_shows("\x1b[c");
        // As a terminal answers, cut in two.
        viewer.keys("\x1b[?1;");
        viewer.keys("2c\x1b[1;1R\x1b]11;rgb:fafa/fafa/fafa\x1b\\");
    }
    viewers[1].keys("k");
    let viewer = &mut viewers[2];
    viewer.until_shows("HEARD");
    viewer.until("all was heard", |viewer| viewer.text().contains("'\r\n"));
    let expected = r"HEARD b'\x1b[?1;2c\x1b[1;3R\x1b]11;rgb:fafa/fafa/fafa\x1b\\'";
    // The key comes when it is pressed, among the answers.
    let heard = viewer.text().replacen('k', "", 1);
    assert!(
        viewer.text().contains('k') && heard.contains(expected),
        "{heard:?}"
    );
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

#[test]
fn the_escape_key_of_a_viewer_that_leaves_is_typed() {
    let world = World::new();
    let server = world.serve();
    let script = "stty raw -echo; echo up; dd bs=1 count=1 2>/dev/null | od -An -tx1; sleep 60";
    let (run, _) = start(&world, &server, &["sh", "-c", script]);
    let mut viewer = Viewer::attach(&server, &run);
    viewer.until_shows("up");
    let mut other = Viewer::attach(&server, &run);
    other.keys("\x1b");
    other.socket.close(None).unwrap();
    viewer.until_shows(" 1b");
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

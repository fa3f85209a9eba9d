//! The hook program against a small server of its own.

use super::server::SERVER;
use super::*;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const RUN: &str = "00000000-0000-0000-0000-000000000001";

struct Run {
    data: tempfile::TempDir,
    dir: PathBuf,
}

/// What a request carried.
struct Seen {
    head: String,
    body: Vec<u8>,
}

impl Run {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let dir = data.path().join("runs").join(RUN);
        fs::create_dir_all(&dir).unwrap();
        hook_files::ensure(&dir, Path::new("/abbado")).unwrap();
        Self { data, dir }
    }

    fn server_at(&self, addr: &str) {
        let json = format!(r#"{{"addr": "{addr}", "pid": 1}}"#);
        fs::write(self.data.path().join(SERVER), json).unwrap();
    }

    /// A listening socket that the hook program can tell from every other.
    fn listen(&self) -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = nix::sys::stat::fstat(listener.as_fd()).unwrap().st_ino;
        let addr = listener.local_addr().unwrap();
        let json = format!(r#"{{"addr": "{addr}", "pid": 1, "socket": {number}}}"#);
        fs::write(self.data.path().join(SERVER), json).unwrap();
        listener
    }

    /// Serves one request with that answer.
    fn answering(&self, answer: &'static str) -> mpsc::Receiver<Seen> {
        let listener = self.listen();
        let (tell, seen) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut input = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(input.read_line(&mut head).unwrap() > 0);
            }
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "));
            let mut body = vec![0; length.unwrap().parse().unwrap()];
            input.read_exact(&mut body).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            tell.send(Seen { head, body }).unwrap();
        });
        seen
    }

    fn spool(&self) -> Vec<(String, Vec<u8>)> {
        let Ok(entries) = fs::read_dir(self.dir.join(spool::SPOOL)) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = paths
            .map(|path| {
                (
                    path.file_name().unwrap().to_str().unwrap().to_owned(),
                    fs::read(path).unwrap(),
                )
            })
            .collect();
        files.sort();
        files
    }

    fn deliver(&self, payload: &[u8]) -> String {
        let (answer, spooled) = deliver(&self.dir, payload, &Callers::default());
        spooled.unwrap();
        String::from_utf8(answer).unwrap()
    }
}

fn header<'a>(seen: &'a Seen, name: &str) -> &'a str {
    let line = seen
        .head
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {}", seen.head))
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"say\":\"yes\"}";

#[test]
fn a_delivered_payload_is_answered_by_the_server() {
    let run = Run::new();
    let requests = run.answering(OK);
    assert_eq!(run.deliver(b"{\"a\":1}"), "{\"say\":\"yes\"}");
    let seen = requests.recv().unwrap();
    assert!(
        seen.head
            .starts_with(&format!("POST /api/runs/{RUN}/hook HTTP/1.1\r\n"))
    );
    assert_eq!(seen.body, b"{\"a\":1}");
    assert_eq!(header(&seen, "Content-Type"), "application/json");
    assert_eq!(
        header(&seen, "X-Abbado-Hook-Token"),
        hook_files::token(&run.dir).unwrap().unwrap()
    );
    assert_eq!(
        Uuid::parse_str(header(&seen, "X-Abbado-Delivery"))
            .unwrap()
            .get_version_num(),
        7
    );
    assert!(header(&seen, "Host").starts_with("localhost:"));
    assert!(run.spool().is_empty());
}

#[test]
fn what_the_server_refuses_for_good_is_not_spooled() {
    for answer in [
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    ] {
        let run = Run::new();
        let requests = run.answering(answer);
        assert_eq!(run.deliver(b"{}"), "{}");
        requests.recv().unwrap();
        assert!(run.spool().is_empty(), "{answer}");
    }
}

#[test]
fn every_other_answer_spools_under_the_same_delivery() {
    for answer in [
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "",
    ] {
        let run = Run::new();
        let requests = run.answering(answer);
        assert_eq!(run.deliver(b"{\"a\":1}"), "{}");
        let seen = requests.recv().unwrap();
        let spool = run.spool();
        let [(name, payload)] = spool.as_slice() else {
            panic!("{answer}: {spool:?}")
        };
        assert_eq!(payload, b"{\"a\":1}");
        let (nanos, delivery) = name.strip_suffix(".json").unwrap().split_once('-').unwrap();
        assert_eq!(
            (nanos.len(), delivery),
            (20, header(&seen, "X-Abbado-Delivery"))
        );
        assert!(nanos.bytes().all(|digit| digit.is_ascii_digit()));
    }
}

#[test]
fn a_server_that_is_not_there_costs_nothing_but_a_spool_entry() {
    let run = Run::new();
    assert_eq!(run.deliver(b"{\"n\":0}"), "{}", "no server.json");
    fs::write(run.data.path().join(SERVER), "{\"addr\": 7").unwrap();
    assert_eq!(run.deliver(b"{\"n\":1}"), "{}", "not JSON");
    run.server_at("localhost:3000");
    assert_eq!(run.deliver(b"{\"n\":2}"), "{}", "no address");
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    run.server_at(&free.to_string());
    assert_eq!(run.deliver(b"{\"n\":3}"), "{}", "refused");
    fs::remove_file(run.dir.join(hook_files::TOKEN)).unwrap();
    assert_eq!(run.deliver(b"{\"n\":4}"), "{}", "no secret");
    let kept: Vec<_> = run
        .spool()
        .into_iter()
        .map(|(_, payload)| payload)
        .collect();
    let order: Vec<Vec<u8>> = (0..5)
        .map(|n| format!("{{\"n\":{n}}}").into_bytes())
        .collect();
    assert_eq!(kept, order, "the names are in the order of delivery");
    let folder = run.dir.join(spool::SPOOL);
    assert_eq!(
        folder.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    let file = folder.join(&run.spool()[0].0);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_server_that_hangs_is_given_up_after_a_second() {
    let run = Run::new();
    let _listener = run.listen();
    // Not accepted: the system connects and takes some bytes, then nothing happens.
    for payload in [vec![b' '; 10], vec![b' '; PAYLOAD_BYTES_MAX]] {
        let start = Instant::now();
        assert_eq!(run.deliver(&payload), "{}");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(900), "{took:?}");
    }
    assert_eq!(run.spool().len(), 2);
}

#[test]
fn a_server_that_drips_is_given_up_after_a_second() {
    let run = Run::new();
    let listener = run.listen();
    let (stop, stopped) = mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let step = Duration::from_millis(50);
        while stopped.recv_timeout(step) == Err(mpsc::RecvTimeoutError::Timeout) {
            if stream.write_all(b"H").is_err() {
                return;
            }
        }
    });
    // The server goes on to drip until it is told to stop.
    assert_eq!(run.deliver(b"{}"), "{}");
    drop(stop);
    server.join().unwrap();
    assert_eq!(run.spool().len(), 1);
}

#[test]
fn the_largest_payload_gets_through() {
    let run = Run::new();
    let requests = run.answering(OK);
    let payload = vec![b'x'; PAYLOAD_BYTES_MAX];
    assert_eq!(run.deliver(&payload), "{\"say\":\"yes\"}");
    assert_eq!(requests.recv().unwrap().body.len(), PAYLOAD_BYTES_MAX);
    assert!(run.spool().is_empty());
    let larger = format!(
        r#"{{"hook_event_name":"Stop","x":"{}"}}"#,
        "y".repeat(PAYLOAD_BYTES_MAX)
    );
    let taken = read(&mut larger.as_bytes()).unwrap();
    assert!(taken.len() < PAYLOAD_BYTES_MAX && taken.starts_with(b"{\"hook_event_name\":\"Stop\""));
}

#[test]
fn the_run_is_found_by_the_link_or_not_at_all() {
    let run = Run::new();
    assert_eq!(
        run_dir(Some(run.dir.join("hook").into())),
        Some(run.dir.clone())
    );
    assert_eq!(run_dir(Some(run.data.path().join("hook").into())), None);
    assert_eq!(run_dir(Some("hook".into())), None);
    for (argv0, is_hook) in [
        ("/x/hook", true),
        ("hook", true),
        ("abbado-hook", true),
        ("/x/abbado", false),
    ] {
        assert_eq!(called_as_hook(OsStr::new(argv0)), is_hook, "{argv0}");
    }
}

/// Answers requests on one connection by `say`, one after the other; gives all that was sent.
fn talking(
    listener: TcpListener,
    say: impl Fn(&str) -> Option<String> + Send + 'static,
) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = String::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            let request = String::from_utf8_lossy(&piece[..count]).into_owned();
            all.push_str(&request);
            let Some(body) = say(&request) else { break };
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
        all
    })
}

fn proof_for(request: &str, key: &str, address: SocketAddr) -> String {
    let nonce = request.split_once("nonce=").unwrap().1;
    let proof = proof(key, &nonce[..64], address);
    format!(r#"{{"proof": "{proof}"}}"#)
}

type Say = Box<dyn Fn(&str) -> Option<String> + Send>;

#[test]
fn whoever_cannot_prove_to_be_the_server_gets_nothing_of_a_hook() {
    const ALLOW: &str = r#"{"decision": "allow"}"#;
    let run = Run::new();
    let key = key(run.data.path()).unwrap();
    let elsewhere: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let answers: [Say; 4] = [
        Box::new(|_| Some(ALLOW.into())),
        Box::new(|_| None),
        // Passed on to the server, which listens at another address.
        Box::new(move |request| Some(proof_for(request, &key, elsewhere))),
        Box::new(move |request| Some(proof_for(request, &"0".repeat(64), elsewhere))),
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        run.server_at(&listener.local_addr().unwrap().to_string());
        let stranger = talking(listener, answer);
        assert_eq!(run.deliver(b"{\"a\":1}"), "{}", "{at}");
        let got = stranger.join().unwrap();
        assert!(got.starts_with("GET /api/proof?nonce="), "{at}: {got}");
        assert!(!got.contains("POST") && !got.contains("Token"), "{got}");
        assert_eq!(run.spool().len(), at + 1);
    }
}

#[test]
fn a_server_that_proves_itself_is_told_whatever_its_socket() {
    let run = Run::new();
    let key = key(run.data.path()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    run.server_at(&address.to_string());
    let server = talking(listener, move |request| {
        Some(match request.starts_with("GET") {
            true => proof_for(request, &key, address),
            false => r#"{"say": "yes"}"#.into(),
        })
    });
    assert_eq!(run.deliver(b"{\"a\":1}"), r#"{"say": "yes"}"#);
    let got = server.join().unwrap();
    assert!(got.ends_with("\r\n\r\n{\"a\":1}"), "{got}");
    assert!(run.spool().is_empty());
}

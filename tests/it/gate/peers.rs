//! Programs of another user of the machine. Needs root, to become that user.

use super::server::{Answer, RUN, Server, TOKEN, hook_secret, message};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The user `nobody` on every Linux.
const NOBODY: u32 = 65534;

/// Opens a connection as another user with nothing but bash. `$2` says whether to wait for an answer.
const CLIENT: &str =
    r#"exec 3<>"/dev/tcp/127.0.0.1/$1" && printf '%s' "$3" >&3; [ "$2" = blind ] || cat <&3"#;

/// Runs the client as another user; nothing when we may not become one.
fn ask_as_nobody(server: &Server, how: &str, request: &str) -> Option<Answer> {
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: this test needs root to become another user; it proved nothing.");
        return None;
    }
    let output = Command::new("bash")
        .args([
            "-c",
            CLIENT,
            "client",
            &server.port().to_string(),
            how,
            request,
        ])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(Answer::parse(&String::from_utf8_lossy(&output.stdout)))
}

#[test]
fn another_user_is_refused_without_a_token() {
    let server = Server::start("", None);
    let right = format!("X-Abbado-Hook-Token: {}", hook_secret());
    let hook = format!("POST /api/runs/{RUN}/hook");
    let json = "Content-Type: application/json";
    let table: [(&str, &[&str], &str, u16); 7] = [
        ("GET /api/runs", &[], "", 403),
        ("GET /", &[], "", 403),
        ("POST /api/runs", &[json], "{}", 403),
        ("GET /api/none", &[], "", 403),
        ("GET /api/health", &[], "", 200),
        (&hook, &[json], "{}", 403),
        (&hook, &[json, &right], "{}", 200),
    ];
    for (first, lines, body, wanted) in table {
        let request = message(first, &server.host_line(), lines, body);
        let Some(answer) = ask_as_nobody(&server, "wait", &request) else {
            return;
        };
        assert_eq!(answer.status, wanted, "{first} {lines:?}: {answer:?}");
    }
}

#[test]
fn a_blind_write_of_another_user_reaches_nothing() {
    let server = Server::start("", None);
    let lines = ["Content-Type: application/json"];
    let request = message("POST /api/runs", &server.host_line(), &lines, "{}");
    for _ in 0..50 {
        if ask_as_nobody(&server, "blind", &request).is_none() {
            return;
        }
    }
    // One more, answered, so that all before it have been dealt with.
    ask_as_nobody(&server, "wait", &request);
    let page = server.lines("GET /api/metrics", &[], "").body;
    let none = "abbado_http_requests_total{class=\"write\",status=\"2xx\"} 0";
    assert!(page.lines().any(|line| line == none), "{page}");
}

#[test]
fn another_user_with_the_token_is_let_in() {
    let server = Server::start("", Some(TOKEN));
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let request = message("GET /api/runs", &server.host_line(), &[&bearer], "");
    let Some(answer) = ask_as_nobody(&server, "wait", &request) else {
        return;
    };
    assert_eq!(answer.status, 200, "{answer:?}");
}

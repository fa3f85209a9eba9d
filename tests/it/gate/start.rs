//! Rule 1, on the program itself: where it listens, and when it does not start.

use super::server::TOKEN;
use crate::support::World;
use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    process::{Command, Output},
};

fn start(world: &World, bind: &str, token: Option<&[u8]>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abbado"));
    command
        .args(["serve", "--bind", bind, "--data-dir"])
        .arg(world.data())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", world.path("home"));
    if let Some(token) = token {
        command.env("ABBADO_TOKEN", OsStr::from_bytes(token));
    }
    // What is refused ends by itself; what wrongly starts is ended by `timeout`.
    let mut limited = Command::new("timeout");
    limited
        .args(["-s", "KILL", "10"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    for (name, value) in command.get_envs() {
        limited.env(name, value.unwrap_or_default());
    }
    limited.output().unwrap()
}

#[track_caller]
fn refused(world: &World, bind: &str, token: Option<&[u8]>) {
    let output = start(world, bind, token);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{bind} {token:?}: {said}");
    assert!(
        output.stdout.is_empty(),
        "nothing was listened on: {output:?}"
    );
    assert!(said.contains("ABBADO_TOKEN"), "it says why: {said}");
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        let token = String::from_utf8_lossy(token).into_owned();
        assert!(!said.contains(&token), "the token stays secret: {said}");
    }
}

#[test]
fn beyond_loopback_it_does_not_start_without_a_long_token() {
    let world = World::new();
    for bind in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        refused(&world, bind, None);
        refused(&world, bind, Some(&TOKEN.as_bytes()[..31]));
    }
    let program = Command::new(env!("CARGO_BIN_EXE_abbado"));
    let server = world.serve_by(program, "0.0.0.0:0", &[("ABBADO_TOKEN", TOKEN)]);
    assert!(server.address.starts_with("0.0.0.0:"));
}

/// `ABBADO_TOKEN=$(cat a-file-that-is-not-there)` must not open the server.
#[test]
fn a_token_that_cannot_be_one_is_not_no_token() {
    let world = World::new();
    for token in [
        &b""[..],
        b"with blank",
        b"\xff\xfe not text",
        "schlüssel".as_bytes(),
    ] {
        refused(&world, "127.0.0.1:0", Some(token));
    }
}

#[test]
fn without_settings_it_listens_on_loopback_only() {
    let world = World::new();
    let server = world.serve();
    let port = server.address.rsplit(':').next().unwrap();
    let port = format!(":{:04X}", port.parse::<u16>().unwrap());
    let listening: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .flat_map(|table| {
            let text = std::fs::read_to_string(table).unwrap_or_default();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
            (state == "0A" && local.ends_with(&port)).then(|| local.to_owned())
        })
        .collect();
    assert_eq!(listening, [format!("0100007F{port}")]);
}

//! How a program is started in its terminal, and what is said when it is not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use abbado::pty::LaunchError;

use super::support::{Run, block_on, within};

/// The kernel's refusals of `execve`, as its caller hears of them.
#[test]
fn a_program_that_cannot_be_executed_says_why() {
    block_on(async {
        let run = Run::new();
        let program = |name: &str, text: &[u8]| {
            let path = run.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let busy = program("busy", &fs::read("/bin/true").unwrap());
        let _writer = fs::OpenOptions::new().append(true).open(&busy).unwrap();
        let long = "x".repeat(200_000);
        let folder = run.path().to_str().unwrap().to_owned();
        for (argv, why) in [
            (
                vec![program("old", b"#!/usr/bin/nodejs-of-old\n1\n")],
                "its interpreter `/usr/bin/nodejs-of-old` does not exist",
            ),
            (
                vec![program("crlf", b"#!/bin/sh\r\necho hi\r\n")],
                "Windows line break (CRLF)",
            ),
            (vec![busy], "text file busy"),
            (
                vec!["/bin/true".to_owned(), long],
                "its arguments and environment are too long",
            ),
            (vec![folder], "it is a directory"),
        ] {
            let mut spec = run.spec(run.next_attempt(), "");
            spec.argv = argv;
            let refused = run.launch_spec(&spec).await.unwrap_err();
            let LaunchError::Spawn(said) = refused else {
                panic!("{refused:?}")
            };
            let name = &spec.argv[0];
            assert!(
                said.starts_with(&format!("`{name}` could not be started: ")),
                "{said}"
            );
            assert!(said.contains(why), "{said}");
        }
        assert!(run.processes().is_empty(), "{:?}", run.processes());
    });
}

#[test]
fn a_terminal_that_nobody_has_open_can_be_opened_again() {
    block_on(async {
        let run = Run::new();
        // The shell itself lets go of it; what comes later is written by its path.
        let script = "echo first; exec </dev/null >/dev/null 2>&1; sleep 0.3; echo again >/dev/tty; sleep 0.3; echo last >/dev/tty; exit 4";
        let mut session = run.launch(script).await;
        let exit = within("the exit", session.wait_exit()).await.unwrap();
        assert_eq!(exit.code, Some(4));
        assert_eq!(run.output(), b"first\r\nagain\r\nlast\r\n");
    });
}

#[test]
fn a_program_gets_signals_as_a_login_gives_them_whatever_the_server_ignored() {
    block_on(async {
        // As nohup and a shell that starts a command in the background leave it.
        let run = Run::after("trap '' HUP INT QUIT TSTP");
        let script = "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status; tty; ps -o sid= -o pid= -p $$";
        let mut session = run.launch(script).await;
        within("the exit", session.wait_exit()).await.unwrap();
        let said = String::from_utf8(run.output()).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        // All but the two that the C library keeps for itself.
        for line in &lines[..2] {
            let set = u64::from_str_radix(line.split_once('\t').unwrap().1, 16).unwrap();
            assert_eq!(set & 0x7fff_ffff, 0, "{said}");
        }
        assert!(lines[3].starts_with("/dev/pts/"), "{said}");
        let ids: Vec<&str> = lines[4].split_whitespace().collect();
        assert_eq!(ids[0], ids[1], "the leader of its session: {said}");
    });
}

use super::*;
use std::{fs, path::PathBuf};

fn shell(script: &str) -> Program<'static> {
    let folder = PathBuf::from("/");
    Program::new("git test", &folder).in_folder(&folder).args([
        "-c",
        &format!("alias.script=!{script}"),
        "script",
    ])
}

#[test]
fn a_program_over_its_time_ends() {
    let outcome = shell("sleep 60").limit(Duration::from_millis(100)).run();
    assert!(
        matches!(outcome, Err(GitError::TimedOut { .. })),
        "{outcome:?}"
    );
}

#[test]
fn a_cancelled_program_ends_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let (held, ready) = (folder.path().join("held"), folder.path().join("ready"));
    nix::unistd::mkfifo(&held, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let fifo = held.clone();
    // Ends when the last of them is gone that hold the other side.
    let reader = thread::spawn(move || fs::read(fifo).unwrap());
    let (held, started) = (held.display(), ready.display());
    let script = format!("exec 9>{held}; sleep 60 & touch {started}; sleep 60");
    let outcome = shell(&script).unless(&|| ready.exists()).run();
    assert!(matches!(outcome, Err(GitError::Cancelled)), "{outcome:?}");
    assert!(reader.join().unwrap().is_empty());
}

#[test]
fn output_and_input_do_not_block_each_other() {
    let bytes = vec![b'x'; 3 * 1024 * 1024];
    let outcome = shell("yes error | head -c 1000000 >&2; cat")
        .input(bytes.clone())
        .run();
    assert!(outcome.unwrap() == bytes);
}

#[test]
fn a_failure_shows_the_first_lines_without_credentials() {
    let said = "echo hint; echo fatal: no https://me:secret@host/x >&2; exit 3";
    let error = shell(said).run().unwrap_err();
    assert_eq!(
        error.to_string(),
        "git test failed: fatal: no https://host/x"
    );
    assert_eq!(without_userinfo("a b://c@d/e@f g://h"), "a b://d/e@f g://h");
    let error = shell("exit 3").run().unwrap_err();
    assert!(error.to_string().contains("status: 3"), "{error}");
}

#[test]
fn the_output_kept_is_bounded() {
    let received = drain(&[7_u8; 50_000][..]).unwrap();
    let captured = received.recv().unwrap();
    assert_eq!(captured.len(), STDERR_BYTES_MAX);
}

use super::*;
use std::{fs, path::PathBuf, thread};

fn shell(script: &str) -> Command<'static> {
    let folder = PathBuf::from("/");
    Command::new("test", &folder)
        .in_folder(&folder)
        .config(format!("alias.test=!{script}"))
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
fn a_failure_shows_what_was_said_without_credentials() {
    let said = "echo ignored; echo hint >&2; echo fatal: no https://me:secret@host/x >&2; exit 3";
    let error = shell(said).run().unwrap_err();
    assert_eq!(
        error.to_string(),
        "git test failed: hint\nfatal: no https://host/x"
    );
    let error = shell("exit 3").run().unwrap_err();
    assert!(error.to_string().contains("status: 3"), "{error}");
}

#[test]
fn what_a_program_leaves_running_is_not_waited_for_and_lives() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    // Keeps both pipes open, and says something after git has ended.
    let script = format!(
        "sleep 3600 & echo $! > {}; echo done; exit 0",
        pid.display()
    );
    assert_eq!(shell(&script).run().unwrap(), b"done\n");
    // It lives still: nobody waited for it.
    let pid: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn what_was_said_before_an_end_is_told_though_others_keep_the_pipe() {
    let script = "for n in 1 2 3; do echo fatal: reason $n >&2; done; yes >&2 & kill -9 $PPID; sleep 0.2; \
                  kill $!";
    let error = shell(script).run().unwrap_err().to_string();
    assert!(
        error.contains("reason 3"),
        "{}",
        &error[..200.min(error.len())]
    );
}

#[test]
fn nobody_is_asked_on_a_terminal() {
    let said =
        shell("(: </dev/tty) 2>/dev/null && echo asked; ps -o sid= -p $PPID; echo $PPID").run();
    let said = String::from_utf8(said.unwrap()).unwrap();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(words.len() == 2 && words[0] == words[1], "{said}");
}

#[test]
fn hooks_have_the_users_language_and_our_own_reading_english() {
    let locale = |program: Command<'static>| {
        let env = program.env("LANG", "de_DE.UTF-8");
        let folder = PathBuf::from("/");
        let said = env
            .in_folder(&folder)
            .config("alias.test=!echo $LC_ALL/$LANG")
            .run();
        String::from_utf8(said.unwrap()).unwrap()
    };
    let folder = PathBuf::from("/");
    let hooked = Command::with_hooks("test", &folder).env("LC_ALL", "");
    assert_eq!(locale(hooked), "/de_DE.UTF-8\n");
    assert_eq!(locale(Command::new("test", &folder)), "C/de_DE.UTF-8\n");
}

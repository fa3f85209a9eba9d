//! Holders as the server meets them: real processes in real terminals.

use std::time::Duration;

use abbado::pty::emulator::Emulator;
use abbado::pty::output_log::{extent, read_at};
use abbado::pty::process_tree::end_leftovers;
use abbado::pty::protocol::{Size, SnapshotPiece};
use abbado::pty::{HolderHandle, LaunchError, Probe, ToViewer, attach, last_screen};
use bytes::Bytes;

mod program;
mod support;
mod tree;
mod viewers;

use support::{Run, block_on, until, within};

#[test]
fn a_program_runs_to_its_end_and_its_holder_goes_after_the_acknowledgement() {
    block_on(async {
        let run = Run::new();
        let mut session = run.launch("printf 'hello %s' \"$GREETED\"; exit 3").await;
        let hello = session.hello().clone();
        assert_eq!((hello.attempt, hello.cols, hello.rows), (1, 80, 24));
        let exit = within("the exit", session.wait_exit()).await.unwrap();
        assert_eq!((exit.attempt, exit.pid, exit.code), (1, hello.pid, Some(3)));
        assert_eq!(exit.signal, None);
        let written = std::fs::read(run.path().join("exit.json")).unwrap();
        assert_eq!(
            serde_json::from_slice::<abbado::pty::ExitReport>(&written).unwrap(),
            exit
        );
        assert_eq!(run.output(), b"hello world");
        let screen = last_screen(run.path()).unwrap().unwrap();
        assert_eq!((screen.cols, screen.rows, &screen.exit), (80, 24, &exit));
        assert_eq!(run.shown(&screen.bytes), run.shown(b"hello world"));
        let holder = run.holder_pid();
        session.handle().ack_exit().await.unwrap();
        until("the holder is gone and waited for", || {
            !support::exists(holder)
        })
        .await;
        assert!(!run.path().join("holder.sock").exists());
        assert!(matches!(run.probe().await, Probe::Exited(it) if it == exit));
    });
}

#[test]
fn an_attempt_is_launched_once_and_never_beside_another() {
    block_on(async {
        let run = Run::new();
        let mut session = run.launch("echo up; read line; exit 0").await;
        let busy = run.try_launch(2, "true").await.unwrap_err();
        assert!(matches!(busy, LaunchError::Busy), "{busy:?}");
        session
            .handle()
            .input(Bytes::from_static(b"\r"))
            .await
            .unwrap();
        within("the exit", session.wait_exit()).await.unwrap();
        session.handle().ack_exit().await.unwrap();
        until("the lock is free", || !run.is_locked()).await;
        let refused = run.try_launch(1, "true").await.unwrap_err();
        assert!(
            matches!(
                refused,
                LaunchError::Refused {
                    recorded_attempt: 1
                }
            ),
            "{refused:?}"
        );
        assert!(matches!(run.probe().await, Probe::Exited(exit) if exit.attempt == 1));
        let before = extent(run.path()).unwrap().unwrap().end;
        let mut second = run.try_launch(2, "echo again; exit 4").await.unwrap();
        assert!(second.hello().offset >= before);
        let exit = within("the second exit", second.wait_exit()).await.unwrap();
        assert_eq!((exit.attempt, exit.code), (2, Some(4)));
        assert!(run.output().ends_with(b"again\r\n"), "the log goes on");
    });
}

#[test]
fn a_program_that_is_missing_is_named() {
    block_on(async {
        let run = Run::new();
        for program in ["no-such-cli", "./no-such-cli", "/etc/passwd"] {
            let mut spec = run.spec(run.next_attempt(), "");
            spec.argv = vec![program.to_owned(), "x".to_owned()];
            match run.launch_spec(&spec).await {
                Err(LaunchError::Spawn(sentence)) => {
                    assert!(sentence.contains(program), "{sentence}");
                }
                other => panic!("{program}: {other:?}"),
            }
        }
        let mut spec = run.spec(run.next_attempt(), "");
        spec.cwd = "/no/such/folder".into();
        let missing = run.launch_spec(&spec).await.unwrap_err().to_string();
        assert!(missing.contains("/no/such/folder"), "{missing}");
        let gone = run.probe().await;
        assert!(
            matches!(
                gone,
                Probe::Gone {
                    recorded_attempt: Some(4)
                }
            ),
            "{gone:?}"
        );
        assert!(!run.path().join("holder.sock").exists());
    });
}

#[test]
fn a_run_goes_on_without_a_server_and_is_found_again() {
    block_on(async {
        let run = Run::new();
        assert!(matches!(
            run.probe().await,
            Probe::Gone {
                recorded_attempt: None
            }
        ));
        let session = run
            .launch("echo one; read line; echo two; read line; exit 5")
            .await;
        let pid = session.hello().pid;
        run.wait_output("one").await;
        drop(session);
        let Probe::Live(session) = run.probe().await else {
            panic!("not live")
        };
        assert_eq!(session.hello().pid, pid);
        assert_eq!(session.hello().exit, None);
        session
            .handle()
            .input(Bytes::from_static(b"\r"))
            .await
            .unwrap();
        run.wait_output("two").await;
        session
            .handle()
            .input(Bytes::from_static(b"\r"))
            .await
            .unwrap();
        drop(session);
        until("the exit is on disk", || {
            run.path().join("exit.json").exists()
        })
        .await;
        // Nobody acknowledged: the holder stays and tells the next server.
        let Probe::Live(mut session) = run.probe().await else {
            panic!("not live")
        };
        let exit = within("the exit", session.wait_exit()).await.unwrap();
        assert_eq!((exit.pid, exit.code), (pid, Some(5)));
        let viewer = within("a late viewer", attach(run.path(), run.id()))
            .await
            .unwrap();
        let (mut reader, _writer) = viewer.split();
        let first = within("the screen", reader.next()).await.unwrap().unwrap();
        assert!(
            matches!(&first, ToViewer::Snapshot(piece) if !piece.resync),
            "{first:?}"
        );
        let second = within("the exit", reader.next()).await.unwrap();
        assert_eq!(second, Some(ToViewer::Exit(exit)));
        session.handle().ack_exit().await.unwrap();
        assert_eq!(within("the end", reader.next()).await.unwrap(), None);
    });
}

#[test]
fn an_ended_holder_goes_with_its_folder() {
    block_on(async {
        let run = Run::new();
        drop(run.launch("exit 3").await);
        let holder = run.holder_pid();
        let exit = run.path().join("exit.json");
        until("the exit is on disk", || exit.exists()).await;
        // It waits for a server that hears of the exit, longer than it waits between two looks.
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(support::exists(holder));
        std::fs::remove_dir_all(run.path()).unwrap();
        until("the holder is gone", || !support::exists(holder)).await;
    });
}

#[test]
fn an_ephemeral_terminal_ends_with_its_server() {
    block_on(async {
        let run = Run::new();
        let mut spec = run.spec(1, "sleep 1000 & echo up; wait");
        spec.ephemeral = true;
        let session = run.launch_spec(&spec).await.unwrap();
        run.wait_output("up").await;
        let holder = run.holder_pid();
        drop(session);
        until("the holder is gone", || !support::exists(holder)).await;
        assert!(run.processes().is_empty(), "{:?}", run.processes());
        assert!(!run.is_locked());
    });
}

#[test]
fn a_killed_holder_is_noticed_and_what_it_left_is_ended() {
    block_on(async {
        let run = Run::new();
        let script = "trap '' HUP TERM; echo up; while :; do sleep 0.05; done";
        let mut session = run.launch(script).await;
        run.wait_output("up").await;
        let cli = session.hello().pid;
        support::kill(run.holder_pid());
        within("the end of the session", session.wait_exit())
            .await
            .unwrap_err();
        let gone = run.probe().await;
        assert!(
            matches!(
                gone,
                Probe::Gone {
                    recorded_attempt: Some(1)
                }
            ),
            "{gone:?}"
        );
        assert!(support::exists(cli), "it ignores SIGHUP");
        let id = run.id();
        let ended = tokio::task::spawn_blocking(move || end_leftovers(id))
            .await
            .unwrap()
            .unwrap();
        assert!(ended >= 1);
        assert!(run.processes().is_empty(), "{:?}", run.processes());
    });
}

#[test]
fn resize_reaches_the_program_and_the_viewers() {
    block_on(async {
        let run = Run::new();
        let session = run
            .launch("trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done")
            .await;
        run.wait_output("up").await;
        let viewer = attach(run.path(), run.id()).await.unwrap();
        let (mut reader, writer) = viewer.split();
        let first = within("the first screen", reader.next())
            .await
            .unwrap()
            .unwrap();
        assert!(matches!(
            first,
            ToViewer::Snapshot(SnapshotPiece {
                size: Size { cols: 80, rows: 24 },
                ..
            })
        ));
        session.handle().resize(77, 33).await.unwrap();
        run.wait_output("33 77").await;
        writer.resize(50, 20).await.unwrap();
        run.wait_output("20 50").await;
        let mut sizes = Vec::new();
        while sizes.len() < 2 {
            match within("two more sizes", reader.next())
                .await
                .unwrap()
                .unwrap()
            {
                ToViewer::Snapshot(SnapshotPiece { size, .. }) | ToViewer::Resized(size) => {
                    sizes.push((size.cols, size.rows));
                }
                ToViewer::Output { .. } | ToViewer::Exit(_) => {}
            }
        }
        assert_eq!(sizes, [(77, 33), (50, 20)]);
        let late = attach(run.path(), run.id()).await.unwrap();
        assert_eq!((late.hello().cols, late.hello().rows), (50, 20));
        end(&session.handle()).await;
    });
}

#[test]
fn a_message_is_typed_as_the_program_wants_it() {
    block_on(async {
        for (mode, text, typed) in [
            ("h", "two\nlines", "\u{1b}[200~two\nlines\u{1b}[201~\r"),
            ("l", "one line", "one line\r"),
        ] {
            let run = Run::new();
            let count = typed.len();
            let script = format!(
                "stty raw -echo; printf '\\033[?2004{mode}up'; dd bs=1 count={count} 2>/dev/null | od -An -v -tx1 | tr -d ' \\n'; echo done"
            );
            let mut session = run.launch(&script).await;
            run.wait_output("up").await;
            session.handle().paste(text).await.unwrap();
            within("the exit", session.wait_exit()).await.unwrap();
            let hex: String = typed.bytes().map(|byte| format!("{byte:02x}")).collect();
            let output = String::from_utf8(run.output()).unwrap();
            assert!(
                output.contains(&format!("{hex}done")),
                "{output:?} has no {hex}"
            );
        }
    });
}

#[test]
fn a_program_that_reads_nothing_holds_up_nothing_but_its_input() {
    block_on(async {
        let run = Run::new();
        let script =
            "stty raw -echo; trap 'echo resized' WINCH; echo up; while :; do sleep 0.05; done";
        let mut session = run.launch(script).await;
        run.wait_output("up").await;
        let megabytes = Bytes::from(vec![b'x'; 8 * 1024 * 1024]);
        within("the input is taken", session.handle().input(megabytes))
            .await
            .unwrap();
        session.handle().resize(90, 30).await.unwrap();
        run.wait_output("resized").await;
        let viewer = within("a viewer", attach(run.path(), run.id()))
            .await
            .unwrap();
        let (mut reader, _writer) = viewer.split();
        within("its screen", reader.next()).await.unwrap().unwrap();
        end(&session.handle()).await;
        within("the exit", session.wait_exit()).await.unwrap();
    });
}

#[test]
fn the_output_log_stays_bounded_and_its_offsets_absolute() {
    block_on(async {
        let bound = 1_000_000;
        let run = Run::with_log_bound(bound);
        let mut session = run.launch("stty -opost; seq 1 1000000").await;
        within("the exit", session.wait_exit()).await.unwrap();
        let truth: Vec<u8> = (1..=1_000_000)
            .flat_map(|n| format!("{n}\n").into_bytes())
            .collect();
        let kept = extent(run.path()).unwrap().unwrap();
        assert_eq!(kept.end, truth.len() as u64);
        assert!(kept.end - kept.base <= bound, "{kept:?}");
        let bytes = read_at(run.path(), kept.base, truth.len()).unwrap();
        assert!(
            bytes == truth[kept.base as usize..],
            "what is kept is not what was written"
        );
        let blocks = std::os::unix::fs::MetadataExt::blocks(
            &std::fs::metadata(run.path().join("output.log")).unwrap(),
        );
        assert!(
            blocks * 512 < 2 * bound,
            "{} bytes are on disk",
            blocks * 512
        );
    });
}

#[test]
fn a_broken_frame_closes_its_own_connection_only() {
    use std::io::{Read, Write};
    block_on(async {
        let run = Run::new();
        let mut session = run.launch("echo up; read line; exit 6").await;
        run.wait_output("up").await;
        for noise in [
            &b"\xff\xff\xff\xff\x10"[..],
            b"\x02\x00\x00\x00\x10no",
            b"\x00\x00\x00\x00\x63",
        ] {
            let mut raw =
                std::os::unix::net::UnixStream::connect(run.path().join("holder.sock")).unwrap();
            raw.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
            raw.write_all(noise).unwrap();
            let mut hello = Vec::new();
            // The end of the stream, also as a reset: a holder that closes may throw away what it
            // had said. Only a connection that stays open would run into the time limit.
            if let Err(error) = raw.read_to_end(&mut hello) {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
            }
        }
        session
            .handle()
            .input(Bytes::from_static(b"\r"))
            .await
            .unwrap();
        assert_eq!(
            within("the exit", session.wait_exit()).await.unwrap().code,
            Some(6)
        );
    });
}

#[test]
fn a_run_folder_with_a_long_path_works_too() {
    block_on(async {
        let run = Run::in_deep_folder();
        let mut session = run.launch("exit 0").await;
        within("the exit", session.wait_exit()).await.unwrap();
        assert!(!run.path().join("holder.sock").exists());
        assert!(matches!(run.probe().await, Probe::Live(_)));
        session.handle().ack_exit().await.unwrap();
        until("the lock is free", || !run.is_locked()).await;
    });
}

async fn end(handle: &HolderHandle) {
    handle.stop(Duration::ZERO).await.unwrap();
}

#[test]
fn a_program_is_answered_without_a_viewer_and_without_delay() {
    block_on(async {
        // The screen follows after an hour when nobody asks.
        let run = Run::after("export ABBADO_WAITS=holder.screen=3600000");
        // Ten questions one after the other, each at another place.
        let script = r#"
            stty raw -echo
            for row in 1 2 3 4 5 6 7 8 9 10; do
                printf '\033[%s;7H\033[6n' $row
                heard=$(dd bs=1 count=$([ $row = 10 ] && echo 7 || echo 6) 2>/dev/null)
                [ "$heard" = "$(printf '\033[%s;7R' $row)" ] || printf 'wrong %s' "$row"
            done
            printf 'all heard'
            sleep 60"#;
        let _session = run.launch(script).await;
        run.wait_output("all heard").await;
        let output = String::from_utf8_lossy(&run.output()).into_owned();
        assert!(!output.contains("wrong"), "{output:?}");
    });
}

/// A terminal that shows these bytes, written out.
fn screen_of(size: Size, pieces: &[&[u8]]) -> Vec<u8> {
    let mut emulator = Emulator::new(size);
    for piece in pieces {
        emulator.process(piece);
    }
    emulator.snapshot()
}

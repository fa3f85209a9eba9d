//! Many viewers of one flood.

use abbado::pty::protocol::SnapshotPiece;
use abbado::pty::{ToViewer, Viewer, ViewerReader, attach};
use bytes::Bytes;

use super::screen_of;
use super::support::{Run, SIZE, block_on, within};

/// A viewer's account: what it was shown first, all output after, and how often it was resynced.
#[derive(Default)]
struct Seen {
    begin: u64,
    snapshot: Vec<u8>,
    output: Vec<u8>,
    resyncs: usize,
}

/// Reads to the exit and checks that offsets leave no gap and repeat nothing.
async fn read_all(mut reader: ViewerReader) -> Seen {
    let mut seen = Seen::default();
    let mut next = None;
    let mut in_snapshot = false;
    loop {
        match within("more", reader.next())
            .await
            .unwrap()
            .expect("an exit comes first")
        {
            ToViewer::Snapshot(SnapshotPiece {
                offset,
                bytes,
                resync,
                size,
                more,
            }) => {
                assert_eq!(size, SIZE);
                let begun = std::mem::replace(&mut in_snapshot, more);
                if begun {
                    assert_eq!(offset, seen.begin, "a piece of another snapshot");
                    seen.snapshot.extend_from_slice(&bytes);
                    continue;
                }
                assert_eq!(
                    resync,
                    next.is_some(),
                    "only the first snapshot is no resync"
                );
                assert!(
                    next.is_none_or(|next| offset > next),
                    "a resync never goes back"
                );
                seen.resyncs += usize::from(resync);
                seen.begin = offset;
                seen.snapshot = bytes.to_vec();
                seen.output.clear();
                next = Some(offset);
            }
            ToViewer::Output { offset, bytes } => {
                assert_eq!(Some(offset), next, "a gap or a repetition");
                next = Some(offset + bytes.len() as u64);
                seen.output.extend_from_slice(&bytes);
            }
            ToViewer::Resized(_) => panic!("nobody resized"),
            ToViewer::Exit(_) => return seen,
        }
    }
}

fn assert_true(run: &Run, seen: &Seen, truth: &[u8]) {
    assert!(
        seen.output == truth[seen.begin as usize..],
        "the output is not what was written"
    );
    let mine = screen_of(SIZE, &[&seen.snapshot, &seen.output]);
    assert!(mine == run.shown(truth), "the screen is not the program's");
}

async fn viewer(run: &Run) -> Viewer {
    within("a viewer", attach(run.path(), run.id()))
        .await
        .unwrap()
}

/// 20 MB, coloured, in numbered lines.
const FLOOD: &str = "echo up; read line; \
                     seq -f '%012.0f abcdefghijklmnopqrstuvwxyz' 1 500000 | sed 's/1 /1\x1b[1;3;4m \x1b[m/'; exit 0";

fn flooded() -> Vec<u8> {
    let mut truth = b"up\r\n\r\n".to_vec();
    truth.extend((1..=500_000).flat_map(|n| {
        let line = format!("{n:012} abcdefghijklmnopqrstuvwxyz\r\n");
        line.replacen("1 ", "1\u{1b}[1;3;4m \u{1b}[m", 1)
            .into_bytes()
    }));
    truth
}

#[test]
fn a_viewer_that_does_not_read_takes_nothing_from_the_others() {
    block_on(async {
        let run = Run::new();
        let mut session = run.launch(FLOOD).await;
        run.wait_output("up").await;
        let mut readers = Vec::new();
        let mut writers = Vec::new();
        for _ in 0..5 {
            let (reader, writer) = viewer(&run).await.split();
            readers.push(reader);
            writers.push(writer);
        }
        let lazy = readers.pop().unwrap();
        writers[0].input(Bytes::from_static(b"\r")).await.unwrap();
        let tasks: Vec<_> = readers
            .into_iter()
            .map(|it| actix::spawn(read_all(it)))
            .collect();
        let mut seen = Vec::new();
        for task in tasks {
            seen.push(within("a reader", task).await.unwrap());
        }
        within("the exit", session.wait_exit()).await.unwrap();
        let truth = run.output();
        assert!(truth.len() > 20_000_000);
        let wanted = flooded();
        let odd = truth.iter().zip(&wanted).position(|(a, b)| a != b);
        let from = odd.unwrap_or(0).saturating_sub(60);
        let near =
            String::from_utf8_lossy(&truth[from..(from + 240).min(truth.len())]).into_owned();
        let end = String::from_utf8_lossy(&truth[truth.len() - 200..]).into_owned();
        assert_eq!(
            (truth.len(), odd),
            (wanted.len(), None),
            "{near:?} … {end:?}"
        );
        for seen in &seen {
            assert_true(&run, seen, &truth);
        }
        let late = read_all(lazy).await;
        assert_eq!(
            late.resyncs, 1,
            "whoever does not is shown the screen instead"
        );
        assert!(late.output.len() < 2_000_000);
        assert_true(&run, &late, &truth);
    });
}

#[test]
fn a_viewer_may_come_in_the_middle_of_a_flood() {
    block_on(async {
        let run = Run::new();
        let session = run.launch(FLOOD).await;
        run.wait_output("up").await;
        session
            .handle()
            .input(Bytes::from_static(b"\r"))
            .await
            .unwrap();
        let mut tasks = Vec::new();
        let mut writers = Vec::new();
        for step in 1..=6 {
            let wanted = step * 2_000_000;
            super::until("more of the flood", || {
                run.path().join("output.log").metadata().unwrap().len() >= wanted
            })
            .await;
            let (reader, writer) = viewer(&run).await.split();
            // A viewer that closes its side is gone.
            writers.push(writer);
            tasks.push(actix::spawn(read_all(reader)));
        }
        let mut begins = Vec::new();
        let mut seen = Vec::new();
        for task in tasks {
            seen.push(within("a reader", task).await.unwrap());
        }
        let truth = run.output();
        for seen in &seen {
            assert_true(&run, seen, &truth);
            begins.push(seen.begin);
        }
        assert!(begins.iter().any(|begin| *begin > 0), "{begins:?}");
    });
}

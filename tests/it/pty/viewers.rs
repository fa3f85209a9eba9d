//! Many viewers of one flood.

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
    loop {
        match within("more", reader.next())
            .await
            .unwrap()
            .expect("an exit comes first")
        {
            ToViewer::Snapshot {
                offset,
                bytes,
                resync,
                cols,
                rows,
            } => {
                assert_eq!((cols, rows), (SIZE.cols, SIZE.rows));
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
            ToViewer::Resized { .. } => panic!("nobody resized"),
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
const FLOOD: &str = "stty -opost; echo up; read line; \
                     seq -f '%012.0f abcdefghijklmnopqrstuvwxyz' 1 500000 | sed 's/1 /1\x1b[1;3;4m \x1b[m/'; exit 0";

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

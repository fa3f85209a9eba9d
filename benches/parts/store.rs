//! The log: appending to it, reading it again, and the bytes that its readers get.

use abbado::{
    domain::{
        RunId, Secrets,
        run::{Event, Run, callers::Callers, event::HookReceived},
    },
    runtime::{
        stream::broadcaster::write_frame,
        stream::replay::{Next, PAGE_LEN, Replay},
    },
    store::{Append, Location, Reader, RunRow, Writer, encode, open},
};
use criterion::{BenchmarkId, Criterion, Throughput};
use rusqlite::{Connection, OpenFlags};
use std::{
    fs, iter,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Events that are read again.
const REPLAYED: usize = 20_000;

/// A store whose batches nobody wants.
struct Store {
    folder: TempDir,
    writer: Writer,
    reader: Reader,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (batches, mut committed) = tokio::sync::mpsc::channel(64);
        let (writer, reader) = open(&Location::of(folder.path()), batches).unwrap();
        std::thread::spawn(move || while committed.blocking_recv().is_some() {});
        Self {
            folder,
            writer,
            reader,
        }
    }

    /// Appends, and waits for the commit.
    async fn append(&self, append: Append) {
        let commit = self.writer.append_waiting(append).await;
        commit.outcome().await.unwrap();
    }
}

/// What waits for commits; the writer has a thread of its own.
fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().unwrap()
}

/// A run that is written to.
struct Writing(Run);

impl Writing {
    /// A run whose creation is stored.
    async fn new(store: &Store) -> Self {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/schema/events/run.created.v1.json"
        );
        let sample: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let event = Event::decode("run.created", &sample["payload"].to_string()).unwrap();
        let Event::RunCreated(created) = &event else {
            unreachable!("the sample of run.created")
        };
        let run = Run::create(RunId(uuid::Uuid::now_v7()), created, chrono::Utc::now());
        let mut writing = Self(run);
        let mut append = writing.next(0);
        append.expected_sequence = 0;
        append.events = vec![encode(event).unwrap().1];
        store.append(append).await;
        writing
    }

    /// The append of so many hooks of 1 KiB more.
    fn next(&mut self, count: usize) -> Append {
        let at = chrono::Utc::now();
        let expected_sequence = self.0.last_sequence;
        let hook = || {
            let command = "x".repeat(900);
            let payload = serde_json::json!({"hook_event_name": "Note", "command": command});
            let hook_event_name = "Note".to_owned();
            encode(
                HookReceived {
                    hook_event_name,
                    signal: None,
                    payload,
                    turn_id: None,
                    ignored: false,
                    nested: false,
                    callers: Callers::default(),
                }
                .into(),
            )
        };
        let mut events = Vec::new();
        for (event, payload) in iter::repeat_with(hook).take(count).map(Result::unwrap) {
            self.0.apply(&event, at);
            events.push(payload);
        }
        let row = Some(RunRow::of(&self.0));
        let (run_id, secrets) = (self.0.id, Secrets::default());
        let (delivery, idempotent) = (None, None);
        Append {
            run_id,
            expected_sequence,
            events,
            at,
            row,
            delivery,
            idempotent,
            secrets,
            stored: None,
        }
    }
}

/// Limit: the same rows by one writer, one a commit, synchronous=FULL. Many writers share commits
/// and are promised more (see benches/system); one writer is beside it.
pub fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    let store = Store::new();
    let runtime = runtime();
    for writers in [1u32, 16, 128] {
        group.throughput(Throughput::Elements(writers.into()));
        let mut runs: Vec<Writing> = (0..writers)
            .map(|_| runtime.block_on(Writing::new(&store)))
            .collect();
        group.bench_function(BenchmarkId::new("writers", writers), |bencher| {
            bencher.iter_custom(|each| {
                let begun = Instant::now();
                let one = async |run: &mut Writing| {
                    for _ in 0..each {
                        store.append(run.next(1)).await;
                    }
                };
                let all = runs.iter_mut().map(one);
                runtime.block_on(futures_util::future::join_all(all));
                begun.elapsed()
            });
        });
    }
    let limit = Connection::open(store.folder.path().join("limit.db")).unwrap();
    limit.pragma_update(None, "journal_mode", "WAL").unwrap();
    limit.pragma_update(None, "synchronous", "FULL").unwrap();
    limit
        .execute_batch("CREATE TABLE events (id INTEGER PRIMARY KEY, payload TEXT)")
        .unwrap();
    let payload = "x".repeat(1024);
    group.throughput(Throughput::Elements(1));
    group.bench_function("limit: one row a commit", |bencher| {
        let mut insert = limit
            .prepare("INSERT INTO events (payload) VALUES (?1)")
            .unwrap();
        bencher.iter(|| insert.execute([&payload]).unwrap());
    });
}

/// Limit: reading the same rows from SQLite in id order.
pub fn replay(criterion: &mut Criterion) {
    let store = Store::new();
    let runtime = runtime();
    runtime.block_on(async {
        let mut run = Writing::new(&store).await;
        for _ in 0..REPLAYED / 100 {
            store.append(run.next(100)).await;
        }
    });
    let mut group = criterion.benchmark_group("replay");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(REPLAYED as u64));
    group.bench_function("pages of frames", |bencher| {
        bencher.iter(|| {
            let (mut place, mut bytes, mut next) = (Replay::new(None, 0, PAGE_LEN), 0, Next::Page);
            while next == Next::Page {
                let page = place.read(&store.reader).unwrap();
                let (frames, then) = place.take(page);
                (bytes, next) = (bytes + frames.len(), then);
            }
            assert!(bytes > REPLAYED * 1024);
            bytes
        });
    });
    let path = Location::of(store.folder.path());
    let limit = Connection::open_with_flags(path.path(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    group.bench_function("limit: rows in id order", |bencher| {
        let mut query = limit
            .prepare("SELECT id, run_id, sequence, event_type, payload, created_at FROM events ORDER BY id")
            .unwrap();
        bencher.iter(|| {
            let mut rows = query.query([]).unwrap();
            let mut bytes = 0;
            while let Some(row) = rows.next().unwrap() {
                bytes += row.get_ref(4).unwrap().as_str().unwrap().len();
            }
            bytes
        });
    });
}

/// Limit: a copy of the same bytes.
pub fn frames(criterion: &mut Criterion) {
    let store = Store::new();
    let runtime = runtime();
    runtime.block_on(async {
        store.append(Writing::new(&store).await.next(1)).await;
    });
    let events = store.reader.events_after(None, 1, 1).unwrap();
    let frame = || {
        let mut bytes = String::new();
        write_frame(&mut bytes, &events[0].row());
        bytes
    };
    let bytes = frame();
    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encoding, 1 KiB", |bencher| bencher.iter(frame));
    group.bench_function("limit: a copy", |bencher| bencher.iter(|| bytes.clone()));
}

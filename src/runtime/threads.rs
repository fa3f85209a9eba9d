//! Threads for work that blocks: git, files, reads of the store.
//!
//! Tokio's pool gives work to the thread that has been idle for longest, so that there stay as many
//! threads as ever worked at once, and each of them spreads what the allocator keeps. Here the one
//! that came back last goes first, and whoever is not needed for a while ends (decision 20). There
//! is no bound of its own: an actor has one job at a time, and reads have permits ([`super::reads`]).

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};
use tokio::sync::oneshot;

/// An idle thread stays for so long.
const KEPT: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// Why a job has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It panicked.
    #[error("the job panicked: {0}")]
    Panicked(String),
    /// The system gives no more threads, or the server ends.
    #[error("no thread ran the job")]
    NotDone,
    /// It continues, and nobody waits for it any more.
    #[error("the job took too long")]
    TooLong,
}

/// For jobs whose failures are only written to the log or the run.
impl From<Failed> for String {
    fn from(error: Failed) -> Self {
        error.to_string()
    }
}

/// Runs a job on a thread where it may block. It begins at once, and continues when nobody waits for
/// it any more.
///
/// # Errors
/// See [`Failed`].
pub fn run<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Result<T, Failed>> + Send + 'static {
    let (sender, outcome) = oneshot::channel();
    let work = move || {
        let done = catch_unwind(AssertUnwindSafe(job));
        // Whoever went away does not need to know.
        drop(sender.send(done.map_err(|panic| Failed::Panicked(message(&*panic)))));
    };
    POOL.give(Box::new(work));
    async { outcome.await.unwrap_or(Err(Failed::NotDone)) }
}

/// The same for a job that may hang, such as a read from a mount whose server is gone: after the limit it is
/// given up, which costs its thread for as long as it hangs.
///
/// # Errors
/// See [`Failed`].
pub async fn run_within<T: Send + 'static>(
    limit: Duration,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failed> {
    let given_up = Arc::new(GivenUp::default());
    let here = Arc::clone(&given_up);
    let done = run(move || {
        let _ended = here.until_end();
        job()
    });
    let outcome = tokio::time::timeout(limit, done).await;
    outcome.unwrap_or_else(|_| {
        given_up.give_up();
        Err(Failed::TooLong)
    })
}

/// What became of a job that may hang. Read and written under the lock of the pool.
#[derive(Default)]
struct GivenUp {
    hangs: AtomicBool,
    ended: AtomicBool,
}

impl GivenUp {
    fn give_up(&self) {
        let mut state = POOL.state();
        if !self.ended.load(Ordering::Relaxed) {
            self.hangs.store(true, Ordering::Relaxed);
            state.given_up += 1;
            POOL.quiet.notify_all();
        }
    }

    fn until_end(self: Arc<Self>) -> impl Drop {
        struct End(Arc<GivenUp>);
        impl Drop for End {
            fn drop(&mut self) {
                let mut state = POOL.state();
                self.0.ended.store(true, Ordering::Relaxed);
                if self.0.hangs.load(Ordering::Relaxed) {
                    state.given_up -= 1;
                }
            }
        }
        End(self)
    }
}

/// Waits for the end of all jobs but those that were given up, before the process ends.
pub fn finish() {
    let mut state = POOL.state();
    while state.busy > state.given_up {
        state = POOL
            .quiet
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

static POOL: Pool = Pool {
    state: Mutex::new(State {
        idle: Vec::new(),
        busy: 0,
        given_up: 0,
        started: 0,
    }),
    quiet: Condvar::new(),
};

struct Pool {
    state: Mutex<State>,
    quiet: Condvar,
}

struct State {
    /// The one that came back last is at the end.
    idle: Vec<Idle>,
    busy: usize,
    /// Of these, those that nobody waits for.
    given_up: usize,
    /// Threads so far, by which each knows itself.
    started: u64,
}

struct Idle {
    thread: u64,
    next: Sender<Job>,
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&'static self, job: Job) {
        let mut state = self.state();
        state.busy += 1;
        if let Some(idle) = state.idle.pop() {
            // It waits for it: whoever is in the list has not ended.
            drop(idle.next.send(job));
            return;
        }
        state.started += 1;
        let number = state.started;
        drop(state);
        let named = thread::Builder::new().name("blocking".to_owned());
        if let Err(error) = named.spawn(move || self.work(number, job)) {
            log::error!("Could not start a thread: {error}.");
            drop(self.done());
        }
    }

    fn work(&self, thread: u64, first: Job) {
        let (next, jobs) = mpsc::channel();
        let mut job = Some(first);
        while let Some(work) = job {
            work();
            let mut state = self.done();
            state.idle.push(Idle {
                thread,
                next: next.clone(),
            });
            drop(state);
            job = self.wait(thread, &jobs);
        }
    }

    /// The next job; none when none came for a while.
    fn wait(&self, thread: u64, jobs: &Receiver<Job>) -> Option<Job> {
        if let Ok(job) = jobs.recv_timeout(KEPT) {
            return Some(job);
        }
        let mut state = self.state();
        if let Some(at) = state.idle.iter().position(|idle| idle.thread == thread) {
            state.idle.remove(at);
            return None;
        }
        drop(state);
        // Somebody took it from the list just now.
        jobs.recv().ok()
    }

    fn done(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.busy -= 1;
        if state.busy <= state.given_up {
            self.quiet.notify_all();
        }
        state
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    said.unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn alive() -> usize {
        let state = POOL.state();
        state.idle.len() + state.busy
    }

    // One test, since all tests of a process share the pool; others may be at work in it.
    #[tokio::test]
    async fn the_thread_that_came_back_last_is_used_and_the_others_end() {
        let here = || run(|| thread::current().id());
        let (gates, waits): (Vec<_>, Vec<_>) = (0..8).map(|_| mpsc::channel::<()>()).unzip();
        let many: Vec<_> = waits
            .into_iter()
            .map(|wait| {
                run(move || {
                    wait.recv().unwrap();
                    thread::current().id()
                })
            })
            .collect();
        gates.iter().for_each(|gate| gate.send(()).unwrap());
        let mut threads = HashSet::new();
        for job in many {
            threads.insert(job.await.unwrap());
        }
        assert_eq!(threads.len(), 8, "eight at once need eight");
        let begun = std::time::Instant::now();
        // Steady work, one job after another, keeps few of them.
        while alive() >= 8 {
            here().await.unwrap();
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", alive());
        }
        assert!(begun.elapsed() >= KEPT / 2, "they wait for a while");
        let panicked = run(|| panic!("told")).await;
        assert!(
            matches!(&panicked, Err(Failed::Panicked(text)) if text == "told"),
            "{panicked:?}"
        );
        here().await.unwrap();
        // Begun without anybody who waits, and waited for at the end.
        let (sender, done) = mpsc::channel();
        drop(run(move || {
            thread::yield_now();
            sender.send(()).unwrap();
        }));
        finish();
        done.try_recv().unwrap();
        // One that hangs is given up, keeps nobody from ending, and goes on.
        let (go, hangs) = mpsc::channel::<()>();
        let (sender, done) = mpsc::channel();
        let job = move || {
            hangs.recv().unwrap();
            sender.send(()).unwrap();
        };
        let gave_up = run_within(Duration::from_millis(1), job).await;
        assert!(matches!(gave_up, Err(Failed::TooLong)), "{gave_up:?}");
        finish();
        assert!(done.try_recv().is_err(), "it hangs still");
        go.send(()).unwrap();
        done.recv_timeout(Duration::from_secs(60)).unwrap();
        while POOL.state().given_up > 0 {
            thread::yield_now();
        }
        let in_time = run_within(Duration::from_secs(60), || 1).await;
        assert_eq!(in_time.unwrap(), 1);
    }
}

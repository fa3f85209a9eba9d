//! From the running CLI to the end of the holder: one thread, one list of causes.
//!
//! Running → ending (SIGTERM, after the grace SIGKILL, until no child is left) → reported
//! (`exit.json`, then the frame) → acknowledged, or nowhere to be found any more → gone.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::complain;
use super::shared::{HolderState, Shared};
use super::stops::Stops;
use super::terminal::ProgramSide;
use crate::fault;
use crate::pty::process_tree::cgroup::RunCgroup;
use crate::pty::process_tree::{GRACE, Process, kill_all, living, terminate};
use crate::pty::run_files::{LastScreen, write_exit, write_last_screen};
use crate::pty::{ExitReport, LaunchSpec};

/// How often an ending tree is looked at: its processes are not all our children.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// The terminal's end follows the last process at once, unless someone outside holds it open.
const DRAIN_WAIT: Duration = Duration::from_secs(2);
/// How long the last screen may take to be caught up with.
const SCREEN_WAIT: Duration = Duration::from_secs(20);
/// Between two tries to write `exit.json` on a full disk, and how long to try before reporting.
const WRITE_AGAIN: Duration = Duration::from_millis(500);
const WRITE_WAIT: Duration = Duration::from_secs(10);
/// How often one that waits for the acknowledgement looks whether its folder is still there.
const FOLDER_LOOK: Duration = Duration::from_secs(5);
/// How long viewers may take to read the end after the acknowledgement.
const FAREWELL_WAIT: Duration = Duration::from_secs(2);
/// How long an ephemeral terminal waits for its server to connect.
const LAUNCHER_WAIT: Duration = Duration::from_secs(15);

/// How the CLI ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Status {
    /// The exit code, when it ended by itself.
    pub code: Option<i32>,
    /// The name of the signal that ended it.
    pub signal: Option<String>,
}

/// All that main acts on.
#[derive(Debug)]
pub(super) enum Event {
    /// The CLI itself ended.
    CliEnded(Status),
    /// A child stopped; the CLI by this signal.
    Stopped {
        /// Its name.
        signal: Option<String>,
    },
    /// A stopped child was resumed, or the program may just have suspended itself.
    Continued,
    /// No child is left.
    TreeGone,
    /// A server wants the tree to end.
    Stop {
        /// Between SIGTERM and SIGKILL.
        grace: Duration,
        /// For the report.
        because: Option<String>,
    },
    /// A server has recorded the exit.
    Acknowledged,
    /// The first connection is there.
    LauncherCame,
    /// The first connection is closed.
    LauncherGone,
    /// SIGTERM: the machine shuts down, say.
    Terminate,
}

/// See the module.
pub(super) struct Lifecycle {
    shared: Arc<Shared>,
    inbox: Receiver<Event>,
    spec: LaunchSpec,
    cgroup: Option<RunCgroup>,
    /// Kept open until the tree has ended.
    program_side: Option<ProgramSide>,
    stops: Arc<Stops>,
    /// The present deadline of an ending tree, and whom it has asked.
    ending: Option<(Instant, HashSet<Process>)>,
    status: Option<Status>,
    because: Option<String>,
    /// The exit is acknowledged, or needs no acknowledgement.
    released: bool,
    launcher_deadline: Option<Instant>,
}

impl Lifecycle {
    /// Begins with a running CLI.
    #[must_use]
    pub(super) fn new(
        shared: Arc<Shared>,
        inbox: Receiver<Event>,
        spec: LaunchSpec,
        cgroup: Option<RunCgroup>,
        program_side: ProgramSide,
        stops: Arc<Stops>,
    ) -> Self {
        let launcher_deadline = spec.ephemeral.then(|| Instant::now() + LAUNCHER_WAIT);
        Self {
            shared,
            inbox,
            spec,
            cgroup,
            program_side: Some(program_side),
            stops,
            ending: None,
            status: None,
            because: None,
            released: false,
            launcher_deadline,
        }
    }

    /// Runs to the end; returns when the holder may end.
    pub(super) fn run(mut self) {
        self.until_tree_gone();
        let exit = self.report();
        self.drain();
        if let Err(FolderGone) = self.record(&exit) {
            // Nobody who does not speak with us already can find us.
            self.released = true;
        }
        self.shared.update(|state| state.exit = Some(exit));
        while !self.released {
            match self.inbox.recv_timeout(FOLDER_LOOK) {
                Ok(event) => self.released |= releases(&event, self.spec.ephemeral),
                // Without it no server finds us, or what we have to tell.
                Err(RecvTimeoutError::Timeout) => {
                    self.released |= matches!(self.spec.run_dir.try_exists(), Ok(false));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.shared.update(|state| state.closing = true);
        self.shared
            .wait_timeout(FAREWELL_WAIT, |state| state.senders == 0);
    }

    /// Ends the tree when the holder could not be completed.
    pub(super) fn give_up(mut self) {
        self.end_within(Duration::ZERO);
        // Without a reaper no event says that the tree is gone.
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && self.living().is_ok_and(|found| !found.is_empty()) {
            self.look();
            std::thread::park_timeout(LOOK_INTERVAL);
        }
    }

    fn until_tree_gone(&mut self) {
        loop {
            let wait = self.wait_until().saturating_duration_since(Instant::now());
            let event = self.inbox.recv_timeout(wait);
            match event {
                Ok(Event::TreeGone) => return,
                Ok(Event::CliEnded(status)) => {
                    self.status = Some(status);
                    self.end_within(GRACE);
                }
                Ok(Event::Stop { grace, because }) => {
                    self.because = because.or(self.because.take());
                    self.end_within(grace);
                }
                Ok(Event::LauncherCame) => self.launcher_deadline = None,
                // Of a run that is not ephemeral the launching server is one of many.
                Ok(Event::LauncherGone) if !self.spec.ephemeral => {}
                Ok(Event::Terminate | Event::LauncherGone) => {
                    self.released = true;
                    self.end_within(GRACE);
                }
                Ok(Event::Stopped { signal }) => self.look_for_stops(signal),
                Ok(Event::Continued) => self.look_for_stops(None),
                // Nothing has ended that could be acknowledged.
                Ok(Event::Acknowledged) => {}
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn wait_until(&self) -> Instant {
        match self.ending {
            Some(_) => Instant::now() + LOOK_INTERVAL,
            None => self
                .launcher_deadline
                .unwrap_or_else(|| Instant::now() + self.stops.pace()),
        }
    }

    /// Tells whether the program is stopped. What is being ended is stopped by us, if at all.
    fn look_for_stops(&self, signal: Option<String>) {
        if self.ending.is_none() {
            self.stops.look(&self.shared, signal);
        }
    }

    /// Begins to end the tree, or shortens the time that it has left.
    fn end_within(&mut self, grace: Duration) {
        let deadline = Instant::now() + grace;
        match &mut self.ending {
            Some((earlier, _)) => *earlier = deadline.min(*earlier),
            None => self.ending = Some((deadline, HashSet::new())),
        }
        self.look();
    }

    /// Asks those who were not asked, kills all when the time is over.
    fn look(&mut self) {
        if self.ending.is_none() && self.launcher_deadline.is_none() {
            return self.look_for_stops(None);
        }
        if self.ending.is_none() {
            // The launching server did not come.
            self.launcher_deadline = None;
            self.released = true;
            return self.end_within(GRACE);
        }
        let mut result = self.ask();
        let ending = self.ending.as_ref();
        if ending.is_some_and(|(deadline, _)| Instant::now() >= *deadline) {
            result = result.and(self.kill());
        }
        if let Err(err) = result {
            complain(format_args!("Could not list the run's processes: {err}"));
        }
    }

    fn ask(&mut self) -> io::Result<()> {
        let found = self.living()?;
        if let Some((_, asked)) = &mut self.ending {
            let fresh: Vec<_> = found.into_iter().filter(|it| asked.insert(*it)).collect();
            terminate(&fresh);
        }
        Ok(())
    }

    fn kill(&self) -> io::Result<()> {
        if let Some(group) = &self.cgroup {
            group.kill();
        }
        kill_all(|| self.living()).map(drop)
    }

    /// All that belongs to the run: below us, and what carries its id (which it would, should it
    /// have found a way out of our line).
    fn living(&self) -> io::Result<Vec<Process>> {
        living(self.spec.run_id)
    }

    fn report(&self) -> ExitReport {
        if let Some(group) = &self.cgroup {
            group.remove();
        }
        let Status { code, signal } = self.status.clone().unwrap_or_default();
        ExitReport {
            attempt: self.spec.attempt,
            pid: self.shared.hello().pid,
            code,
            signal,
            because: self.because.clone(),
        }
    }

    /// Waits for the last output. Someone outside who holds the terminal open cannot add to it.
    fn drain(&mut self) {
        self.program_side = None;
        self.shared
            .wait_timeout(DRAIN_WAIT, |state| state.output_ended);
        self.shared.update(|state| state.output_ended = true);
    }

    fn record(&self, exit: &ExitReport) -> Result<(), FolderGone> {
        let deadline = Instant::now() + fault::wait("holder.write_exit", WRITE_WAIT);
        while let Err(err) = write_exit(&self.spec.run_dir, exit) {
            complain(format_args!("Could not write the exit record: {err}"));
            if err.kind() == io::ErrorKind::NotFound {
                return Err(FolderGone);
            }
            if Instant::now() > deadline {
                // As long as we live the server learns it from us.
                break;
            }
            std::thread::park_timeout(WRITE_AGAIN);
        }
        self.shared
            .wait_timeout(SCREEN_WAIT, HolderState::screen_is_current);
        let Some(snapshot) = self.shared.snapshot(SCREEN_WAIT) else {
            return Ok(());
        };
        let screen = LastScreen {
            cols: snapshot.size.cols,
            rows: snapshot.size.rows,
            bytes: snapshot.bytes.clone(),
            exit: exit.clone(),
        };
        if let Err(err) = write_last_screen(&self.spec.run_dir, &screen) {
            complain(format_args!("Could not write the last screen: {err}"));
        }
        Ok(())
    }
}

/// Somebody removed the run folder.
struct FolderGone;

/// Whether an ended holder may end its process. One without a server stays, so that the next server
/// learns of the exit from it.
const fn releases(event: &Event, ephemeral: bool) -> bool {
    match event {
        Event::Acknowledged | Event::Terminate => true,
        Event::LauncherGone => ephemeral,
        Event::Stop { .. }
        | Event::CliEnded(_)
        | Event::Stopped { .. }
        | Event::Continued
        | Event::TreeGone
        | Event::LauncherCame => false,
    }
}

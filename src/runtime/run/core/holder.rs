//! The run's holder: attaching to it, ending what runs in it, and what it reports of its program.
//!
//! A holder may be stopped, be of a version that this server does not speak, or be broken. Its
//! process continues all the same, so the run stays as it is, and the server tries again and again to
//! reach it.

use super::Core;
use crate::{
    cli::Adapter,
    domain::{
        AgentMode,
        run::{Command, Rejection, event::ProcessSpawned, state::Process},
    },
    pty::{self, Hello, Untyped},
    runtime::run::output::{HolderCommand, Job, Output, Timer, Watched},
};
use std::time::Duration;

/// Longest time between two tries to reach a holder.
const REACH_MAX: Duration = Duration::from_secs(60);

const DRAFT: &str = "the CLI's prompt holds a draft that was typed in the terminal; the message is sent once the draft is sent or cleared";
const MENU: &str = "a menu is open in the terminal; the message is sent once it is closed";
const LINES: &str = "the CLI would submit each line separately; nothing was typed";
const DEAF: &str = "the CLI reads no input; nothing was typed";

/// What the holder reported of the program in its terminal.
#[derive(Default)]
pub(super) struct Program {
    told: pty::Program,
    /// The draft was begun while a question was open: it is the answer, and stands at no prompt.
    answers: bool,
    /// The run was at work at the last check.
    worked: bool,
}

impl Program {
    const fn has_draft(&self) -> bool {
        self.told.draft && !self.answers
    }

    const fn has_menu(&self) -> bool {
        self.told.menu && !self.answers
    }
}

impl Core {
    /// A holder was found, and can be spoken with.
    pub(super) fn attached(&mut self, hello: &Hello) {
        let Some(run) = &self.run else {
            return self.emit(Output::ReleaseSession);
        };
        let has_ended = matches!(run.process, Process::None | Process::Exited { .. });
        // With the exit in the log the holder goes, and so does a CLI in it, of a launch that came about
        // after all. Another launch may wait for that.
        if hello.attempt < run.attempt || has_ended && hello.exit.is_none() {
            return self.emit(Output::ReleaseSession);
        }
        let (process, stopping) = (run.process.clone(), run.stop.is_some());
        let works_at_once = run.created.agent.works_at_once();
        self.session = true;
        self.emit(Output::AdoptSession);
        self.out_of_reach = 0;
        match process {
            Process::Launching => self.fact(Command::Spawned {
                process: ProcessSpawned {
                    attempt: hello.attempt,
                    pid: hello.pid,
                    argv: hello.argv.clone(),
                    cols: hello.cols,
                    rows: hello.rows,
                    output_offset: hello.start,
                },
                works_at_once,
            }),
            Process::Alive { .. } if stopping => self.end_process(),
            Process::Alive { .. } => self.watch_silence(),
            Process::None | Process::Exited { .. } => return self.acknowledge(),
        }
        self.program_begins(&hello.program);
        self.emit(Output::Watch(Watched::Spool));
        // Nobody reports what was spooled between the last listing and the watch.
        self.emit(Output::ListSpool);
        self.work();
        self.watch_output();
        self.watch_transcript();
        self.emit(Output::WatchSession);
    }

    /// The process's exit is recorded: its holder may leave.
    pub(super) fn acknowledge(&mut self) {
        self.emit(Output::CloseTranscript);
        if std::mem::take(&mut self.session) {
            self.emit(Output::Holder(HolderCommand::Acknowledge));
        } else {
            self.start(Job::EndExitedHolder);
        }
    }

    /// Ends the process: by the keys that its CLI leaves by, when it has some, then by signals.
    pub(super) fn end_process(&mut self) {
        let Some(run) = self.run.as_ref().filter(|_| self.session) else {
            return self.end_out_of_reach();
        };
        // A stopped one reads no keys.
        let interactive =
            run.created.agent.mode() == AgentMode::Interactive && run.stopped.is_none();
        let attempt = run.attempt;
        let adapter = self.adapter().filter(|_| interactive);
        let keys = adapter.map_or(&[][..], Adapter::quit_keys);
        if keys.is_empty() {
            return self.end_by_signals();
        }
        self.set_timer(self.waits.quit, Timer::Quitting { attempt });
        self.emit(Output::Holder(HolderCommand::Keys(keys)));
    }

    pub(super) fn end_by_signals(&mut self) {
        let Some(run) = self.run.as_ref().filter(|_| self.session) else {
            return;
        };
        let attempt = run.attempt;
        self.set_timer(self.waits.stuck, Timer::Stuck { attempt });
        self.emit(Output::Holder(HolderCommand::Stop));
    }

    /// It was told to stop a while ago.
    pub(super) fn ending_stuck(&mut self, attempt: u32) {
        if self.may_live(attempt) && self.session {
            log::warn!(run_id:% = self.id, attempt; "The holder of run {} does not end its processes.", self.id);
            // Who watches it reports its end.
            self.start(Job::EndHolder { reach: false });
        }
    }

    /// Whether a process of this attempt may live.
    fn may_live(&self, attempt: u32) -> bool {
        self.run.as_ref().is_some_and(|run| {
            let living = matches!(run.process, Process::Launching | Process::Alive { .. });
            living && run.attempt == attempt
        })
    }

    /// The holder is there and cannot be reached: ends it when a stop waits, else tries again.
    pub(super) fn not_reached(&mut self, attempt: u32, why: &str) {
        if !self.may_live(attempt) {
            return;
        }
        self.session = false;
        self.emit(Output::DropSession);
        let first = self.out_of_reach == 0;
        self.out_of_reach = self.out_of_reach.saturating_add(1);
        if first {
            log::error!(run_id:% = self.id, attempt; "Cannot reach the holder of run {}: {why}.", self.id);
            if self.is_stopping() {
                return self.end_out_of_reach();
            }
        }
        let doubled = 1_u32.checked_shl(self.out_of_reach - 1).unwrap_or(u32::MAX);
        let wait = self.waits.reach.saturating_mul(doubled).min(REACH_MAX);
        self.set_timer(wait, Timer::Reach { attempt });
    }

    /// Tries again to reach it.
    pub(super) fn reach_again(&mut self, attempt: u32) {
        if self.session || !self.may_live(attempt) {
            return;
        }
        if self.is_stopping() {
            return self.end_out_of_reach();
        }
        self.start(Job::Reach { attempt });
    }

    /// Ends a holder that could not be reached by signals; one that may be reached any moment is told
    /// then.
    fn end_out_of_reach(&mut self) {
        if self.out_of_reach > 0 {
            self.start(Job::EndHolder { reach: true });
        }
    }

    /// Another holder, with what it reported first.
    fn program_begins(&mut self, told: &pty::Program) {
        self.program = Program {
            told: pty::Program {
                untyped: told.untyped,
                ..pty::Program::default()
            },
            answers: false,
            worked: self.is_at_work(),
        };
        self.program_changed(told.clone());
    }

    /// The program was stopped or continued, or has or lost a draft at its prompt.
    pub(super) fn program_changed(&mut self, now: pty::Program) {
        let Some(run) = &self.run else { return };
        let was = std::mem::replace(&mut self.program.told, now.clone());
        let typed = |program: &pty::Program| program.draft || program.menu;
        if typed(&now) != typed(&was) {
            self.program.answers = typed(&now) && run.asks_a_person();
        }
        let attempt = run.attempt;
        let typing = run.outbox.under_way().map(|typing| typing.id);
        let stopped = match (&run.stopped, now.stopped) {
            (None, Some(pty::Stopped { signal })) => Some(Command::Stopped { attempt, signal }),
            (Some(_), None) => Some(Command::Continued { attempt }),
            (None, None) | (Some(_), Some(_)) => None,
        };
        if let Some(command) = stopped {
            self.fact(command);
        }
        if let Some(id) = typing.filter(|_| now.untyped != was.untyped) {
            let (reason, until_free) = match now.why_untyped {
                Some(Untyped::Draft) => (DRAFT, true),
                Some(Untyped::Menu) => (MENU, true),
                Some(Untyped::Lines) => (LINES, false),
                Some(Untyped::Deaf) | None => (DEAF, false),
            };
            self.not_taken(id, reason, until_free);
        }
        self.look_at_prompt();
    }

    /// What occupies the prompt just now, so that nothing may be typed there.
    pub(super) fn occupied(&self) -> Option<(Rejection, &'static str)> {
        let run = self.run.as_ref()?;
        if !run.takes_typing() {
            None
        } else if self.program.has_draft() {
            Some((Rejection::Draft, DRAFT))
        } else {
            // One that is stopped shows its prompt once it was continued.
            let menu = self.program.has_menu() && run.stopped.is_none();
            menu.then_some((Rejection::Menu, MENU))
        }
    }

    /// A queue that waits for the prompt continues once nothing occupies it. A turn that begins shows
    /// that no menu is open.
    pub(super) fn look_at_prompt(&mut self) {
        let works = self.is_at_work();
        let worked = std::mem::replace(&mut self.program.worked, works);
        if works && !worked && self.program.told.may_be_menu {
            self.program.told.may_be_menu = false;
            self.program.told.menu = false;
            self.hold(HolderCommand::Prompted);
        }
        let waits = self.run.as_ref().is_some_and(|run| {
            run.outbox.waits_for_prompt() && run.takes_typing() && !run.asks_a_person()
        });
        if waits && self.occupied().is_none() {
            self.fact(Command::PromptFree);
        }
    }

    /// The question is answered: what was typed meanwhile was the answer.
    pub(super) fn look_at_answer(&mut self) {
        let open = self.run.as_ref().is_some_and(|run| run.asks_a_person());
        if self.program.answers && !open {
            self.program.answers = false;
            self.program.told.draft = false;
            self.program.told.menu = false;
            self.hold(HolderCommand::NoDraft);
        }
    }
}

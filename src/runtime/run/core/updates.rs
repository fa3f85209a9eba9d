//! What jobs, watchers and timers report, and what a core begins with after a restart.

use super::{
    Core,
    commits::ReplyContext,
    inbox::{Item, Then},
};
use crate::{
    domain::run::{Command, Effect, Status, event::StopBy, state::Process},
    pty::ExitReport,
    runtime::run::{
        input::{Update, Worked},
        output::{Job, Timer},
    },
};

impl Core {
    /// Makes the world fit the log again: finds out what became of the launch that it speaks of, or
    /// carries out once more what may have been lost after its commit. It is the same after a crash of
    /// the server, an upgrade, a panic or passivation.
    pub(super) fn resume(&mut self) {
        self.files_changed();
        self.resume_typing();
        self.resume_approvals();
        let Some(run) = &self.run else { return };
        if matches!(run.process, Process::Launching | Process::Alive { .. }) {
            let attempt = run.attempt;
            return self.start(Job::Reach { attempt });
        }
        match run.stop {
            Some(StopBy::Delete) => self.carry_out(Effect::Delete),
            Some(_) => self.carry_out(Effect::StopSetUp),
            None if run.launch_wanted => self.set_up(true),
            // A holder may still wait to be told that its exit is recorded.
            None => self.start(Job::ReleaseHolder),
        }
    }

    pub(super) fn on_update(&mut self, update: Update) {
        match update {
            Update::Fact(command) => {
                if matches!(command, Command::SetUpFailed { .. }) {
                    self.setting_up = false;
                }
                self.fact(command);
            }
            Update::Attached(hello) => self.attached(&hello),
            Update::Program { attempt, program } => {
                if self.run.as_ref().is_some_and(|run| run.attempt == attempt) {
                    self.program_changed(program);
                }
            }
            Update::OutOfReach { attempt, why } => self.not_reached(attempt, &why),
            Update::Exited { report, attempt } => self.exited(report, attempt),
            Update::NeverLaunched => self.never_launched(),
            Update::SetUpStopped => {
                self.setting_up = false;
                self.fact(Command::SetUpStopped);
            }
            Update::FilesChanged => self.files_changed(),
            Update::PromptAwaited { id } => self.type_now(id),
            Update::CheckpointTaken(None) => {}
            Update::CheckpointTaken(Some(checkpoint)) => {
                self.fact(Command::Checkpointed(checkpoint));
            }
            Update::Worked(worked) => self.worked(*worked),
            Update::Removed { removed, millis } => {
                self.fact(Command::Deleted { removed, millis });
            }
            Update::NotRemoved { why } => self.deletion_over(&Err(why)),
        }
    }

    fn files_changed(&mut self) {
        self.watch_transcript();
        self.queue(Item::Transcript(Then::Look));
    }

    /// The process is gone: recorded after what came before it.
    fn exited(&mut self, report: Option<ExitReport>, attempt: u32) {
        self.queue(Item::Transcript(Then::Exit { report, attempt }));
    }

    /// A launch is known never to have happened.
    fn never_launched(&mut self) {
        let stopping = self.run.as_ref().filter(|run| run.stop.is_some());
        match stopping.map(|run| run.attempt) {
            Some(attempt) => self.exited(None, attempt),
            None => self.fact(Command::Relaunch),
        }
    }

    /// Records what was done, then replies.
    fn worked(&mut self, worked: Worked) {
        if let Some(checkpoint) = worked.checkpoint {
            self.fact(Command::Checkpointed(checkpoint));
        }
        let context = ReplyContext {
            caller: worked.caller,
            with: worked.reply,
            ..ReplyContext::default()
        };
        self.execute(Command::Worked(worked.work), context);
    }

    pub(super) fn on_timer(&mut self, timer: Timer, viewed: bool) {
        let Some(run) = &self.run else { return };
        let alive = matches!(run.process, Process::Alive { .. });
        match timer {
            Timer::Quitting { attempt } => {
                if alive && run.attempt == attempt {
                    self.end_by_signals();
                }
            }
            Timer::Reach { attempt } => self.reach_again(attempt),
            Timer::Stuck { attempt } => self.ending_stuck(attempt),
            Timer::Approval { id } => self.on_approval_timer(id),
            Timer::Silent { missing } => self.on_silence(missing),
            Timer::EnterAgain { id } => self.enter_again(id),
            Timer::GiveUp { id } => self.give_up(id),
            Timer::Lingering { attempt } => {
                if alive && run.attempt == attempt && run.status == Status::Completed {
                    self.end_process();
                }
            }
            Timer::Idle { sequence } => {
                if !alive || run.status != Status::Paused {
                    return;
                }
                // A viewer, or an event since (a checkpoint aside), begins the wait anew.
                let quiet = run.last_sequence <= sequence + 1;
                if quiet && !viewed {
                    self.fact(Command::Stop { by: StopBy::Idle });
                } else {
                    self.watch_idleness();
                }
            }
        }
    }
}

//! What is under way beside the actors, and how it ends.

use super::{
    server::{Handle, Mail, Server, Word},
    world::Launched,
};
use crate::{
    domain::{
        Time,
        run::{
            Command, Run,
            command::{Checkpoint, Exit},
            event::Stage,
            state::Process,
        },
    },
    runtime::{
        jobs::holder::{Finding, Seen, finding},
        messages::AskError,
        run::{
            input::{Input, Update},
            output::{HolderCommand, Job, Timer},
        },
    },
};
use std::{cell::Cell, rc::Rc, sync::Arc};

/// Something under way beside an actor, or a timer of it.
pub struct Beside {
    pub owner: Handle,
    pub run: Arc<Run>,
    pub work: Work,
}

pub enum Work {
    Job(Job, Rc<Cell<bool>>),
    Holder(HolderCommand),
    WaitExit(u32),
    Release,
    Timer(Time, Timer),
}

impl Work {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Job(job, _) => match job {
                Job::SetUp { .. } => "set-up",
                Job::Launch { .. } => "launch",
                Job::AwaitPrompt { .. } => "await prompt",
                Job::Reach { .. } => "reach",
                Job::EndHolder { .. } => "end holder",
                Job::ReleaseHolder => "release holder",
                Job::EndExitedHolder => "end exited holder",
                Job::Checkpoint { .. } => "checkpoint",
                Job::Ended { .. } => "ended",
                Job::Work { .. } => "work",
                Job::Delete { .. } => "delete",
            },
            Self::Holder(command) => match command {
                HolderCommand::Keys(_) => "keys",
                HolderCommand::Stop => "stop",
                HolderCommand::Acknowledge => "acknowledge",
                HolderCommand::Paste { .. } => "paste",
                HolderCommand::Enter => "enter",
                HolderCommand::Continue => "continue",
                HolderCommand::NoDraft => "no draft",
                HolderCommand::Prompted => "prompted",
            },
            Self::WaitExit(_) => "wait for exit",
            Self::Release => "release",
            Self::Timer(_, timer) => match timer {
                Timer::Lingering { .. } => "lingering",
                Timer::Quitting { .. } => "quitting",
                Timer::Reach { .. } => "reach again",
                Timer::Stuck { .. } => "stuck",
                Timer::EnterAgain { .. } => "enter again",
                Timer::GiveUp { .. } => "give up",
                Timer::Approval { .. } => "approval",
                Timer::Silent { .. } => "silent",
                Timer::Idle { .. } => "idle",
            },
        }
    }

    /// When a timer rings; nothing for a job.
    pub const fn due(&self) -> Option<Time> {
        match self {
            Self::Timer(due, _) => Some(*due),
            Self::Job(..) | Self::Holder(_) | Self::WaitExit(_) | Self::Release => None,
        }
    }
}

impl Server {
    /// True when the world lets this job end now, and when no timer rings before this one.
    pub fn may_end(&self, job: &Beside) -> bool {
        match job.work {
            Work::WaitExit(attempt) => {
                let mut world = self.world.borrow_mut();
                let holder = &world.place(job.run.id).holder;
                holder
                    .as_ref()
                    .is_none_or(|it| it.attempt != attempt || !it.is_alive)
            }
            Work::Timer(due, _) => {
                let mut others = self.jobs.iter().filter_map(|other| other.work.due());
                others.all(|other| other >= due)
            }
            Work::Job(..) | Work::Holder(_) | Work::Release => true,
        }
    }

    /// A job ends, well unless `lucky` says otherwise.
    pub fn end(&mut self, at: usize, lucky: bool) {
        let Beside { owner, run, work } = self.jobs.remove(at);
        let exclusive = match work {
            Work::Timer(_, timer) => {
                let viewed = false;
                return self.feed(&owner, Input::Timer { timer, viewed });
            }
            Work::Job(job, stop) => {
                let exclusive = job.is_exclusive();
                if let Some(word) = self.carry_job_out(&owner, &run, job, stop.get(), lucky) {
                    self.tell(run.id, word);
                }
                exclusive
            }
            Work::Holder(command) => {
                self.hold(&run, command, lucky);
                false
            }
            Work::WaitExit(attempt) => {
                let (_, report) = self.world.borrow_mut().probe(run.id);
                let word = match report.filter(|report| report.attempt == attempt) {
                    Some(report) => Word::Update(Update::Exited {
                        report: Some(report),
                        attempt,
                    }),
                    None => self.reach(&run, attempt),
                };
                self.tell(run.id, word);
                false
            }
            Work::Release => {
                self.world.borrow_mut().end(run.id, None);
                self.world.borrow_mut().acknowledge(run.id);
                false
            }
        };
        // Behind its update: a job waits until that was taken.
        let mut actor = owner.0.borrow_mut();
        actor.mailbox.push_back(Mail::JobEnded { exclusive });
    }

    fn hold(&self, run: &Run, command: HolderCommand, lucky: bool) {
        let mut world = self.world.borrow_mut();
        match command {
            HolderCommand::Acknowledge => world.acknowledge(run.id),
            _ if !lucky => {}
            HolderCommand::Keys(_) | HolderCommand::Stop => world.end(run.id, None),
            HolderCommand::Paste { text, .. } => world.place(run.id).typed.push(text),
            HolderCommand::Enter
            | HolderCommand::Continue
            | HolderCommand::NoDraft
            | HolderCommand::Prompted => {}
        }
    }

    fn carry_job_out(
        &mut self,
        owner: &Handle,
        run: &Run,
        job: Job,
        stopped: bool,
        lucky: bool,
    ) -> Option<Word> {
        let (id, fact) = (run.id, |command| Word::Update(Update::Fact(command)));
        Some(match job {
            Job::SetUp { .. } if stopped => Word::Update(Update::SetUpStopped),
            Job::SetUp { .. } if lucky => fact(Command::WorktreesReady { created: None }),
            Job::SetUp { .. } => fact(Command::SetUpFailed {
                stage: Stage::Worktree,
                reason: "no worktree".to_owned(),
                detail: String::new(),
                removed: None,
            }),
            Job::Launch { attempt } => {
                let prompt = run.resume_with.as_ref().unwrap_or(&run.created.task);
                let launched = self.world.borrow_mut().launch(id, attempt, prompt);
                match launched {
                    Launched::Ready if lucky => Word::Attached(attempt),
                    Launched::Ready | Launched::Refused => self.reach(run, attempt),
                }
            }
            Job::AwaitPrompt { id } => Word::Update(Update::PromptAwaited { id }),
            Job::Reach { attempt } if !lucky => Word::Update(Update::OutOfReach {
                attempt,
                why: "no word of it".to_owned(),
            }),
            Job::Reach { attempt } => self.reach(run, attempt),
            Job::EndHolder { reach } => {
                self.world.borrow_mut().end(id, None);
                return reach.then(|| self.reach(run, run.attempt));
            }
            Job::ReleaseHolder => {
                let there = self.world.borrow_mut().place(id).holder.is_some();
                return there.then(|| self.reach(run, run.attempt));
            }
            Job::EndExitedHolder => {
                let mut world = self.world.borrow_mut();
                world.end(id, None);
                world.acknowledge(id);
                return None;
            }
            Job::Checkpoint { reason } => checkpoint(owner, lucky.then_some(reason)),
            Job::Ended {
                report,
                attempt,
                observed,
            } => {
                let lost = report.is_none();
                let (code, signal) = report.map_or((None, None), |it| (it.code, it.signal));
                fact(Command::Exited(Exit {
                    attempt,
                    code,
                    signal,
                    lost,
                    detail: String::new(),
                    observed,
                    checkpoint: None,
                }))
            }
            Job::Work { .. } => unreachable!("nobody orders"),
            Job::Delete { .. } if !lucky => Word::Update(Update::NotRemoved {
                why: AskError::JobFailed("busy".into()),
            }),
            Job::Delete { .. } => Word::Update(Update::Removed {
                removed: Vec::new(),
                millis: 1,
            }),
        })
    }

    /// What became of the run's process.
    fn reach(&self, run: &Run, attempt: u32) -> Word {
        let id = run.id;
        let (seen, report) = self.world.borrow_mut().probe(id);
        let spawned = matches!(run.process, Process::Alive { .. });
        Word::Update(match finding(seen, attempt, spawned) {
            Finding::Earlier => {
                self.world.borrow_mut().end(id, None);
                self.world.borrow_mut().acknowledge(id);
                Update::NeverLaunched
            }
            Finding::Attached => match seen {
                Seen::Live(of) => return Word::Attached(of),
                Seen::Exited(_) | Seen::Gone(_) => unreachable!("only what lives is attached"),
            },
            Finding::NeverLaunched => Update::NeverLaunched,
            Finding::Exited => Update::Exited { report, attempt },
            Finding::Lost => Update::Exited {
                report: None,
                attempt,
            },
        })
    }
}

/// A checkpoint is taken, unless nothing changed.
fn checkpoint(owner: &Handle, reason: Option<&str>) -> Word {
    let actor = owner.0.borrow();
    let number = actor.core.run().map_or(0, |run| run.checkpoint_number);
    Word::Update(Update::CheckpointTaken(reason.map(|reason| Checkpoint {
        number: number + 1,
        reason: reason.to_owned(),
        repos: Vec::new(),
    })))
}

//! What is under way beside the actors, and how it ends.

use super::{
    server::{Handle, Server, Word},
    world::Launched,
};
use crate::{
    domain::{
        MessageId,
        run::{
            Command, Effect, Run, Status,
            command::{Checkpoint, Exit},
            event::Stage,
            state::Process,
        },
    },
    runtime::{
        ledger::Along,
        messages::{AskError, News},
        recovery::{self, Finding, Seen},
    },
};
use std::{cell::Cell, rc::Rc};

/// Something under way beside an actor, or a timer of it.
pub struct Beside {
    pub owner: Handle,
    pub run: Run,
    pub work: Work,
}

pub enum Work {
    SetUp(Rc<Cell<bool>>),
    Launch(u32),
    Reach(u32),
    WaitExit(u32),
    Release,
    End,
    Type(MessageId, String),
    Checkpoint(&'static str),
    Acknowledge,
    Delete,
    Ended(Exit),
    Linger(u32),
    GiveUp(MessageId),
}

impl Work {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SetUp(_) => "set-up",
            Self::Launch(_) => "launch",
            Self::Reach(_) => "reach",
            Self::WaitExit(_) => "wait for exit",
            Self::Release => "release",
            Self::End => "end",
            Self::Type(..) => "type",
            Self::Checkpoint(_) => "checkpoint",
            Self::Acknowledge => "acknowledge",
            Self::Delete => "delete",
            Self::Ended(_) => "ended",
            Self::Linger(_) => "linger",
            Self::GiveUp(_) => "give up",
        }
    }

    pub const fn is_timer(&self) -> bool {
        matches!(self, Self::Linger(_) | Self::GiveUp(_))
    }
}

impl Server {
    /// True when the world lets this job end now.
    pub fn may_end(&self, job: &Beside) -> bool {
        let Work::WaitExit(attempt) = job.work else {
            return true;
        };
        let mut world = self.world.borrow_mut();
        let holder = &world.place(job.run.id).holder;
        holder
            .as_ref()
            .is_none_or(|it| it.attempt != attempt || !it.is_alive)
    }

    /// A job ends, well unless `lucky` says otherwise.
    pub fn end(&mut self, at: usize, lucky: bool) {
        let Beside { owner, run, work } = self.jobs.remove(at);
        if !work.is_timer() {
            owner.0.borrow_mut().busy -= 1;
        }
        let (id, fact) = (run.id, |command| Word::News(News::Fact(command)));
        let failed = |stage, reason: &str| Command::SetUpFailed {
            stage,
            reason: reason.to_owned(),
            detail: String::new(),
            removed: None,
        };
        let word = match work {
            Work::SetUp(stop) if stop.get() => Word::News(News::SetUpStopped),
            Work::SetUp(_) if lucky => fact(Command::WorktreesReady { created: None }),
            Work::SetUp(_) => fact(failed(Stage::Worktree, "no worktree")),
            Work::Launch(attempt) => {
                let prompt = run.resume_with.as_ref().unwrap_or(&run.created.task);
                let launched = self.world.borrow_mut().launch(id, attempt, prompt);
                match launched {
                    Launched::Ready if lucky => Word::Attached(attempt),
                    Launched::Ready | Launched::Refused => return self.reach(&run, attempt),
                }
            }
            Work::Reach(attempt) => return self.reach(&run, attempt),
            Work::WaitExit(attempt) => {
                let (_, report) = self.world.borrow_mut().probe(id);
                match report.filter(|report| report.attempt == attempt) {
                    Some(report) => Word::News(News::Exited {
                        report: Some(report),
                        attempt,
                    }),
                    None => return self.reach(&run, attempt),
                }
            }
            Work::Release => {
                self.world.borrow_mut().end(id, None);
                return self.world.borrow_mut().acknowledge(id);
            }
            Work::End => return self.world.borrow_mut().end(id, None),
            Work::Type(..) if !lucky => return,
            Work::Type(_, text) => return self.world.borrow_mut().place(id).typed.push(text),
            Work::Checkpoint(reason) => checkpoint(&owner, lucky.then_some(reason)),
            Work::Acknowledge => return self.world.borrow_mut().acknowledge(id),
            Work::Delete if !lucky => Word::News(News::NotRemoved {
                why: AskError::World("busy".into()),
            }),
            Work::Delete => Word::News(News::Removed {
                removed: Vec::new(),
                millis: 1,
            }),
            Work::Ended(exit) => fact(Command::Exited(exit)),
            Work::Linger(attempt) => return self.linger(&owner, attempt),
            Work::GiveUp(id) => {
                let reason = "not confirmed".to_owned();
                let until_free = false;
                let command = Command::NotTaken {
                    id,
                    reason,
                    until_free,
                };
                return self.execute(&owner, command, Along::default());
            }
        };
        self.tell(id, word);
    }

    fn linger(&mut self, owner: &Handle, attempt: u32) {
        let lingers = owner.0.borrow().ledger.run.as_ref().is_some_and(|run| {
            run.has_process() && run.attempt == attempt && run.status == Status::Completed
        });
        if lingers {
            self.carry_out(owner, Effect::EndProcess);
        }
    }

    fn reach(&mut self, run: &Run, attempt: u32) {
        let id = run.id;
        let (seen, report) = self.world.borrow_mut().probe(id);
        let spawned = matches!(run.process, Process::Alive { .. });
        let word = match recovery::finding(seen, attempt, spawned) {
            Finding::Earlier => {
                self.world.borrow_mut().end(id, None);
                self.world.borrow_mut().acknowledge(id);
                Word::News(News::NeverLaunched)
            }
            Finding::Attached => {
                let Seen::Live(of) = seen else {
                    return;
                };
                Word::Attached(of)
            }
            Finding::NeverLaunched => Word::News(News::NeverLaunched),
            Finding::Exited => Word::News(News::Exited { report, attempt }),
            Finding::Lost => Word::News(News::Exited {
                report: None,
                attempt,
            }),
        };
        self.tell(id, word);
    }
}

/// A checkpoint is taken, unless nothing changed.
fn checkpoint(owner: &Handle, reason: Option<&str>) -> Word {
    let actor = owner.0.borrow();
    let number = actor
        .ledger
        .run
        .as_ref()
        .map_or(0, |run| run.checkpoint_number);
    Word::News(News::CheckpointTaken(reason.map(|reason| Checkpoint {
        number: number + 1,
        reason: reason.to_owned(),
        repos: Vec::new(),
    })))
}

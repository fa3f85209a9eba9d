//! What the holder tells of the program in a run's terminal: that it is stopped, and that a draft or
//! a menu takes what is typed at its prompt.

use super::{
    delivery::not_taken,
    jobs::{Reply, answer},
    ledger::{Along, Ledger},
    run_actor::RunActor,
};
use crate::{
    domain::run::{Command, Rejection, Status, view},
    pty::{self, Untyped},
};
use actix::Context;

const DRAFT: &str = "a draft that was typed in the terminal stands at the CLI's prompt; the \
                     message goes out once it is sent or cleared there";
const MENU: &str = "a menu or the like that was opened in the terminal takes what is typed there; \
                    the message goes out once it is closed";
const LINES: &str = "the CLI would take its lines one by one; nothing was typed";
const DEAF: &str = "the CLI reads no input; nothing was typed";

/// What is known of it.
#[derive(Default)]
pub(super) struct Program {
    told: pty::Program,
    /// The draft was begun while a question was open: it is the answer, and stands at no prompt.
    answers: bool,
    /// The run was at work when it was looked at last.
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

impl Ledger {
    /// A stopped CLI is let go on without a message; one that runs needs one.
    pub(super) fn let_go_on(&mut self, reply: Reply) {
        let Some(run) = &self.run else {
            return answer(Some(reply), Err(super::AskError::UnknownRun));
        };
        let told = if run.stopped.is_some() {
            Ok(view::run(run))
        } else {
            let why = "must be given: the CLI is not stopped".to_owned();
            Err(super::AskError::Undeliverable(why))
        };
        self.tell(Some(reply), told, None);
    }
}

impl RunActor {
    /// Another holder, with what it told first.
    pub(super) fn program_begins(&mut self, told: pty::Program, context: &mut Context<Self>) {
        let untyped = told.untyped;
        self.program = Program {
            told: pty::Program {
                untyped,
                ..pty::Program::default()
            },
            answers: false,
            worked: self.works(),
        };
        self.program_told(told, context);
    }

    pub(super) fn program_told(&mut self, now: pty::Program, context: &mut Context<Self>) {
        let Some(run) = &self.ledger.run else { return };
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
        let untyped = typing.filter(|_| now.untyped != was.untyped).map(|id| {
            let (reason, until_free) = match now.why_untyped {
                Some(Untyped::Draft) => (DRAFT, true),
                Some(Untyped::Menu) => (MENU, true),
                Some(Untyped::Lines) => (LINES, false),
                Some(Untyped::Deaf) | None => (DEAF, false),
            };
            not_taken(id, reason, until_free)
        });
        for command in stopped.into_iter().chain(untyped) {
            self.execute(command, Along::default(), context);
        }
        self.look_at_prompt(context);
    }

    /// What occupies the prompt just now, so that nothing may be typed there.
    pub(super) fn occupied(&self) -> Option<(Rejection, &'static str)> {
        let run = self.ledger.run.as_ref()?;
        if !run.takes_typing() {
            None
        } else if self.program.has_draft() {
            Some((Rejection::Draft, DRAFT))
        } else {
            // One that is stopped shows its prompt once it was let go on.
            let menu = self.program.has_menu() && run.stopped.is_none();
            menu.then_some((Rejection::Menu, MENU))
        }
    }

    /// A queue that waits for the prompt goes on once nothing occupies it. A turn that begins shows
    /// that no menu is open.
    pub(super) fn look_at_prompt(&mut self, context: &mut Context<Self>) {
        let works = self.works();
        let worked = std::mem::replace(&mut self.program.worked, works);
        if works && !worked && self.program.told.may_be_menu {
            self.program.told.may_be_menu = false;
            self.program.told.menu = false;
            self.tell_holder(context, async |session| session.prompted().await);
        }
        let waits = self.ledger.run.as_ref().is_some_and(|run| {
            run.outbox.waits_for_prompt() && run.takes_typing() && !run.asks_a_person()
        });
        if waits && self.occupied().is_none() {
            self.execute(Command::PromptFree, Along::default(), context);
        }
    }

    /// The question is answered: what was typed meanwhile was the answer.
    pub(super) fn look_at_answer(&mut self, context: &mut Context<Self>) {
        let open = |actor: &Self| {
            let run = actor.ledger.run.as_ref();
            run.is_some_and(|run| run.asks_a_person())
        };
        if !self.program.answers || open(self) {
            return;
        }
        self.program.answers = false;
        self.program.told.draft = false;
        self.program.told.menu = false;
        self.tell_holder(context, async |session| session.no_draft().await);
    }

    pub(super) fn works(&self) -> bool {
        let run = self.ledger.run.as_ref();
        run.is_some_and(|run| matches!(run.status, Status::Queued | Status::Running))
    }

    /// Lets a stopped CLI go on, unless it is being ended.
    pub(super) fn let_go_on(&mut self, context: &mut Context<Self>) {
        let run = self.ledger.run.as_ref();
        if run.is_some_and(|run| run.stopped.is_some() && run.stop.is_none()) {
            self.tell_holder(context, async |session| session.go_on().await);
        }
    }

    fn tell_holder<F>(&mut self, context: &mut Context<Self>, tell: F)
    where
        F: AsyncFnOnce(pty::SessionHandle) -> Result<(), pty::PtyError> + 'static,
    {
        let Some(session) = self.session.clone() else {
            return;
        };
        self.beside(context, async move |beside| {
            if let Err(error) = tell(session).await {
                let id = beside.run.id;
                log::debug!(run_id:% = id; "The holder of run {id} was not told: {error}.");
            }
        });
    }
}

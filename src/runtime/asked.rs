//! What callers ask of a run's actor.

use super::{
    clock,
    jobs::answer,
    ledger::Todo,
    messages::{Ask, Request},
    run_actor::RunActor,
};
use actix::{Context, Handler};

impl Handler<Ask> for RunActor {
    type Result = ();

    fn handle(&mut self, ask: Ask, context: &mut Self::Context) -> Self::Result {
        let message = matches!(ask.request, Request::Continue { .. });
        if let Some((refusal, _)) = self.occupied().filter(|_| message) {
            return answer(Some(ask.reply), Err(refusal.into()));
        }
        // At its prompt it is let go on by its holder, which waits until it takes a message.
        if matches!(ask.request, Request::LetGoOn) || (message && self.works()) {
            self.let_go_on(context);
        }
        let session = self.session.is_some();
        let todo = self
            .ledger
            .ask(ask.request, ask.reply, &self.run_dir, session);
        self.do_next(todo, context);
    }
}

impl RunActor {
    pub(super) fn do_next(&mut self, todo: Todo, context: &mut Context<Self>) {
        match todo {
            Todo::Nothing => {}
            Todo::Execute(command, along) => self.execute(command, along, context),
            Todo::Record(events, along) => {
                let recorded = self.ledger.record(events, along, clock::now());
                self.store(recorded.map(Some), context);
            }
            Todo::CarryOut(effect) => self.carry_out(effect, context),
            Todo::Order(order, idempotent, reply) => {
                self.order(order, idempotent, reply, context);
            }
            Todo::Work => self.work(context),
        }
    }
}

//! What callers ask of a run's actor.

use super::{
    messages::{Answer, Ask, AskError, Request},
    run_actor::{Along, From, Job, RunActor},
};
use crate::domain::{
    Secrets,
    run::{Command, event::StopBy},
};
use actix::{Handler, ResponseFuture};
use tokio::sync::oneshot;

impl Handler<Ask> for RunActor {
    type Result = ResponseFuture<Answer>;

    fn handle(&mut self, ask: Ask, context: &mut Self::Context) -> Self::Result {
        let (reply, answer_of) = oneshot::channel();
        let along = |idempotent| Along {
            reply: None,
            idempotent,
            ..Along::default()
        };
        match ask.request {
            Request::Create {
                mut new,
                idempotent,
            } => {
                let along = Along {
                    reply: Some(reply),
                    secrets: Secrets::take(&mut new.agent.provider_config),
                    ..along(idempotent)
                };
                self.append(vec![(*new).into()], along, context);
            }
            Request::Continue {
                message,
                idempotent,
            } => {
                self.go_on(&message, idempotent, reply, context);
            }
            Request::Queue { change, idempotent } => {
                let along = Along {
                    reply: Some(reply),
                    ..along(idempotent)
                };
                self.change_queue(change, along, context);
            }
            Request::Stop { by } => self.stop(by, reply, context),
            Request::Delete => self.stop(StopBy::Delete, reply, context),
            Request::SetNotify { notify, idempotent } => {
                let along = Along {
                    reply: Some(reply),
                    ..along(idempotent)
                };
                self.execute(Command::SetNotify { notify }, along, context);
            }
            Request::Order { order, idempotent } => self.order(order, idempotent, reply, context),
            Request::Hook { payload, delivery } => {
                self.take_spool();
                self.jobs.push_back(Job::Hook {
                    payload,
                    delivery,
                    from: From::Caller(reply),
                });
                self.work(context);
            }
        }
        Box::pin(async move { answer_of.await.unwrap_or(Err(AskError::ActorEnded)) })
    }
}

//! The gate in front of the services of a worker.

use super::{Gate, Passage, Refusal};
use crate::http::edge::connection::{Requests, Visit};
use crate::http::{route_class::RouteClass, routes};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::error::InternalError;
use actix_web::http::{ConnectionType, Method, Version};
use actix_web::{Error, HttpResponse};
use futures_util::future::LocalBoxFuture;
use std::future::{Ready, ready};
use std::rc::Rc;

impl<S, B> Transform<S, ServiceRequest> for Gate
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = Gatekeeper<S>;
    type InitError = ();
    type Future = Ready<Result<Gatekeeper<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(Gatekeeper {
            gate: self.clone(),
            inner: Rc::new(inner),
        }))
    }
}

/// The gate in front of one worker's services.
pub struct Gatekeeper<S> {
    gate: Gate,
    inner: Rc<S>,
}

impl<S, B> Service<ServiceRequest> for Gatekeeper<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<ServiceResponse<BoxBody>, Error>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let visit = request.conn_data::<Rc<Requests>>().map(Requests::enter);
        // The path as the router sees it: decoded once.
        let path = request.match_info().unprocessed().to_owned();
        let class = routes::classify(request.method(), &path);
        let passing = Passing {
            gate: self.gate.clone(),
            path,
            class,
            visit,
        };
        let Some(run) = self.gate.secret_to_read(&request, class) else {
            return passing.pass(&*self.inner, request);
        };
        let inner = Rc::clone(&self.inner);
        Box::pin(async move {
            match passing.gate.read_secret(run).await {
                Ok(()) => passing.pass(&*inner, request).await,
                Err(refusal) => Ok(passing.refuse(request, refusal)),
            }
        })
    }
}

/// A request on its way through the gate.
struct Passing {
    gate: Gate,
    path: String,
    class: RouteClass,
    visit: Option<Visit>,
}

impl Passing {
    fn refuse(self, request: ServiceRequest, refusal: Refusal) -> ServiceResponse<BoxBody> {
        let answer = self.gate.refuse(&request, self.class, refusal);
        self.answer(request, answer)
    }

    fn answer(self, request: ServiceRequest, answer: HttpResponse) -> ServiceResponse<BoxBody> {
        let answer = request.into_response(answer);
        finish_response(&self.gate, answer, self.class, &self.path, self.visit)
    }

    fn pass<S, B>(
        self,
        inner: &S,
        mut request: ServiceRequest,
    ) -> LocalBoxFuture<'static, Result<ServiceResponse<BoxBody>, Error>>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
        B: MessageBody + 'static,
    {
        match self.gate.check(&request, self.class) {
            Ok(Passage::Enter) => {}
            Ok(Passage::SetCookie) => {
                let welcome = self.gate.welcome();
                return Box::pin(ready(Ok(self.answer(request, welcome))));
            }
            Err(refusal) => return Box::pin(ready(Ok(self.refuse(request, refusal)))),
        }
        // Handlers are registered for GET; the codec remembers that it was HEAD and sends no body.
        let is_head = *request.method() == Method::HEAD && self.class != RouteClass::Terminal;
        if is_head {
            request.head_mut().method = Method::GET;
        }
        let answering = inner.call(request);
        let Self {
            gate,
            path,
            class,
            visit,
        } = self;
        Box::pin(async move {
            match answering.await {
                Ok(answer) => {
                    let answer = answer.map_into_boxed_body();
                    let answer = if is_head {
                        without_stream(answer)
                    } else {
                        answer
                    };
                    Ok(finish_response(&gate, answer, class, &path, visit))
                }
                Err(error) => {
                    let answer = gate.finish(error.error_response(), class, &path);
                    let answer = answer.map_body(|_, body| held(visit, body));
                    Err(InternalError::from_response(error, answer).into())
                }
            }
        })
    }
}

fn finish_response(
    gate: &Gate,
    answer: ServiceResponse<BoxBody>,
    class: RouteClass,
    path: &str,
    visit: Option<Visit>,
) -> ServiceResponse<BoxBody> {
    let (request, answer) = answer.into_parts();
    let mut answer = gate.finish(answer, class, path);
    // HTTP/1.0 knows no chunks: a body without a length ends with the connection.
    if request.version() < Version::HTTP_11 && answer.body().size() == BodySize::Stream {
        let head = answer.head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    ServiceResponse::new(request, answer.map_body(|_, body| held(visit, body)))
}

/// A body whose end is the end of its request.
fn held(visit: Option<Visit>, body: BoxBody) -> BoxBody {
    match visit {
        Some(visit) => visit.until_sent(body),
        None => body,
    }
}

/// A HEAD of an event stream must end.
fn without_stream(answer: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    if matches!(answer.response().body().size(), BodySize::Stream) {
        return answer.map_body(|_, _| BoxBody::new(()));
    }
    answer
}

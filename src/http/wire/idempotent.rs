//! `Idempotency-Key`: a write that is sent again under the same key gets the first answer again.

use super::{
    answer::{json, ok, read},
    error::ApiError,
    extract::{BODY_BYTES_MAX, BODY_WAIT, NoBody, check_media, read_body},
    json,
};
use crate::{
    runtime::{Runtime, clock, messages::Key},
    store::Idempotent as Record,
};
use actix_web::{
    FromRequest, HttpRequest, HttpResponse, dev::Payload, error::InternalError, http::StatusCode,
    web,
};
use futures_util::future::LocalBoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Longest key, in characters.
const KEY_CHARS_MAX: usize = 255;

/// The body of a write, and the key under which its answer is remembered.
///
/// A handler is not called for a key that was seen before. `STATUS` is that of its answer when all
/// goes well.
pub(crate) struct Idempotent<T, const STATUS: u16 = 200> {
    /// The body.
    pub body: T,
    /// The key, when one was sent.
    pub key: Key,
}

/// The body of a write: JSON, or none.
pub(crate) trait WriteBody: Sized + 'static {
    /// Reads what two requests under one key must agree in.
    fn read(
        request: &HttpRequest,
        payload: &mut Payload,
    ) -> LocalBoxFuture<'static, Result<Value, ApiError>>;

    /// Decodes it.
    ///
    /// # Errors
    /// 400 that names the field that is missing or wrong.
    fn decode(read: Value) -> Result<Self, ApiError>;
}

impl<T: DeserializeOwned + 'static> WriteBody for T {
    fn read(
        request: &HttpRequest,
        payload: &mut Payload,
    ) -> LocalBoxFuture<'static, Result<Value, ApiError>> {
        let body = read_body(request, payload, BODY_BYTES_MAX, BODY_WAIT);
        Box::pin(async move { json::parse_object(&body.await?).map(Value::Object) })
    }

    fn decode(read: Value) -> Result<Self, ApiError> {
        json::decode(read)
    }
}

/// The query takes the place of a body.
impl WriteBody for NoBody {
    fn read(
        request: &HttpRequest,
        _: &mut Payload,
    ) -> LocalBoxFuture<'static, Result<Value, ApiError>> {
        let query = Some(request.query_string()).filter(|query| !query.is_empty());
        let query = query.map_or(Value::Null, Value::from);
        let checked = check_media(request.headers(), false).map(|()| query);
        Box::pin(std::future::ready(checked))
    }

    fn decode(_: Value) -> Result<Self, ApiError> {
        Ok(Self)
    }
}

impl<T: WriteBody, const STATUS: u16> FromRequest for Idempotent<T, STATUS> {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = T::read(request, payload);
        let key = key(request);
        let scope = format!("{} {}", request.method(), request.path());
        let runtime = request.app_data::<web::Data<Runtime>>().cloned();
        Box::pin(async move {
            let body = body.await?;
            let key = key?.map(|key| Record {
                scope,
                key,
                fingerprint: Sha256::digest(body.to_string()).to_vec(),
                status: STATUS,
                answer: String::new(),
            });
            if let Some(key) = &key {
                let runtime = runtime.ok_or_else(|| ApiError::fault("no runtime to ask"))?;
                if let Some(first) = first_answer(&runtime, key).await? {
                    return Err(InternalError::from_response("answered before", first).into());
                }
            }
            let body = T::decode(body)?;
            let key = key.map(Box::new);
            Ok(Self { body, key })
        })
    }
}

/// The key that a request has.
fn key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let mut given = request.headers().get_all("Idempotency-Key");
    let Some(key) = given.next() else {
        return Ok(None);
    };
    let fits = |key: &&str| (1..=KEY_CHARS_MAX).contains(&key.len()) && key.is_ascii();
    let key = key.to_str().ok().filter(fits);
    let key = key.filter(|_| given.next().is_none()).ok_or_else(|| {
        ApiError::invalid(
            "Idempotency-Key",
            "must be one header of 1 to 255 ASCII characters",
        )
    })?;
    Ok(Some(key.to_owned()))
}

/// The answer that a key got before.
async fn first_answer(runtime: &Runtime, asked: &Record) -> Result<Option<HttpResponse>, ApiError> {
    let (scope, key) = (asked.scope.clone(), asked.key.clone());
    let known = read(runtime, move |reader| {
        reader.remembered(&scope, &key, clock::now())
    });
    let Some(first) = known.await? else {
        return Ok(None);
    };
    if first.fingerprint != asked.fingerprint {
        return Err(ApiError::conflict(
            "This Idempotency-Key was used with another request; use a new key.",
        ));
    }
    let status = StatusCode::from_u16(first.status).map_err(ApiError::fault)?;
    Ok(Some(json(status, first.answer)))
}

/// 200 with the outcome of a write that could not carry its key along; remembers it.
pub(crate) async fn ok_once(
    runtime: &Runtime,
    key: Key,
    body: &impl Serialize,
) -> Result<HttpResponse, ApiError> {
    runtime.remember(key, body).await;
    ok(body)
}

//! `openapi.json`: generated from the handlers, checked in under schema/, kept current by a test.

use super::{Document, RouteClass, classify};
use crate::http::wire::ok_json;
use actix_web::{HttpResponse, get, http::Method};
use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, Object, RefOr, Required, ResponseBuilder,
        path::{Operation, ParameterBuilder, ParameterIn},
        schema::{KnownFormat, SchemaFormat, Type},
    },
};

/// The document as checked in: pretty, with a line end.
#[must_use]
pub fn text() -> String {
    let mut document = Document::openapi();
    for (path, item) in &mut document.paths.paths {
        let operations = [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::DELETE, &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(operation_id(&method, path));
                add_path_parameters(operation, path);
                add_refusals(operation, path, classify(&method, path));
                complete(operation);
            }
        }
    }
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// Names the parameters of a path: ids, and the numbers of checkpoints.
fn add_path_parameters(operation: &mut Operation, path: &str) {
    let names = path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?;
        name.strip_suffix('}')
    });
    let parameters = names.map(|name| {
        let (kind, format) = match name {
            "number" => (Type::Integer, KnownFormat::Int32),
            _ => (Type::String, KnownFormat::Uuid),
        };
        let schema = Object::builder()
            .schema_type(kind)
            .format(Some(SchemaFormat::KnownFormat(format)))
            .minimum((name == "number").then_some(0));
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(schema))
            .build()
            .into()
    });
    let query = operation.parameters.take().unwrap_or_default();
    let all: Vec<_> = parameters.chain(query).collect();
    operation.parameters = (!all.is_empty()).then_some(all);
}

/// Adds the refusals before any handler: by the gate, for the path, the query or the body, at
/// shutdown.
fn add_refusals(operation: &mut Operation, path: &str, class: RouteClass) {
    let mut refusals = vec!["400", "403"];
    if path.contains('{') {
        refusals.push("404");
    }
    if class != RouteClass::Open {
        refusals.extend(["401", "429", "503"]);
    }
    let writes = [RouteClass::Write, RouteClass::Hook, RouteClass::Terminal];
    if writes.contains(&class) {
        refusals.push("415");
    }
    if operation.request_body.is_some() {
        refusals.push("413");
    }
    for status in refusals {
        let known = &mut operation.responses.responses;
        let refusal = || ResponseBuilder::new().into();
        known.entry(status.to_owned()).or_insert_with(refusal);
    }
}

/// What OpenAPI requires of each response and no handler says: a description; and that a refusal is
/// one sentence.
fn complete(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        if response.description.is_empty() {
            response.description = meaning(status).to_owned();
        }
        let refuses = status.starts_with(['4', '5']);
        if refuses && response.content.is_empty() {
            let sentence = Object::builder().schema_type(Type::String);
            let content = ContentBuilder::new().schema(Some(sentence)).build();
            response
                .content
                .insert("text/plain".to_owned(), RefOr::T(content));
        }
    }
}

fn meaning(status: &str) -> &'static str {
    match status {
        "200" => "The answer.",
        "201" => "Created.",
        "202" => "Started.",
        "204" => "Done.",
        "206" => "The requested range.",
        "400" => "The request is malformed, or a value breaks a rule; the sentence names it.",
        "401" => "The server requires a token, and the request has none or a wrong one.",
        "403" => "Refused because of its host, its origin, the calling user or its secret.",
        "404" => "Unknown id.",
        "409" => "Its current state does not allow this; the sentence names the state.",
        "413" => "The body is too large.",
        "415" => "The body is not declared as JSON.",
        "416" => "The requested range is empty.",
        "429" => "A limit is reached; `Retry-After` says when to try again.",
        "502" => "A remote, a forge or a CLI refused or failed.",
        "503" => "Shutting down, or the disk is full; `Retry-After` says when to try again.",
        _ => "Refused; the sentence says why.",
    }
}

/// Method and path as one name, such as `get_runs_id`: handlers share names over files, and the
/// ids of a document must differ.
fn operation_id(method: &Method, path: &str) -> String {
    let mut id = method.as_str().to_ascii_lowercase();
    for segment in path.trim_start_matches("/api/").split('/') {
        id.push('_');
        id.extend(segment.chars().filter_map(|c| match c {
            '{' | '}' => None,
            '-' | '.' => Some('_'),
            c => Some(c),
        }));
    }
    id
}

/// This document.
#[utoipa::path(tag = "others", responses((status = 200, body = Object)))]
#[get("/api/openapi.json")]
pub(in crate::http) async fn show() -> HttpResponse {
    ok_json(text())
}

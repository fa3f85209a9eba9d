//! The schema of an event as the API shows it. The store writes events without reading their
//! payloads, so no value of these types is ever made.

use crate::domain::{RunId, run::Event};
use std::borrow::Cow;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Discriminator, Object, OneOf, Ref, RefOr, Schema},
};

/// One object for each event type: `event_type` tells which.
pub(super) struct EventView;

/// What all events have beside their type and payload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by utoipa only")]
struct EventHead {
    /// Place in the whole log.
    id: i64,
    run_id: RunId,
    /// Place in its run, without holes.
    sequence: u64,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Name of the type on the wire, name of its schema, schema.
type Described = (String, String, Object);

/// All event types, each with its payload and what all events have.
fn types() -> Vec<Described> {
    let RefOr::T(Schema::OneOf(union)) = Event::schema() else {
        return Vec::new();
    };
    union.items.into_iter().filter_map(described).collect()
}

fn described(item: RefOr<Schema>) -> Option<Described> {
    let RefOr::T(Schema::Object(mut event)) = item else {
        return None;
    };
    let RefOr::T(Schema::Object(head)) = EventHead::schema() else {
        return None;
    };
    event.properties.extend(head.properties);
    event.required.extend(head.required);
    let RefOr::T(Schema::Object(name)) = event.properties.get("event_type")? else {
        return None;
    };
    let event_type = name.enum_values.as_ref()?.first()?.as_str()?.to_owned();
    let RefOr::Ref(payload) = event.properties.get("payload")? else {
        return None;
    };
    let (_, payload) = payload.ref_location.rsplit_once('/')?;
    Some((event_type, format!("{payload}Event"), event))
}

impl PartialSchema for EventView {
    fn schema() -> RefOr<Schema> {
        let mut union = OneOf::new();
        let mut mapping = Vec::new();
        for (event_type, name, _) in types() {
            let place = Ref::from_schema_name(name);
            mapping.push((event_type, place.ref_location.clone()));
            union.items.push(place.into());
        }
        union.discriminator = Some(Discriminator::with_mapping("event_type", mapping));
        union.description = Some("An event of a run; `event_type` tells which payload.".to_owned());
        RefOr::T(Schema::OneOf(union))
    }
}

impl ToSchema for EventView {
    fn name() -> Cow<'static, str> {
        "EventView".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Event::schemas(schemas);
        EventHead::schemas(schemas);
        let types = types().into_iter();
        schemas.extend(types.map(|(_, name, event)| (name, event.into())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_type_is_described() {
        let described: Vec<_> = types().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(described, Event::TYPES);
    }
}

//! What a handler's signature says of its operation: what it takes from the request, and what it gives.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderName, StatusCode};
use landline_wire::error::Code;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::operation::Operation;
use super::parameter;
use crate::agents::card_http::CardPath;
use crate::error::Result;
use crate::extract::{AgentPath, JsonBody, Params, PathText, Peer, Principal};
use crate::state::Exchange;

/// Makes the schema of a type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of `T`, where it is defined.
pub(crate) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Something that a handler takes.
pub(crate) trait Taken {
    /// Says what follows for the operation.
    fn describe(_: &mut Operation) {}
}

impl Taken for State<Exchange> {}
impl Taken for Principal {}
impl Taken for Peer {}
impl Taken for HeaderMap {}
// Which variable of the path it is, the operation's own page says.
impl Taken for PathText {}

impl Taken for AgentPath {
    fn describe(operation: &mut Operation) {
        operation.parameters.push(parameter::agent_id());
        operation.fail(&[Code::InvalidQuery]);
    }
}

impl Taken for CardPath {
    fn describe(operation: &mut Operation) {
        operation.parameters.extend([parameter::agent_id(), parameter::card_number()]);
        operation.fail(&[Code::InvalidQuery]);
    }
}

impl Taken for Params {
    fn describe(operation: &mut Operation) {
        operation.fail(&[Code::InvalidQuery]);
    }
}

impl Taken for JsonBody {
    fn describe(operation: &mut Operation) {
        operation.fail(&[Code::BodyTooLarge, Code::UnsupportedMediaType, Code::InvalidQuery, Code::UploadTimeout]);
    }
}

/// Something that a handler gives.
pub(crate) trait Given {
    /// The schema of the answer's JSON body, if the type tells that there is one.
    const SCHEMA: Option<SchemaOf> = None;
}

impl Given for StatusCode {}
impl Given for Response {}

impl<T: JsonSchema> Given for Json<T> {
    const SCHEMA: Option<SchemaOf> = Some(schema_of::<T>);
}

impl<T: JsonSchema, H> Given for (StatusCode, H, Json<T>) {
    const SCHEMA: Option<SchemaOf> = Some(schema_of::<T>);
}

impl<T: JsonSchema, const N: usize> Given for ([(HeaderName, &'static str); N], Json<T>) {
    const SCHEMA: Option<SchemaOf> = Some(schema_of::<T>);
}

impl<T: Given> Given for Result<T> {
    const SCHEMA: Option<SchemaOf> = T::SCHEMA;
}

/// A handler: a function of what it takes.
pub(crate) trait Handler<Args> {
    /// Writes down what the signature says.
    fn describe(operation: &mut Operation);
}

macro_rules! handlers {
    ($(($($taken:ident)*))*) => {$(
        impl<F, Answer, Output, $($taken),*> Handler<($($taken,)*)> for F
        where
            F: Fn($($taken),*) -> Answer,
            Answer: Future<Output = Output>,
            Output: Given,
            $($taken: Taken,)*
        {
            fn describe(operation: &mut Operation) {
                $($taken::describe(operation);)*
                operation.gives = Output::SCHEMA;
            }
        }
    )*};
}

handlers! {
    ()
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
}

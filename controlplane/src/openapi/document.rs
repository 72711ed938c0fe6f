//! The document: OpenAPI 3.1 of all operations.

use std::collections::BTreeMap;

use landline_wire::error::{Code, Origin, Problem};
use landline_wire::limits::MAX_REQUEST_ID_CHARS;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operation::{ANY_STATUS, Answer, Body, Dialect, Operation, Who};
use super::{Section, sections};
use crate::agents;

/// What is collected on the way through the operations, under the names by which they refer to it.
struct Components<'a> {
    /// Where problem documents point.
    origin: &'a Origin,
    /// Of what is answered.
    given: SchemaGenerator,
    /// Of what is taken.
    taken: SchemaGenerator,
    /// Answers of failures: each combination of codes once.
    failures: BTreeMap<String, Value>,
}

/// The document of a server that is reached there. `about` is what holds for all operations.
pub(super) fn document(origin: &Origin, about: &str) -> Value {
    let Origin { public_url, prefix } = origin;
    let mut components = Components {
        origin,
        given: settings().for_serialize().into_generator(),
        taken: settings().for_deserialize().into_generator(),
        failures: BTreeMap::new(),
    };
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let sections = sections();
    for section in &sections {
        for operation in &section.operations {
            let item = paths.entry(template(operation, prefix)).or_default();
            for method in operation.methods {
                let described = describe(operation, method, section.name, &mut components);
                item.insert(method.to_ascii_lowercase(), described);
            }
        }
    }
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Landline",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A directory, an exchange and a switch for AI agents that have no public address.",
            "description": about,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "externalDocs": {"url": format!("{public_url}/docs/HTTP_API"), "description": "The same in prose"},
        "servers": [{"url": public_url}],
        "tags": sections.iter().map(Section::json).collect::<Vec<_>>(),
        "paths": paths,
        "components": components.json(),
    })
}

/// How schemas are made: their definitions are components of the document.
pub(super) fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    })
}

/// The path of an operation, as OpenAPI has it.
pub(crate) fn template(operation: &Operation, prefix: &str) -> String {
    let prefix = if operation.at_root { "" } else { prefix.trim_end_matches('/') };
    format!("{prefix}{}", operation.path).replace("{*", "{")
}

/// The name of one of an operation's methods: operations of several methods are told apart by them.
fn operation_id(operation: &Operation, method: &str) -> String {
    match operation.methods {
        [_] => operation.id.to_owned(),
        _ => format!("{}{}{}", operation.id, &method[..1], method[1..].to_ascii_lowercase()),
    }
}

fn describe(operation: &Operation, method: &str, tag: &str, components: &mut Components<'_>) -> Value {
    let mut responses = Map::new();
    for answer in &operation.answers {
        let status = if answer.status == ANY_STATUS { "default".to_owned() } else { answer.status.to_string() };
        responses.insert(status, components.answer(answer));
    }
    let passes = operation.answers.iter().any(|answer| answer.status == ANY_STATUS);
    let besides = match operation.dialect {
        Some(dialect) => Besides::Standard(dialect),
        None if passes => Besides::Agent,
        None => Besides::Nothing,
    };
    let status_of = operation.dialect.map_or(Code::status as fn(Code) -> u16, |dialect| dialect.status);
    for (status, codes) in by(&operation.failures, status_of) {
        responses.insert(status.to_string(), components.failure(status, &codes, besides));
    }
    let parameters: Vec<Value> = operation.parameters.iter().map(super::parameter::Parameter::json).collect();
    let mut out = json!({
        "operationId": operation_id(operation, method),
        "tags": [tag],
        "summary": operation.title,
        "description": operation.about,
        "parameters": parameters,
        "responses": responses,
        "security": security(operation.who),
    });
    if let Some(body) = operation.body.as_ref().filter(|_| !matches!(method, "GET" | "HEAD" | "OPTIONS" | "DELETE")) {
        out["requestBody"] = components.body(body);
    }
    out
}

/// Failures by their statuses.
pub(crate) fn by_status(failures: &[Code]) -> BTreeMap<u16, Vec<Code>> {
    by(failures, Code::status)
}

fn by(failures: &[Code], status: impl Fn(Code) -> u16) -> BTreeMap<u16, Vec<Code>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in failures {
        by_status.entry(status(*code)).or_default().push(*code);
    }
    by_status
}

/// The credentials of which one is needed.
fn security(who: Who) -> Value {
    match who {
        Who::Anyone => json!([]),
        Who::Caller => json!([{"apiKey": []}, {"token": []}]),
        Who::CallerUnlessPublic => json!([{"apiKey": []}, {"token": []}, {}]),
        Who::KeyHolder | Who::Owner => json!([{"apiKey": []}]),
        Who::Admin => json!([{"adminToken": []}]),
    }
}

/// What can have the status of a failure beside the problem document.
#[derive(Debug, Clone, Copy)]
enum Besides {
    Nothing,
    /// The same failure in another standard's words.
    Standard(Dialect),
    /// An agent's own answer.
    Agent,
}

impl Besides {
    fn suffix(self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Standard(dialect) => format!(".{}", dialect.name),
            Self::Agent => ".or-the-agents".to_owned(),
        }
    }
}

impl Components<'_> {
    fn body(&mut self, body: &Body) -> Value {
        let mut content = json!({});
        if let Some(schema) = body.schema {
            content["schema"] = schema(&mut self.taken).to_value();
        }
        if let Some(example) = &body.example {
            content["example"] = example.clone();
        }
        json!({"required": body.required, "description": body.about, "content": {body.media: content}})
    }

    fn answer(&mut self, answer: &Answer) -> Value {
        let mut headers = match answer.status {
            // What follows is another protocol.
            101 => json!({}),
            _ => json!({"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}),
        };
        for (name, about) in &answer.headers {
            headers[*name] = json!({"description": about, "required": true, "schema": {"type": "string"}});
        }
        let mut out = json!({"description": answer.about, "headers": headers});
        if let Some((media, schema)) = answer.content {
            let schema = schema.map(|schema| schema(&mut self.given).to_value());
            let mut content = schema.map_or(json!({}), |schema| json!({"schema": schema}));
            if let Some(example) = &answer.example {
                content["example"] = example.clone();
            }
            out["content"] = json!({media: content});
        }
        for (to, parameter, place) in answer.links {
            out["links"][*to] = json!({"operationId": to, "parameters": {*parameter: place}});
        }
        out
    }

    /// Failures of one status. Which codes there can be is said, so that a program knows what it may meet, and what can have
    /// this status `besides`.
    fn failure(&mut self, status: u16, codes: &[Code], besides: Besides) -> Value {
        let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
        let name = format!("{status}.{}{}", names.join("."), besides.suffix());
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        let problem = super::handler::schema_of::<landline_api::problem::ProblemDocument>(&mut self.given).to_value();
        if self.failures.contains_key(&name) {
            return reference;
        }
        let failure = {
            let mut meanings: Vec<String> =
                codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.entry().meaning)).collect();
            let mut headers = json!({"X-Request-Id": {"$ref": "#/components/headers/RequestId"}});
            match status {
                _ if matches!(besides, Besides::Agent) => {}
                401 => headers["WWW-Authenticate"] = json!({"$ref": "#/components/headers/Authenticate"}),
                429 | 503 => headers["Retry-After"] = json!({"$ref": "#/components/headers/RetryAfter"}),
                _ => {}
            }
            let mut of_these = json!({"properties": {"code": {"enum": names}}});
            if !matches!(besides, Besides::Standard(_)) {
                of_these["properties"]["status"] = json!({"const": status});
            }
            let schema = json!({"allOf": [problem, of_these]});
            let examples = codes.iter().map(|code| (code.as_str().to_owned(), json!({"value": self.example(*code)})));
            let examples: Map<String, Value> = examples.collect();
            let mut content = json!({"application/problem+json": {"schema": schema, "examples": examples}});
            match besides {
                Besides::Nothing => {}
                Besides::Standard(dialect) => {
                    content["application/json"] = json!({"schema": (dialect.schema)(&mut self.given).to_value()});
                }
                Besides::Agent => {
                    content["*/*"] = json!({});
                    meanings.push("Or the agent's own answer of this status.".to_owned());
                }
            }
            json!({"description": meanings.join("\n\n"), "headers": headers, "content": content})
        };
        self.failures.insert(name, failure);
        reference
    }

    /// A problem document of this code, as it is written for those who fail.
    fn example(&self, code: Code) -> Value {
        Problem::plain(code).document(self.origin, "/v1/agents", "3f1c0de2a37b4f6899c2d1e04b7a6c35")
    }

    fn json(mut self) -> Value {
        let mut schemas = self.given.take_definitions(true);
        schemas.values_mut().for_each(without_defaults);
        for (name, schema) in self.taken.take_definitions(true) {
            schemas.entry(name).or_insert(schema);
        }
        schemas.insert("AgentCard".into(), agents::card_schema());
        let bearer = |about: &str| json!({"type": "http", "scheme": "bearer", "description": about});
        json!({
            "schemas": plain(Value::Object(schemas)),
            "responses": self.failures,
            "headers": {
                "RequestId": {
                    "description": "The request's id: the caller's own `X-Request-Id` if it is one, otherwise made.",
                    "required": true,
                    "schema": {
                        "type": "string", "minLength": 1, "maxLength": MAX_REQUEST_ID_CHARS,
                        "pattern": "^[A-Za-z0-9._-]+$",
                    },
                },
                "RetryAfter": {
                    "description": "Seconds after which to come back.",
                    "required": true,
                    "schema": {"type": "integer", "minimum": 0},
                },
                "Authenticate": {
                    "description": "What kind of credential is wanted.",
                    "required": true,
                    "schema": {"type": "string", "const": "Bearer"},
                },
            },
            "securitySchemes": {
                "apiKey": bearer("An agent's API key, as its registration gave it: the owner."),
                "token": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A token of 15 minutes from `POST …/v1/auth/token`: a caller on the owner's behalf.",
                },
                "adminToken": bearer("The operator's token, which lies in the data directory."),
            },
        })
    }
}

/// Takes away what readers of older answers put in a member's place: an answer of ours has them all.
fn without_defaults(schema: &mut Value) {
    let members = schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten();
    for member in members.filter_map(|(_, member)| member.as_object_mut()) {
        member.remove("default");
    }
}

/// Descriptions without the brackets in which Rust's documentation has links.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| match value {
                    Value::String(text) if name == "description" => {
                        (name, text.replace("[`", "`").replace("`]", "`").into())
                    }
                    value => (name, plain(value)),
                })
                .collect(),
        ),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        value => value,
    }
}

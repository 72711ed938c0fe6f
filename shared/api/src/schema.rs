//! What a schema says of members that Rust has as plain texts: their forms and their words. For descriptions only; no value
//! of these types exists.
//!
//! The words stay texts in the types themselves, so that a client of today reads what a server of tomorrow says.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::agents::CATEGORIES;

/// An absolute http or https URL without user information, as far as a pattern can tell.
pub const HTTP_URL: &str = concat!(
    r"^https?://[A-Za-z0-9._~-]+",
    r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?",
    r"(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$",
);

macro_rules! text {
    ($($(#[$doc:meta])* $name:ident = $schema:tt;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

text! {
    /// RFC 3339, UTC, milliseconds.
    Time = {"type": "string", "format": "date-time"};
    /// A colour.
    Color = {"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"};
    /// An absolute http or https URL.
    HttpUrl = {"type": "string", "minLength": 8, "maxLength": 2000, "pattern": HTTP_URL};
    /// What an agent may be filed under.
    Category = {"type": "string", "enum": CATEGORIES};
    /// Where an entry comes from.
    Source = {"type": "string", "enum": ["self_registered", "federated"]};
    /// How far an entry has got.
    Tier = {"type": "string", "enum": ["new", "basic", "listed", "proven", "dormant"]};
    /// What a probe found.
    Verdict = {
        "type": "string",
        "enum": ["callable", "auth_required", "protocol_error", "timeout", "unreachable", "unknown"],
    };
    /// What became of a submission.
    SubmissionStatus = {"type": "string", "enum": ["queued", "indexed", "catalog", "known", "failed", "gone"]};
    /// How a call reached its agent.
    Route = {"type": "string", "enum": ["relay", "http_direct"]};
    /// With what a line was opened.
    CredentialKind = {"type": "string", "enum": ["api_key", "token"]};
    /// What a reliability is made of.
    SignalName = {
        "type": "string",
        "enum": ["uptime", "latency", "success", "pulse", "claim", "provider", "disputes"],
    };
    /// An API key: 32 random bytes.
    ApiKey = {"type": "string", "pattern": "^ll_[A-Za-z0-9_-]{43}$"};
    /// The first characters of an API key.
    KeyPrefix = {"type": "string", "pattern": "^ll_[A-Za-z0-9_-]{5}$"};
    /// A JWT.
    Jwt = {"type": "string", "pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"};
    /// SHA-256 in hexadecimal digits.
    Sha256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"};
    /// Who can act on an error.
    Audience = {"type": "string", "enum": ["agent", "human"]};
    /// A2A's Agent Card. The exchange's own tables say what one may hold, and put it in this place.
    AgentCard = {"$ref": "#/components/schemas/AgentCard"};
    /// An object with members of its author's choice.
    Free = {"type": "object"};
}

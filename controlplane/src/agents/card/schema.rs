//! What an Agent Card must be: the tables. Source: `a2a.proto` of A2A 1.0.0, whose order of members is kept, since the
//! first fault in this order is the one that is reported. What A2A 0.3 and the directory have besides stands behind the
//! member that it goes with.
//!
//! Fewer members are required than A2A requires: a card may be registered before its agent has an address, a version or
//! a skill. What nobody could use without a member has it required: an interface has its URL, an API key its place.
//! Every list and text has a bound.

use super::form::{Form, MAX_URL_CHARS};
use super::service_class;
use super::shape::Shape::{Beside, Flag, Free, List, Named, Object, OneOf, Text, Within, Word};
use super::shape::{Member, Shape, may, member, must, old, ours, text};

/// Skills of a card: more than any agent has, few enough to index in one transaction.
const MAX_SKILLS: usize = 200;
/// Entries of any other list, and names of any map.
const MAX_ENTRIES: usize = 50;
/// Scopes of one scheme: large providers have many.
const MAX_SCOPES: usize = 200;

/// Characters of a name. The directory's own rule; also for names that we offer.
pub(crate) const NAME_CHARS: std::ops::RangeInclusive<usize> = 3..=100;

const NAME: Shape = Text(*NAME_CHARS.start(), *NAME_CHARS.end(), Form::Name);
const PROSE: Shape = Text(0, 10_000, Form::Any);
const WORD: Shape = Text(0, 200, Form::Line);
const TAG: Shape = Text(0, 100, Form::Line);
const URL: Shape = Text(0, MAX_URL_CHARS, Form::HttpUrl);
const VERSION: Shape = Text(0, 30, Form::Version);
const JOSE: Shape = Text(1, 8_000, Form::Base64Url);
const SCOPES: Shape = Named(&PROSE, MAX_SCOPES);
const MODES: Shape = List(&WORD, MAX_ENTRIES);

/// `AgentCard`
pub(super) const CARD: Shape = Object(&[
    must("name", NAME),
    must("description", Text(10, 2_000, Form::Any)),
    may("supportedInterfaces", List(&INTERFACE, MAX_ENTRIES)),
    ours("url", Beside(|card| address(text(card, "preferredTransport")))),
    old("preferredTransport", WORD),
    old("additionalInterfaces", List(&OLD_INTERFACE, MAX_ENTRIES)),
    ours("protocolVersion", VERSION),
    may("provider", PROVIDER),
    may("version", Text(0, 100, Form::Line)),
    may("documentationUrl", URL),
    may("capabilities", CAPABILITIES),
    old("supportsAuthenticatedExtendedCard", Flag),
    may("securitySchemes", Named(&SECURITY_SCHEME, MAX_ENTRIES)),
    may("securityRequirements", REQUIREMENTS),
    old("security", OLD_REQUIREMENTS),
    may("defaultInputModes", MODES),
    may("defaultOutputModes", MODES),
    may("skills", List(&SKILL, MAX_SKILLS)),
    may("signatures", List(&SIGNATURE, MAX_ENTRIES)),
    may("iconUrl", URL),
    ours("verifyingKeys", Object(&[must("keys", List(&Free, MAX_ENTRIES))])),
]);

/// `AgentInterface`
const INTERFACE: Shape = Object(&[
    must("url", Beside(|interface| address(text(interface, "protocolBinding")))),
    must("protocolBinding", WORD),
    may("tenant", WORD),
    may("protocolVersion", VERSION),
]);

/// `AgentInterface` of v0.3
const OLD_INTERFACE: Shape =
    Object(&[must("url", Beside(|interface| address(text(interface, "transport")))), must("transport", WORD)]);

/// What a URL must be for a binding: gRPC has host and port, and bindings of others any URI.
fn address(binding: Option<&str>) -> Shape {
    match binding {
        None | Some("JSONRPC" | "HTTP+JSON") => URL,
        Some("GRPC") => Text(0, MAX_URL_CHARS, Form::Address),
        Some(_) => Text(0, MAX_URL_CHARS, Form::Uri),
    }
}

/// `AgentProvider`
const PROVIDER: Shape = Object(&[may("url", URL), may("organization", WORD)]);

/// `AgentCapabilities`
const CAPABILITIES: Shape = Object(&[
    may("streaming", Flag),
    may("pushNotifications", Flag),
    old("stateTransitionHistory", Flag),
    may("extensions", List(&EXTENSION, MAX_ENTRIES)),
    may("extendedAgentCard", Flag),
]);

/// `AgentExtension`; of one that is ours its parameters are known.
const EXTENSION: Shape = Within(|extension, around| {
    if service_class::is_declared_by(extension, around) {
        Object(&SERVICE_CLASS_EXTENSION)
    } else {
        Object(&ANY_EXTENSION)
    }
});
const EXTENSION_URI: Member = must("uri", Text(1, MAX_URL_CHARS, Form::Line));
const ANY_EXTENSION: [Member; 4] =
    [EXTENSION_URI, may("description", PROSE), may("required", Flag), may("params", Free)];
const SERVICE_CLASS_EXTENSION: [Member; 4] = [
    EXTENSION_URI,
    may("description", PROSE),
    may("required", Flag),
    must("params", Object(&[must("class", Word(&service_class::CLASSES))])),
];

/// `AgentSkill`
const SKILL: Shape = Object(&[
    may("id", WORD),
    may("name", WORD),
    may("description", PROSE),
    may("tags", List(&TAG, MAX_ENTRIES)),
    may("examples", List(&PROSE, MAX_ENTRIES)),
    may("inputModes", MODES),
    may("outputModes", MODES),
    may("securityRequirements", REQUIREMENTS),
    old("security", OLD_REQUIREMENTS),
]);

/// `AgentCardSignature`
const SIGNATURE: Shape = Object(&[must("protected", JOSE), must("signature", JOSE), may("header", Free)]);

/// `SecurityRequirement`
const REQUIREMENTS: Shape =
    List(&Object(&[may("schemes", Named(&Object(&[may("list", List(&WORD, MAX_SCOPES))]), MAX_ENTRIES))]), MAX_ENTRIES);

/// The same in v0.3: names of schemes with their scopes.
const OLD_REQUIREMENTS: Shape = List(&Named(&List(&WORD, MAX_SCOPES), MAX_ENTRIES), MAX_ENTRIES);

/// `SecurityScheme`. One that names its `type` and has no member of v1.0 is of v0.3.
const SECURITY_SCHEME: Shape = Within(|scheme, _| {
    let is_new = SCHEMES.iter().any(|kind| member(scheme, kind.name).is_some());
    match member(scheme, "type") {
        Some(kind) if !is_new && kind != "" => old_scheme(kind.as_str()),
        _ => OneOf(&SCHEMES),
    }
});

const LOCATIONS: [&str; 3] = ["header", "query", "cookie"];

const SCHEMES: [Member; 5] = [
    may(
        "apiKeySecurityScheme",
        Object(&[may("description", PROSE), must("location", Word(&LOCATIONS)), must("name", WORD)]),
    ),
    may(
        "httpAuthSecurityScheme",
        Object(&[may("description", PROSE), must("scheme", WORD), may("bearerFormat", WORD)]),
    ),
    may(
        "oauth2SecurityScheme",
        Object(&[may("description", PROSE), must("flows", OneOf(&FLOWS)), may("oauth2MetadataUrl", URL)]),
    ),
    may("openIdConnectSecurityScheme", Object(&[may("description", PROSE), must("openIdConnectUrl", URL)])),
    may("mtlsSecurityScheme", Object(&[may("description", PROSE)])),
];

/// The words of v0.3 for the kinds of schemes, in the order of [`SCHEMES`].
const OLD_KINDS: [&str; 5] = ["apiKey", "http", "oauth2", "openIdConnect", "mutualTLS"];
const KIND: Member = old("type", Word(&OLD_KINDS));

/// A scheme of v0.3, by its `type`.
fn old_scheme(kind: Option<&str>) -> Shape {
    match kind {
        Some("apiKey") => OLD_API_KEY,
        Some("http") => OLD_HTTP,
        Some("oauth2") => OLD_OAUTH2,
        Some("openIdConnect") => OLD_OPEN_ID,
        _ => OLD_MUTUAL_TLS,
    }
}

const OLD_API_KEY: Shape = Object(&[KIND, may("description", PROSE), must("in", Word(&LOCATIONS)), must("name", WORD)]);
const OLD_HTTP: Shape = Object(&[KIND, may("description", PROSE), must("scheme", WORD), may("bearerFormat", WORD)]);
const OLD_OAUTH2: Shape =
    Object(&[KIND, may("description", PROSE), must("flows", Object(&FLOWS)), may("oauth2MetadataUrl", URL)]);
const OLD_OPEN_ID: Shape = Object(&[KIND, may("description", PROSE), must("openIdConnectUrl", URL)]);
const OLD_MUTUAL_TLS: Shape = Object(&[KIND, may("description", PROSE)]);

/// `OAuthFlows`: one of these in v1.0, any of them in v0.3.
const FLOWS: [Member; 5] = [
    may(
        "authorizationCode",
        Object(&[
            must("authorizationUrl", URL),
            must("tokenUrl", URL),
            may("refreshUrl", URL),
            may("scopes", SCOPES),
            may("pkceRequired", Flag),
        ]),
    ),
    may("clientCredentials", Object(&[must("tokenUrl", URL), may("refreshUrl", URL), may("scopes", SCOPES)])),
    may("implicit", Object(&[may("authorizationUrl", URL), may("refreshUrl", URL), may("scopes", SCOPES)])),
    may("password", Object(&[may("tokenUrl", URL), may("refreshUrl", URL), may("scopes", SCOPES)])),
    may(
        "deviceCode",
        Object(&[
            must("deviceAuthorizationUrl", URL),
            must("tokenUrl", URL),
            may("refreshUrl", URL),
            may("scopes", SCOPES),
        ]),
    ),
];

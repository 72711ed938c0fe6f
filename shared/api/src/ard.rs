//! The directory as a registry of Agentic Resource Discovery (ARD 0.9) and as an AI Catalog (1.0).
//!
//! These two standards have a spelling of their own: names are camelCase, and failures are [`Failure`], not problem
//! documents. Requests are closed (a member that the standard does not know is an error), entries are open.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Media type of an A2A Agent Card, as an entry's `type`.
pub const CARD_TYPE: &str = "application/a2a-agent-card+json";
/// Media type of a catalogue, as an entry's `type` and as a document's.
pub const CATALOG_TYPE: &str = "application/ai-catalog+json";
/// Media type of a registry, as an entry's and a referral's `type`.
pub const REGISTRY_TYPE: &str = "application/ai-registry+json";

/// Something that can be found: an agent, a catalogue, a registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// `urn:air:<publisher>:…:<name>`; it never changes.
    pub identifier: String,
    /// What people call it.
    pub display_name: String,
    /// The media type of what `url` leads to.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same again, under the name that AI Catalog has for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_type: Option<String>,
    /// Where the artefact is. Exactly one of `url` and `data` is there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// The artefact itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data: Option<Map<String, Value>>,
    /// What it does, in a few sentences.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// Words to file it under.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// The ids of its skills.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub capabilities: Vec<String>,
    /// What people may ask of it: two to five, or none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub representative_queries: Vec<String>,
    /// Its version, as it says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// When its entry last changed, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub updated_at: Option<String>,
    /// Who is behind it, as it says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub publisher: Option<Publisher>,
    /// More about it: texts, numbers and truth values by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub metadata: BTreeMap<String, Value>,
    /// What others say of it that can be verified.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trust_manifest: Option<Value>,
}

/// Who is behind an entry, as AI Catalog has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Publisher {
    /// A domain, or another name of the kind that `identity_type` says.
    pub identifier: String,
    /// What people call it.
    pub display_name: String,
    /// Such as `dns`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity_type: Option<String>,
}

/// A catalogue: `ai-catalog.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Catalog {
    /// `1.0`.
    pub spec_version: String,
    /// Who publishes it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host: Option<Host>,
    /// What it names.
    pub entries: Vec<Entry>,
}

/// Who publishes a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// What people call it.
    pub display_name: String,
    /// Its domain.
    pub identifier: String,
    /// Where it is explained.
    pub documentation_url: String,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// In words, at most 4,000 characters. A search needs it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// Paths into the entry, each with a value or a list of values of which one must be there. All must hold.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub filter: Map<String, Value>,
}

/// Whether other registries have a part in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Federation {
    /// They are asked, and what they say is merged.
    #[default]
    Auto,
    /// They are named.
    Referrals,
    /// They have none.
    None,
}

/// Body of `POST /search`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchRequest {
    /// What is looked for; `text` is required.
    pub query: Query,
    /// Whether other registries have a part in the answer.
    #[serde(default)]
    pub federation: Federation,
    /// Results of a page: 10 unless given, at most 100.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub page_size: Option<u32>,
    /// The `pageToken` of the page before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub page_token: Option<String>,
}

/// Answer to [`SearchRequest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SearchResponse {
    /// Best first.
    pub results: Vec<SearchResult>,
    /// Other registries; only if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub referrals: Option<Vec<Referral>>,
    /// Where the next page begins; not there on the last one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub page_token: Option<String>,
}

/// An entry that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchResult {
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
    /// 0 to 100: how well its texts match the query. It says nothing of trust, safety or reliability.
    pub score: u8,
    /// The registry that holds it.
    pub source: String,
}

/// Another registry that can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Referral {
    /// Its name as a URN.
    pub identifier: String,
    /// What people call it.
    pub display_name: String,
    /// [`REGISTRY_TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is searched.
    pub url: String,
}

/// Body of `POST /explore`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExploreRequest {
    /// Of which entries; all, if it is not given.
    #[serde(default)]
    pub query: Query,
    /// What is to be counted.
    pub result_type: ResultType,
}

/// What is to be counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResultType {
    /// The fields, at most 10.
    pub facets: Vec<FacetRequest>,
}

/// A field whose values are to be counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FacetRequest {
    /// A path into the entry.
    pub field: String,
    /// Values that are named: the most frequent ones, 20 unless given, at most 100.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u32>,
    /// Entries that a value must have to be named, 1 unless given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min_count: Option<u64>,
}

/// Answer to [`ExploreRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ExploreResponse {
    /// `facets`.
    pub result_type: String,
    /// The counts by field.
    pub facets: BTreeMap<String, FacetResult>,
}

/// The values of a field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FacetResult {
    /// Most frequent first.
    pub buckets: Vec<Bucket>,
    /// Entries of the values that `limit` left out; not there if it left none out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub other_count: Option<u64>,
}

/// A value, and how many entries have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bucket {
    /// The value.
    pub value: String,
    /// Entries.
    pub count: u64,
}

/// Answer to `GET /agents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ListResponse {
    /// A page of entries.
    pub items: Vec<Entry>,
    /// How many there are in all.
    pub total: u64,
    /// Where the next page begins; not there on the last one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub page_token: Option<String>,
}

/// What every failure below the registry's base is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Such as `INVALID_ARGUMENT`.
    pub error_code: String,
    /// What happened, for people.
    pub message: String,
}

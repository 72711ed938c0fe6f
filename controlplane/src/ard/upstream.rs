//! Other registries: asking them, and what of their answers is passed on.
//!
//! They are the operator's choice, but what they say is not: it is read within bounds, and what is no entry is left out.

use std::time::Duration;

use futures_util::future::join_all;
use http::Uri;
use landline_api::ard::{Federation, Query, REGISTRY_TYPE, Referral, SearchRequest, SearchResult};
use serde::Deserialize;
use serde_json::Value;

use super::merge::At;
use super::names;
use crate::relay::direct::{Heard, Respondent};
use crate::state::Exchange;

/// Time for all of them.
const DEADLINE: Duration = Duration::from_secs(2);
/// Bytes of an answer: a hundred entries of twice the usual size.
const MAX_BYTES: usize = 1 << 20;
/// Bytes of an identifier.
const MAX_URN_BYTES: usize = 512;

/// What another registry answered.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// Best first.
    pub(crate) results: Vec<SearchResult>,
    /// Where its next page begins.
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    results: Vec<Value>,
    #[serde(default)]
    page_token: Option<String>,
}

/// Asks registries at these places, all at once. Who does not answer in time has no results; `None` is not asked.
pub(crate) async fn ask(exchange: &Exchange, query: &Query, size: usize, at: &[Option<At>]) -> Vec<Answered> {
    let bases = exchange.config.ard_upstreams.iter();
    let asked = bases.zip(at).map(|(base, at)| async move {
        let Some(at) = at else { return Answered::default() };
        let request = SearchRequest {
            query: query.clone(),
            // They ask nobody else: no question goes round in circles.
            federation: Federation::None,
            page_size: u32::try_from(size).ok(),
            page_token: at.token.clone(),
        };
        match one(exchange, base, &request, size).await {
            Ok(answered) => {
                let results = answered.results.into_iter().skip(at.taken).collect();
                Answered { results, ..answered }
            }
            Err(why) => {
                tracing::info!(%base, why, "another registry did not answer a search");
                Answered::default()
            }
        }
    });
    join_all(asked).await
}

async fn one(exchange: &Exchange, base: &str, request: &SearchRequest, size: usize) -> Result<Answered, &'static str> {
    let host = Respondent::at(exchange, base).ok_or("its address may not be called")?;
    let body = serde_json::to_vec(request).map_err(|_| "the question cannot be written")?;
    let inquiry = host.post(&format!("{}/search", host.path()), body).ok_or("its URL has no path to search at")?;
    let heard = host.ask(exchange, inquiry.reading(MAX_BYTES).asked_by("registry", "ARD"), DEADLINE).await;
    let Heard { status, body, .. } = heard.map_err(|_| "no answer")?;
    if status != 200 {
        return Err("an error");
    }
    let body: Body =
        serde_json::from_slice(&body).map_err(|_| "its answer is too long, or not what the standard says")?;
    let mut results: Vec<SearchResult> =
        body.results.into_iter().take(size).filter_map(|result| checked(result, base)).collect();
    results.sort_by_key(|result| std::cmp::Reverse(result.score));
    Ok(Answered { results, next: body.page_token })
}

/// Another registry's result, if it is one. Its source stays; without one it is from the registry that was asked.
fn checked(result: Value, base: &str) -> Option<SearchResult> {
    let mut result = result;
    let is_url =
        |text: &str| matches!(text.parse::<Uri>().ok().as_ref().and_then(Uri::scheme_str), Some("http" | "https"));
    if !result.get("source").and_then(Value::as_str).is_some_and(is_url) {
        result.as_object_mut()?.insert("source".into(), base.into());
    }
    let mut result: SearchResult = serde_json::from_value(result).ok()?;
    let entry = &mut result.entry;
    let is_entry = names::is_urn(&entry.identifier)
        && entry.identifier.len() <= MAX_URN_BYTES
        && !entry.display_name.is_empty()
        && !entry.kind.is_empty()
        && entry.url.as_deref().is_none_or(is_url)
        && entry.url.is_some() != entry.data.is_some()
        && result.score <= 100;
    entry.metadata.retain(|_, value| !value.is_array() && !value.is_object());
    entry.representative_queries.truncate(5);
    if entry.representative_queries.len() < 2 {
        entry.representative_queries.clear();
    }
    if entry.trust_manifest.as_ref().is_some_and(|trust| !trust["identity"].is_string()) {
        entry.trust_manifest = None;
    }
    is_entry.then_some(result)
}

/// The other registries, for whoever wants to ask them.
pub(crate) fn referrals(bases: &[String]) -> Vec<Referral> {
    let referral = |base: &String| {
        let base = base.trim_end_matches('/');
        let host = base.parse::<Uri>().ok()?.authority()?.to_string();
        Some(Referral {
            identifier: names::registry_urn(base)?,
            display_name: format!("Registry at {host}"),
            kind: REGISTRY_TYPE.into(),
            url: format!("{base}/search"),
        })
    };
    bases.iter().filter_map(referral).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BASE: &str = "https://other.example/ard";

    fn good() -> Value {
        json!({"identifier": "urn:air:other.example:agent:a", "displayName": "A", "type": "application/mcp-server-card+json",
            "url": "https://other.example/a", "score": 70, "source": "https://third.example/ard"})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut result = good();
        result[name] = value;
        result
    }

    #[test]
    fn a_result_is_passed_on_with_its_source() {
        assert_eq!(checked(good(), BASE).unwrap().source, "https://third.example/ard");
        for odd in [json!(null), json!(7), json!("nonsense"), json!("ftp://x.example")] {
            assert_eq!(checked(with("source", odd), BASE).unwrap().source, BASE);
        }
        let kept = checked(with("metadata", json!({"a": 1, "b": {"c": 2}, "d": null})), BASE).unwrap();
        assert_eq!(kept.entry.metadata.keys().collect::<Vec<_>>(), ["a", "d"], "scalars");
        let kept = checked(with("representativeQueries", json!(["one"])), BASE).unwrap();
        assert!(kept.entry.representative_queries.is_empty(), "two at least");
        let kept = checked(with("trustManifest", json!({"identity": 7})), BASE).unwrap();
        assert_eq!(kept.entry.trust_manifest, None);
    }

    #[test]
    fn what_is_no_result_is_left_out() {
        for (name, value) in [
            ("identifier", json!("urn:ai:other.example:a")),
            ("identifier", json!(format!("urn:air:other.example:{}", "a".repeat(512)))),
            ("displayName", json!("")),
            ("displayName", json!(7)),
            ("type", json!("")),
            ("url", json!("javascript:alert(1)")),
            ("url", json!(null)),
            ("data", json!({})),
            ("score", json!(101)),
            ("score", json!(-1)),
            ("score", json!(0.5)),
            ("tags", json!("x")),
        ] {
            assert_eq!(checked(with(name, value.clone()), BASE), None, "{name} {value}");
        }
        assert_eq!(checked(json!([]), BASE), None);
        let inline =
            json!({"identifier": "urn:air:a.example:b", "displayName": "B", "type": "x", "data": {}, "score": 0});
        assert!(checked(inline, BASE).is_some());
    }

    #[test]
    fn a_referral_says_where_to_search() {
        let found = referrals(&["https://other.example:8443/ard/".into()]);
        let expected = Referral {
            identifier: "urn:air:other.example:registry:8443-ard".into(),
            display_name: "Registry at other.example:8443".into(),
            kind: REGISTRY_TYPE.into(),
            url: "https://other.example:8443/ard/search".into(),
        };
        assert_eq!(found, [expected]);
    }
}

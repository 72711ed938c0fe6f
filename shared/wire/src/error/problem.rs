//! One occurrence of an error, as a problem document (RFC 9457).

use serde_json::{Value, json};

use super::catalogue::Code;

/// Where problem documents point: the origin that is given out, and the API's prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Scheme and authority without a trailing slash, such as `https://relay.example`.
    pub public_url: String,
    /// API prefix, such as `/connect`.
    pub prefix: String,
}

/// One occurrence of an error. Every member of the document is always present; what has nothing to say is null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which error.
    pub code: Code,
    /// What happened this time. Never holds a secret or a body.
    pub detail: String,
    /// The JSON path, parameter or header at fault.
    pub field: Option<String>,
    /// Seconds to wait; also sent as `Retry-After`.
    pub retry_after_s: Option<u32>,
    /// Values that would pass.
    pub suggestions: Vec<String>,
    /// The nearest value that would pass.
    pub did_you_mean: Option<String>,
    /// `next_action.endpoint`, such as `POST /v1/agents`.
    pub endpoint: Option<String>,
}

impl Problem {
    /// An occurrence with a detail. An overload, an away exchange and a rate limit say when to come back even if the
    /// place that found them does not.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after_s = match code {
            Code::Overloaded | Code::RateLimited => Some(1),
            Code::ExchangeUnavailable => Some(5),
            _ => None,
        };
        Self {
            code,
            detail: detail.into(),
            field: None,
            retry_after_s,
            suggestions: Vec::new(),
            did_you_mean: None,
            endpoint: None,
        }
    }

    /// An occurrence whose detail is the catalogue's own meaning.
    pub fn plain(code: Code) -> Self {
        Self::new(code, code.entry().meaning)
    }

    /// Names the field at fault.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says when to come back, in seconds.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Offers values that would pass; the first one is also `did_you_mean`.
    pub fn suggest(mut self, suggestions: Vec<String>) -> Self {
        self.did_you_mean = suggestions.first().cloned();
        self.suggestions = suggestions;
        self
    }

    /// Names the endpoint to use next.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The document. `instance` is the path as seen under the prefix, such as `/v1/agents`, without its query.
    pub fn document(&self, origin: &Origin, instance: &str, request_id: &str) -> Value {
        let entry = self.code.entry();
        json!({
            "type": format!("{}/errors/{}", origin.public_url, entry.code),
            "title": entry.title,
            "status": entry.status,
            "detail": self.detail,
            "instance": instance,
            "code": entry.code,
            "audience": entry.audience.as_str(),
            "retryable": entry.retryable,
            "retry_after_seconds": self.retry_after_s,
            "suggestions": self.suggestions,
            "did_you_mean": self.did_you_mean,
            "next_action": { "kind": entry.next_action.as_str(), "endpoint": self.endpoint },
            "params_hint": { "field": self.field },
            "request_id": request_id,
            "docs_url": format!("{}/errors/{}", origin.public_url, entry.code),
            "llms_url": format!("{}/llms.txt", origin.public_url),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_present_even_where_it_has_nothing_to_say() {
        let origin = Origin { public_url: "https://relay.example".into(), prefix: "/connect".into() };
        let document = Problem::plain(Code::NotFound).document(&origin, "/v1/agents/x", "r1");
        let mut keys: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "audience",
                "code",
                "detail",
                "did_you_mean",
                "docs_url",
                "instance",
                "llms_url",
                "next_action",
                "params_hint",
                "request_id",
                "retry_after_seconds",
                "retryable",
                "status",
                "suggestions",
                "title",
                "type",
            ]
        );
        assert_eq!(document["type"], "https://relay.example/errors/not_found");
        assert!(document["did_you_mean"].is_null() && document["params_hint"]["field"].is_null());
    }
}

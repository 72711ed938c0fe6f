//! Header fields on their way from one connection to the next.

use http::header::{CONNECTION, HeaderMap, HeaderName};

/// Fields that concern one connection only (RFC 9110 section 7.6.1), or that the client writes itself.
fn is_of_one_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade" | "host" | "expect"
    ) || name.as_str().starts_with("proxy-")
}

/// Names that `Connection` lists.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let fields = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Takes away what does not go beyond this connection.
pub fn strip_connection(headers: &mut HeaderMap) {
    let named = named_by_connection(headers);
    let gone: Vec<HeaderName> =
        headers.keys().filter(|name| is_of_one_connection(name) || named.contains(name)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// The header map of a request that came over a line: names and values that cannot stand in HTTP are left out, like
/// everything that only describes the caller's connection.
pub fn from_line(fields: &[(String, String)]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name.as_str()), http::HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.append(name, value);
        }
    }
    strip_connection(&mut headers);
    // The length is the body's own; an Origin is that of a page which knows nothing of the local server.
    headers.remove(http::header::CONTENT_LENGTH);
    headers.remove(http::header::ORIGIN);
    headers
}

/// The fields of a local server's answer that reach callers.
pub fn for_line(headers: &HeaderMap) -> Vec<(String, String)> {
    let named = named_by_connection(headers);
    headers
        .iter()
        .filter(|(name, _)| landline_wire::relay::reaches_caller(name.as_str()) && !named.contains(name))
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_concerns_one_connection_stays_there() {
        let given = fields(&[
            ("accept", "text/event-stream"),
            ("a2a-version", ""),
            ("authorization", "Basic x"),
            ("connection", "close, X-Hop"),
            ("content-length", "7"),
            ("expect", "100-continue"),
            ("host", "evil.example"),
            ("origin", "https://evil.example"),
            ("proxy-authorization", "x"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-hop", "1"),
            ("bad name", "x"),
            ("x-bad", "a\r\nb: c"),
        ]);
        let headers = from_line(&given);
        let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["accept", "a2a-version", "authorization"]);
        assert_eq!(headers["a2a-version"], "", "an empty value stays empty");
    }

    #[test]
    fn only_what_callers_may_see_goes_back() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("content-type", "a/b"), ("set-cookie", "x"), ("server", "y"), ("etag", "\"1\"")] {
            headers.append(name, value.parse().unwrap());
        }
        headers.append("etag", "\"2\"".parse().unwrap());
        headers.append("connection", "etag".parse().unwrap());
        assert_eq!(for_line(&headers), fields(&[("content-type", "a/b")]));
    }
}

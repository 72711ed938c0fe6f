//! Forms of texts: URLs, versions, base64url. Pure.

use http::Uri;

/// Characters of a URL.
pub(crate) const MAX_URL_CHARS: usize = 2_000;

/// What a text must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Anything.
    Any,
    /// One line, as it looks: no control characters, and none that turn or hide what stands around them.
    Line,
    /// A line that neither begins nor ends with a space.
    Name,
    /// An absolute http or https URL without user information.
    HttpUrl,
    /// An absolute URI of any scheme.
    Uri,
    /// Where gRPC is served: a URL, or host and port.
    Address,
    /// `Major.Minor`, perhaps with a patch.
    Version,
    /// Base64url without padding (RFC 4648 section 5), as JWS has it.
    Base64Url,
}

impl Form {
    pub(super) fn holds(self, text: &str) -> bool {
        let is_line = || !text.chars().any(|c| c.is_control() || deceives(c));
        match self {
            Self::Any => true,
            Self::Line => is_line(),
            Self::Name => is_line() && text.trim() == text,
            Self::HttpUrl => normal_url(text).is_some(),
            Self::Uri => is_uri(text),
            Self::Address => (text.contains("://") && is_uri(text)) || is_authority(text),
            Self::Version => is_version(text),
            Self::Base64Url => text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')),
        }
    }

    /// What a text of another form is told.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Any => "must be a text",
            Self::Line => "must not hold control characters or invisible ones",
            Self::Name => "must not begin or end with a space, or hold control characters or invisible ones",
            Self::HttpUrl => "must be an absolute http or https URL without user information",
            Self::Uri => "must be an absolute URI",
            Self::Address => "must be a URL, or a host and a port",
            Self::Version => "must be a version such as 1.0",
            Self::Base64Url => "must be base64url without padding",
        }
    }
}

/// Characters that nobody sees and that make one text look like another: directions, the zero-width space, the word joiner
/// and the byte order mark. Joiners stay: emoji and whole scripts need them.
fn deceives(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A scheme (RFC 3986 section 3.1), a colon, and something visible behind it.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let is_web = matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https");
    is_scheme
        && !rest.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && (!is_web || normal_url(text).is_some())
}

fn is_authority(text: &str) -> bool {
    text.parse::<http::uri::Authority>().is_ok_and(|authority| {
        !authority.host().is_empty() && authority.port_u16().is_some_and(|port| port > 0) && !text.contains('@')
    })
}

fn is_version(text: &str) -> bool {
    let numbers: Vec<&str> = text.split('.').collect();
    let is_number = |part: &&str| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (2..=3).contains(&numbers.len()) && numbers.iter().all(is_number)
}

/// Semantic Versioning 2.0.0, as far as its shape goes.
pub(crate) fn is_semver(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let rest = &text[core.len()..];
    let numbers: Vec<&str> = core.split('.').collect();
    let number = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part.len() == 1 || !part.starts_with('0'))
    };
    let rest_ok = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+'));
    numbers.len() == 3 && numbers.iter().all(number) && rest_ok && rest.len() != 1
}

/// The URL by which cards are compared: scheme and host in lower case, no default port, no trailing slash, no fragment.
/// `None`: it is no absolute http or https URL, or it names a user.
pub(crate) fn normal_url(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = uri.authority()?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    let host = authority.host().to_ascii_lowercase();
    let port = match authority.as_str()[authority.host().len()..].strip_prefix(':') {
        None => String::new(),
        Some(port) => match port.parse::<u16>().ok().filter(|port| *port > 0)? {
            port if port == default_port => String::new(),
            port => format!(":{port}"),
        },
    };
    let path = uri.path().trim_end_matches('/');
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}{path}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_compared_after_normalising() {
        let normal = |text| normal_url(text).unwrap();
        assert_eq!(normal("HTTPS://Example.COM:443/a/"), normal("https://example.com/a"));
        assert_eq!(normal("http://example.com"), normal("http://example.com:80/"));
        assert_eq!(normal("http://[::1]:8080/#x"), "http://[::1]:8080");
        assert_ne!(normal("http://example.com/a"), normal("http://example.com/A"));
        assert_ne!(normal("http://example.com/?a"), normal("http://example.com/?b"));
    }

    #[test]
    fn each_form_holds_for_what_it_is_and_for_nothing_else() {
        let cases: [(Form, &[&str], &[&str]); 7] = [
            (
                Form::Line,
                &["", " a ", "ä", "👩\u{200d}💻"],
                &["a\nb", "a\u{7f}", "a\u{202e}b", "\u{200b}a", "a\u{feff}"],
            ),
            (Form::Name, &["a b"], &[" a", "a ", "a\tb"]),
            (
                Form::HttpUrl,
                &["http://a", "https://a.example:8443/x?y#z", "http://127.0.0.1", "http://my_service:80"],
                &[
                    "",
                    "example.com",
                    "/x",
                    "mailto:a@b",
                    "http://",
                    "http://a b/",
                    "http://u@a",
                    "http://a:0",
                    "http://a:x",
                    "http://a:99999",
                    "http://a:",
                    "ws://a",
                    "https://bücher.example",
                    "data:image/png;base64,AA",
                ],
            ),
            (
                Form::Uri,
                &["urn:x", "wss://a/b", "https://a", "x-y.z+1:q"],
                &["", "a", "a b:c", ":a", "a:", "1a:b", "http://"],
            ),
            (
                Form::Address,
                &["localhost:50051", "127.0.0.1:1", "[::1]:50051", "dns:///a:1", "https://a"],
                &["", "a", "a:0", "a:x", "u@a:1", "a:1/b"],
            ),
            (Form::Version, &["1.0", "0.3.0", "10.20"], &["", "1", "v1.0", "1.", "1.0.0.0", "1.x", "one"]),
            (Form::Base64Url, &["", "eyJhbGciOiJFUzI1NiJ9", "a-_9"], &["a=", "a+b", "a/b", "a b", "ä"]),
        ];
        for (form, good, bad) in cases {
            for text in good {
                assert!(form.holds(text), "{form:?} {text:?}");
            }
            for text in bad {
                assert!(!form.holds(text), "{form:?} {text:?}");
            }
        }
    }

    #[test]
    fn a_semantic_version_has_three_numbers() {
        for good in ["1.2.0", "0.0.1", "1.0.0-rc.1+build"] {
            assert!(is_semver(good), "{good}");
        }
        for odd in ["1.2", "v1.2.0", "01.2.3", "1.2.3-", "latest", ""] {
            assert!(!is_semver(odd), "{odd}");
        }
    }
}

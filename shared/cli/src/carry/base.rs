//! Where calls are carried to: a base URL and, parsed apart from it, the path of each call.
//!
//! The client sends a path exactly as it came, so nothing is normalised on our side. The server behind may normalise,
//! and decode before it does, once or several times. So a path is refused if it leaves the base at any stage of
//! decoding, by the reading that leads furthest out: empty segments count for nothing, parameters after `;` are ignored.

use http::Uri;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};

/// Stages of percent-decoding that are looked through. Nobody encodes so often in good faith.
const MAX_STAGES: usize = 5;

/// A base URL without query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    scheme: Scheme,
    authority: Authority,
    /// As given; empty or from `/` on.
    path: String,
}

/// The URL cannot be a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected http:// or https://, a host and perhaps a path, such as http://127.0.0.1:9999; no user, query or #")]
pub struct BadBase;

/// Why a path is not carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It could lead outside of the base.
    #[error("The path could lead outside of the agent's own URL.")]
    Leaves,
    /// It cannot stand in a request line.
    #[error("The path is no path of HTTP.")]
    Malformed,
}

impl Base {
    /// Parses a base URL.
    ///
    /// # Errors
    /// [`BadBase`].
    pub fn parse(text: &str) -> Result<Self, BadBase> {
        if text.contains(['#', '?', '@', '\\']) {
            return Err(BadBase);
        }
        let uri: Uri = text.parse().map_err(|_| BadBase)?;
        let Parts { scheme: Some(scheme), authority: Some(authority), path_and_query, .. } = uri.into_parts() else {
            return Err(BadBase);
        };
        let path = path_and_query.map(|path| path.as_str().to_owned()).filter(|path| path != "/").unwrap_or_default();
        let is_http = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        if !is_http || authority.host().is_empty() || authority.as_str().ends_with(':') || stays_inside(&path).is_err()
        {
            return Err(BadBase);
        }
        Ok(Self { scheme, authority, path })
    }

    /// Host and port, as in a `Host` field.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The path, without a slash at its end.
    pub fn path(&self) -> &str {
        self.path.trim_end_matches('/')
    }

    /// The root of the base's host.
    pub fn root(&self) -> Self {
        Self { path: String::new(), ..self.clone() }
    }

    /// The URL of a call: the base and, unchanged, the call's path and query (empty, or from `/` or `?` on).
    ///
    /// # Errors
    /// [`BadPath`].
    pub fn join(&self, path_and_query: &str) -> Result<Uri, BadPath> {
        let at = path_and_query.find('?').unwrap_or(path_and_query.len());
        let (path, query) = path_and_query.split_at(at);
        stays_inside(path)?;
        let joined = match (path, self.path.as_str()) {
            ("", "") => format!("/{query}"),
            ("", base) => format!("{base}{query}"),
            (path, _) => format!("{}{path}{query}", self.path()),
        };
        let target = PathAndQuery::try_from(joined.as_str()).map_err(|_| BadPath::Malformed)?;
        // A `#` would be cut off in silence.
        if target.as_str() != joined {
            return Err(BadPath::Malformed);
        }
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(target)
            .build()
            .map_err(|_| BadPath::Malformed)
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path())
    }
}

/// Does a path stay below where it is appended, however it is decoded?
fn stays_inside(path: &str) -> Result<(), BadPath> {
    if !path.is_empty() && !path.starts_with('/') {
        return Err(BadPath::Malformed);
    }
    let mut text = path.to_owned();
    for _ in 0..MAX_STAGES {
        check_stage(&text)?;
        match decode(&text)? {
            Some(decoded) => text = decoded,
            None => return Ok(()),
        }
    }
    Err(BadPath::Leaves)
}

fn check_stage(text: &str) -> Result<(), BadPath> {
    // Characters that lenient servers fold into those that matter here.
    let folded: String = text
        .chars()
        .map(|c| match c {
            '\u{FF0E}' | '\u{2024}' | '\u{3002}' | '\u{FF61}' => '.',
            '\u{2025}' | '\u{FE30}' => '\\', // two dots in one: refused like a backslash
            '\u{FF0F}' | '\u{2044}' | '\u{2215}' => '/',
            '\u{FF3C}' | '\u{2216}' => '\\',
            other => other,
        })
        .collect();
    if folded.starts_with("//") || folded.contains('\\') || folded.chars().any(char::is_control) {
        return Err(BadPath::Leaves);
    }
    let mut depth = 0usize;
    for segment in folded.split('/') {
        let name = segment.split(';').next().unwrap_or_default();
        match name.trim_matches(' ') {
            "" | "." => {}
            ".." => depth = depth.checked_sub(1).ok_or(BadPath::Leaves)?,
            _ => depth += 1,
        }
    }
    Ok(())
}

/// Decodes `%XX`, and the `%uXXXX` that some servers know, once; `None` if there is nothing to decode.
fn decode(text: &str) -> Result<Option<String>, BadPath> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let (mut at, mut changed) = (0, false);
    while at < bytes.len() {
        let hex = |from: usize, digits: usize| -> Option<u32> {
            let digits = bytes.get(at + from..at + from + digits)?;
            digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
        };
        let (byte, long) = match bytes[at] {
            b'%' if matches!(bytes.get(at + 1), Some(b'u' | b'U')) => (None, hex(2, 4)),
            b'%' => (hex(1, 2), None),
            _ => (None, None),
        };
        if let Some(byte) = byte {
            decoded.push(byte as u8);
            at += 3;
        } else if let Some(character) = long {
            let character = char::from_u32(character).unwrap_or(char::REPLACEMENT_CHARACTER);
            decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            at += 6;
        } else {
            decoded.push(bytes[at]);
            at += 1;
            continue;
        }
        changed = true;
    }
    if !changed {
        return Ok(None);
    }
    // What is no UTF-8 may be an overlong spelling of a dot or a slash.
    String::from_utf8(decoded).map(Some).map_err(|_| BadPath::Leaves)
}

#[cfg(test)]
mod tests;

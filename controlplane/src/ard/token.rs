//! Page tokens: places to read on from, sealed with what was asked. Opaque to callers, and without anything secret: who
//! makes one up reads what anybody may read. Pure.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Bytes of a token: more than one of ours has, with the tokens of eight other registries in it.
const MAX_BYTES: usize = 12 << 10;

/// What tells one query from another: half of the SHA-256 of its JSON.
pub(crate) fn fingerprint(asked: &impl Serialize) -> String {
    let text = serde_json::to_vec(asked).unwrap_or_default();
    digest(&SHA256, &text).as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The token of a place.
pub(crate) fn seal(fingerprint: &str, place: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&(fingerprint, place)).unwrap_or_default())
}

/// The place of a token.
///
/// # Errors
/// It is none of ours, or of another query.
pub(crate) fn open<T: DeserializeOwned>(fingerprint: &str, token: &str) -> Result<T> {
    let read = || -> Option<(String, T)> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok().filter(|_| token.len() <= MAX_BYTES)?;
        serde_json::from_slice(&bytes).ok()
    };
    match read() {
        Some((of, place)) if of == fingerprint => Ok(place),
        Some(_) => Err(Error::invalid("pageToken", "`pageToken` is of another query: each query has its own pages.")),
        None => Err(Error::invalid("pageToken", "`pageToken` must be that of an earlier answer, as it was given.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_place_for_its_own_query_alone() {
        let (one, other) = (fingerprint(&"one"), fingerprint(&"other"));
        let token = seal(&one, &(7, "x"));
        assert_eq!(open::<(u32, String)>(&one, &token).unwrap(), (7, "x".into()));
        for (query, token) in [(&other, token.as_str()), (&one, "nonsense"), (&one, ""), (&one, "*")] {
            let problem = open::<(u32, String)>(query, token).unwrap_err().into_problem();
            assert_eq!(problem.field.as_deref(), Some("pageToken"), "{token}");
        }
        assert!(open::<String>(&one, &token).is_err(), "a place of another kind");
        assert!(open::<String>(&one, &seal(&one, &"x".repeat(MAX_BYTES))).is_err());
    }
}

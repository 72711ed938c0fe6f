//! Tokens, decided without a database: what is in them, and whose a token's id is.

use aws_lc_rs::hmac;
use landline_token::Claims;
use landline_wire::ids::AgentId;
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Error, Result};

/// Seconds that a token lives.
pub(crate) const TOKEN_LIFE_S: i64 = 900;

/// The claims of a new token.
pub(crate) fn claims(issuer: &str, agent: AgentId, token_gen: u64, jti: Uuid, now_s: i64) -> Claims {
    Claims {
        iss: issuer.to_owned(),
        sub: agent,
        aud: landline_token::AUDIENCE.to_owned(),
        iat: now_s,
        exp: now_s + TOKEN_LIFE_S,
        jti,
        token_gen,
    }
}

/// Bytes of a token id that are random; 48 more are a tag, the rest is the UUID's version and variant.
const NONCE: [usize; 8] = [0, 1, 2, 3, 4, 5, 7, 9];
const TAG: std::ops::Range<usize> = 10..16;

/// A token's id, made so that we can tell later whose it is without having stored it: eight random bytes and six of an
/// HMAC over them and the agent. The agent can then revoke it by its id, and nobody else can.
pub(crate) fn token_id(key: &hmac::Key, agent: AgentId, random: [u8; 16]) -> Uuid {
    let mut bytes = *uuid::Builder::from_random_bytes(random).as_uuid().as_bytes();
    let tag = tag(key, agent, &bytes);
    bytes[TAG].copy_from_slice(&tag);
    Uuid::from_bytes(bytes)
}

/// Was this token id made for this agent?
pub(crate) fn is_token_of(key: &hmac::Key, agent: AgentId, jti: Uuid) -> bool {
    tag(key, agent, jti.as_bytes()) == jti.as_bytes()[TAG]
}

fn tag(key: &hmac::Key, agent: AgentId, bytes: &[u8; 16]) -> [u8; 6] {
    let mut context = hmac::Context::with_key(key);
    context.update(b"landline-token-id-v1\n");
    context.update(agent.as_bytes());
    context.update(&NONCE.map(|index| bytes[index]));
    let signature = context.sign();
    let mut tag = [0; 6];
    tag.copy_from_slice(&signature.as_ref()[..6]);
    tag
}

/// What to revoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revoke {
    /// The token with this id.
    One(Uuid),
    /// Every token.
    All,
}

/// Reads the body of a revocation.
pub(crate) fn parse_revoke(body: &Value) -> Result<Revoke> {
    match (body.get("jti"), body.get("all")) {
        (None, Some(Value::Bool(true))) => Ok(Revoke::All),
        (None, Some(_)) => Err(Error::invalid("all", "`all` must be true.")),
        (Some(jti), None) => {
            let jti = jti.as_str().and_then(|text| Uuid::try_parse(text).ok());
            jti.map(Revoke::One).ok_or_else(|| Error::invalid("jti", "`jti` must be a token's id, a UUID."))
        }
        (Some(_), Some(_)) => Err(Error::invalid("all", "Give either `jti` or `all`.")),
        (None, None) => Err(Error::invalid("jti", "Give `jti`, or `all`: true.")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_id_is_its_agents_and_no_others() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let (one, two) = (AgentId::from_parts(1, [1; 10]), AgentId::from_parts(1, [2; 10]));
        let jti = token_id(&key, one, [9; 16]);
        assert!(is_token_of(&key, one, jti) && !is_token_of(&key, two, jti));
        assert_eq!(jti.get_version_num(), 4);
        assert_ne!(jti, token_id(&key, one, [8; 16]));
        assert!(!is_token_of(&key, one, Uuid::nil()));
    }

    #[test]
    fn a_revocation_names_one_or_all() {
        let jti = Uuid::nil();
        assert_eq!(parse_revoke(&json!({"all": true})).unwrap(), Revoke::All);
        assert_eq!(parse_revoke(&json!({"jti": jti.to_string()})).unwrap(), Revoke::One(jti));
        for (bad, field) in [
            (json!({}), "jti"),
            (json!({"all": false}), "all"),
            (json!({"jti": "x"}), "jti"),
            (json!({"jti": jti.to_string(), "all": true}), "all"),
        ] {
            assert_eq!(parse_revoke(&bad).unwrap_err().into_problem().field.as_deref(), Some(field), "{bad}");
        }
    }
}

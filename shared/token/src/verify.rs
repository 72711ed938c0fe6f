//! Verifying a token against the exchange's public keys.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use landline_wire::limits::MAX_TOKEN_BYTES;
use serde::Deserialize;

use crate::claims::{AUDIENCE, Claims};

/// Keys that one set may hold: a few generations of the exchange's key, not a directory.
pub const MAX_KEYS: usize = 16;

/// Bytes of one coordinate of a P-256 point (RFC 7518 section 6.2.1.2).
const COORDINATE_BYTES: usize = 32;

/// The public keys that tokens are verified with.
#[derive(Clone)]
pub struct Verifier {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("kids", &self.keys.keys().collect::<Vec<_>>()).finish()
    }
}

/// The document is no usable key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadJwks {
    /// Not the JSON of RFC 7517 section 5.
    #[error("not a JWKS document")]
    Malformed,
    /// An ES256 key in it is broken, or its `kid` stands twice.
    #[error("the JWKS holds a broken or repeated key")]
    BadKey,
    /// More keys than [`MAX_KEYS`].
    #[error("the JWKS holds too many keys")]
    TooMany,
    /// Not one key in it is for ES256.
    #[error("the JWKS holds no ES256 key")]
    Empty,
}

/// Why a token does not count. The text never holds a piece of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is too long")]
    TooLong,
    /// Not a compact JWS with a readable header and our claims.
    #[error("the token is malformed")]
    Malformed,
    /// Signed with something other than ES256.
    #[error("the token's algorithm is not ES256")]
    Algorithm,
    /// Its `kid` is missing or names no key of ours.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the token's signature is wrong")]
    Signature,
    /// Another issuer.
    #[error("the token's issuer is wrong")]
    Issuer,
    /// Another audience.
    #[error("the token's audience is wrong")]
    Audience,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<PublicKey>,
}

#[derive(Deserialize)]
struct PublicKey {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl PublicKey {
    /// Keys for other algorithms and uses are passed over (RFC 7517 section 5).
    fn is_es256(&self) -> bool {
        self.kty == "EC"
            && self.crv.as_deref() == Some("P-256")
            && self.alg.as_deref().is_none_or(|alg| alg == "ES256")
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
    }

    fn decoding_key(&self) -> Option<(String, DecodingKey)> {
        let (kid, x, y) = (self.kid.clone()?, self.x.as_deref()?, self.y.as_deref()?);
        for coordinate in [x, y] {
            if URL_SAFE_NO_PAD.decode(coordinate).ok()?.len() != COORDINATE_BYTES {
                return None;
            }
        }
        Some((kid, DecodingKey::from_ec_components(x, y).ok()?))
    }
}

impl Verifier {
    /// Reads a JWKS document (RFC 7517 section 5). Keys that are not for ES256 signatures are passed over.
    ///
    /// # Errors
    /// [`BadJwks`] if nothing usable is in it, or something in it is broken: the caller keeps the set it has.
    pub fn from_jwks(json: &str) -> Result<Self, BadJwks> {
        let set: KeySet = serde_json::from_str(json).map_err(|_| BadJwks::Malformed)?;
        if set.keys.len() > MAX_KEYS {
            return Err(BadJwks::TooMany);
        }
        let mut keys = HashMap::new();
        for key in set.keys.iter().filter(|key| key.is_es256()) {
            let (kid, decoding_key) = key.decoding_key().ok_or(BadJwks::BadKey)?;
            if keys.insert(kid, decoding_key).is_some() {
                return Err(BadJwks::BadKey);
            }
        }
        if keys.is_empty() {
            return Err(BadJwks::Empty);
        }
        let mut validation = Validation::new(Algorithm::ES256);
        // The library reads the system's clock; ours is passed in. Issuer and audience are compared here too, as
        // exact strings: the library would take an array.
        validation.required_spec_claims.clear();
        validation.leeway = 0;
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Ok(Self { keys, validation })
    }

    /// Is a key with this `kid` in the set?
    pub fn knows(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// Verifies signature, issuer, audience and time. Whether the token was revoked is not asked here.
    ///
    /// # Errors
    /// The first check that failed; the signature is checked before anything the payload says.
    pub fn verify(&self, token: &str, issuer: &str, now_unix_s: i64) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        if header.alg != Algorithm::ES256 {
            return Err(TokenError::Algorithm);
        }
        // RFC 7515 section 4.1.11: an extension that must be understood, and is not, refuses the token.
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let key = header.kid.and_then(|kid| self.keys.get(&kid)).ok_or(TokenError::UnknownKey)?;
        let claims =
            jsonwebtoken::decode::<Claims>(token, key, &self.validation).map_err(|e| refusal(e.kind()))?.claims;
        if claims.iss != issuer {
            return Err(TokenError::Issuer);
        }
        if claims.aud != AUDIENCE {
            return Err(TokenError::Audience);
        }
        if claims.exp <= now_unix_s {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }
}

fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        _ => TokenError::Malformed,
    }
}

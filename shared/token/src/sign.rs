//! Signing tokens: the exchange's key, its PEM file and its public half as a JWKS.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::claims::Claims;

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// The private key that signs tokens: ECDSA on P-256. `Debug` shows its `kid` only.
pub struct Signer {
    pkcs8: Vec<u8>,
    key: EncodingKey,
    header: Header,
    kid: String,
    x: String,
    y: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The text is no private key for ES256, or the library refused to work with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a PKCS #8 PEM private key on P-256")]
pub struct BadKey;

impl Signer {
    /// A new random key.
    ///
    /// # Errors
    /// [`BadKey`] if the system has no randomness to give.
    pub fn generate() -> Result<Self, BadKey> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| BadKey)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| BadKey)?;
        Self::from_pkcs8(pkcs8.as_ref().to_vec())
    }

    /// Reads what [`Signer::to_pem`] wrote.
    ///
    /// # Errors
    /// [`BadKey`] if it is anything but an unencrypted PKCS #8 key on P-256.
    pub fn from_pem(pem: &str) -> Result<Self, BadKey> {
        let (_, rest) = pem.split_once(PEM_BEGIN).ok_or(BadKey)?;
        let (body, _) = rest.split_once(PEM_END).ok_or(BadKey)?;
        let body: String = body.split_ascii_whitespace().collect();
        Self::from_pkcs8(STANDARD.decode(body).map_err(|_| BadKey)?)
    }

    fn from_pkcs8(pkcs8: Vec<u8>) -> Result<Self, BadKey> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).map_err(|_| BadKey)?;
        // SEC 1 section 2.3.3: 0x04, x, y.
        let (x, y) = match pair.public_key().as_ref() {
            [4, point @ ..] if point.len() == 64 => point.split_at(32),
            _ => return Err(BadKey),
        };
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let kid = thumbprint(&x, &y);
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(kid.clone());
        Ok(Self { key: EncodingKey::from_ec_der(&pkcs8), pkcs8, header, kid, x, y })
    }

    /// The private key as PEM (RFC 7468 section 10). Keep it where only the exchange can read it.
    pub fn to_pem(&self) -> String {
        let body = STANDARD.encode(&self.pkcs8);
        let mut pem = String::with_capacity(body.len() + 80);
        pem.push_str(PEM_BEGIN);
        for (index, letter) in body.chars().enumerate() {
            if index % 64 == 0 {
                pem.push('\n');
            }
            pem.push(letter);
        }
        pem.push('\n');
        pem.push_str(PEM_END);
        pem.push('\n');
        pem
    }

    /// The key's id: its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as a member of a JWKS.
    pub fn jwk(&self) -> Value {
        json!({ "kty": "EC", "crv": "P-256", "x": self.x, "y": self.y, "kid": self.kid, "use": "sig", "alg": "ES256" })
    }

    /// The public key alone as a JWKS document (RFC 7517 section 5).
    pub fn jwks(&self) -> String {
        json!({ "keys": [self.jwk()] }).to_string()
    }

    /// Signs a token.
    ///
    /// # Errors
    /// [`BadKey`] if the library refused; it does not with a key that was read once.
    pub fn sign(&self, claims: &Claims) -> Result<String, BadKey> {
        jsonwebtoken::encode(&self.header, claims, &self.key).map_err(|_| BadKey)
    }
}

/// One JWKS document for several keys: the one that signs first, then those that older tokens still need.
pub fn merge_jwks<'a>(signers: impl IntoIterator<Item = &'a Signer>) -> String {
    let keys: Vec<Value> = signers.into_iter().map(Signer::jwk).collect();
    json!({ "keys": keys }).to_string()
}

/// RFC 7638 section 3.2: the required members in lexicographic order, without white space.
fn thumbprint(x: &str, y: &str) -> String {
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

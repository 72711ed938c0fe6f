//! Tokens that the exchange did not issue: forged, expired, for someone else.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use aws_lc_rs::{encoding::AsDer, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// Now, in seconds.
///
/// # Panics
/// On a clock before 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

/// The header and claims of a token.
///
/// # Panics
/// If it is none.
pub fn read(token: &str) -> (Value, Value) {
    let mut parts = token.split('.');
    let mut part = || {
        let bytes = URL_SAFE_NO_PAD.decode(parts.next().expect("three parts")).expect("base64url");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    (part(), part())
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Without a signature.
pub fn none(claims: &Value, kid: &Value) -> String {
    format!("{}.", unsigned(&serde_json::json!({"alg": "none", "typ": "JWT", "kid": kid}), claims))
}

/// Signed with HMAC under bytes that everyone knows (the algorithm confusion of public keys).
pub fn hs256(claims: &Value, kid: &Value, secret: &[u8]) -> String {
    let text = unsigned(&serde_json::json!({"alg": "HS256", "typ": "JWT", "kid": kid}), claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

/// A P-256 key that signs tokens.
#[derive(Debug)]
pub struct Key(EcdsaKeyPair);

impl Key {
    /// A fresh one that nobody trusts.
    ///
    /// # Panics
    /// If there is no randomness.
    pub fn fresh() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("randomness");
        let _ = pair.private_key().as_der().expect("a private key");
        Self(pair)
    }

    /// The exchange's own, from its data directory.
    ///
    /// # Panics
    /// If it is not there.
    pub fn of_exchange(data: &Path) -> Self {
        let pem = std::fs::read_to_string(data.join("secrets/token-signing.pem")).expect("the signing key");
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(base64).expect("PEM");
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).expect("PKCS #8"))
    }

    /// A token with these claims.
    ///
    /// # Panics
    /// If there is no randomness.
    pub fn sign(&self, claims: &Value, kid: &Value) -> String {
        let text = unsigned(&serde_json::json!({"alg": "ES256", "typ": "JWT", "kid": kid}), claims);
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).expect("randomness");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

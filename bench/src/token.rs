//! A token of ours and what it is verified with.

use landline_token::{AUDIENCE, Claims, Signer, TokenError, Verifier};
use landline_wire::ids::{AgentId, SessionId};

const ISSUER: &str = "https://relay.example/connect";
/// When it is verified, unix seconds.
const NOW_S: i64 = 1_700_000_000;

/// A token and the key set that a switch was pushed.
#[derive(Debug)]
pub struct Token {
    text: String,
    verifier: Verifier,
}

impl Default for Token {
    fn default() -> Self {
        Self::new()
    }
}

impl Token {
    /// Signed with a new key.
    ///
    /// # Panics
    /// The system has no randomness to give.
    pub fn new() -> Self {
        let signer = Signer::generate().expect("a key");
        let claims = Claims {
            iss: ISSUER.into(),
            sub: AgentId::from_parts(1, [7; 10]),
            aud: AUDIENCE.into(),
            iat: NOW_S,
            exp: NOW_S + 3600,
            jti: SessionId::from_parts(1, [9; 10]).0,
            token_gen: 0,
        };
        let text = signer.sign(&claims).expect("a token");
        Self { text, verifier: Verifier::from_jwks(&signer.jwks()).expect("a key set") }
    }

    /// What a switch does with a token that it has not seen.
    ///
    /// # Errors
    /// As the verifier says; never for this token.
    pub fn verify(&self) -> Result<Claims, TokenError> {
        self.verifier.verify(&self.text, ISSUER, NOW_S)
    }
}

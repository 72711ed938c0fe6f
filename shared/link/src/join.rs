//! The join token: what an operator carries from the exchange to a new switch.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::message::Secret;

const PREFIX: &str = "lljoin_";
const PART_BYTES: usize = 32;

/// A single-use secret of 256 bits, and the SHA-256 of the cluster's CA certificate (DER), which the new node pins: it
/// tells its secret to nobody else. Textual form: `lljoin_` and 86 characters of base64url. `Debug` does not show the
/// secret.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    secret: [u8; PART_BYTES],
    ca_sha256: [u8; PART_BYTES],
}

impl JoinToken {
    /// A token of fresh random bytes for a CA.
    pub fn new(secret: [u8; PART_BYTES], ca_sha256: [u8; PART_BYTES]) -> Self {
        Self { secret, ca_sha256 }
    }

    /// SHA-256 of the CA certificate (DER) that the node must find at the exchange.
    pub fn ca_sha256(&self) -> &[u8; PART_BYTES] {
        &self.ca_sha256
    }

    /// The secret as a join request carries it.
    pub fn secret(&self) -> Secret {
        Secret(URL_SAFE_NO_PAD.encode(self.secret))
    }

    /// The textual form, for the operator's eyes only.
    pub fn reveal(&self) -> String {
        let mut bytes = [0; 2 * PART_BYTES];
        bytes[..PART_BYTES].copy_from_slice(&self.secret);
        bytes[PART_BYTES..].copy_from_slice(&self.ca_sha256);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinToken(…)")
    }
}

/// The text is no join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a join token: `lljoin_` and 86 characters are expected")]
pub struct BadJoinToken;

impl FromStr for JoinToken {
    type Err = BadJoinToken;

    fn from_str(text: &str) -> Result<Self, BadJoinToken> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(BadJoinToken)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| BadJoinToken)?;
        let bytes: [u8; 2 * PART_BYTES] = bytes.try_into().map_err(|_| BadJoinToken)?;
        let (mut secret, mut ca_sha256) = ([0; PART_BYTES], [0; PART_BYTES]);
        secret.copy_from_slice(&bytes[..PART_BYTES]);
        ca_sha256.copy_from_slice(&bytes[PART_BYTES..]);
        Ok(Self { secret, ca_sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_token_survives_its_text_and_does_not_show_itself() {
        let token = JoinToken::new([7; 32], [9; 32]);
        let text = token.reveal();
        assert_eq!((text.len(), text.parse()), (PREFIX.len() + 86, Ok(token.clone())));
        assert_eq!(format!("{text}\n").parse(), Ok(token.clone()), "a line's end is forgiven");
        assert_eq!(format!("{token:?} {:?}", token.secret()), "JoinToken(…) Secret(…)");
        for bad in ["", "lljoin_", &text[..text.len() - 2], &text.replace("lljoin_", "ll_"), &format!("{text}AA")] {
            assert_eq!(bad.parse::<JoinToken>(), Err(BadJoinToken), "{bad}");
        }
    }
}

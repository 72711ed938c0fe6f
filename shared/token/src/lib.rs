//! Tokens: what a JWT of ours says, how it is signed and verified, and which were revoked. Pure: time is passed in.
//!
//! A token is a compact JWS (RFC 7515) with ES256 and nothing else, signed by the exchange ([`Signer`], feature
//! `sign`), verified by every switch against pushed keys ([`Verifier`]). Whether it was revoked is another question,
//! asked of [`revocation::RevocationSet`]. A signature check costs about 100 µs of CPU; nothing is cached here, since
//! the caller knows best for how long a token it has seen may count.

mod claims;
pub mod revocation;
#[cfg(feature = "sign")]
mod sign;
mod verify;

pub use claims::{AUDIENCE, Claims};
#[cfg(feature = "sign")]
pub use sign::{BadKey, Signer, merge_jwks};
pub use verify::{BadJwks, MAX_KEYS, TokenError, Verifier};

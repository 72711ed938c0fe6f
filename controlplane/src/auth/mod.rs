//! Who may act as an agent: API keys, short-lived tokens, and how both die.
//!
//! Owns `credentials` and `revoked_tokens`. Invariants: of an API key only `HMAC-SHA256(server secret, key)` is kept;
//! generations only rise; whatever kills a credential writes the op for the switches in the same transaction.
//!
//! | route | |
//! |---|---|
//! | `POST /v1/auth/verify` | is this credential good, and whose is it |
//! | `POST /v1/auth/token` | a token for an API key |
//! | `POST /v1/auth/revoke` | one token, or all |
//! | `POST /v1/agents/{agent_id}/rotate-key` | a new key; the old one and all tokens die |
//! | `GET /.well-known/jwks.json` | the keys that verify tokens |

pub(crate) mod http;
pub mod lookup;
mod model;
mod operations;
pub mod ops;
pub(crate) mod store;

pub(crate) use operations::operations;

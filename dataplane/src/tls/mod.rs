//! TLS at the front door. The machine of a connection is pure: bytes in, bytes out, no socket; what moves the bytes is
//! `crate::socket`.
//!
//! | module | what it is |
//! |---|---|
//! | `machine` | one connection: ciphertext in, plaintext out, and back |
//! | `plain`, `records` | plaintext on its way into records, records on their way to the socket |
//! | `setup` | certificate and key, and their replacement while the switch runs |
//! | `fault`, `counts` | how a connection fails, and what is counted |

mod counts;
mod fault;
mod machine;
mod plain;
mod records;
mod setup;
#[cfg(test)]
mod tests;

pub(crate) use counts::Counts;
pub(crate) use fault::{Fault, Reason};
pub(crate) use machine::Machine;
pub(crate) use plain::Plain;
pub(crate) use records::Records;
pub use setup::{BadPair, Tls};

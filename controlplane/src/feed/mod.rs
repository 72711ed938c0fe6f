//! The QUIC server of the link: what the switches must know goes down, what happened there comes up, and the requests
//! that they pass on are answered by the router.
//!
//! Owns the cluster's CA (`DATA/ca`), `nodes` and `join_tokens`. Invariants: a node is named by its certificate and by
//! nothing it says; it reports only for itself; a revoked node has no connection for longer than [`server::WATCH`]; of
//! two connections of one node the newer stands. Several exchanges on one database must share `DATA/ca`, as they share
//! `DATA/secrets`.
//!
//! | module | what it does |
//! |---|---|
//! | [`nodes`] | use cases: join tokens, joining, renewal, listing and revoking nodes |
//! | `ca` | the certificate authority |
//! | `tls` | who may speak which protocol |
//! | `server` | connections and their streams |
//! | `registry` | the nodes that are connected here |
//! | `join` | joins and renewals over the wire |
//! | `ask` | questions of ours to agents over their lines |
//! | `control`, `reports`, `records`, `lookup`, `pass` | one kind of stream each |
//! | `store` | SQL |

mod ask;
mod ca;
mod control;
mod join;
mod lookup;
pub mod nodes;
mod pass;
mod records;
mod registry;
mod reports;
pub mod server;
pub(crate) mod store;
mod tls;
mod wire;

pub(crate) use ask::ask;
pub(crate) use registry::Registry;
pub use server::{Feed, FeedError};

//! What the operator may do, with the admin token: block and feature agents, see lines and switches, send switches home.
//!
//! Owns the moderation columns of `agents`. Invariant: a block writes the op for the switches in the same transaction.
//!
//! | route | |
//! |---|---|
//! | `POST /v1/admin/agents/{agent_id}/block`, `/unblock` | with a reason; lines close with 4010 |
//! | `POST /v1/admin/agents/{agent_id}/feature`, `/unfeature` | show it first |
//! | `POST /v1/admin/agents/{agent_id}/prove-origin`, `/unprove-origin` | its card is its host's: it may be called there |
//! | `GET /v1/admin/sessions` | lines that are up |
//! | `GET /v1/admin/nodes` | switches |
//! | `POST /v1/admin/nodes/{node_id}/drain`, `/revoke` | leave, never come back |

pub(crate) mod http;
mod operations;
pub mod ops;
pub(crate) mod store;

pub(crate) use operations::operations;

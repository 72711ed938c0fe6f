//! The exchange as an A2A agent: directory enquiries. Whoever speaks A2A says what is to be done, and is told who can.
//!
//! Owns nothing: a message is a discovery, answered at once with a message. There are no tasks, no streams and no
//! notifications, and each method that needs one says so with the error that A2A has for it. A2A 1.0 and 0.3 are spoken at
//! one address; the method's name tells which.
//!
//! | route | |
//! |---|---|
//! | `POST /a2a` | JSON-RPC: `SendMessage`, `message/send` |
//! | `/.well-known/agent-card.json`, at the root | the card |
//!
//! | module | |
//! |---|---|
//! | `rpc` | JSON-RPC: calls, answers and A2A's errors |
//! | `message` | from a message to a discovery, and from candidates to a message |
//! | `card` | the card |

mod card;
pub(crate) mod http;
mod message;
mod operations;
mod ops;
mod rpc;

pub(crate) use card::EXAMPLES;
pub(crate) use operations::operations;

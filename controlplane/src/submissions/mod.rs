//! Submissions: URLs at which somebody says there is an agent, or a catalogue of agents. They are looked at, and what is
//! found there is listed as `federated`: an agent that its own host describes, and that nobody here holds a key of.
//!
//! Owns `submissions`. Invariants: a URL is there once; a card is taken only from the host that it names; so many wait at
//! most, and a host is asked by one look at a time; a federated card follows its host until somebody else owns its agent.
//!
//! | route | |
//! |---|---|
//! | `POST /v1/submissions` | submit a URL |
//! | `GET /v1/submissions/{submission_id}` | what became of it |

mod crawl;
pub(crate) mod http;
mod model;
mod operations;
pub mod ops;
mod run;
pub(crate) mod store;

pub(crate) use model::STATUSES;
pub(crate) use operations::operations;
pub(crate) use run::run;

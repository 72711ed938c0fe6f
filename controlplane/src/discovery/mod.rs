//! Finding agents: by words and labels, and for a task.
//!
//! Owns `embeddings`, of its part of that name. Its index is a read model of the directory, kept by this process in `DATA/search`, the same on both
//! databases. Invariants: the index follows the database within a second and never the other way; no request waits for
//! it to be written; every row that is shown is read from the database when it is shown, so an agent that was blocked or
//! removed a moment ago does not appear, whatever the index still has.
//!
//! | route | |
//! |---|---|
//! | `GET /v1/search` | agents by words, skill, tag, category, provider |
//! | `POST /v1/discover` | agents for a task, by relevance and proven reliability |
//! | `GET /v1/agents/facets` | what the directory can be narrowed by |
//!
//! | module | |
//! |---|---|
//! | `text` | words, folding, stems |
//! | `schema`, `index` | what is in the index, and the index itself |
//! | `follow` | how it follows the database |
//! | `query`, `expand`, `highlight` | a search |
//! | `task`, `weights`, `model` | a task: candidates, and how they are scored |
//! | `narrow` | entries of a catalogue by words and labels, and counted by labels |
//! | `embeddings` | meaning beside words, if there is an endpoint for it |

pub mod embeddings;
mod expand;
mod facets;
mod follow;
mod highlight;
pub(crate) mod http;
mod index;
mod model;
mod narrow;
mod operations;
pub mod ops;
mod query;
mod schema;
pub(crate) mod store;
mod task;
mod text;
mod weights;

pub use follow::FollowError;
pub(crate) use follow::run;
pub use index::IndexError;
pub(crate) use narrow::{Counted, Narrowed};
pub(crate) use operations::operations;
pub(crate) use ops::Search;
pub(crate) use schema::{LABEL_CHARS, Label};
pub use weights::{BadWeights, Signal, Weights};

//! The directory in the words of others: a registry of Agentic Resource Discovery (ARD 0.9) and an AI Catalog (1.0).
//!
//! Owns no table: entries are made of what the directory knows, when they are shown. Invariants: an entry's URN never
//! changes, since it is of our own domain and the agent's id; what is cached holds nothing that changes by the second;
//! every failure below the registry's base has the standard's shape; no answer waits for another registry for longer than
//! two seconds, and what another one says is checked before it is passed on.
//!
//! | route | |
//! |---|---|
//! | `POST /ard/search` | entries by words and filters, ours and other registries' |
//! | `POST /ard/explore` | the entries that match, counted by their fields |
//! | `GET /ard/agents` | all entries, in an order |
//! | `/.well-known/ai-catalog.json`, `/.well-known/ai-catalog/{shelf}` | the catalogue, and its parts |
//!
//! | module | |
//! |---|---|
//! | `names` | URNs and URLs |
//! | `entry` | an agent as an entry |
//! | `fields` | the paths into an entry that are understood: filters, and what is counted |
//! | `listing` | the filter and the order of `GET /ard/agents` |
//! | `shelf`, `catalog` | the catalogue, in parts of bounded size |
//! | `token` | places to read on from |
//! | `merge`, `upstream` | answers of several registries as one; asking the others |
//! | `failure` | the standard's error shape |

pub(crate) mod catalog;
mod entry;
pub(crate) mod failure;
mod fields;
pub(crate) mod http;
mod listing;
mod merge;
pub(crate) mod names;
mod operations;
pub(crate) mod ops;
mod shelf;
mod token;
mod upstream;

#[cfg(test)]
mod tests;

pub(crate) use operations::operations;

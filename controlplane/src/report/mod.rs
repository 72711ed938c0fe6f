//! The state report: editions, each a cross-section of the directory at one moment, with every share's numerator and
//! denominator and what each word means. What the figures mean is written down for everybody in `docs/STATE_REPORT.md`.
//!
//! Owns `editions` and `edition_files`. Invariants: an edition is read in one snapshot of the database; a revision that
//! was published is never changed or removed, another one takes its place; what is not known is null with a reason,
//! never 0.
//!
//! | module | what it does |
//! |---|---|
//! | [`month`] | the months that editions are of; pure |
//! | `measure` | shares with their intervals, percentiles, tallies; pure |
//! | `entry` | what is counted of one agent; pure |
//! | `census` | the directory's figures from its agents; pure |
//! | `edition` | an edition from its figures, and what changed since the one before; pure |
//! | `words` | the definitions and the method; pure |
//! | [`files`] | the files of an edition; pure |
//! | `markdown`, `cells` | an edition as Markdown; pure |
//! | `plot`, `svg` | an edition's plots; pure |
//! | `store` | SQL |
//! | [`ops`] | counting, publishing, reading |

mod cells;
mod census;
mod edition;
mod entry;
pub mod files;
mod markdown;
mod measure;
pub mod month;
pub mod ops;
mod plot;
pub(crate) mod store;
mod svg;
mod words;

pub(crate) use cells::minute;
pub use month::Month;

#[cfg(test)]
mod tests;

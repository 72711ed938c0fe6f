//! The same work on a NATS server: core NATS, publish and subscribe, request and reply.
//!
//! | module | what it holds |
//! |---|---|
//! | [`protocol`] | pure: the text protocol |
//! | [`connection`] | a connection, whole or in halves |
//! | [`subject`] | pure: the subjects that calls, parts and credit have |
//! | [`caller`], [`callee`] | requests, and who answers them |
//! | [`oneway`] | messages without a reply |

pub mod callee;
pub mod caller;
pub mod connection;
pub mod oneway;
pub mod protocol;
pub mod subject;

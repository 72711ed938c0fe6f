//! Carrying HTTP calls unchanged between a local port and the relay: what `expose` and `dial` share.
//!
//! | module | what it does |
//! |---|---|
//! | [`base`] | where calls are carried to; refuses paths that would leave it |
//! | [`head`] | which header fields pass from one connection to the next |
//! | [`http`] | the HTTP client, which sends paths exactly as given |
//! | [`early`] | hears what a server said before it closed |
//! | [`card`] | Agent Cards on their way: what points elsewhere afterwards |

pub mod base;
pub mod card;
pub mod early;
pub mod head;
pub mod http;

//! The link between the planes, both ends real: a feed on an exchange with its database, an uplink with its thread, QUIC
//! on loopback between them. The cores are the test.

mod asking;
mod joining;
mod killing;
mod passing;
mod postgres;
mod reporting;
mod state;
mod world;

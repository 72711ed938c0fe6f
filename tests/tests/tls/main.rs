//! `https` and `wss` at the front door, with a client of the tests' own.

mod calls;
mod certificates;
mod clients;
mod hostile;
mod memory;

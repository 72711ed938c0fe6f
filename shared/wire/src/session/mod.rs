//! One line's protocol machine, for both ends. A machine is fed the bytes that were read and says what they mean; it
//! never waits, and the time is passed in.

pub mod client;
pub mod redial;
pub mod server;

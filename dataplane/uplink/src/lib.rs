//! The switch's end of the link: one thread with a tokio runtime and a quinn connection, between the cores and the
//! exchange. Cores never wait for it: they hand it [`ToExchange`] and get [`ToCore`] back in their mailbox.

mod boundary;

pub use boundary::*;

//! The messages of the link, by stream.

mod ask;
mod join;
mod question;
mod record;
mod report;
mod state;

pub use ask::*;
pub use join::*;
pub use question::*;
pub use record::*;
pub use report::*;
pub use state::*;

/// The first byte of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the crate's table documents each")]
pub enum StreamKind {
    Control = 1,
    Reports = 2,
    Lookup = 3,
    Pass = 4,
    Renew = 5,
    Records = 6,
    Ask = 7,
}

impl StreamKind {
    /// The byte that opens the stream.
    pub fn byte(self) -> u8 {
        self as u8
    }

    /// The kind that a byte opens.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Control, Self::Reports, Self::Lookup, Self::Pass, Self::Renew, Self::Records, Self::Ask]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }
}

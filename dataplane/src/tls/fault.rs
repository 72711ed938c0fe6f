//! How a TLS connection fails.

use std::io;

/// What ended a connection.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Fault {
    /// A request in plain HTTP.
    #[error("a plain HTTP request on the port for TLS")]
    PlainHttp,
    /// More bytes than a handshake, or than one unfinished message after it, may have.
    #[error("too many bytes without a complete message")]
    TooLong,
    /// The stream ended without the peer's word that it is complete.
    #[error("the stream was cut")]
    Cut,
    /// It was closed on this side, has moved to another core, or its handshake is not complete.
    #[error("the connection is not open")]
    NotOpen,
    /// The peer broke the protocol, refused us, or has nothing in common with us.
    #[error(transparent)]
    Protocol(#[from] rustls::Error),
}

/// Why a handshake failed, in few classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It was not complete in time.
    Timeout,
    /// The peer left.
    Cut,
    /// The peer refused with an alert: often it does not trust the certificate.
    Alert,
    /// No version, cipher or application protocol in common.
    NothingInCommon,
    /// A plain HTTP request.
    PlainHttp,
    /// Anything else: garbage, a broken or endless handshake.
    Protocol,
}

impl Reason {
    /// All, in the order of their counters.
    pub(crate) const ALL: [Self; 6] =
        [Self::Timeout, Self::Cut, Self::Alert, Self::NothingInCommon, Self::PlainHttp, Self::Protocol];

    /// The metric's label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Cut => "cut",
            Self::Alert => "alert",
            Self::NothingInCommon => "nothing_in_common",
            Self::PlainHttp => "plain_http",
            Self::Protocol => "protocol",
        }
    }
}

impl Fault {
    /// The class of a handshake that ended so.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::PlainHttp => Reason::PlainHttp,
            Self::Cut => Reason::Cut,
            Self::Protocol(rustls::Error::AlertReceived(_)) => Reason::Alert,
            Self::Protocol(rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol) => {
                Reason::NothingInCommon
            }
            Self::TooLong | Self::NotOpen | Self::Protocol(_) => Reason::Protocol,
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::Cut => io::ErrorKind::UnexpectedEof,
            Fault::NotOpen => io::ErrorKind::NotConnected,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, fault)
    }
}

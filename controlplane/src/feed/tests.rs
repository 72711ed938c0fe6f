//! The feed through real QUIC.

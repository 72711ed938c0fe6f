//! The machine against rustls's own client, without a socket.

mod client;
mod handshakes;
mod hostile;
mod streams;

//! One TLS connection without its socket: ciphertext in, plaintext out; plaintext in, records out.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use landline_wire::limits::MAX_TLS_HANDSHAKE_BYTES;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic};
use rustls::{HandshakeKind, ServerConfig};

use super::counts::{Counts, Open};
use super::fault::Fault;
use super::plain::Plain;
use super::records::{RECORD_BYTES, RECORD_OVERHEAD, Records};

/// Bytes that an unfinished record or message may keep waiting: the largest record that the protocol knows (RFC 5246
/// section 6.2.3). No message of a peer whose handshake is complete is longer than that.
const MAX_REST_BYTES: usize = 5 + RECORD_BYTES + 2048;
/// Bytes of room for an alert or a first attempt to encode a handshake message.
const SMALL_RECORD_BYTES: usize = 2048;

/// What a client reads that speaks plain HTTP to a port for TLS.
const SPEAKS_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain; charset=utf-8\r\ncontent-length: 23\r\nconnection: close\r\n\r\nThis port speaks https.";

/// The server's end of a connection.
pub(crate) struct Machine {
    conn: UnbufferedServerConnection,
    /// What came and is not complete. The connection knows positions in it, so it is there at every step.
    rest: BytesMut,
    /// Bytes that came before the handshake was complete.
    handshake_bytes: usize,
    peer_closed: bool,
    /// Nothing more is sealed: it was closed on this side, or it failed.
    closed: bool,
    counts: Arc<Counts>,
    open: Option<Open>,
}

impl Machine {
    /// A connection that begins.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub(crate) fn new(config: Arc<ServerConfig>, counts: Arc<Counts>) -> Result<Self, Fault> {
        Ok(Self {
            conn: UnbufferedServerConnection::new(config)?,
            rest: BytesMut::new(),
            handshake_bytes: 0,
            peer_closed: false,
            closed: false,
            counts,
            open: None,
        })
    }

    /// Ciphertext that came and is not complete yet.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// Is the handshake not complete yet?
    pub(crate) fn is_handshaking(&self) -> bool {
        self.open.is_none()
    }

    /// Has the peer said that nothing more comes?
    pub(crate) fn is_peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// The counters that its handshake counts in.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Takes in what came: `cipher` is [`Machine::rest`] and the new bytes behind it. What is understood of it is
    /// appended to `plain`, what has to be said to `out`, also when it fails.
    ///
    /// # Errors
    /// [`Fault`]: nothing more will be understood.
    pub(crate) fn receive(&mut self, cipher: &mut [u8], plain: &mut BytesMut, out: &mut Records) -> Result<(), Fault> {
        let new = cipher.len() - self.rest.len();
        self.rest.clear();
        if self.handshake_bytes == 0 && cipher.first().is_some_and(u8::is_ascii_uppercase) {
            // A record begins with a byte below 32, a request with a method.
            out.append(SPEAKS_TLS);
            return Err(Fault::PlainHttp);
        }
        if self.is_handshaking() {
            self.handshake_bytes += new;
        }
        let understood = self.digest(cipher, plain, out)?;
        self.rest.extend_from_slice(&cipher[understood..]);
        if self.rest.is_empty() {
            // An idle connection holds no buffer.
            self.rest = BytesMut::new();
        }
        if self.is_handshaking() && !self.conn.is_handshaking() {
            let resumed = self.conn.handshake_kind() == Some(HandshakeKind::Resumed);
            self.open = Some(self.counts.complete(resumed));
        }
        let is_endless = self.is_handshaking() && self.handshake_bytes > MAX_TLS_HANDSHAKE_BYTES;
        if is_endless || self.rest.len() > MAX_REST_BYTES { Err(Fault::TooLong) } else { Ok(()) }
    }

    /// Goes through ciphertext record by record; gives how many bytes are done with.
    fn digest(&mut self, cipher: &mut [u8], plain: &mut BytesMut, out: &mut Records) -> Result<usize, Fault> {
        let mut done = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = self.conn.process_tls_records(&mut cipher[done..]);
            let mut is_blocked = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out)?,
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.peer_closed = true,
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) | ConnectionState::Closed) => {
                    is_blocked = true;
                }
                // Early data is not offered.
                Ok(_) => return Err(Fault::NotOpen),
                Err(error) => {
                    self.closed = true;
                    self.say_why(&mut cipher[done + discard..], out);
                    return Err(error.into());
                }
            }
            done += discard;
            if is_blocked {
                return Ok(done);
            }
        }
    }

    /// Encodes what was to be said when it failed, up to the alert that tells why: beyond that the connection must not be
    /// driven.
    fn say_why(&mut self, rest: &mut [u8], out: &mut Records) {
        while let Ok(ConnectionState::EncodeTlsData(data)) = self.conn.process_tls_records(rest).state {
            let before = out.filled().len();
            if encode(data, out).is_err() || is_alert(&out.filled()[before..]) {
                return;
            }
        }
    }

    /// Seals plaintext until one write is full or nothing is left; what the protocol itself has to say goes ahead of it.
    ///
    /// # Errors
    /// The connection is not open, or its keys are worn out.
    pub(crate) fn seal(&mut self, plain: &mut Plain<'_>, out: &mut Records) -> Result<(), Fault> {
        if self.is_handshaking() || self.closed {
            return Err(Fault::NotOpen);
        }
        self.when_writable(out, |traffic, out| {
            while out.has_room()
                && let Some(record) = plain.next()
            {
                let room = out.room(record.len() + RECORD_OVERHEAD);
                let sealed = match traffic.encrypt(record, room) {
                    // An answer to a key update goes ahead of this record and needs its own room.
                    Err(EncryptError::InsufficientSize(short)) => {
                        traffic.encrypt(record, out.room(short.required_size)).map_err(|_| Fault::NotOpen)?
                    }
                    Err(EncryptError::EncryptExhausted) => return Err(Fault::NotOpen),
                    Ok(sealed) => sealed,
                };
                out.fill(sealed);
            }
            Ok(())
        })
    }

    /// Says that nothing more will be sent. A handshake that is not complete has nothing to say.
    pub(crate) fn close(&mut self, out: &mut Records) {
        if self.is_handshaking() || self.closed {
            return;
        }
        self.closed = true;
        // The only failure is a connection that failed before, and that has said so.
        let _ = self.when_writable(out, |traffic, out| {
            let said = traffic.queue_close_notify(out.room(SMALL_RECORD_BYTES)).map_err(|_| Fault::NotOpen)?;
            out.fill(said);
            Ok(())
        });
    }

    /// Brings the connection to where it takes plaintext.
    fn when_writable(
        &mut self,
        out: &mut Records,
        then: impl FnOnce(&mut WriteTraffic<'_, ServerConnectionData>, &mut Records) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        loop {
            let UnbufferedStatus { discard, state } = self.conn.process_tls_records(&mut self.rest);
            match state? {
                ConnectionState::EncodeTlsData(data) => encode(data, out)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::WriteTraffic(mut traffic) => return then(&mut traffic, out),
                // Everything that came was digested when it came.
                _ => return Err(Fault::NotOpen),
            }
            self.rest.advance(discard);
        }
    }
}

/// Is this record an alert? In TLS 1.3 an encrypted one is told by its length: no other message is as short.
fn is_alert(record: &[u8]) -> bool {
    const ALERT: u8 = 21;
    const ENCRYPTED: u8 = 23;
    // Header, level and description, content type, tag.
    const ENCRYPTED_BYTES: usize = 5 + 2 + 1 + 16;
    match record.first() {
        Some(&ALERT) => true,
        Some(&ENCRYPTED) => record.len() == ENCRYPTED_BYTES,
        _ => false,
    }
}

fn encode(mut data: EncodeTlsData<'_, ServerConnectionData>, out: &mut Records) -> Result<(), Fault> {
    let encoded = match data.encode(out.room(SMALL_RECORD_BYTES)) {
        Err(EncodeError::InsufficientSize(short)) => {
            data.encode(out.room(short.required_size)).map_err(|_| Fault::NotOpen)?
        }
        Err(EncodeError::AlreadyEncoded) => 0,
        Ok(encoded) => encoded,
    };
    out.fill(encoded);
    Ok(())
}

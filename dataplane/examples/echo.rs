//! A WebSocket echo server on the switch's own framing, for conformance suites: text and binary messages come back as
//! they were, pings are answered, a close is returned with its code and reason.
//!
//! `cargo run -p landline-dataplane --example echo -- 127.0.0.1:9001`; port 0 takes any that is free. The first line on
//! stdout is `ready ADDR`. It reads as a line of the switch does: a large message goes on in a second buffer and is
//! never moved. What the switch does not need is here: text, checked as it arrives, so that a message that can no longer
//! become UTF-8 is refused before its end.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use landline_wire::handshake;
use landline_wire::header::{self, Header, Kind, MAX_HEADER};
use landline_wire::http1::{Framing, answer_head, parse_head};
use landline_wire::limits::{COPY_THRESHOLD_BYTES, READ_BUFFER_BYTES};
use landline_wire::mask;
use landline_wire::message::{self, Message, Progress, Reader, Role};
use landline_wire::pieces::Pieces;
use monoio::buf::IoBufMut;
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};

/// Bytes of the longest message: twice what the suites send.
const MAX_MESSAGE: usize = 32 << 20;
/// The close code for text that is not UTF-8 (RFC 6455 section 7.4.1). No line sends it: the relay refuses all text.
const INVALID_TEXT: u16 = 1007;

#[monoio::main(driver = "fusion", timer_enabled = true)]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address)?;
    #[allow(clippy::print_stdout, reason = "scripts wait for this line")]
    {
        println!("ready {}", listener.local_addr()?);
    }
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A peer that breaks off is its own business.
        monoio::spawn(async move { Conn::new(stream).serve().await.ok() });
    }
}

struct Conn {
    stream: TcpStream,
    reader: Reader,
    text: TextCheck,
    buf: BytesMut,
    out: BytesMut,
}

impl Conn {
    fn new(stream: TcpStream) -> Self {
        let reader = Reader::new(Role::Server, MAX_MESSAGE);
        Self { stream, reader, text: TextCheck::default(), buf: BytesMut::new(), out: BytesMut::new() }
    }

    async fn serve(mut self) -> io::Result<()> {
        if self.upgrade().await? {
            self.converse().await?;
        }
        self.flush().await?;
        self.linger().await
    }

    /// Reads the request and answers it; `false` if it is no upgrade.
    async fn upgrade(&mut self) -> io::Result<bool> {
        let key = loop {
            match parse_head(&mut self.buf) {
                Ok(Some(head)) if head.method() == "GET" => break handshake::check(&head).ok().map(str::to_owned),
                Ok(Some(_)) | Err(_) => break None,
                Ok(None) if self.fill(READ_BUFFER_BYTES).await? => {}
                Ok(None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        };
        match &key {
            Some(key) => self.out.extend_from_slice(handshake::accept(key).as_bytes()),
            None => answer_head(&mut self.out, 400, [], Framing::Length(0), false),
        }
        self.flush().await?;
        Ok(key.is_some())
    }

    /// Echoes until one end closes; the close frame is then in `out`.
    async fn converse(&mut self) -> io::Result<()> {
        let mut unseen = 0;
        loop {
            let clean = unseen + self.text.admit(&self.buf[unseen..]);
            let is_clean = clean == self.buf.len();
            // What came before the broken text is still answered; its own message cannot become complete.
            self.buf.truncate(clean);
            let Some(mut need) = self.digest().await? else { return Ok(()) };
            if !is_clean {
                message::append_close(&mut self.out, INVALID_TEXT, "text is not UTF-8", None);
                return Ok(());
            }
            self.flush().await?;
            if need > self.buf.capacity() && self.buf.len() > COPY_THRESHOLD_BYTES {
                need = self.reader.cut(&mut self.buf).unwrap_or(need);
            }
            unseen = self.buf.len();
            if !self.fill(need).await? {
                return Ok(());
            }
        }
    }

    /// Answers all that is complete. Gives the bytes that the next message needs in all, or `None` if a close frame was
    /// the answer.
    async fn digest(&mut self) -> io::Result<Option<usize>> {
        loop {
            match self.reader.next(&mut self.buf) {
                Ok(Progress::Need(bytes)) => return Ok(Some(bytes)),
                Ok(Progress::Message(Message::Text(payload))) => self.echo(Kind::Text, payload).await?,
                Ok(Progress::Message(Message::Binary(payload))) => self.echo(Kind::Binary, payload).await?,
                Ok(Progress::Message(Message::Ping(payload))) => {
                    message::append(&mut self.out, Kind::Pong, &payload, None);
                }
                Ok(Progress::Message(Message::Pong(_))) => {}
                Ok(Progress::Message(Message::Close(None, _))) => {
                    message::append(&mut self.out, Kind::Close, &[], None);
                    return Ok(None);
                }
                Ok(Progress::Message(Message::Close(Some(code), reason))) => {
                    message::append_close(&mut self.out, code, &String::from_utf8_lossy(&reason), None);
                    return Ok(None);
                }
                Err(violation) => {
                    message::append_close(&mut self.out, violation.code, violation.why, None);
                    return Ok(None);
                }
            }
        }
    }

    async fn echo(&mut self, kind: Kind, payload: Pieces) -> io::Result<()> {
        let mut head = [0; MAX_HEADER];
        let len = header::write(kind, payload.len(), None, &mut head);
        self.out.extend_from_slice(&head[..len]);
        for piece in payload {
            if piece.len() <= COPY_THRESHOLD_BYTES {
                self.out.extend_from_slice(&piece);
            } else {
                self.flush().await?;
                self.stream.write_all(piece).await.0?;
            }
        }
        Ok(())
    }

    /// Reads what is there behind what the buffer holds, with room for `bytes` in all; `false` at the end.
    async fn fill(&mut self, bytes: usize) -> io::Result<bool> {
        let mut buf = std::mem::take(&mut self.buf);
        buf.reserve(bytes.max(READ_BUFFER_BYTES).saturating_sub(buf.len()));
        let (begin, end) = (buf.len(), buf.capacity());
        let (result, slice) = self.stream.read(buf.slice_mut(begin..end)).await;
        self.buf = slice.into_inner();
        Ok(result? > 0)
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.stream.write_all(self.out.split()).await.0.map(drop)
    }

    /// Ends our side and takes in what the peer still sends, for a while: closing with unread bytes would reset the
    /// connection and could destroy the close frame on its way.
    async fn linger(mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let deadline = Duration::from_secs(2);
        let drain = async {
            loop {
                self.buf.clear();
                if !matches!(self.fill(0).await, Ok(true)) {
                    return;
                }
            }
        };
        // What a cancelled read took is of no interest here.
        let _ = monoio::time::timeout(deadline, drain).await;
        Ok(())
    }
}

/// Follows the frames of a stream and checks the text in them, before the [`Reader`] has a whole message. Broken framing
/// is not judged here: the reader comes to the same bytes and refuses them.
#[derive(Default)]
struct TextCheck {
    /// The beginning of a header.
    head: Vec<u8>,
    /// The frame whose payload comes, and how much of it came.
    frame: Option<(Header, u64)>,
    /// The message under way is text.
    is_text: bool,
    /// The beginning of a character whose end has not come.
    begun: Vec<u8>,
    /// The framing broke: nothing more is understood.
    lost: bool,
}

impl TextCheck {
    /// How many of the next bytes of the stream may be taken: all, or those before the piece that no UTF-8 begins with.
    fn admit(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && !self.lost {
            let step = match self.frame {
                None => self.read_head(&bytes[at..]),
                Some((frame, came)) => self.read_payload(frame, came, &bytes[at..]),
            };
            match step {
                Some(taken) => at += taken,
                None => return at,
            }
        }
        bytes.len()
    }

    /// Takes bytes of a header; `None` if a message ends with it, within a character.
    fn read_head(&mut self, bytes: &[u8]) -> Option<usize> {
        let had = self.head.len();
        self.head.extend(bytes.iter().take(MAX_HEADER - had));
        let Ok(parsed) = header::parse(&self.head) else {
            self.lost = true;
            return Some(bytes.len());
        };
        let Some(frame) = parsed else { return Some(self.head.len() - had) };
        self.head.clear();
        if matches!(frame.kind, Kind::Text | Kind::Binary) {
            self.is_text = frame.kind == Kind::Text;
            self.begun.clear();
        }
        self.frame = Some((frame, 0));
        self.may_end_here(frame, 0).then_some(frame.len - had)
    }

    /// Takes bytes of a payload; `None` if they are not UTF-8.
    fn read_payload(&mut self, frame: Header, came: u64, bytes: &[u8]) -> Option<usize> {
        let taken = bytes.len().min((frame.payload - came) as usize);
        if self.is_text && !frame.kind.is_control() {
            let mut text = std::mem::take(&mut self.begun);
            let begin = text.len();
            text.extend_from_slice(&bytes[..taken]);
            if let Some(key) = frame.mask {
                mask::apply_at(&mut text[begin..], key, (came % 4) as usize);
            }
            if let Err(error) = std::str::from_utf8(&text) {
                if error.error_len().is_some() {
                    return None;
                }
                self.begun = text.split_off(error.valid_up_to());
            }
        }
        let came = came + taken as u64;
        self.frame = Some((frame, came));
        self.may_end_here(frame, came).then_some(taken)
    }

    /// Leaves a frame that is complete; `false` if its message is over within a character.
    fn may_end_here(&mut self, frame: Header, came: u64) -> bool {
        if came < frame.payload {
            return true;
        }
        self.frame = None;
        if !frame.fin || frame.kind.is_control() {
            return true;
        }
        !std::mem::take(&mut self.is_text) || self.begun.is_empty()
    }
}

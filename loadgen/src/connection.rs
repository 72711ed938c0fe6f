//! A connection to a server, plain or over TLS, whole, with its buffers or in halves; and writing to it without waiting.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;

use bytes::BytesMut;
use monoio::io::{AsyncReadRent, AsyncWriteRent, OwnedReadHalf, OwnedWriteHalf, Splitable};
use monoio::net::TcpStream;

use crate::http::Origin;
use crate::net;
use crate::tls::Tls;

/// A connection, or a half of it.
pub struct Connection<S = TcpStream> {
    stream: S,
    tls: Option<Tls>,
}

/// The half that reads.
pub type ReadHalf = Connection<OwnedReadHalf<TcpStream>>;

/// The half that writes.
pub type WriteHalf = Connection<OwnedWriteHalf<TcpStream>>;

impl Connection {
    /// Connects, from a source address if one is given.
    ///
    /// # Errors
    /// As the system says, or the server is not trusted.
    pub async fn open(origin: &Origin, source: Option<IpAddr>) -> io::Result<Self> {
        let tls = origin.trust.as_ref().map(Tls::new).transpose()?;
        let mut connection = Self { stream: net::connect(origin.addr, source).await?, tls };
        connection.shake().await?;
        Ok(connection)
    }

    /// One without TLS.
    pub fn plain(stream: TcpStream) -> Self {
        Self { stream, tls: None }
    }

    /// Other tasks go on meanwhile: a server with many handshakes to do takes its time for each.
    async fn shake(&mut self) -> io::Result<()> {
        let mut early = BytesMut::new();
        while let Some(tls) = &mut self.tls {
            let is_last = !tls.is_handshaking();
            let said = tls.seal(&[])?;
            net::write(&mut self.stream, said).await.0?;
            if is_last {
                break;
            }
            tls.read_from(&mut self.stream).await?;
            let opened = tls.open(&mut early);
            if opened.is_err() {
                // The server learns why; if that fails too, there is nobody to tell.
                let alert = tls.seal(&[])?;
                let _ = net::write(&mut self.stream, alert).await;
            }
            opened?;
        }
        if early.is_empty() { Ok(()) } else { Err(io::Error::other("the server spoke before it was asked")) }
    }

    /// Waits until something arrives, without a buffer: those of TLS are given back.
    ///
    /// # Errors
    /// As the system says.
    pub async fn readable(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.cipher = BytesMut::new();
        }
        self.stream.readable(false).await
    }

    /// Its two halves.
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        let (read, write) = self.stream.into_split();
        let writing = self.tls.as_ref().map(Tls::share);
        (Connection { stream: read, tls: self.tls }, Connection { stream: write, tls: writing })
    }
}

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

impl<S: AsyncReadRent> Connection<S> {
    /// Appends what arrives to `buf`, which gets room for `room` bytes in all.
    ///
    /// # Errors
    /// `UnexpectedEof` at the end of the stream; otherwise as the system says.
    pub async fn read(&mut self, mut buf: BytesMut, room: usize) -> (io::Result<()>, BytesMut) {
        let Some(tls) = &mut self.tls else { return net::read(&mut self.stream, buf, room).await };
        let before = buf.len();
        let mut result = Ok(());
        while result.is_ok() && buf.len() == before {
            result = tls.read_from(&mut self.stream).await.and_then(|()| tls.open(&mut buf));
        }
        (result, buf)
    }
}

impl<S: AsyncWriteRent> Connection<S> {
    /// Writes all of `out` and gives it back empty.
    ///
    /// # Errors
    /// As the system says.
    pub async fn write(&mut self, mut out: BytesMut) -> (io::Result<()>, BytesMut) {
        let Some(tls) = &mut self.tls else { return net::write(&mut self.stream, out).await };
        let sealed = tls.seal(&out);
        out.clear();
        match sealed {
            Ok(sealed) => (net::write(&mut self.stream, sealed).await.0, out),
            Err(error) => (Err(error), out),
        }
    }
}

/// A whole connection with its buffers, for whoever waits between sending and reading.
pub struct Buffered {
    stream: Connection,
    /// What arrived and was not taken yet.
    pub buf: BytesMut,
    /// What will be sent.
    pub out: BytesMut,
}

impl Buffered {
    /// With nothing in them.
    pub fn new(stream: Connection) -> Self {
        Self { stream, buf: BytesMut::new(), out: BytesMut::new() }
    }

    /// Sends what is to be sent, then takes what arrives; `buf` gets room for `room` bytes in all.
    ///
    /// # Errors
    /// As the system says.
    pub async fn turn(&mut self, room: usize) -> io::Result<()> {
        self.write().await?;
        let (result, buf) = self.stream.read(std::mem::take(&mut self.buf), room).await;
        self.buf = buf;
        result
    }

    /// The same when all was sent and a long silence may follow: it is waited out without a buffer, since there may be many
    /// thousands of such connections.
    ///
    /// # Errors
    /// As the system says.
    pub async fn rest(&mut self, room: usize) -> io::Result<()> {
        if self.buf.is_empty() {
            (self.buf, self.out) = (BytesMut::new(), BytesMut::new());
            self.stream.readable().await?;
        }
        self.turn(room).await
    }

    /// Sends what is to be sent.
    ///
    /// # Errors
    /// As the system says.
    pub async fn write(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let (result, out) = self.stream.write(std::mem::take(&mut self.out)).await;
        self.out = out;
        result
    }

    /// Ends the connection without a farewell, and waits until its descriptor is free again.
    pub async fn cut(mut self) {
        let open = net::cut(&self.stream);
        // What came before the end is of no use any more.
        while self.turn(0).await.is_ok() {
            self.buf.clear();
        }
        drop(self);
        open.until_closed().await;
    }

    /// The half that reads, with what arrived already, and the way out.
    pub fn split(self) -> (ReadHalf, BytesMut, Rc<Outbox>) {
        let (read, write) = self.stream.split();
        let outbox = Outbox::new(write);
        outbox.queue.replace(self.out);
        (read, self.buf, outbox)
    }
}

impl Tls {
    async fn read_from(&mut self, stream: &mut impl AsyncReadRent) -> io::Result<()> {
        let (result, cipher) = net::read(stream, std::mem::take(&mut self.cipher), 0).await;
        self.cipher = cipher;
        result
    }
}

/// Bytes on their way to a server. One write is under way at a time; what is queued meanwhile joins the next.
pub struct Outbox {
    /// What will be written.
    pub queue: RefCell<BytesMut>,
    half: RefCell<Option<WriteHalf>>,
    is_writing: Cell<bool>,
    is_last: Cell<bool>,
}

impl Outbox {
    /// Of one connection.
    pub fn new(half: WriteHalf) -> Rc<Self> {
        let (queue, half) = (RefCell::default(), RefCell::new(Some(half)));
        Rc::new(Self { queue, half, is_writing: Cell::new(false), is_last: Cell::new(false) })
    }

    /// Sees to it that everything queued is written. An error is left to who reads: the connection is broken there too.
    pub fn flush(self: &Rc<Self>) {
        if self.is_writing.get() || (self.queue.borrow().is_empty() && !self.is_last.get()) {
            return;
        }
        let Some(mut half) = self.half.take() else { return };
        self.is_writing.set(true);
        let outbox = self.clone();
        monoio::spawn(async move {
            let mut spare = BytesMut::new();
            while !outbox.queue.borrow().is_empty() {
                let (result, written) = half.write(outbox.queue.replace(spare)).await;
                if result.is_err() {
                    // The half is dropped: nothing is written any more.
                    outbox.is_writing.set(false);
                    return;
                }
                spare = written;
            }
            outbox.is_writing.set(false);
            if outbox.is_last.get() {
                // Dropping the half ends what is sent.
                return;
            }
            outbox.queue.replace(spare);
            outbox.half.replace(Some(half));
        });
    }

    /// Writes what is queued and ends what is sent. What is queued afterwards is written by nobody.
    pub fn close(self: &Rc<Self>) {
        self.is_last.set(true);
        self.flush();
    }
}

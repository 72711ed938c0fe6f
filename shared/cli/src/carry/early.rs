//! Answers that come before the request was read. A server that does not want a body answers, closes, and leaves the rest
//! unread, which resets the connection: the next write fails while the answer waits to be read. A client that looks at
//! the write first would say that the server broke off.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};

/// A connection on which only reading tells that it is reset: what is written after that goes nowhere, and what the peer
/// said before is heard.
#[derive(Debug)]
pub struct Hearing<S> {
    stream: S,
    reset: bool,
}

impl<S> Hearing<S> {
    /// Wraps a connection.
    pub fn new(stream: S) -> Self {
        Self { stream, reset: false }
    }

    /// Hides a reset from a write of so many bytes.
    fn written(&mut self, outcome: Poll<io::Result<usize>>, bytes: usize) -> Poll<io::Result<usize>> {
        outcome.map(|outcome| outcome.or_else(|error| self.forgiven(error).map(|()| bytes)))
    }

    fn forgiven(&mut self, error: io::Error) -> io::Result<()> {
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                self.reset = true;
                Ok(())
            }
            _ => Err(error),
        }
    }
}

impl<S: Read + Unpin> Read for Hearing<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: Write + Unpin> Write for Hearing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.reset {
            return Poll::Ready(Ok(buf.len()));
        }
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(outcome, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes = bufs.iter().map(|buf| buf.len()).sum();
        if self.reset {
            return Poll::Ready(Ok(bytes));
        }
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(outcome, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        outcome.map(|outcome| outcome.or_else(|error| self.forgiven(error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: Connection> Connection for Hearing<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn what_was_said_before_a_reset_is_heard() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let mut ours = TokioIo::new(Hearing::new(TokioIo::new(ours)));
        ours.write_all(&[7; 1_000]).await.unwrap();
        server.readable().await.unwrap();
        server.write_all(b"enough").await.unwrap();
        // With the thousand bytes unread: a reset.
        drop(server);
        let mut writes = 0;
        while !ours.inner().reset {
            ours.write_all(&[7; 1_000]).await.expect("hidden");
            writes += 1;
            assert!(writes < 1_000_000, "the connection is never reset");
        }
        ours.write_all(&[7; 1_000]).await.expect("hidden");
        ours.flush().await.expect("hidden");
        let mut said = [0; 6];
        ours.read_exact(&mut said).await.expect("what was said");
        assert_eq!(&said, b"enough");
        let end = ours.read(&mut said).await;
        assert!(matches!(&end, Ok(0)) || end.is_err(), "{end:?}");
    }
}

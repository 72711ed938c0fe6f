//! The floor: the same bytes and messages between the same pairs, relayed without a protocol. What the product costs
//! above this is its own; below is the kernel's TCP.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::time::Instant;

use anyhow::Context;
use bytes::BytesMut;
use monoio::io::{AsyncReadRent, AsyncWriteRent, Splitable};
use monoio::net::{TcpListener, TcpStream};

use crate::args::{RawArgs, RawServerArgs};
use crate::measure::{self, Recorder, Tally};
use crate::report::Calls;
use crate::{net, runtime, scenario};

/// Serves until it is killed. A connection begins with eight bytes that name its pair; the two of one name are joined.
///
/// # Errors
/// It cannot listen.
pub fn serve(args: &RawServerArgs) -> anyhow::Result<()> {
    let listener =
        std::net::TcpListener::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {}", listener.local_addr()?)?;
    out.flush()?;
    runtime::run(async move {
        listener.set_nonblocking(runtime::is_epoll())?;
        let listener = TcpListener::from_std(listener)?;
        let mut waiting: HashMap<[u8; 8], TcpStream> = HashMap::new();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let Some((name, stream)) = name(stream).await else { continue };
            match waiting.remove(&name) {
                Some(other) => join(stream, other),
                None => drop(waiting.insert(name, stream)),
            }
        }
    })?
}

async fn name(mut stream: TcpStream) -> Option<([u8; 8], TcpStream)> {
    let mut buf = BytesMut::with_capacity(8);
    while buf.len() < 8 {
        let (result, slice) = stream.read(monoio::buf::IoBufMut::slice_mut(buf, ..8)).await;
        buf = slice.into_inner();
        if !matches!(result, Ok(1..)) {
            return None;
        }
    }
    Some((buf[..].try_into().ok()?, stream))
}

fn join(one: TcpStream, other: TcpStream) {
    let (one_read, one_write) = one.into_split();
    let (other_read, other_write) = other.into_split();
    monoio::spawn(copy(one_read, other_write));
    monoio::spawn(copy(other_read, one_write));
}

async fn copy(mut from: impl AsyncReadRent, mut to: impl AsyncWriteRent) {
    let mut buf = BytesMut::new();
    loop {
        let (result, read) = net::read(&mut from, buf, 0).await;
        if result.is_err() {
            return;
        }
        let (result, written) = net::write(&mut to, read).await;
        if result.is_err() {
            return;
        }
        buf = written;
    }
}

/// Runs the clients.
///
/// # Errors
/// The server is not there.
pub fn run(args: &RawArgs) -> anyhow::Result<Calls> {
    let shape = &args.shape;
    let message = scenario::wire_bytes(shape.size);
    let outcome = measure::run(shape.threads, shape.warmup, shape.seconds, shape.server_pid, |number, recorder| {
        let pairs: Vec<_> = scenario::share(shape.pairs, number, shape.threads).collect();
        let args = args.clone();
        runtime::run(async move {
            for pair in pairs {
                let name = ((u64::from(std::process::id()) << 32) | pair as u64).to_le_bytes();
                let callee = greet(&args, name).await?;
                let caller = greet(&args, name).await?;
                let (read, write) = callee.into_split();
                monoio::spawn(copy(read, write));
                let recorder = recorder.clone();
                let in_flight = args.shape.in_flight;
                monoio::spawn(async move {
                    if let Err(error) = call(caller, message, in_flight, &recorder).await {
                        recorder.failed(format_args!("a caller ended: {error}"));
                    }
                });
            }
            anyhow::Ok::<Tally>(recorder.until_over().await)
        })?
    })?;
    Ok(Calls::new("raw", shape.pairs, shape.in_flight, shape.size, outcome))
}

async fn greet(args: &RawArgs, name: [u8; 8]) -> anyhow::Result<TcpStream> {
    let mut stream = net::connect(args.addr, None).with_context(|| format!("no raw server at {}", args.addr))?;
    net::write(&mut stream, BytesMut::from(&name[..])).await.0?;
    Ok(stream)
}

/// Keeps `in_flight` messages of `size` bytes on their way, each followed by a new one when it is back.
async fn call(mut stream: TcpStream, size: usize, in_flight: usize, recorder: &Recorder) -> std::io::Result<()> {
    let message = vec![b'x'; size];
    let (mut out, mut buf) = (BytesMut::new(), BytesMut::new());
    let mut started = VecDeque::with_capacity(in_flight);
    for _ in 0..in_flight {
        out.extend_from_slice(&message);
        started.push_back(Instant::now());
    }
    loop {
        let (result, back) = net::write(&mut stream, out).await;
        result?;
        out = back;
        // Bytes of an incomplete message stay counted in `buf`; they are all alike.
        while buf.len() < size {
            let (result, back) = net::read(&mut stream, buf, size).await;
            buf = back;
            result?;
        }
        while buf.len() >= size {
            let _ = buf.split_to(size);
            if let Some(start) = started.pop_front() {
                recorder.answered(start);
            }
            out.extend_from_slice(&message);
            started.push_back(Instant::now());
        }
    }
}

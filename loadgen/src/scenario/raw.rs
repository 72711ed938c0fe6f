//! The floor: the same bytes and messages between the same pairs, relayed without a protocol. What the product costs
//! above this is its own; below is the kernel's TCP.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::time::Instant;

use anyhow::Context;
use bytes::BytesMut;
use monoio::io::{AsyncReadRent, AsyncWriteRent, Splitable};
use monoio::net::{TcpListener, TcpStream};

use super::{check_descriptors, share, wire_bytes};
use crate::args::{RawArgs, RawServerArgs};
use crate::load::watch;
use crate::measure::{self, Recorder};
use crate::report::Report;
use crate::stats::Tally;
use crate::{net, runtime};

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
pub fn run(args: &RawArgs) -> anyhow::Result<Report> {
    let shape = &args.shape;
    check_descriptors(2 * shape.pairs)?;
    let outcome = measure::run(&args.run, |number, recorder| {
        let pairs: Vec<_> = share(shape.pairs, number, args.run.threads).collect();
        runtime::run(load(args, pairs, recorder))?
    })?;
    let mut report = Report::new("raw");
    report.put("pairs", shape.pairs);
    report.put("in_flight", shape.in_flight);
    report.put("size", shape.size);
    report.answers("calls", &outcome);
    report.server(&outcome, 2 * outcome.tally.latencies.count());
    report.end(&outcome, &args.run);
    Ok(report)
}

async fn load(args: &RawArgs, pairs: Vec<usize>, recorder: Recorder) -> anyhow::Result<Tally> {
    let message = wire_bytes(args.shape.size);
    for pair in pairs {
        let name = ((u64::from(std::process::id()) << 32) | pair as u64).to_le_bytes();
        let callee = greet(args, name).await?;
        let caller = greet(args, name).await?;
        let (read, write) = callee.into_split();
        monoio::spawn(copy(read, write));
        let calls = call(caller, message, args.shape.in_flight, recorder.clone());
        watch(&recorder, "a caller", calls);
    }
    Ok(recorder.until_over().await)
}

async fn greet(args: &RawArgs, name: [u8; 8]) -> anyhow::Result<TcpStream> {
    let connected = net::connect(args.addr, None).await;
    let mut stream = connected.with_context(|| format!("no raw server at {}", args.addr))?;
    net::write(&mut stream, BytesMut::from(&name[..])).await.0?;
    Ok(stream)
}

/// Keeps `in_flight` messages of `size` bytes on their way, each followed by a new one when it is back.
async fn call(mut stream: TcpStream, size: usize, in_flight: usize, recorder: Recorder) -> anyhow::Result<()> {
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

//! The floor of two cores: every message crosses, and no core waits for the other. A connection begins with eight bytes
//! that name its pair; the two of one name are joined.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{FromRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::BytesMut;

use crate::ring;

/// How long a connection may take to name its pair.
const NAME_LIMIT: Duration = Duration::from_secs(5);
/// Two descriptors, from which to which: what a core is told of a direction.
const DIRECTION_BYTES: usize = 2 * size_of::<RawFd>();

/// Serves until it is killed.
///
/// # Errors
/// io_uring is refused, or a core ended.
pub(crate) fn serve(listener: &TcpListener) -> anyhow::Result<()> {
    let mut cores = [core()?, core()?];
    let mut waiting: HashMap<[u8; 8], TcpStream> = HashMap::new();
    loop {
        let (stream, _) = listener.accept().context("accept")?;
        let Ok(name) = name(&stream) else { continue };
        let Some(other) = waiting.remove(&name) else {
            waiting.insert(name, stream);
            continue;
        };
        let (one, two) = ((stream.try_clone()?, other.try_clone()?), (other, stream));
        for (core, (from, to)) in cores.iter_mut().zip([one, two]) {
            // The core owns both descriptors from here on.
            let [from, to] = [from.into_raw_fd(), to.into_raw_fd()].map(RawFd::to_ne_bytes);
            core.write_all(&[from, to].concat()).context("a core ended")?;
        }
    }
}

fn name(mut stream: &TcpStream) -> std::io::Result<[u8; 8]> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(NAME_LIMIT))?;
    let mut name = [0; 8];
    stream.read_exact(&mut name)?;
    stream.set_read_timeout(None)?;
    Ok(name)
}

/// Starts a thread; it is told of directions through the socket.
fn core() -> anyhow::Result<UnixStream> {
    let (told, directions) = UnixStream::pair()?;
    thread::spawn(move || {
        let ended = ring::run(follow(directions)).map_err(Into::into).and_then(|ended| ended);
        // Without one of its cores the floor is none.
        if let Err(error) = ended {
            eprintln!("landline-peer: a core: {error:#}");
        }
        std::process::exit(1)
    });
    Ok(told)
}

async fn follow(directions: UnixStream) -> anyhow::Result<()> {
    let mut directions = monoio::net::UnixStream::from_std(directions)?;
    let mut buf = BytesMut::new();
    loop {
        while buf.len() >= DIRECTION_BYTES {
            let told = buf.split_to(DIRECTION_BYTES);
            let [from, to] = [&told[..4], &told[4..]].map(|bytes| {
                let fd = RawFd::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                // SAFETY: the accepting thread gave both descriptors away; nobody else closes them.
                unsafe { TcpStream::from_raw_fd(fd) }
            });
            monoio::spawn(copy(from, to));
        }
        let (result, back) = ring::read(&mut directions, buf).await;
        buf = back;
        if result.is_err() {
            bail!("the accepting thread ended");
        }
    }
}

async fn copy(from: TcpStream, to: TcpStream) {
    let adopt = monoio::net::TcpStream::from_std;
    let (Ok(mut from), Ok(mut to)) = (adopt(from), adopt(to)) else { return };
    let mut buf = BytesMut::new();
    loop {
        let (result, back) = ring::read(&mut from, buf).await;
        if result.is_err() {
            return;
        }
        let (result, back) = ring::write(&mut to, back).await;
        if result.is_err() {
            return;
        }
        buf = back;
    }
}

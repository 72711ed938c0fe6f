//! What can be run.

pub mod calls;
pub mod churn;
pub mod directory;
mod ends;
pub mod idle;
mod lines;
pub mod mixed;
pub mod oneway;
pub mod raw;
pub mod register;
pub mod search;
pub mod slow;
pub mod storm;
pub mod stream;
mod traffic;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::ensure;
use bytes::BytesMut;
use landline_wire::frame::{Call, Frame, encode_head};
use landline_wire::header::{self, Kind, MAX_HEADER};

use crate::args::Command;
use crate::proc;
use crate::report::Report;

/// Descriptors beside those of lines.
const SPARE_DESCRIPTORS: usize = 64;

/// Runs what the command line names. A server runs until it is killed and reports nothing.
///
/// # Errors
/// The run could not be made.
pub fn run(command: &Command) -> anyhow::Result<Option<Report>> {
    match command {
        Command::Calls(args) => calls::run(args),
        Command::Stream(args) => stream::run(args),
        Command::Oneway(args) => oneway::run(args),
        Command::Idle(args) => idle::run(args),
        Command::Storm(args) => storm::run(args),
        Command::Churn(args) => churn::run(args),
        Command::Mixed(args) => mixed::run(args),
        Command::Slow(args) => slow::run(args),
        Command::Register(args) => register::run(args),
        Command::Directory(args) => directory::run(args),
        Command::Search(args) => search::run(args),
        Command::Raw(args) => raw::run(args),
        Command::RawServer(args) => return raw::serve(args).map(|()| None),
    }
    .map(Some)
}

/// The share of thread `number` of `threads`, of `all` numbered things.
pub(crate) fn share(all: usize, number: usize, threads: usize) -> impl Iterator<Item = usize> {
    (number..all).step_by(threads)
}

/// A loopback address to come from, if the server is reached on one: 127.0.1.1 and on, without the last byte's 0 and 255.
pub(crate) fn source_address(server: SocketAddr, number: usize) -> Option<IpAddr> {
    let (block, host) = (number / 254 % 200, number % 254);
    let is_near = server.is_ipv4() && server.ip().is_loopback();
    is_near.then(|| Ipv4Addr::new(127, 0, 1 + block as u8, 1 + host as u8).into())
}

/// Connections need descriptors, and running out of them in the middle would look like the server's failure.
fn check_descriptors(connections: usize) -> anyhow::Result<()> {
    let limit = proc::descriptor_limit();
    ensure!(
        connections + SPARE_DESCRIPTORS <= limit,
        "{connections} connections need more descriptors than the {limit} that this process may have: raise \
         `ulimit -n`, or share the load among several processes"
    );
    Ok(())
}

/// Bytes on the wire of a `call` frame with a body of `size`, as an agent sends it.
pub fn wire_bytes(size: usize) -> usize {
    let call = Call { id: 1_000_001, to: "01920000-0000-7000-8000-00000000000a", ..Call::default() };
    let mut frame = BytesMut::new();
    encode_head(&mut frame, &Frame::Call(call), size);
    let payload = frame.len() + size;
    header::write(Kind::Binary, payload, Some([0; 4]), &mut [0; MAX_HEADER]) + payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_share_everything_once() {
        let mut seen: Vec<_> = (0..3).flat_map(|number| share(10, number, 3)).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_call_costs_some_eighty_bytes_beside_its_body() {
        assert!((60..100).contains(&(wire_bytes(128) - 128)), "{}", wire_bytes(128));
        assert!(wire_bytes(1 << 16) > 1 << 16);
    }

    #[test]
    fn sources_are_different_loopback_addresses() {
        let near = "127.0.0.1:1".parse().unwrap();
        let mut seen: Vec<_> = (0..1_000).filter_map(|number| source_address(near, number)).collect();
        assert!(seen.iter().all(IpAddr::is_loopback));
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 1_000);
        assert_eq!(source_address("192.0.2.1:1".parse().unwrap(), 1), None);
    }
}

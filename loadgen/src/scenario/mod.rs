//! What can be run.

pub mod calls;
pub mod idle;
pub mod raw;

use std::net::{IpAddr, Ipv4Addr};

use bytes::BytesMut;
use landline_wire::frame::{Call, Frame, encode_head};
use landline_wire::header::{self, Kind, MAX_HEADER};

use crate::http::Origin;

/// The share of thread `number` of `threads`, of `all` numbered things.
pub(crate) fn share(all: usize, number: usize, threads: usize) -> impl Iterator<Item = usize> {
    (number..all).step_by(threads)
}

/// A loopback address to come from, if the server is reached on one: 127.0.1.1 and on, without the last byte's 0 and 255.
pub(crate) fn source_address(origin: &Origin, number: usize) -> Option<IpAddr> {
    let (block, host) = (number / 254 % 200, number % 254);
    let is_near = origin.addr.is_ipv4() && origin.addr.ip().is_loopback();
    is_near.then(|| Ipv4Addr::new(127, 0, 1 + block as u8, 1 + host as u8).into())
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
        let near = Origin::parse("http://127.0.0.1:1", None).unwrap();
        let mut seen: Vec<_> = (0..1_000).filter_map(|number| source_address(&near, number)).collect();
        assert!(seen.iter().all(IpAddr::is_loopback));
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 1_000);
        assert_eq!(source_address(&Origin::parse("http://192.0.2.1:1", None).unwrap(), 1), None);
    }
}

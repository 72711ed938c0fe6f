//! Which addresses the exchange may connect to when somebody else named them. Pure.
//!
//! Of IPv6 only global unicast (2000::/3) is public, less what is set aside in it; so mapped, compatible, translated and
//! NAT64 forms of IPv4 addresses, unique-local, link-local and multicast addresses are refused without being listed.
//! Sources: the IANA special-purpose address registries (RFC 6890 and its updates).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::egress::Cidr;

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Cidr {
    match Cidr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix) {
        Some(cidr) => cidr,
        None => panic!("bits beyond the prefix"),
    }
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Cidr {
    match Cidr::new(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), prefix) {
        Some(cidr) => cidr,
        None => panic!("bits beyond the prefix"),
    }
}

/// What is public of IPv6, before the exceptions.
const GLOBAL_V6: Cidr = v6(0x2000, 0, 0, 3);

/// Networks that are not public, each with its name for the log.
const REFUSED: &[(Cidr, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier-grade NAT"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol assignments"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "6to4 relays"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
    // Teredo (2001::/32), benchmarking (2001:2::/48) and ORCHID (2001:10::/28, 2001:20::/28) are in it.
    (v6(0x2001, 0, 0, 23), "protocol assignments"),
    (v6(0x2001, 0xdb8, 0, 32), "documentation"),
    (v6(0x2002, 0, 0, 16), "6to4"),
    (v6(0x3fff, 0, 0, 20), "documentation"),
];

/// Why an address may not be called; `None`: it is public, or in a network that the operator opened. A network that was
/// opened holds exactly what was written: `127.0.0.0/8` opens no `::ffff:127.0.0.1`.
pub(crate) fn refused(ip: IpAddr, opened: &[Cidr]) -> Option<&'static str> {
    if opened.iter().any(|cidr| cidr.contains(ip)) {
        return None;
    }
    if ip.is_ipv6() && !GLOBAL_V6.contains(ip) {
        return Some("not global unicast");
    }
    REFUSED.iter().find(|(cidr, _)| cidr.contains(ip)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused_text(ip: &str) -> Option<&'static str> {
        refused(ip.parse().unwrap(), &[])
    }

    #[test]
    fn what_is_not_public_is_refused_up_to_its_edges() {
        for ip in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            // Unspecified, loopback, IPv4-compatible, mapped, translated.
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:127.0.0.1",
            // NAT64, discard-only, Teredo, benchmarking, ORCHID, documentation, 6to4, segment routing.
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "3fff:fff::1",
            "5f00::1",
            // Unique-local, link-local, site-local, multicast.
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ffff::1",
        ] {
            assert!(refused_text(ip).is_some(), "{ip}");
        }
    }

    #[test]
    fn what_is_public_passes() {
        for ip in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700::1111",
            "3ffe::1",
        ] {
            assert_eq!(refused_text(ip), None, "{ip}");
        }
    }

    #[test]
    fn an_opened_network_is_exactly_what_was_written() {
        let opened = ["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        assert_eq!(refused("127.0.0.1".parse().unwrap(), &opened), None);
        assert_eq!(refused("fd00::7".parse().unwrap(), &opened), None);
        for ip in ["::ffff:127.0.0.1", "::7f00:1", "10.0.0.1", "::1", "64:ff9b::7f00:1"] {
            assert!(refused(ip.parse().unwrap(), &opened).is_some(), "{ip}");
        }
    }
}

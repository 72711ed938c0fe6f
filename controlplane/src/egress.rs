//! Where connections from the exchange to the outside may lead: the networks that the operator opened, and how names
//! become addresses. Injected, like the clock: the exchange asks no resolver but this one.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

/// A network, such as `10.0.0.0/8` or `fd00::/8`; an address alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    base: IpAddr,
    prefix: u8,
}

/// A text that is no network; says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {expected}")]
pub struct BadCidr {
    text: String,
    expected: &'static str,
}

impl Cidr {
    /// The network of the first `prefix` bits of `base`. `None`: the prefix is too long, or bits beyond it are set.
    pub const fn new(base: IpAddr, prefix: u8) -> Option<Self> {
        let fits = match base {
            IpAddr::V4(ip) => prefix <= 32 && ip.to_bits() & low_bits(32 - prefix) as u32 == 0,
            IpAddr::V6(ip) => prefix <= 128 && ip.to_bits() & low_bits(128 - prefix) == 0,
        };
        if fits { Some(Self { base, prefix }) } else { None }
    }

    /// Is the address in the network? An IPv4 network holds no IPv6 form of its addresses.
    pub const fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                (base.to_bits() ^ ip.to_bits()) & !(low_bits(32 - self.prefix) as u32) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => (base.to_bits() ^ ip.to_bits()) & !low_bits(128 - self.prefix) == 0,
            _ => false,
        }
    }
}

/// So many ones at the low end.
const fn low_bits(count: u8) -> u128 {
    if count >= 128 { u128::MAX } else { (1 << count) - 1 }
}

impl FromStr for Cidr {
    type Err = BadCidr;

    fn from_str(text: &str) -> Result<Self, BadCidr> {
        let bad = |expected| BadCidr { text: text.to_owned(), expected };
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| bad("expected a network such as 10.0.0.0/8 or fd00::/8"))?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= bits).ok_or_else(|| bad("the prefix is too long"))?
            }
            Some(_) => return Err(bad("the prefix must be a number")),
        };
        Self::new(base, prefix).ok_or_else(|| bad("bits beyond the prefix are set"))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// The addresses of a name, when they are known.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// How a host name becomes addresses.
#[derive(Clone)]
pub struct Resolver(Arc<dyn Fn(String) -> Resolving + Send + Sync>);

impl Resolver {
    /// The machine's resolver.
    pub fn system() -> Self {
        Self(Arc::new(|name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        }))
    }

    /// A resolver that answers at once; an empty answer is a name without addresses.
    pub fn from_fn(resolve: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |name| {
            let found = resolve(&name);
            Box::pin(async move { Ok(found) })
        }))
    }

    /// All addresses of a name.
    ///
    /// # Errors
    /// What the resolver says; the text may name the name and goes to no caller.
    pub async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        (self.0)(name.to_owned()).await
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_and_holds_what_its_prefix_says() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("127.0.0.2", "127.0.0.2", "127.0.0.1"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::1/128", "::1", "::2"),
            ("::/0", "ffff::1", "127.0.0.1"),
            ("127.0.0.0/8", "127.0.0.1", "::ffff:127.0.0.1"),
        ] {
            let cidr: Cidr = text.parse().unwrap();
            assert!(cidr.contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(!cidr.contains(outside.parse().unwrap()), "{text} {outside}");
            assert_eq!(cidr.to_string().parse(), Ok(cidr));
        }
    }

    #[test]
    fn a_mistake_is_named() {
        for (text, part) in [
            ("10.0.0.1/8", "beyond the prefix"),
            ("10.0.0.0/33", "too long"),
            ("::/129", "too long"),
            ("10.0.0.0/999", "too long"),
            ("10.0.0.0/", "too long"),
            ("10.0.0.0/+8", "a number"),
            ("10.0.0/8", "such as"),
            ("host/8", "such as"),
            ("", "such as"),
        ] {
            let message = text.parse::<Cidr>().unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[tokio::test]
    async fn the_machine_knows_its_own_name() {
        let found = Resolver::system().resolve("localhost").await.unwrap();
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
    }
}

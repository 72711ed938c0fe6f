//! The URL of an agent, read strictly. Pure.
//!
//! Two parsers that read one URL differently are how a guard is passed. So there is one parser here, everything that
//! follows uses what it found and never the text again, and what has more than one reading is refused: a host is a name of
//! letters, digits and hyphens, an IPv4 address of four decimal numbers, or an IPv6 address in brackets.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Characters of a name (RFC 1035), and of one label.
const MAX_NAME_CHARS: usize = 253;
const MAX_LABEL_CHARS: usize = 63;

/// Who is meant by a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    /// A name, in lower case.
    Name(String),
    /// An address.
    Ip(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    pub(crate) host: Host,
    pub(crate) port: u16,
}

impl Origin {
    /// The value of a `Host` header: the port is left out where the scheme implies it.
    pub(crate) fn authority(&self) -> String {
        let implied = if self.https { 443 } else { 80 };
        if self.port == implied { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// A URL: where to connect, and what to ask for there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) origin: Origin,
    /// Begins with `/`; without the query.
    pub(crate) path: String,
    /// With its `?`; empty if there is none.
    pub(crate) query: String,
}

/// Why a text is no URL that could be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadUrl {
    /// Another scheme, or none.
    #[error("the scheme must be http or https")]
    Scheme,
    /// A user name or password.
    #[error("it must not hold credentials")]
    Credentials,
    /// A host with more than one reading.
    #[error("the host must be a plain name, an IPv4 address of four decimal numbers or an IPv6 address in brackets")]
    Host,
    /// No number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    Port,
    /// What has to be escaped.
    #[error("it must be visible ASCII without quotes, angle brackets, braces, backslashes, carets and bars")]
    Characters,
}

impl Target {
    /// Reads an absolute URL. A fragment is dropped.
    pub(crate) fn parse(text: &str) -> Result<Self, BadUrl> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) {
            return Err(BadUrl::Characters);
        }
        let (scheme, rest) = text.split_once("://").ok_or(BadUrl::Scheme)?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(BadUrl::Scheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if authority.contains('@') {
            return Err(BadUrl::Credentials);
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            None => {
                if https {
                    443
                } else {
                    80
                }
            }
            Some(port) => read_port(port)?,
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let path = if path.is_empty() { "/" } else { path };
        let origin = Origin { https, host: read_host(host)?, port };
        Ok(Self { origin, path: path.to_owned(), query: query.to_owned() })
    }
}

/// Host and port text of an authority.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), BadUrl> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or(BadUrl::Host)? + 1;
        return match authority[end..].strip_prefix(':') {
            Some(port) => Ok((&authority[..end], Some(port))),
            None if end == authority.len() => Ok((authority, None)),
            None => Err(BadUrl::Host),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn read_port(text: &str) -> Result<u16, BadUrl> {
    if text.is_empty() || text.len() > 5 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadUrl::Port);
    }
    text.parse().ok().filter(|port| *port != 0).ok_or(BadUrl::Port)
}

fn read_host(text: &str) -> Result<Host, BadUrl> {
    if let Some(inside) = text.strip_prefix('[') {
        let inside = inside.strip_suffix(']').ok_or(BadUrl::Host)?;
        // A zone (`%eth0`) is no part of an address that could be public, and is not read.
        return inside.parse::<Ipv6Addr>().map(|ip| Host::Ip(ip.into())).map_err(|_| BadUrl::Host);
    }
    let name = text.to_ascii_lowercase();
    let labels: Vec<&str> = name.split('.').collect();
    let last = labels.last().copied().unwrap_or_default();
    // A last label that begins like a number makes some parsers read all of it as an address (WHATWG URL, "ends in a
    // number"): then it must be one, in the one form that all of them read alike.
    if last.starts_with(|first: char| first.is_ascii_digit()) {
        return name.parse::<Ipv4Addr>().map(|ip| Host::Ip(ip.into())).map_err(|_| BadUrl::Host);
    }
    let is_label = |label: &&str| {
        (1..=MAX_LABEL_CHARS).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= MAX_NAME_CHARS && labels.iter().all(is_label) { Ok(Host::Name(name)) } else { Err(BadUrl::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, BadUrl> {
        let target = Target::parse(text)?;
        let scheme = if target.origin.https { "https" } else { "http" };
        Ok(format!("{scheme} {} {} {}{}", target.origin.host, target.origin.port, target.path, target.query))
    }

    #[test]
    fn plain_urls_are_read() {
        for (text, expected) in [
            ("https://Sum.Example", "https sum.example 443 /"),
            ("HTTP://a-1.example:8080/x/y?z=%2F#f", "http a-1.example 8080 /x/y?z=%2F"),
            ("http://8.8.8.8?q", "http 8.8.8.8 80 /?q"),
            ("https://[2606:4700::1111]:8443/", "https [2606:4700::1111] 8443 /"),
            ("https://xn--bcher-kva.example/a:b@c", "https xn--bcher-kva.example 443 /a:b@c"),
            ("https://1.2.example", "https 1.2.example 443 /"),
            ("http://localhost", "http localhost 80 /"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_has_more_than_one_reading_is_refused() {
        for (text, why) in [
            ("ftp://a.example", BadUrl::Scheme),
            ("file:///etc/passwd", BadUrl::Scheme),
            ("gopher://a.example", BadUrl::Scheme),
            ("//a.example", BadUrl::Scheme),
            ("http:a.example", BadUrl::Scheme),
            ("http:/\\a.example", BadUrl::Characters),
            ("http://u@a.example", BadUrl::Credentials),
            ("http://u:p@a.example", BadUrl::Credentials),
            ("http://a.example:80@127.0.0.1/", BadUrl::Credentials),
            ("http://127.0.0.1\\@a.example", BadUrl::Characters),
            ("http://a.example#@127.0.0.1\n", BadUrl::Characters),
            ("http://a b.example", BadUrl::Characters),
            ("http://\u{ff11}27.0.0.1", BadUrl::Characters),
            ("http://127\u{3002}0.0.1", BadUrl::Characters),
            ("http://", BadUrl::Host),
            ("http:///x", BadUrl::Host),
            ("http://2130706433", BadUrl::Host),
            ("http://0x7f000001", BadUrl::Host),
            ("http://0x7f.1", BadUrl::Host),
            ("http://017700000001", BadUrl::Host),
            ("http://0177.0.0.1", BadUrl::Host),
            ("http://127.0.0.01", BadUrl::Host),
            ("http://127.1", BadUrl::Host),
            ("http://127.0.0.1.", BadUrl::Host),
            ("http://a.example.", BadUrl::Host),
            ("http://a..example", BadUrl::Host),
            ("http://256.0.0.1", BadUrl::Host),
            ("http://a.0x7f", BadUrl::Host),
            ("http://%31%32%37.0.0.1", BadUrl::Host),
            ("http://a%2eexample", BadUrl::Host),
            ("http://-a.example", BadUrl::Host),
            ("http://[::1", BadUrl::Host),
            ("http://[::1]x", BadUrl::Host),
            ("http://[fe80::1%25eth0]", BadUrl::Host),
            ("http://[v1.x]", BadUrl::Host),
            ("http://::1/", BadUrl::Port),
            ("http://a.example:", BadUrl::Port),
            ("http://a.example:0", BadUrl::Port),
            ("http://a.example:65536", BadUrl::Port),
            ("http://a.example:+80", BadUrl::Port),
            ("http://a.example:80:80", BadUrl::Port),
        ] {
            assert_eq!(parse(text), Err(why), "{text:?}");
        }
        let long = format!("http://{}.example", "a".repeat(64));
        assert_eq!(parse(&long), Err(BadUrl::Host));
    }

    #[test]
    fn the_authority_leaves_the_implied_port_out() {
        let authority = |text: &str| Target::parse(text).unwrap().origin.authority();
        assert_eq!(authority("https://a.example:443/x"), "a.example");
        assert_eq!(authority("http://a.example:443"), "a.example:443");
        assert_eq!(authority("http://[2606:4700::1]:8080"), "[2606:4700::1]:8080");
    }
}

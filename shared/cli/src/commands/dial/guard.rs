//! Who may use the port: programs on this machine, and no web page. A page can make a browser send requests to
//! loopback, directly or under a name of its own that resolves there; `Host`, `Origin` and `Sec-Fetch-Site` tell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::header::{HOST, HeaderMap, ORIGIN};
use http::{HeaderName, Uri};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The port that is left out of `Host`.
const HTTP_PORT: u16 = 80;

/// The loopback names of a port, as a `Host` field has them.
#[derive(Debug, Clone)]
pub(super) struct Names {
    names: Vec<String>,
    /// What the card says: the address itself.
    pub(super) url: String,
}

impl Names {
    pub(super) fn of(addr: SocketAddr) -> Self {
        let hosts = [
            addr.ip().to_string(),
            IpAddr::V4(Ipv4Addr::LOCALHOST).to_string(),
            IpAddr::V6(Ipv6Addr::LOCALHOST).to_string(),
            "localhost".to_owned(),
        ];
        let mut names = Vec::new();
        for host in hosts {
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            names.push(format!("{host}:{}", addr.port()));
            if addr.port() == HTTP_PORT {
                names.push(host);
            }
        }
        Self { names, url: format!("http://{addr}") }
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// May this request use the port?
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
        let mut hosts = headers.get_all(HOST).into_iter();
        let is_ours = hosts.next().and_then(|host| host.to_str().ok()).is_some_and(|host| self.has(host));
        // An absolute request target names the host a second time, and counts above the field.
        let target_is_ours = uri.authority().is_none_or(|authority| self.has(authority.as_str()));
        if !is_ours || !target_is_ours || hosts.next().is_some() {
            return Err("The Host is not this port's own loopback name.");
        }
        let is_own_origin = |origin: &str| origin.strip_prefix("http://").is_some_and(|name| self.has(name));
        if !headers.get_all(ORIGIN).into_iter().all(|origin| origin.to_str().is_ok_and(is_own_origin)) {
            return Err("The request comes from a page of another origin.");
        }
        // `same-site` too: every port of this machine is one site.
        let is_own = |site: &http::HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
        if !headers.get_all(SEC_FETCH_SITE).into_iter().all(is_own) {
            return Err("The browser says that the request comes from another site.");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(addr: &str, target: &str, fields: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        Names::of(addr.parse().unwrap()).check(&target.parse().unwrap(), &headers).is_ok()
    }

    #[test]
    fn programs_of_this_machine_pass() {
        for fields in [
            &[("host", "127.0.0.1:9000")][..],
            &[("host", "LocalHost:9000")],
            &[("host", "[::1]:9000")],
            &[("host", "localhost:9000"), ("origin", "http://localhost:9000"), ("sec-fetch-site", "same-origin")],
            &[("host", "127.0.0.1:9000"), ("sec-fetch-site", "none")],
        ] {
            assert!(allowed("127.0.0.1:9000", "/", fields), "{fields:?}");
        }
        assert!(allowed("127.0.0.1:80", "/", &[("host", "127.0.0.1")]));
        assert!(allowed("127.0.0.2:9000", "/", &[("host", "127.0.0.2:9000")]));
        assert!(allowed("127.0.0.1:9000", "http://127.0.0.1:9000/x", &[("host", "127.0.0.1:9000")]));
    }

    #[test]
    fn pages_and_borrowed_names_do_not() {
        let own = ("host", "127.0.0.1:9000");
        for fields in [
            &[][..],
            &[("host", "evil.example:9000")],
            &[("host", "127.0.0.1")],
            &[("host", "127.0.0.1:9001")],
            &[("host", "127.0.0.1:9000.evil.example")],
            &[("host", "127.0.0.1.evil.example:9000")],
            &[("host", "evil@127.0.0.1:9000")],
            &[own, ("host", "evil.example")],
            &[own, ("origin", "https://evil.example")],
            &[own, ("origin", "null")],
            &[own, ("origin", "")],
            &[own, ("origin", "http://127.0.0.1:3000")],
            &[own, ("origin", "https://127.0.0.1:9000")],
            &[own, ("origin", "http://127.0.0.1:9000"), ("origin", "https://evil.example")],
            &[own, ("sec-fetch-site", "cross-site")],
            &[own, ("sec-fetch-site", "same-site")],
            &[own, ("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
        ] {
            assert!(!allowed("127.0.0.1:9000", "/", fields), "{fields:?}");
        }
        assert!(!allowed("127.0.0.1:9000", "http://evil.example/", &[own]));
    }
}

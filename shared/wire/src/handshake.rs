//! The WebSocket upgrade (RFC 6455 section 4), both ends, without a socket.

use tungstenite::handshake::derive_accept_key;

use crate::http1::Head;

/// Why a request is no acceptable upgrade; each is answered with 400 or 426.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUpgrade {
    /// No `Upgrade: websocket` with `Connection: upgrade`, or one in HTTP/1.0, where they mean nothing (RFC 9110 section
    /// 7.8).
    #[error("expected a WebSocket upgrade: HTTP/1.1, `Connection: upgrade` and `Upgrade: websocket`")]
    NotWebSocket,
    /// Another version than 13.
    #[error("unsupported WebSocket version: send `Sec-WebSocket-Version: 13`")]
    Version,
    /// No key, or not 16 bytes in base64.
    #[error("`Sec-WebSocket-Key` must be 16 bytes in base64")]
    Key,
}

/// Checks an upgrade request and gives its `Sec-WebSocket-Key`.
///
/// # Errors
/// [`BadUpgrade`] says what is missing.
pub fn check(head: &Head) -> Result<&str, BadUpgrade> {
    let names = |field, token| head.headers_named(field).any(|value| has_token(value, token));
    if !head.is_11 || !names("upgrade", "websocket") || !names("connection", "upgrade") {
        return Err(BadUpgrade::NotWebSocket);
    }
    if head.header("sec-websocket-version").map(str::trim) != Some("13") {
        return Err(BadUpgrade::Version);
    }
    let key = head.header("sec-websocket-key").map(str::trim).unwrap_or_default();
    // 16 bytes are 22 characters of base64 and two of padding.
    let well_formed = key.len() == 24
        && key.ends_with("==")
        && key[..22].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    if well_formed { Ok(key) } else { Err(BadUpgrade::Key) }
}

/// The relay's answer to an upgrade with this key. Extensions are not offered.
pub fn accept(key: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    )
}

/// The client's request for an upgrade. `key` is 16 random bytes in base64, `host` the authority.
pub fn request(host: &str, path: &str, key: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n"
    )
}

/// Is this the accept value that belongs to the key?
pub fn is_accepted(key: &str, accept: &str) -> bool {
    derive_accept_key(key.as_bytes()) == accept.trim()
}

fn has_token(value: &str, token: &str) -> bool {
    value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::http1::parse_head;

    fn head(text: &str) -> Head {
        parse_head(&mut BytesMut::from(text)).unwrap().unwrap()
    }

    #[test]
    fn the_rfc_example_is_accepted() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let head = head(&request("server.example.com", "/chat", key));
        assert_eq!(check(&head), Ok(key));
        assert!(accept(key).contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(is_accepted(key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }

    #[test]
    fn lists_may_be_spread_over_several_fields() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let good = request("h", "/", key);
        for (from, to) in [
            ("upgrade: websocket", "upgrade: h2c\r\nupgrade: websocket"),
            ("upgrade: websocket", "upgrade: h2c, WebSocket"),
            ("connection: upgrade", "connection: keep-alive\r\nconnection: Upgrade"),
        ] {
            assert_eq!(check(&head(&good.replace(from, to))), Ok(key), "{to}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let good = request("h", "/", "dGhlIHNhbXBsZSBub25jZQ==");
        for (from, to, why) in [
            ("upgrade: websocket", "upgrade: h2c", BadUpgrade::NotWebSocket),
            ("connection: upgrade", "connection: close", BadUpgrade::NotWebSocket),
            ("HTTP/1.1", "HTTP/1.0", BadUpgrade::NotWebSocket),
            ("version: 13", "version: 8", BadUpgrade::Version),
            ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", BadUpgrade::Key),
        ] {
            assert_eq!(check(&head(&good.replace(from, to))), Err(why));
        }
    }
}

//! A request that a switch passes on: answered by the router, both bodies as they come.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONNECTION, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::BodyExt;
use landline_link::limits::{HANDSHAKE_TIMEOUT, MAX_HEAD_BYTES, RESET_BROKEN, RESET_GONE};
use landline_link::{PassAnswer, PassHead, codec};
use quinn::{RecvStream, SendStream, VarInt};
use tower::ServiceExt;

use super::server::Link;
use super::wire::Reader;
use crate::extract::{Peer, RelayCaller};

/// Serves one request. A switch that wants no more of the answer stops the stream: the handler, or the body that it
/// made, is dropped at once, wherever it is.
pub(crate) async fn run(link: Arc<Link>, mut send: SendStream, recv: RecvStream) {
    let stopped = send.stopped();
    let end = tokio::select! {
        end = serve(link.shared.router.clone(), &mut send, recv) => end,
        _ = stopped => Err(RESET_GONE),
    };
    if let Err(code) = end {
        let _ = send.reset(VarInt::from_u32(code));
    }
}

async fn serve(router: Router, send: &mut SendStream, recv: RecvStream) -> Result<(), u32> {
    let mut reader = Reader::new(recv);
    let head = tokio::time::timeout(HANDSHAKE_TIMEOUT, reader.expect::<PassHead>(MAX_HEAD_BYTES)).await;
    let Ok(Ok(head)) = head else { return Err(RESET_BROKEN) };
    let request = request(head, Body::from_stream(body(reader))).ok_or(RESET_BROKEN)?;
    let Ok::<_, Infallible>(answer) = router.oneshot(request).await;
    deliver(send, answer).await
}

/// The request as the router sees it. `None`: the switch passed on what is no request, which its own parser excludes.
fn request(head: PassHead, body: Body) -> Option<Request<Body>> {
    let method = Method::from_bytes(head.method.as_bytes()).ok()?;
    let uri: Uri = head.target.parse().or_else(|_| escaped(&head.target).parse()).ok()?;
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for (name, value) in head.headers {
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(&value).ok()?);
    }
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
    request.extensions_mut().insert(Peer(head.peer));
    if let Some(caller) = head.caller {
        request.extensions_mut().insert(RelayCaller(caller));
    }
    Some(request)
}

/// A target whose characters are no URI's, escaped as browsers do (RFC 3986 section 2.1): it finds no route, and says so
/// in the usual way.
fn escaped(target: &str) -> String {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    let mut out = String::with_capacity(target.len() + 16);
    for byte in target.bytes() {
        if allowed(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The body as it comes. A stream that was reset is a body that broke off, never one that ended.
fn body(reader: Reader) -> impl stream::Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.raw().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(io::Error::other(error)), None)),
        }
    })
}

async fn deliver(send: &mut SendStream, answer: Response<Body>) -> Result<(), u32> {
    let (parts, mut body) = answer.into_parts();
    let headers = parts.headers.iter().filter(|(name, _)| !is_hop_by_hop(name));
    let headers = headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    let head = codec::encode(&PassAnswer { status: parts.status.as_u16(), headers }).map_err(|_| RESET_BROKEN)?;
    send.write_chunk(head).await.map_err(|_| RESET_GONE)?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| RESET_GONE)?;
        if let Ok(bytes) = frame.into_data()
            && !bytes.is_empty()
        {
            send.write_chunk(bytes).await.map_err(|_| RESET_GONE)?;
        }
    }
    send.finish().map_err(|_| RESET_GONE)
}

/// Headers that speak about a connection and not about the answer (RFC 9110 section 7.6.1).
fn is_hop_by_hop(name: &HeaderName) -> bool {
    [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "proxy-authenticate")
}

#[cfg(test)]
mod tests {
    use landline_link::Caller;

    use super::*;

    fn head(caller: Option<Caller>) -> PassHead {
        let headers =
            ["relay-caller", "x-relay-caller", "x-landline-caller"].map(|name| (name.to_owned(), b"{}".to_vec()));
        PassHead {
            method: "POST".into(),
            target: "/connect/relay/x?y=%2F".into(),
            headers: headers.into(),
            peer: [203, 0, 113, 7].into(),
            tls: false,
            caller,
        }
    }

    #[test]
    fn a_caller_comes_from_the_switch_and_from_no_header() {
        let plain = request(head(None), Body::empty()).unwrap();
        assert!(plain.extensions().get::<RelayCaller>().is_none());
        let caller = Caller { agent: None };
        let passed = request(head(Some(caller)), Body::empty()).unwrap();
        assert_eq!(passed.extensions().get(), Some(&RelayCaller(caller)));
        assert_eq!(passed.extensions().get(), Some(&Peer([203, 0, 113, 7].into())));
        assert_eq!(passed.uri(), "/connect/relay/x?y=%2F");
    }
}

//! Measurements of the pure crates: `cargo bench -p landline-bench`. Load on a whole server is `bench/run`'s business.

mod exchange;
mod token;

use bytes::BytesMut;
use landline_wire::frame::{Frame, HeadersBuilder, Request, encode};

pub use exchange::{Exchange, NOW};
pub use token::Token;

/// Short enough to be run in between; figures that matter are medians of several runs.
#[cfg(feature = "timed")]
pub fn criterion() -> criterion::Criterion {
    use std::time::Duration;
    criterion::Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
}

/// A body of `len` bytes that differ.
pub fn body(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

/// A usual `request` frame: a caller, a request id, two headers, `len` bytes of body.
pub fn request(len: usize) -> BytesMut {
    let mut headers = HeadersBuilder::default();
    headers.push("content-type", "application/json");
    headers.push("accept", "application/json");
    let headers = headers.encode();
    let body = body(len);
    let request = Request {
        id: 0x1234_5678,
        from: Some("01920000-0000-7000-8000-00000000000b"),
        method: Some("message/send"),
        request_id: "r-0192",
        headers: headers.as_headers(),
        deadline_ms: 60_000,
        body: &body,
        ..Request::default()
    };
    let mut out = BytesMut::new();
    encode(&mut out, &Frame::Request(request));
    out
}

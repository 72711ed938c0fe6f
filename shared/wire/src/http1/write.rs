//! Answers: status line, fields, chunk framing.

use bytes::{BufMut, BytesMut};

use super::Framing;

/// Appends the head of an answer. `Content-Length` or `Transfer-Encoding` is written from `framing`; a connection that
/// ends after this answer is told so.
pub fn answer_head<'a>(
    out: &mut BytesMut,
    status: u16,
    fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    framing: Framing,
    keep_alive: bool,
) {
    out.reserve(256);
    out.put_slice(b"HTTP/1.1 ");
    put_number(out, u64::from(status));
    out.put_u8(b' ');
    out.put_slice(reason_phrase(status).as_bytes());
    out.put_slice(b"\r\n");
    for (name, value) in fields {
        out.reserve(name.len() + value.len() + 4);
        out.put_slice(name.as_bytes());
        out.put_slice(b": ");
        out.put_slice(value);
        out.put_slice(b"\r\n");
    }
    match framing {
        Framing::Length(len) => {
            out.put_slice(b"content-length: ");
            put_number(out, len);
            out.put_slice(b"\r\n");
        }
        Framing::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
        Framing::None | Framing::UntilClose => {}
    }
    if !keep_alive {
        out.put_slice(b"connection: close\r\n");
    }
    out.put_slice(b"\r\n");
}

/// Appends the size line of a chunk; its bytes follow, then [`CHUNK_END`]. A chunk of no bytes would end the body.
pub fn chunk_head(out: &mut BytesMut, size: usize) {
    let text = format!("{size:x}\r\n");
    out.put_slice(text.as_bytes());
}

/// What stands behind the bytes of each chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// The end of a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends a number in decimal, without the formatting machinery.
pub fn put_number(out: &mut impl BufMut, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.put_slice(&digits[at..]);
}

/// The usual phrase of a status (RFC 9110 section 15); empty where there is none.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{BodyDecoder, BodyPiece, parse_response_head};

    #[test]
    fn a_chunked_answer_is_read_back() {
        let mut out = BytesMut::new();
        answer_head(&mut out, 200, [("content-type", &b"text/plain"[..])], Framing::Chunked, true);
        for body in [&b"abc"[..], &[b'x'; 17]] {
            chunk_head(&mut out, body.len());
            out.put_slice(body);
            out.put_slice(CHUNK_END);
        }
        out.put_slice(LAST_CHUNK);
        let head = parse_response_head(&mut out).unwrap().unwrap();
        assert_eq!((head.status, head.header("content-type"), head.keep_alive), (200, Some("text/plain"), true));
        let mut decoder = BodyDecoder::new(head.framing);
        let mut body = Vec::new();
        while let BodyPiece::Data(data) = decoder.next(&mut out).unwrap() {
            body.extend_from_slice(&data);
        }
        assert_eq!((body.len(), decoder.is_done(), out.len()), (20, true, 0));
    }

    #[test]
    fn a_length_and_a_close_are_written() {
        let mut out = BytesMut::new();
        answer_head(&mut out, 404, [], Framing::Length(10), false);
        assert_eq!(&out[..], b"HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\nconnection: close\r\n\r\n");
    }
}

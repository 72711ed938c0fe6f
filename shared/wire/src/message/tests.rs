//! Messages survive cutting; faults have their codes.

use proptest::prelude::*;

use super::*;

/// Reads in steps; it makes no difference whether short messages are looked for first.
fn read_all(bytes: &[u8], step: usize) -> Result<Vec<Message>, Violation> {
    let all = read(bytes, step, false);
    assert_eq!(read_short_first(bytes, step), all);
    all
}

fn read_short_first(bytes: &[u8], step: usize) -> Result<Vec<Message>, Violation> {
    let mut reader = Reader::new(Role::Server, 1 << 20);
    let mut buf = BytesMut::new();
    let mut messages = Vec::new();
    for piece in bytes.chunks(step.max(1)) {
        buf.extend_from_slice(piece);
        loop {
            if let Some(short) = reader.short(&mut buf, 200) {
                let end = short.end;
                messages.push(Message::Binary(Bytes::copy_from_slice(&buf[short]).into()));
                buf.advance(end);
            } else if let Progress::Message(message) = reader.next(&mut buf)? {
                messages.push(message);
            } else {
                break;
            }
        }
    }
    Ok(messages)
}

/// Reads in steps. With `cuts`, like a shell whose buffers are too short: whatever is incomplete is cut.
fn read(bytes: &[u8], step: usize, cuts: bool) -> Result<Vec<Message>, Violation> {
    let mut reader = Reader::new(Role::Server, 1 << 20);
    let mut buf = BytesMut::new();
    let mut messages = Vec::new();
    for piece in bytes.chunks(step.max(1)) {
        buf.extend_from_slice(piece);
        while let Progress::Message(message) = reader.next(&mut buf)? {
            messages.push(message);
        }
        if cuts && reader.cut(&mut buf).is_some() {
            assert!(buf.is_empty());
        }
    }
    Ok(messages)
}

proptest! {
    #[test]
    fn messages_survive_any_cutting_of_the_stream(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..8),
        key: [u8; 4],
        step in 1usize..97,
    ) {
        let mut stream = BytesMut::new();
        for payload in &payloads {
            append(&mut stream, Kind::Binary, payload, Some(key));
        }
        let expected: Vec<_> = payloads.into_iter().map(|p| Message::Binary(Bytes::from(p).into())).collect();
        prop_assert_eq!(read_all(&stream, step).unwrap(), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, step in 1usize..20) {
        let _ = read_all(&bytes, step);
    }
}

proptest! {
    #[test]
    fn a_frame_may_go_on_in_another_buffer(
        payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), any::<bool>()), 1..8),
        key: [u8; 4],
        step in 1usize..97,
    ) {
        let mut stream = BytesMut::new();
        let (mut expected, mut gathered) = (Vec::new(), Vec::new());
        for (payload, fin) in &payloads {
            let kind = if gathered.is_empty() { Kind::Binary } else { Kind::Continuation };
            // Fragments differ from a message only in their first byte.
            let start = stream.len();
            append(&mut stream, kind, payload, Some(key));
            gathered.push(payload.clone());
            if *fin {
                expected.push(Message::Binary(Bytes::from(std::mem::take(&mut gathered).concat()).into()));
            } else {
                stream[start] &= 0x7F;
            }
        }
        prop_assert_eq!(read(&stream, step, true).unwrap(), expected);
    }
}

#[test]
fn what_was_read_of_a_cut_frame_stays_where_it_is() {
    let mut stream = BytesMut::new();
    append(&mut stream, Kind::Binary, &[7; 5000], Some([1, 2, 3, 4]));
    let rest = stream.split_off(3000);
    let (payload, mut reader) = (stream[8..].as_ptr(), Reader::new(Role::Server, 1 << 20));
    assert_eq!(reader.next(&mut stream).unwrap(), Progress::Need(5008));
    assert_eq!((reader.cut(&mut stream), reader.held()), (Some(2008), 2992));
    assert_eq!(reader.next(&mut stream).unwrap(), Progress::Need(2008));
    let mut second = rest;
    let Ok(Progress::Message(Message::Binary(message))) = reader.next(&mut second) else { panic!("a message") };
    assert_eq!(message.iter().map(Bytes::len).collect::<Vec<_>>(), [2992, 2008]);
    assert_eq!(message.first().as_ptr(), payload);
    assert_eq!(message, Bytes::from(vec![7; 5000]).into());
}

fn fragment(kind_bits: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![kind_bits, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    out.extend_from_slice(payload);
    out
}

#[test]
fn fragments_are_joined_and_a_ping_may_stand_between_them() {
    let bytes = [fragment(0x02, b"ab"), fragment(0x89, b"?"), fragment(0x00, b"cd"), fragment(0x80, b"e")].concat();
    let messages = read_all(&bytes, 3).unwrap();
    assert_eq!(
        messages,
        [Message::Ping(Bytes::from_static(b"?")), Message::Binary(Bytes::from_static(b"abcde").into())]
    );
}

#[test]
fn faults_have_their_close_codes() {
    let unmasked = [0x82u8, 1, 0];
    for (bytes, code) in [
        (unmasked.to_vec(), 1002),
        (fragment(0x80, b"x"), 1002),
        ([fragment(0x02, b"x"), fragment(0x82, b"y")].concat(), 1002),
        (fragment(0x88, &[1]), 1002),
        (fragment(0x88, &1005u16.to_be_bytes()), 1002),
        (vec![0x82, 0xFF, 0, 0, 0, 0, 0, 0x50, 0, 0, 1, 2, 3, 4], 1009),
    ] {
        assert_eq!(read_all(&bytes, bytes.len()).unwrap_err().code, code, "{bytes:?}");
    }
    let mut small = Reader::new(Role::Server, 4);
    let mut buf = BytesMut::from(&[fragment(0x02, b"abc"), fragment(0x80, b"de")].concat()[..]);
    assert_eq!(small.next(&mut buf).unwrap_err().code, 1009);
}

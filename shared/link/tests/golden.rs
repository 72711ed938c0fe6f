//! The bytes of every message, as they are on the wire: a change here is a change of the protocol.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};
use landline_link::codec::{self, CodecError};
use landline_link::limits::{MAX_HEAD_BYTES, MAX_MESSAGE_BYTES};
use landline_link::*;
use landline_wire::error::Code;
use landline_wire::ids::{AgentId, NodeId, SessionId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

const AGENT: AgentId = AgentId(Uuid::from_u128(0x0a));
const SESSION: SessionId = SessionId(Uuid::from_u128(0x5e));
const NODE: NodeId = NodeId(Uuid::from_u128(0x0d));
const PLACE: Cursor = Cursor { epoch: Uuid::from_u128(0xe), revision: 300 };

/// Bytes as text: printable runs as they are, everything else as `<hex>`.
fn shown(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        match byte {
            b'<' | b'>' | b'\\' | b'"' => out.push_str(&format!("<{byte:02x}>")),
            0x20..=0x7e => out.push(char::from(*byte)),
            _ => out.push_str(&format!("<{byte:02x}>")),
        }
    }
    out.replace(&"<00>".repeat(15), "<00*15>")
}

#[track_caller]
fn golden<T: Serialize + DeserializeOwned + PartialEq + Debug>(message: T, expected: &str) {
    let bytes = codec::encode(&message).unwrap();
    assert_eq!(shown(&bytes), expected);
    let mut buffer = BytesMut::from(&bytes[..]);
    assert_eq!(codec::decode::<T>(&mut buffer, MAX_MESSAGE_BYTES).unwrap(), Some(message));
    assert!(buffer.is_empty());
}

#[test]
fn messages_of_the_control_stream() {
    golden(
        Hello { boot: Uuid::from_u128(1), public_url: "http://a".into(), version: "1".into(), have: Some(PLACE) },
        "<00><00><00>`<84><a4>boot<c4><10><00*15><01><aa>public_url<a8>http://a<a7>version<a1>1<a4>have<82><a5>epoch<c4><10><00*15><0e><a8>revision<cd><01>,",
    );
    let welcome = Welcome { node: NODE, public_url: "http://a".into(), prefix: "/c".into(), issuer: "i".into() };
    golden(
        Down::Welcome(welcome),
        "<00><00><00>H<81><a7>Welcome<84><a4>node<c4><10><00*15><0d><aa>public_url<a8>http://a<a6>prefix<a2>/c<a6>issuer<a1>i",
    );
    golden(Down::SnapshotBegin, "<00><00><00><0e><ad>SnapshotBegin");
    golden(
        Down::SnapshotPart { part: 1, ops: vec![Op::Block { agent: AGENT, blocked: true }] },
        "<00><00><00>C<81><ac>SnapshotPart<82><a4>part<01><a3>ops<91><81><a5>Block<82><a5>agent<c4><10><00*15><0a><a7>blocked<c3>",
    );
    golden(
        Down::SnapshotEnd { parts: 2, place: PLACE },
        "<00><00><00>@<81><ab>SnapshotEnd<82><a5>parts<02><a5>place<82><a5>epoch<c4><10><00*15><0e><a8>revision<cd><01>,",
    );
    golden(
        Down::Delta { first: 7, last: 7, ops: vec![Op::Remove { agent: AGENT }] },
        "<00><00><00>;<81><a5>Delta<83><a5>first<07><a4>last<07><a3>ops<91><81><a6>Remove<81><a5>agent<c4><10><00*15><0a>",
    );
    golden(Down::Current(PLACE), "<00><00><00>.<81><a7>Current<82><a5>epoch<c4><10><00*15><0e><a8>revision<cd><01>,");
    golden(
        Down::Kick { agent: AGENT, session: SESSION, code: 4003 },
        "<00><00><00>A<81><a4>Kick<83><a5>agent<c4><10><00*15><0a><a7>session<c4><10><00*15>^<a4>code<cd><0f><a3>",
    );
    golden(Down::Drain { deadline_ms: 5_000 }, "<00><00><00><17><81><a5>Drain<81><ab>deadline_ms<cd><13><88>");
}

#[test]
fn every_op() {
    golden(
        Op::Revoke { agent: AGENT, token_gen: 2, key_gen: 3 },
        "<00><00><00>5<81><a6>Revoke<83><a5>agent<c4><10><00*15><0a><a9>token_gen<02><a7>key_gen<03>",
    );
    golden(
        Op::RevokeToken { jti: Uuid::from_u128(9), exp: 1_800_000_000 },
        "<00><00><00>-<81><ab>RevokeToken<82><a3>jti<c4><10><00*15><09><a3>exp<ce>kI<d2><00>",
    );
    golden(
        Op::Policy { agent: AGENT, policy: Policy { access: Access::Listed, allow: vec![AGENT] } },
        "<00><00><00>P<81><a6>Policy<82><a5>agent<c4><10><00*15><0a><a6>policy<82><a6>access<a6>listed<a5>allow<91><c4><10><00*15><0a>",
    );
    golden(Op::Keys { jwks: "{}".into() }, "<00><00><00><0f><81><a4>Keys<81><a4>jwks<a2>{}");
}

#[test]
fn questions_and_their_answers() {
    let key = codec::encode(&Lookup::Key(Secret("ll_x".into()))).unwrap();
    assert_eq!(shown(&key), "<00><00><00><0a><81><a3>Key<a4>ll_x");
    let agent = codec::encode(&Lookup::Agent(AGENT)).unwrap();
    assert_eq!(shown(&agent), "<00><00><00><19><81><a5>Agent<c4><10><00*15><0a>");
    golden(LookupAnswer::KeyUnknown, "<00><00><00><0b><aa>KeyUnknown");
    golden(
        LookupAnswer::Key { agent: AGENT, key_gen: 1, blocked: false },
        "<00><00><00>0<81><a3>Key<83><a5>agent<c4><10><00*15><0a><a7>key_gen<01><a7>blocked<c2>",
    );
    golden(LookupAnswer::AgentUnknown, "<00><00><00><0d><ac>AgentUnknown");
    golden(LookupAnswer::AgentGone, "<00><00><00><0a><a9>AgentGone");
    let found = LookupAnswer::Agent {
        blocked: false,
        policy: Policy::default(),
        token_gen: 4,
        elsewhere: Some("http://b".into()),
        direct: false,
    };
    golden(
        found,
        "<00><00><00>L<81><a5>Agent<84><a7>blocked<c2><a6>policy<82><a6>access<a6>agents<a5>allow<90><a9>token_gen<04><a9>elsewhere<a8>http://b",
    );
    let direct =
        LookupAnswer::Agent { blocked: false, policy: Policy::default(), token_gen: 4, elsewhere: None, direct: true };
    golden(
        direct,
        "<00><00><00>L<81><a5>Agent<85><a7>blocked<c2><a6>policy<82><a6>access<a6>agents<a5>allow<90><a9>token_gen<04><a9>elsewhere<c0><a6>direct<c3>",
    );
    golden(LookupAnswer::Failed, "<00><00><00><07><a6>Failed");
}

#[test]
fn every_report() {
    let key =
        SessionUp { agent: AGENT, session: SESSION, at: 1, credential: Credential::Key { key_gen: 1 }, shared: false };
    let token = Credential::Token { jti: Uuid::from_u128(9), token_gen: 2 };
    golden(
        ReportBatch { seq: 1, reports: vec![Report::SessionsBegin, Report::SessionsEnd] },
        "<00><00><00>)<82><a3>seq<01><a7>reports<92><ad>SessionsBegin<ab>SessionsEnd",
    );
    golden(
        Report::SessionUp(key.clone()),
        "<00><00><00>d<81><a9>SessionUp<85><a5>agent<c4><10><00*15><0a><a7>session<c4><10><00*15>^<a2>at<01><aa>credential<81><a3>Key<81><a7>key_gen<01><a6>shared<c2>",
    );
    golden(
        Report::SessionUp(SessionUp { credential: token, shared: true, ..key }),
        "<00><00><00>~<81><a9>SessionUp<85><a5>agent<c4><10><00*15><0a><a7>session<c4><10><00*15>^<a2>at<01><aa>credential<81><a5>Token<82><a3>jti<c4><10><00*15><09><a9>token_gen<02><a6>shared<c3>",
    );
    golden(
        Report::SessionDown { agent: AGENT, session: SESSION, at: 2 },
        "<00><00><00>D<81><ab>SessionDown<83><a5>agent<c4><10><00*15><0a><a7>session<c4><10><00*15>^<a2>at<02>",
    );
    golden(ReportAck { seq: 1 }, "<00><00><00><06><81><a3>seq<01>");
}

/// A batch made of rows, each written by hand, as the codec makes it of the whole.
fn by_hand(batch: &RecordBatch) -> Vec<u8> {
    let mut rows = Vec::new();
    batch.records.iter().for_each(|record| record.encode_into(&mut rows));
    let head = record_batch_head(batch.log, batch.first, batch.records.len() as u32, rows.len());
    [&head[..], &rows].concat()
}

#[test]
fn rows_by_hand_are_the_codecs_whatever_is_in_them() {
    let lens = [0, 1, 31, 32, 200, 300];
    for number in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000, u64::from(u32::MAX), 1 << 32, u64::MAX] {
        for (len, method) in lens.into_iter().flat_map(|len| lens.map(|method| (len, method))) {
            let record = CallRecord {
                ts: number as i64,
                from_agent_id: (len > 1).then_some(AGENT),
                to_agent_id: AGENT,
                a2a_method: (method > 0).then(|| "m".repeat(method).into()),
                request_id: "r".repeat(len).into(),
                status_code: number as u16,
                latency_us: number,
                route: if len > 31 { Route::HttpDirect } else { Route::Relay },
            };
            let batch = RecordBatch { log: Uuid::nil(), first: 0, records: vec![record] };
            assert_eq!(by_hand(&batch), codec::encode(&batch).expect("a message"), "{number} {len} {method}");
        }
    }
}

#[test]
fn records() {
    let call = CallRecord {
        ts: 1_700_000_000_000,
        from_agent_id: None,
        to_agent_id: AGENT,
        a2a_method: Some("m".into()),
        request_id: "r".into(),
        status_code: 200,
        latency_us: 1_500,
        route: Route::Relay,
    };
    let other = CallRecord {
        from_agent_id: Some(AGENT),
        a2a_method: None,
        route: Route::HttpDirect,
        latency_us: u64::MAX,
        status_code: 7,
        ts: -1,
        request_id: "r".repeat(300).into(),
        ..call.clone()
    };
    let batch = RecordBatch { log: Uuid::from_u128(9), first: 1_000, records: vec![call.clone()] };
    golden(
        batch.clone(),
        "<00><00><00>U<83><a3>log<c4><10><00*15><09><a5>first<cd><03><e8><a7>records<91><98><cf><00><00><01><8b><cf><e5>h<00><c0><c4><10><00*15><0a><a1>m<a1>r<cc><c8><cd><05><dc><a5>relay",
    );
    for records in [vec![], vec![call.clone(), other.clone()], vec![other; 20]] {
        let batch = RecordBatch { records, ..batch.clone() };
        assert_eq!(by_hand(&batch), codec::encode(&batch).unwrap());
    }
    assert_eq!(by_hand(&batch), codec::encode(&batch).unwrap());
    golden(
        RecordAck { log: Uuid::from_u128(9), next: 1_001 },
        "<00><00><00><1f><82><a3>log<c4><10><00*15><09><a4>next<cd><03><e9>",
    );
}

#[test]
fn heads_of_passed_on_requests() {
    let head = PassHead {
        method: "GET".into(),
        target: "/x?y".into(),
        headers: vec![("accept".into(), b"*/*\xff".to_vec())],
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        tls: true,
        caller: None,
    };
    golden(
        head.clone(),
        "<00><00><00>B<85><a6>method<a3>GET<a6>target<a4>/x?y<a7>headers<91><92><a6>accept<c4><04>*/*<ff><a4>peer<81><a2>V4<94><7f><00><00><01><a3>tls<c3>",
    );
    golden(
        PassHead { headers: vec![], caller: Some(Caller { agent: Some(AGENT) }), ..head.clone() },
        "<00><00><00>T<86><a6>method<a3>GET<a6>target<a4>/x?y<a7>headers<90><a4>peer<81><a2>V4<94><7f><00><00><01><a3>tls<c3><a6>caller<81><a5>agent<c4><10><00*15><0a>",
    );
    golden(
        PassHead { headers: vec![], caller: Some(Caller { agent: None }), ..head.clone() },
        "<00><00><00>C<86><a6>method<a3>GET<a6>target<a4>/x?y<a7>headers<90><a4>peer<81><a2>V4<94><7f><00><00><01><a3>tls<c3><a6>caller<81><a5>agent<c0>",
    );
    golden(
        PassHead { peer: IpAddr::V6(Ipv6Addr::LOCALHOST), headers: vec![], ..head },
        "<00><00><00>A<85><a6>method<a3>GET<a6>target<a4>/x?y<a7>headers<90><a4>peer<81><a2>V6<c4><10><00*15><01><a3>tls<c3>",
    );
    golden(
        PassAnswer { status: 200, headers: vec![("etag".into(), b"1".to_vec())] },
        "<00><00><00><1c><82><a6>status<cc><c8><a7>headers<91><92><a4>etag<c4><01>1",
    );
}

#[test]
fn questions_of_the_exchange() {
    golden(
        Ask {
            agent: AGENT,
            method: "POST".into(),
            path: "/a".into(),
            headers: vec![("accept".into(), "*/*".into())],
            body: b"{}".to_vec(),
            request_id: "r".into(),
            timeout_ms: 10_000,
        },
        "<00><00><00>f<87><a5>agent<c4><10><00*15><0a><a6>method<a4>POST<a4>path<a2>/a<a7>headers<91><92><a6>accept<a3>*/*<a4>body<c4><02>{}<aa>request_id<a1>r<aa>timeout_ms<cd>'<10>",
    );
    golden(
        Told::Answer { status: 200, media_type: "a/b".into(), body: b"x".to_vec() },
        "<00><00><00>)<81><a6>Answer<83><a6>status<cc><c8><aa>media_type<a3>a/b<a4>body<c4><01>x",
    );
    golden(Told::failed(Code::AgentTimeout), "<00><00><00><1c><81><a6>Failed<81><a4>code<ad>agent_timeout");
}

#[test]
fn messages_of_joins() {
    golden(
        JoinRequest { secret: Secret("s".into()), csr: vec![0x30, 0x80] },
        "<00><00><00><12><82><a6>secret<a1>s<a3>csr<c4><02>0<80>",
    );
    golden(
        JoinAnswer::Joined { node: NODE, certificate: vec![1], ca: vec![2] },
        "<00><00><00>5<81><a6>Joined<83><a4>node<c4><10><00*15><0d><ab>certificate<c4><01><01><a2>ca<c4><01><02>",
    );
    golden(JoinAnswer::Refused { reason: "no".into() }, "<00><00><00><14><81><a7>Refused<81><a6>reason<a2>no");
    golden(RenewRequest { csr: vec![0x30] }, "<00><00><00><08><81><a3>csr<c4><01>0");
}

#[test]
fn stream_kinds_have_their_bytes_and_no_others() {
    use StreamKind::*;
    let kinds = [Control, Reports, Lookup, Pass, Renew, Records, Ask];
    assert_eq!(kinds.map(StreamKind::byte), [1, 2, 3, 4, 5, 6, 7]);
    for byte in 0..=u8::MAX {
        assert_eq!(StreamKind::from_byte(byte), kinds.into_iter().find(|kind| kind.byte() == byte));
    }
}

#[test]
fn a_message_is_taken_only_when_it_is_whole() {
    let bytes = [codec::encode(&ReportAck { seq: 1 }).unwrap(), codec::encode(&ReportAck { seq: 2 }).unwrap()].concat();
    let mut buffer = BytesMut::new();
    let mut taken = Vec::new();
    for byte in &bytes {
        buffer.put_u8(*byte);
        while let Some(ack) = codec::decode::<ReportAck>(&mut buffer, MAX_MESSAGE_BYTES).unwrap() {
            taken.push(ack.seq);
        }
    }
    assert_eq!((taken, buffer.len()), (vec![1, 2], 0));
}

#[test]
fn a_field_that_is_not_known_yet_is_passed_over() {
    #[derive(Serialize)]
    struct Later {
        seq: u64,
        because: &'static str,
    }
    let mut buffer = BytesMut::from(&codec::encode(&Later { seq: 3, because: "it is newer" }).unwrap()[..]);
    assert_eq!(codec::decode(&mut buffer, MAX_MESSAGE_BYTES), Ok(Some(ReportAck { seq: 3 })));
}

#[test]
fn what_is_no_message_is_refused_before_it_is_collected() {
    let decode = |bytes: &[u8], bound| codec::decode::<ReportAck>(&mut BytesMut::from(bytes), bound);
    let over = (MAX_HEAD_BYTES as u32 + 1).to_be_bytes();
    assert_eq!(
        decode(&over, MAX_HEAD_BYTES),
        Err(CodecError::TooLong { length: MAX_HEAD_BYTES + 1, bound: MAX_HEAD_BYTES })
    );
    for bytes in [&[0, 0, 0, 0][..], &[0, 0, 0, 1, 0xc1], &[0, 0, 0, 1, 0x01], &[0, 0, 0, 1, 0x80]] {
        assert_eq!(decode(bytes, MAX_MESSAGE_BYTES), Err(CodecError::Malformed), "{bytes:?}");
    }
    let mut trailing = codec::encode(&ReportAck { seq: 1 }).unwrap().to_vec();
    trailing.push(0xc0);
    trailing[3] += 1;
    assert_eq!(decode(&trailing, MAX_MESSAGE_BYTES), Err(CodecError::Malformed));
    let long = "x".repeat(MAX_MESSAGE_BYTES);
    let mut out = BytesMut::from(&b"before"[..]);
    assert!(matches!(codec::encode_into(&long, &mut out), Err(CodecError::TooLong { .. })));
    assert_eq!(out, b"before"[..]);
}

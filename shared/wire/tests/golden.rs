//! The bytes of every frame, pinned. They are read by an independent MessagePack reader too, so that an error that our
//! encoder and decoder share would show. `UPDATE_GOLDEN=1 cargo test -p landline-wire --test golden` writes them anew;
//! the difference is a change of the protocol.

#![allow(clippy::disallowed_methods, reason = "the crate is pure, its tests read files")]

mod samples;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use landline_wire::frame::{Frame, decode, encode};
use rmpv::Value;

use samples::{frames, seeds};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The pinned bytes must be `bytes`; with `UPDATE_GOLDEN` they become so.
fn pin(name: &str, bytes: &[u8]) {
    let path = golden(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for golden files");
        std::fs::write(&path, bytes).expect("writable golden files");
    }
    let pinned = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(pinned, bytes, "{name} changed: see the head of this file");
}

fn encoded(frame: &Frame<'_>) -> BytesMut {
    let mut bytes = BytesMut::new();
    encode(&mut bytes, frame);
    bytes
}

/// A value as a line of text. Bytes show as `b"…"`.
fn render(value: &Value) -> String {
    match value {
        Value::Binary(bytes) => {
            format!(
                "b\"{}\"",
                bytes.iter().flat_map(|b| std::ascii::escape_default(*b)).map(char::from).collect::<String>()
            )
        }
        Value::Map(entries) => {
            let entries: Vec<_> = entries.iter().map(|(k, v)| format!("{}: {}", render(k), render(v))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(render).collect::<Vec<_>>().join(", ")),
        Value::Nil => "null".into(),
        other => other.to_string(),
    }
}

#[test]
fn every_frame_has_exactly_its_golden_bytes() {
    for sample in frames::all() {
        let bytes = encoded(&sample.frame);
        pin(&format!("frame/{}.bin", sample.name), &bytes);
        assert_eq!(decode(&bytes).as_ref(), Ok(&sample.frame), "{}", sample.name);
    }
}

#[test]
fn an_independent_reader_finds_the_same_content() {
    for sample in frames::all() {
        let bytes = encoded(&sample.frame);
        let mut rest = &bytes[..];
        let value = rmpv::decode::read_value(&mut rest).expect("MessagePack");
        assert!(rest.is_empty(), "{}", sample.name);
        assert_eq!(render(&value), sample.content, "{}", sample.name);
    }
}

#[test]
fn type_is_the_first_key_and_body_the_last() {
    for sample in frames::all() {
        let bytes = encoded(&sample.frame);
        let value = rmpv::decode::read_value(&mut &bytes[..]).expect("MessagePack");
        let keys: Vec<_> = value.as_map().expect("a map").iter().map(|(key, _)| key.as_str().expect("text")).collect();
        assert_eq!(keys[0], "type", "{}", sample.name);
        assert!(keys.iter().position(|key| *key == "body").is_none_or(|at| at == keys.len() - 1), "{}", sample.name);
    }
}

/// The page that people read: name, content and bytes of each frame.
#[test]
fn the_table_shows_the_same_bytes() {
    let mut table = String::from("Every relay frame: name, content as an independent reader shows it, bytes.\n");
    for sample in frames::all() {
        let bytes = encoded(&sample.frame);
        let value = rmpv::decode::read_value(&mut &bytes[..]).expect("MessagePack");
        write!(table, "\n{} ({} bytes)\n  {}\n", sample.name, bytes.len(), render(&value)).expect("memory");
        for row in bytes.chunks(32) {
            let hex: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(table, "  {}", hex.join(" ")).expect("memory");
        }
    }
    pin("FRAMES.txt", table.as_bytes());
}

#[test]
fn the_other_seeds_are_pinned_too() {
    for (target, seeds) in [
        ("frame", seeds::spellings()),
        ("header", seeds::streams()),
        ("http1", seeds::requests()),
        ("session", seeds::programs()),
    ] {
        for (name, bytes) in seeds {
            pin(&format!("{target}/{name}.bin"), &bytes);
        }
    }
}

#[test]
fn no_golden_file_is_left_without_a_sample() {
    let mut known: Vec<String> = frames::all().iter().map(|sample| format!("{}.bin", sample.name)).collect();
    known.extend(seeds::spellings().iter().map(|(name, _)| format!("{name}.bin")));
    for entry in std::fs::read_dir(golden("frame")).expect("golden frames") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        assert!(known.contains(&name), "{name}");
    }
}

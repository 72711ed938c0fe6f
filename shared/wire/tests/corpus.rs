//! Everything that fuzzing ever kept, and the golden files it starts from, through the same targets as ordinary tests.

#![allow(clippy::disallowed_methods, reason = "the crate is pure, its tests read files")]

#[path = "../fuzz/targets/cuts.rs"]
mod cuts;
#[path = "../fuzz/targets/frame.rs"]
mod frame;
#[path = "../fuzz/targets/header.rs"]
mod header;
#[path = "../fuzz/targets/http1.rs"]
mod http1;
#[path = "../fuzz/targets/session.rs"]
mod session;

use std::path::Path;

/// Feeds each file of a target's two folders to it; there must be at least `least`.
fn replay(target: &str, least: usize, check: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = 0;
    for folder in [root.join("tests/golden").join(target), root.join("fuzz/corpus").join(target)] {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            let input = std::fs::read(&path).expect("a readable file");
            if std::panic::catch_unwind(|| check(&input)).is_err() {
                panic!("{} fails", path.display());
            }
            files += 1;
        }
    }
    assert!(files >= least, "only {files} files for {target}");
}

#[test]
fn header_corpus() {
    replay("header", 20, header::check);
}

#[test]
fn frame_corpus() {
    replay("frame", 40, frame::check);
}

#[test]
fn http1_corpus() {
    replay("http1", 30, http1::check);
}

#[test]
fn session_corpus() {
    replay("session", 20, session::check);
}

//! Everything that fuzzing ever kept, and the programs it starts from, through the same target as ordinary tests.

#![allow(clippy::disallowed_methods, reason = "the crate is pure, its tests read files")]

#[path = "../fuzz/targets/engine.rs"]
mod engine;

use std::path::Path;

#[test]
fn no_program_of_the_corpus_lets_a_hostile_agent_touch_anothers_calls() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = 0;
    for folder in [root.join("tests/golden/engine"), root.join("fuzz/corpus/engine")] {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            let input = std::fs::read(&path).expect("a readable file");
            if std::panic::catch_unwind(|| engine::check(&input)).is_err() {
                panic!("{} fails", path.display());
            }
            files += 1;
        }
    }
    assert!(files >= 50, "only {files} files");
}

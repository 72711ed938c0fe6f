//! The project's own files, for the tests of its shape.

use std::fs;
use std::path::{Path, PathBuf};

/// The project's root.
///
/// # Panics
/// Never: the tests' folder has a parent.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the root").to_owned()
}

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 6] = ["target", ".git", "node_modules", "landline-data", "fuzz-target", "__pycache__"];

/// Every file of ours, relative to the root, sorted.
///
/// # Panics
/// If a folder cannot be read.
pub fn files() -> Vec<PathBuf> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // Fuzzing writes these beside its targets; they are not kept.
            let made = path.parent().is_some_and(|parent| parent.ends_with("fuzz"))
                && matches!(name.as_str(), "artifacts" | "coverage" | "target");
            if SKIPPED.contains(&name.as_str()) || made {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(&root).expect("below the root").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The files with this extension.
pub fn files_with(extension: &str) -> Vec<PathBuf> {
    files().into_iter().filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// A file's text.
///
/// # Panics
/// If it cannot be read as text.
pub fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

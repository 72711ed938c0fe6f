//! Taste that a machine can check: sizes, names, module docs, twins, links, limits.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use landline_tests::tree;

const FILE_LINES: usize = 400;
const TEST_FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc", "stuff", "manager"];

fn is_test(path: &Path) -> bool {
    let inside = path.components().any(|part| part.as_os_str() == "tests");
    inside || path.file_stem().is_some_and(|stem| stem == "tests")
}

/// Collects what is wrong and ends the test once, with all of it.
fn nothing(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n  {}", wrong.join("\n  "));
}

#[test]
fn every_module_begins_with_what_it_is() {
    let files = tree::files_with("rs");
    assert!(files.len() > 50, "the search finds the tree");
    let begins = |path: &&PathBuf| !tree::read(path).lines().any(|line| line.starts_with("//!"));
    let first = |path: &PathBuf| {
        let text = tree::read(path);
        text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!")).unwrap_or_default().to_owned()
    };
    let wrong: Vec<String> = files
        .iter()
        .filter(|path| begins(path) || !first(path).starts_with("//!"))
        .map(|path| format!("{}: no `//!` on top", path.display()))
        .collect();
    nothing(&wrong);
}

#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for path in tree::files_with("rs") {
        let lines = tree::read(&path).lines().count();
        let limit = if is_test(&path) { TEST_FILE_LINES } else { FILE_LINES };
        if lines > limit {
            wrong.push(format!("{}: {lines} lines, {limit} at most", path.display()));
        }
    }
    nothing(&wrong);
}

/// The functions of a file that rustfmt has formatted: name and length. A function ends with a brace in the column of
/// its `fn`.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let Some(at) = trimmed.find("fn ") else { continue };
        let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern", "\"C\""];
        if !trimmed[..at].split_whitespace().all(|word| modifiers.contains(&word)) {
            continue;
        }
        let indent = line.len() - trimmed.len();
        let name: String = trimmed[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let end = lines[start..].iter().position(|line| {
            let column = line.len() - line.trim_start().len();
            column == indent
                && (line.trim() == "}"
                    || (line.trim_end().ends_with('}') && line.contains("fn "))
                    || line.ends_with(';'))
        });
        if let Some(end) = end {
            found.push((name, end + 1));
        }
    }
    found
}

#[test]
fn functions_are_short() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in tree::files_with("rs") {
        for (name, lines) in functions(&tree::read(&path)) {
            seen += 1;
            if lines > FUNCTION_LINES {
                wrong.push(format!("{}: {name} has {lines} lines, {FUNCTION_LINES} at most", path.display()));
            }
        }
    }
    assert!(seen > 300, "the search finds functions: {seen}");
    nothing(&wrong);
    let long = format!("fn long() {{\n{}}}\n", "    let x = 1;\n".repeat(80));
    assert_eq!(functions(&long), [("long".to_owned(), 82)], "the control");
}

#[test]
fn names_say_something() {
    let mut wrong = Vec::new();
    for path in tree::files() {
        for part in path.components() {
            let name = part.as_os_str().to_string_lossy();
            let stem = name.split('.').next().unwrap_or_default();
            if EMPTY_NAMES.contains(&stem) {
                wrong.push(format!("{}: `{stem}` says nothing", path.display()));
            }
        }
    }
    for path in tree::files_with("rs") {
        for line in tree::read(&path).lines() {
            let name = line
                .trim()
                .trim_start_matches("pub ")
                .strip_prefix("mod ")
                .and_then(|rest| rest.split([';', ' ']).next());
            if name.is_some_and(|name| EMPTY_NAMES.contains(&name)) {
                wrong.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn the_root_holds_the_rooms_and_nothing_else() {
    let allowed: BTreeSet<&str> = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "LICENSE",
        "dataplane",
        "controlplane",
        "shared",
        "bench",
        "loadgen",
        "tests",
        "docs",
    ]
    .into();
    let wrong: Vec<String> = tree::files()
        .iter()
        .filter_map(|path| path.components().next())
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !allowed.contains(name.as_str()))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|name| format!("{name} is no room of the house"))
        .collect();
    nothing(&wrong);
}

#[test]
fn migrations_are_twins() {
    let names = |dialect: &str| -> BTreeSet<String> {
        let folder = format!("controlplane/migrations/{dialect}");
        let files = tree::files_with("sql").into_iter().filter(|path| path.starts_with(&folder));
        files.map(|path| path.file_name().expect("a file").to_string_lossy().into_owned()).collect()
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}

/// Files of ours that people read or machines run.
fn texts() -> Vec<PathBuf> {
    let kinds = ["rs", "md", "toml", "py", "js", "mjs", "css", "sql", "sh", "yml", "yaml", "service", "txt", "json"];
    let is_text = |path: &PathBuf| {
        let kind = path.extension().and_then(|kind| kind.to_str());
        kind.is_none_or(|kind| kinds.contains(&kind)) && !path.ends_with("Cargo.lock")
    };
    let files = tree::files().into_iter().filter(is_text);
    files.filter(|path| std::fs::read_to_string(tree::root().join(path)).is_ok()).collect()
}

#[test]
fn no_leftovers() {
    // Put together here, so that this file does not find itself.
    let bang = |name: &str| format!("{name}!(");
    let banned = [bang("todo"), bang("unimplemented"), bang("dbg"), "FIX".to_owned() + "ME", "TO".to_owned() + "DO:"];
    let machine = ["work", "root", "home", "farm"].map(|folder| format!("/{folder}/"));
    let mut wrong = Vec::new();
    for path in texts() {
        let text = tree::read(&path);
        for (number, line) in text.lines().enumerate() {
            let at = || format!("{}:{}: {}", path.display(), number + 1, line.trim());
            if banned.iter().any(|word| line.contains(word.as_str())) {
                wrong.push(at());
            }
            // A path, not a part of a longer one or of a URL.
            let is_path = |folder: &String| {
                line.match_indices(folder.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    before.is_none_or(|c| !(c.is_alphanumeric() || "._-/}$*~".contains(c)))
                })
            };
            if machine.iter().any(is_path) {
                wrong.push(at());
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn ignored_tests_say_why() {
    let mark = format!("#[{}", "ignore");
    let mut wrong = Vec::new();
    for path in tree::files_with("rs") {
        for line in tree::read(&path).lines().filter(|line| line.trim_start().starts_with(&mark)) {
            if !line.contains('"') {
                wrong.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    nothing(&wrong);
}

/// The anchors of a page: GitHub's form of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let slug = |line: &str| -> String {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    headings.map(slug).collect()
}

/// The targets of a page's links and pictures.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split([')', ' ']).next().unwrap_or_default();
            found.push(target.trim_matches(['<', '>']).to_owned());
        }
    }
    found
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in tree::files_with("md") {
        let text = tree::read(&path);
        for link in links(&text) {
            seen += 1;
            if link.contains("://") || link.starts_with("mailto:") || link.starts_with('/') {
                continue;
            }
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { path.clone() } else { path.parent().expect("a folder").join(file) };
            let full = tree::root().join(&target);
            if !full.exists() {
                wrong.push(format!("{}: {link} leads nowhere", path.display()));
            } else if let Some(anchor) = anchor.filter(|_| full.is_file())
                && !anchors(&std::fs::read_to_string(&full).unwrap_or_default()).contains(anchor)
            {
                wrong.push(format!("{}: {link}: no such heading", path.display()));
            }
        }
    }
    assert!(seen > 5, "the search finds links: {seen}");
    nothing(&wrong);
}

#[test]
fn every_limit_is_documented_and_used() {
    let limits = tree::read(Path::new("shared/wire/src/limits.rs"));
    let names: Vec<String> = limits
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next().map(str::to_owned))
        .collect();
    assert!(names.len() > 20, "the search finds limits: {names:?}");
    let sources: String = tree::files_with("rs")
        .iter()
        .filter(|path| !path.ends_with("shared/wire/src/limits.rs") && !path.starts_with("tests"))
        .map(|path| tree::read(path))
        .collect();
    let docs: String =
        tree::files_with("md").iter().filter(|path| path.starts_with("docs")).map(|path| tree::read(path)).collect();
    let mut wrong = Vec::new();
    for name in names {
        if !sources.contains(&name) {
            wrong.push(format!("{name} is used nowhere"));
        }
        if !docs.contains(&name) {
            wrong.push(format!("{name} is in no page of docs/"));
        }
    }
    nothing(&wrong);
}

/// The parts of a source: the product, and tests.
fn parts(path: &Path) -> (String, String) {
    let text = tree::read(path);
    let cut = if is_test(path) { 0 } else { text.find("#[cfg(test)]").unwrap_or(text.len()) };
    (text[..cut].to_owned(), text[cut..].to_owned())
}

#[test]
fn every_bound_is_counted_somewhere_and_reached_by_a_test() {
    let table = Path::new("shared/wire/src/bounds.rs");
    let rows = tree::read(table);
    let rows = rows.lines().skip_while(|line| *line != "bounds! {").take_while(|line| *line != "}");
    let name = |line: &str| line.strip_prefix("    ")?.split_once(" \"").map(|(name, _)| name.to_owned());
    let names: Vec<String> = rows.filter_map(name).filter(|name| name.starts_with(char::is_alphabetic)).collect();
    assert!(names.len() > 30, "the search finds bounds: {names:?}");
    let others = tree::files_with("rs").into_iter().filter(|path| path != table);
    let (product, tests): (Vec<String>, Vec<String>) = others.map(|path| parts(&path)).unzip();
    let (product, tests) = (product.concat(), tests.concat());
    let has = |text: &str, name: &str| {
        let wanted = format!("Bound::{name}");
        text.match_indices(&wanted).any(|(at, _)| !text[at + wanted.len()..].starts_with(|c: char| c.is_alphanumeric()))
    };
    let mut wrong = Vec::new();
    for name in names {
        if !has(&product, &name) {
            wrong.push(format!("Bound::{name} is counted nowhere"));
        }
        if !has(&tests, &name) {
            wrong.push(format!("Bound::{name} is reached by no test"));
        }
    }
    nothing(&wrong);
}

#[test]
fn manifests_take_their_lints_from_the_workspace() {
    let mut wrong = Vec::new();
    for path in tree::files().into_iter().filter(|path| path.ends_with("Cargo.toml") && path.components().count() > 1) {
        // Fuzz targets are a workspace of their own: they need nightly features.
        if path.components().any(|part| part.as_os_str() == "fuzz") {
            continue;
        }
        if !tree::read(&path).contains("[lints]\nworkspace = true") {
            wrong.push(path.display().to_string());
        }
    }
    nothing(&wrong);
}

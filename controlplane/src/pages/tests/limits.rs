//! `docs/LIMITS.md` is the limits file, for readers.

use std::fmt::Write;

use landline_wire::bounds::{Bound, Entry};

const SOURCE: &str = include_str!("../../../../shared/wire/src/limits.rs");
const HEAD: &str = "# Limits\n\n\
    Every bound of the protocol and of the switch, from `shared/wire/src/limits.rs`. They are defaults: an operator may \
    change those that `landline help up` names, and a line's `ready` frame says what holds for it.\n\n\
    | limit | value | meaning |\n|---|---|---|\n";
const BOUNDS_HEAD: &str = "\n## At a bound\n\n\
    What a switch does when it reaches a bound. Each time is counted: `landline_bound_reached_total{bound=\"...\"}` among its \
    metrics. A bound that makes somebody wait or be refused is the place to look first when calls fail with 429 or 503; one \
    that forgets costs only the work of learning again. What breaks the shape of a frame or a request (nesting, keys, paths, \
    names) is a fault, not a bound, and answered as the protocol's page says.\n\n\
    | bound | limit | of each | what happens |\n|---|---|---|---|\n";

/// The value of a constant expression as the limits file writes them: a number, `a << b` or `a * b`.
fn value(expression: &str) -> u64 {
    let number = |text: &str| text.trim().replace('_', "").parse::<u64>().unwrap_or_else(|_| panic!("{expression}"));
    if let Some((base, shift)) = expression.split_once("<<") {
        number(base) << number(shift)
    } else if let Some((a, b)) = expression.split_once('*') {
        number(a) * number(b)
    } else {
        number(expression)
    }
}

/// A number as people write it, and in a larger unit where it has one.
fn shown(name: &str, value: u64) -> String {
    let grouped = match value {
        1_000_000_000.. => format!("{},{:03},", value / 1_000_000_000, value / 1_000_000 % 1_000) + &tail(value),
        1_000_000.. => format!("{},", value / 1_000_000) + &tail(value),
        1_000.. => format!("{},{:03}", value / 1_000, value % 1_000),
        _ => value.to_string(),
    };
    let unit = match value {
        _ if name.ends_with("_MS") && value.is_multiple_of(60_000) && value > 60_000 => {
            format!("{} min", value / 60_000)
        }
        _ if name.ends_with("_MS") && value.is_multiple_of(1_000) => format!("{} s", value / 1_000),
        _ if !name.ends_with("_BYTES") => return grouped,
        _ if value.is_multiple_of(1 << 20) => format!("{} MiB", value >> 20),
        _ if value.is_multiple_of(1 << 10) => format!("{} KiB", value >> 10),
        _ => return grouped,
    };
    format!("{grouped} ({unit})")
}

fn tail(value: u64) -> String {
    format!("{:03},{:03}", value / 1_000 % 1_000, value % 1_000)
}

fn limits_markdown() -> String {
    let mut out = HEAD.to_owned();
    let mut meaning = String::new();
    for line in SOURCE.lines() {
        if let Some(text) = line.strip_prefix("///") {
            meaning.push_str(text);
        } else if let Some(constant) = line.strip_prefix("pub const ") {
            let (name, rest) = constant.split_once(':').expect("a type");
            let (_, expression) = rest.trim_end_matches(';').split_once('=').expect("a value");
            let _ = writeln!(out, "| `{name}` | {} | {} |", shown(name, value(expression)), meaning.trim());
            meaning.clear();
        }
    }
    out.push_str(BOUNDS_HEAD);
    for bound in Bound::ALL {
        let Entry { label, limit, of, then } = bound.entry();
        let _ = writeln!(out, "| `{label}` | `{limit}` | {of} | {then} |");
    }
    out
}

#[test]
fn the_limits_on_disk_are_the_limits_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/LIMITS.md");
    let generated = limits_markdown();
    assert!(generated.contains("| `MAX_BODY_BYTES` | 1,048,576 (1 MiB) |"), "{generated}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &generated).expect("docs/LIMITS.md can be written");
    }
    let on_disk = std::fs::read_to_string(path).expect("docs/LIMITS.md");
    assert!(on_disk == generated, "docs/LIMITS.md is out of date: run this test with UPDATE_DOCS=1");
}

//! The members that `docs/AGENT_CARD.md` lists are those of the schema, in its order.

use std::fmt::Write;

use super::super::form::Form;
use super::super::shape::{Member, Role, Shape};
use super::*;

const BEGIN: &str = "## Members\n";
const END: &str = "\n## ";

const HEAD: &str = "\n`[]` stands for each entry of a list and `*` for each name that you choose. Numbers are characters, entries \
    or names at most.\n\n| member | | what it is |\n|---|---|---|\n";

fn rows(out: &mut String, path: &str, members: &[Member]) {
    for member in members {
        let path = if path.is_empty() { member.name.to_owned() } else { format!("{path}.{}", member.name) };
        let role = match member.role {
            Role::Must => "required",
            Role::May => "",
            Role::Ours => "Landline",
            Role::Old => "A2A 0.3",
        };
        let _ = writeln!(out, "| `{path}` | {role} | {} |", describe(member.shape));
        inner(out, &path, member.shape);
    }
}

/// What stands inside of a value.
fn inner(out: &mut String, path: &str, shape: Shape) {
    match shape {
        Shape::List(of, _) => inner(out, &format!("{path}[]"), *of),
        Shape::Named(of, _) => inner(out, &format!("{path}.*"), *of),
        Shape::Object(members) | Shape::OneOf(members) => rows(out, path, members),
        Shape::Within(choose) => inner(out, path, choose(&Map::new(), &Around { public_url: PUBLIC })),
        Shape::Flag | Shape::Text(..) | Shape::Word(_) | Shape::Free | Shape::Beside(_) => {}
    }
}

fn describe(shape: Shape) -> String {
    match shape {
        Shape::Flag => "true or false".into(),
        Shape::Text(from, to, form) if from > 1 => format!("{}, {from} to {to}", named(form)),
        Shape::Text(_, to, form) => format!("{}, {to}", named(form)),
        Shape::Word(known) => known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Shape::List(of, max) => format!("list, {max}, of: {}", describe(*of)),
        Shape::Named(of, max) => format!("names of your choice, {max}, each with: {}", describe(*of)),
        Shape::Object(_) => "object".into(),
        Shape::OneOf(_) => "object with exactly one of:".into(),
        Shape::Free => "object, anything in it".into(),
        Shape::Within(choose) => describe(choose(&Map::new(), &Around { public_url: PUBLIC })),
        Shape::Beside(_) => "an [address](#addresses)".into(),
    }
}

fn named(form: Form) -> &'static str {
    match form {
        Form::Any => "text",
        Form::Line => "a line",
        Form::Name => "a line without spaces around it",
        Form::HttpUrl => "http or https URL",
        Form::Uri => "URI",
        Form::Address => "address",
        Form::Version => "version such as 1.0",
        Form::Base64Url => "base64url",
    }
}

#[test]
fn the_members_on_disk_are_those_of_the_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/AGENT_CARD.md");
    let on_disk = std::fs::read_to_string(path).expect("docs/AGENT_CARD.md");
    let begin = on_disk.find(BEGIN).expect("a section of members") + BEGIN.len();
    let end = begin + on_disk[begin..].find(END).expect("a section behind it");
    let mut table = HEAD.to_owned();
    let Shape::Object(members) = super::super::schema::CARD else { panic!("a card is an object") };
    rows(&mut table, "", members);
    assert!(table.contains("| `skills[].tags` |  | list, 50, of: a line, 100 |"), "{table}");
    let generated = format!("{}{table}{}", &on_disk[..begin], &on_disk[end..]);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &generated).expect("docs/AGENT_CARD.md can be written");
    }
    assert!(
        on_disk == generated || std::env::var_os("UPDATE_DOCS").is_some(),
        "docs/AGENT_CARD.md is out of date: run this test with UPDATE_DOCS=1"
    );
}

//! `--help` is part of the interface: its text is kept beside this test and compared. After a change on purpose, run
//! with `UPDATE_SNAPSHOTS=1` and read the difference.

use std::fs;
use std::path::Path;

use clap::{CommandFactory, Parser};
use landline::args::Cli;
use landline::config::table::{EXCHANGE, SETTINGS, SWITCH, UP};

/// The help of a command, as wide as a terminal that is not there.
fn help(path: &[&str]) -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut found = &mut command;
    for name in path {
        found = found.find_subcommand_mut(name).unwrap_or_else(|| panic!("no command {name}"));
    }
    let mut text = found.clone().term_width(100).render_long_help().to_string();
    // Trailing blanks are no part of the shape.
    text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
    text
}

#[test]
fn the_help_texts_are_as_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    let mut stale = Vec::new();
    for path in [
        &[][..],
        &["up"],
        &["exchange"],
        &["switch"],
        &["node", "token"],
        &["agent", "echo"],
        &["expose"],
        &["dial"],
        &["call"],
        &["status"],
        &["backup"],
        &["restore"],
        &["report"],
        &["admin"],
        &["completions"],
    ] {
        let name = if path.is_empty() { "landline".into() } else { path.join("-") };
        let file = folder.join(format!("{name}.txt"));
        let text = help(path);
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&file, &text).unwrap();
        }
        if fs::read_to_string(&file).unwrap_or_default() != text {
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "changed: {stale:?}; see this file's head");
}

#[test]
fn the_operators_guide_lists_every_setting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPERATIONS.md");
    let mut guide = fs::read_to_string(&path).unwrap();
    let table = landline::config::find::markdown();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let head = table.lines().next().unwrap();
        let start = guide.find(head).expect("the table's place");
        let end = guide[start..].find("\n\n").map_or(guide.len(), |length| start + length + 1);
        guide.replace_range(start..end, &table);
        fs::write(&path, &guide).unwrap();
    }
    assert!(guide.contains(&table), "docs/OPERATIONS.md is behind the table of settings; see this file's head");
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_setting_is_a_flag_of_its_commands_and_its_help_names_the_variable() {
    for (name, scope) in [("up", UP), ("exchange", EXCHANGE), ("switch", SWITCH)] {
        let text = help(&[name]);
        for setting in SETTINGS.iter() {
            let value = if setting.is_on_off() { "[=<BOOL>]" } else { &format!(" <{}>", setting.value) };
            let flag = format!("--{}{value}", setting.flag());
            assert_eq!(text.contains(&flag), setting.scope & scope != 0, "{name} {flag}");
            if setting.scope & scope != 0 {
                assert!(text.contains(&format!("[env: {}]", setting.variable())), "{name} {flag}");
            }
        }
    }
}

#[test]
fn wrong_command_lines_are_usage_errors_with_a_hint() {
    for (line, hint) in [
        (&["landline", "upp"][..], "'up'"),
        (&["landline", "up", "--lisen", "x"], "'--listen'"),
        (&["landline", "call"], "<AGENT>"),
        (&["landline", "restore", "dir"], "--data <NEW>"),
    ] {
        let error = Cli::try_parse_from(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line:?}");
        assert!(error.to_string().contains(hint), "{line:?}: {error}");
    }
}

#[test]
fn values_of_the_environment_do_not_show_in_the_help() {
    fn check(command: &clap::Command) {
        for argument in command.get_arguments().filter(|argument| argument.get_env().is_some()) {
            assert!(argument.is_hide_env_values_set(), "{} {}", command.get_name(), argument.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    check(&Cli::command());
}

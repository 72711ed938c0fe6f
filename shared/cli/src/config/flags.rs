//! The flags of a command, made from the table: raw texts, checked later together with the other layers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::table::{Key, SETTINGS, Setting};

/// The settings that a command takes as flags; `SCOPE` is one of the table's command bits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags<const SCOPE: u8> {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// What was given, by setting.
    pub given: BTreeMap<Key, String>,
}

const CONFIG: &str = "config";

impl<const SCOPE: u8> Flags<SCOPE> {
    fn rows() -> impl Iterator<Item = &'static Setting> {
        SETTINGS.iter().copied().filter(|setting| setting.scope & SCOPE != 0)
    }

    fn read(&mut self, matches: &ArgMatches) {
        if let Some(path) = matches.get_one::<PathBuf>(CONFIG) {
            self.config = Some(path.clone());
        }
        for setting in Self::rows() {
            if let Some(text) = matches.get_one::<String>(setting.name) {
                self.given.insert(setting.key, text.clone());
            }
        }
    }
}

impl<const SCOPE: u8> Args for Flags<SCOPE> {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help_heading("Where")
            .help(
                "Settings file (TOML), keys as in the variables: LANDLINE_LOG_LEVEL is log_level. By default \
                 DATA/landline.toml, else ./landline.toml, if there is one\n[env: LANDLINE_CONFIG]",
            );
        Self::rows().fold(command, |command, setting| command.arg(argument(setting))).arg(config)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(setting: &'static Setting) -> Arg {
    let default = if setting.default.is_empty() { String::new() } else { format!("[default: {}] ", setting.default) };
    let help = format!("{}\n{default}[env: {}]", setting.help, setting.variable());
    let argument =
        Arg::new(setting.name).long(setting.flag()).value_name(setting.value).help_heading(setting.heading).help(help);
    if setting.is_on_off() {
        argument.num_args(0..=1).require_equals(true).default_missing_value("true")
    } else {
        argument.allow_hyphen_values(true)
    }
}

impl<const SCOPE: u8> FromArgMatches for Flags<SCOPE> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.read(matches);
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.read(matches);
        Ok(())
    }
}

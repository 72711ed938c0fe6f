//! What a setting is, and how its name is spelled in each place.

use super::table::Key;

/// Every environment variable of ours begins so.
pub const ENV_PREFIX: &str = "LANDLINE_";

/// Variables of ours that are no settings of a server: read by the clients and by the reference agents.
pub const OTHER_VARIABLES: [&str; 6] = [
    "LANDLINE_CONFIG",
    "LANDLINE_URL",
    "LANDLINE_CA",
    "LANDLINE_API_KEY",
    "LANDLINE_ADMIN_TOKEN",
    "LANDLINE_REGISTRATION_TOKEN",
];
/// Variables that begin so are for tests.
pub const TEST_PREFIX: &str = "LANDLINE_TEST_";

/// `landline up`.
pub const UP: u8 = 1;
/// `landline exchange`.
pub const EXCHANGE: u8 = 2;
/// `landline switch`.
pub const SWITCH: u8 = 4;
/// Commands that work on a data directory: `node`, `backup`, `restore`.
pub const TOOL: u8 = 8;

/// What stands for the value of a setting that is on or off: as a flag it needs none.
pub const ON_OFF: &str = "BOOL";

/// One setting.
pub struct Setting {
    /// Which one.
    pub key: Key,
    /// Its key in the file; the flag and the variable are spelled after it.
    pub name: &'static str,
    /// The commands that take it as a flag.
    pub scope: u8,
    /// What stands for the value in `--help`.
    pub value: &'static str,
    /// The value when it is set nowhere; empty if there is none.
    pub default: &'static str,
    /// Must its value stay out of messages?
    pub secret: bool,
    /// Heading in `--help`.
    pub heading: &'static str,
    /// What it does, for `--help` and the reference.
    pub help: &'static str,
    /// Checks one text; the error is the accepted form.
    pub check: fn(&str) -> Result<(), String>,
}

impl Setting {
    /// The flag without its dashes: `drain-deadline`.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Is it on or off?
    pub fn is_on_off(&self) -> bool {
        self.value == ON_OFF
    }

    /// The flag as it is given: `--drain-deadline TIME`.
    pub fn usage(&self) -> String {
        if self.is_on_off() { format!("--{}", self.flag()) } else { format!("--{} {}", self.flag(), self.value) }
    }

    /// The environment variable: `LANDLINE_DRAIN_DEADLINE`.
    pub fn variable(&self) -> String {
        format!("{ENV_PREFIX}{}", self.name.to_ascii_uppercase())
    }
}

/// Settings as a Markdown table.
pub(super) fn markdown(settings: &[&Setting]) -> String {
    let mut text = String::from("| flag | variable | key | default | meaning |\n|---|---|---|---|---|\n");
    for setting in settings {
        let default = if setting.default.is_empty() { "–".into() } else { format!("`{}`", setting.default) };
        text.push_str(&format!(
            "| `{}` | `{}` | `{}` | {default} | {} |\n",
            setting.usage(),
            setting.variable(),
            setting.name,
            setting.help
        ));
    }
    text
}

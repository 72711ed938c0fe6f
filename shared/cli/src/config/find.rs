//! The table of settings, by key and by name, and as the operator's guide shows it.

use super::setting::{self, Setting};
use super::table::{Key, SETTINGS};

/// The row of a key.
pub fn setting(key: Key) -> &'static Setting {
    SETTINGS[key as usize]
}

/// The row of a name in the file.
pub fn by_name(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().copied().find(|setting| setting.name == name)
}

/// The settings as a Markdown table, for the operator's guide.
pub fn markdown() -> String {
    setting::markdown(&SETTINGS)
}

//! Settings: a flag, an environment variable and a key of one TOML file each, read in layers and checked in one go.
//!
//! | step | module |
//! |---|---|
//! | which settings there are, and the form of each | [`setting`], [`table`], [`find`], [`values`] |
//! | the layers as texts: flags, environment, file | [`flags`], [`layer`] |
//! | merged (flag > environment > file > default) and built into typed settings | [`server`] |
//! | what is wrong, all of it at once | [`mistake`] |
//!
//! Everything but [`environment`] and [`read_file`] is pure: texts go in, settings or mistakes come out.

pub mod find;
pub mod flags;
mod key;
pub mod layer;
pub mod mistake;
pub mod server;
pub mod setting;
pub mod table;
pub mod values;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

pub use flags::Flags;
pub use mistake::Mistakes;
pub use server::{Log, LogFormat, RegistrationMode, Server, TlsSource, load};

/// The process's environment, as far as it is ours and text.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(table::ENV_PREFIX))
        .collect()
}

/// Reads a settings file; `None` if there is none.
///
/// # Errors
/// It exists and cannot be read.
pub fn read_file(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;

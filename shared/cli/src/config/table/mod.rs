//! Every setting of the servers, once: its name, who takes it, its default, its form and what it does. The flags, the
//! environment variables, the keys of the file, `--help` and the reference in the operator's guide come from here.

mod place;
mod policy;
mod size;

use std::sync::LazyLock;

pub use super::key::Key;
pub use super::setting::{ENV_PREFIX, EXCHANGE, ON_OFF, OTHER_VARIABLES, SWITCH, Setting, TEST_PREFIX, TOOL, UP};

const SERVERS: u8 = UP | EXCHANGE | SWITCH;
const PLACE: &str = "Where";
const POLICY: &str = "Who may do what";
const CLUSTER: &str = "Separate planes";
const SIZE: &str = "Size and time";
const LOGS: &str = "Logs";

/// A row of a table: everything but whether it is secret, which one row is not like the others in.
macro_rules! setting {
    ($key:ident, $name:literal, $scope:expr, $value:expr, $default:literal, $heading:expr, $check:expr, $help:literal) => {
        Setting {
            key: Key::$key,
            name: $name,
            scope: $scope,
            value: $value,
            default: $default,
            secret: matches!(Key::$key, Key::Database | Key::Join),
            heading: $heading,
            help: $help,
            check: |text| $check(text).map(drop),
        }
    };
}
use setting;

/// The settings, in the order of `--help`. A key's number is its place here.
pub static SETTINGS: LazyLock<Vec<&'static Setting>> =
    LazyLock::new(|| [place::ROWS, policy::ROWS, size::ROWS].into_iter().flatten().collect());

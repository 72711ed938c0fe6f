//! Which of the two databases it is, and all that follows from it. Nothing else in the exchange asks.

use std::path::Path;

use sqlx::AnyPool;

use super::{DbError, Result};

/// The two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// One file, one exchange.
    Sqlite,
    /// A server (or a cluster that speaks its protocol), one exchange or several.
    Postgres,
}

/// A file's URL. The characters that mean something in a URL are escaped.
pub(super) fn sqlite_url(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut url = String::from("sqlite://");
    for character in absolute.to_string_lossy().chars() {
        match character {
            '%' => url.push_str("%25"),
            '?' => url.push_str("%3F"),
            '#' => url.push_str("%23"),
            other => url.push(other),
        }
    }
    url
}

/// Makes the file, if it is not there, so that only its owner reads it; SQLite gives its companions the same mode.
pub(super) fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(sqlx::Error::Io(error).into()),
        _ => Ok(()),
    }
}

impl Dialect {
    /// The database that a URL names.
    pub(super) fn of(url: &str) -> Result<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            _ => Err(DbError::UnknownScheme),
        }
    }

    /// A SQLite file is made if it does not exist, unless the URL says otherwise.
    pub(super) fn complete(self, url: &str) -> String {
        match self {
            Self::Sqlite if !url.contains('?') && !url.contains(":memory:") => format!("{url}?mode=rwc"),
            _ => url.to_owned(),
        }
    }

    /// Connections that may write at once, of so many that are allowed.
    pub(super) fn writers(self, connections: u32) -> u32 {
        match self {
            Self::Sqlite => 1,
            Self::Postgres => connections.max(2),
        }
    }

    /// Settings of each new connection. `synchronous = FULL`: an acknowledged report must survive a power cut, and with
    /// a write-ahead log that is one fsync per commit. The cache holds the ends of the indexes that many agents' calls are
    /// written to, and the log is copied back in larger pieces: both for records of calls, which come by the ten thousand.
    pub(super) fn on_connect(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                 PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; \
                 PRAGMA wal_autocheckpoint = 4096"
            }
            Self::Postgres => "SET application_name = 'landline'; SET timezone = 'UTC'",
        }
    }

    /// Begins a transaction that will write. SQLite takes the write lock at once: a lock taken later could fail.
    pub(super) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// Begins a transaction that reads one state throughout.
    pub(super) fn begin_snapshot(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// Applies the migrations that are missing.
    pub(super) async fn migrate(self, pool: &AnyPool) -> Result<()> {
        match self {
            Self::Sqlite => sqlx::migrate!("migrations/sqlite").run(pool).await?,
            Self::Postgres => sqlx::migrate!("migrations/postgres").run(pool).await?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_their_database() {
        assert_eq!(Dialect::of("sqlite:///x/y.db").unwrap(), Dialect::Sqlite);
        assert_eq!(Dialect::of("postgresql://h/db").unwrap(), Dialect::Postgres);
        assert!(Dialect::of("mysql://h/db").is_err() && Dialect::of("exchange.db").is_err());
        assert_eq!(sqlite_url(Path::new("/a b/c#d?.db")), "sqlite:///a b/c%23d%3F.db");
    }
}

//! The database: SQLite or Postgres behind one SQL text, through `sqlx::Any`.
//!
//! - Placeholders are `$1`; times are `BIGINT` unix milliseconds; ids are `TEXT`; there is no `BOOLEAN`.
//! - Queries are named constants in the slices' `store` modules, each listed in [`all_queries`], and one test prepares
//!   them all on both databases.
//! - On SQLite one connection writes (`BEGIN IMMEDIATE`) and several read, so that no writer ever waits for a reader or
//!   fails half-way for a lock; on Postgres both are the same pool.

mod backup;
pub(crate) mod batch;
mod dialect;
pub mod outbox;
pub(crate) mod rows;

use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyConnection, AnyPool, Executor, Transaction};
use uuid::Uuid;

pub use backup::{backup, new_epoch};
pub use dialect::Dialect;

use crate::config::Config;

/// What the database refused or gave back broken. Its text may name tables and columns: it goes to the log, never to a
/// caller.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The driver's error.
    #[error("database: {0}")]
    Driver(#[from] sqlx::Error),
    /// A migration failed.
    #[error("database migration: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A stored value is not what we write.
    #[error("database: {0}")]
    Corrupt(String),
    /// The address names neither SQLite nor Postgres.
    #[error("database: the URL must begin with sqlite:, postgres: or postgresql:")]
    UnknownScheme,
    /// Asked for what this database cannot do.
    #[error("{0}")]
    Unsupported(String),
}

/// A result of the database.
pub type Result<T> = std::result::Result<T, DbError>;

/// A transaction; rolled back unless committed.
pub type Tx = Transaction<'static, Any>;

/// Is this the violation of a unique index? (Which one, SQLite does not say through `Any`.)
pub fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// The open database.
#[derive(Debug, Clone)]
pub struct Db {
    dialect: Dialect,
    write: AnyPool,
    read: AnyPool,
}

/// How long a request waits for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

impl Db {
    /// Opens the database that the settings name, makes it if it is a SQLite file that does not exist, and migrates it.
    pub async fn open(config: &Config) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let url = if config.database_url.is_empty() {
            let path = config.data_dir.join("exchange.db");
            dialect::make_private(&path)?;
            dialect::sqlite_url(&path)
        } else {
            config.database_url.clone()
        };
        let dialect = Dialect::of(&url)?;
        let options = AnyConnectOptions::from_str(&dialect.complete(&url))?;
        let write = connect(dialect, dialect.writers(config.database_connections), &options).await?;
        dialect.migrate(&write).await?;
        let read = match dialect {
            Dialect::Sqlite => connect(dialect, config.database_connections.max(1), &options).await?,
            Dialect::Postgres => write.clone(),
        };
        let db = Self { dialect, write, read };
        db.begin_history().await?;
        Ok(db)
    }

    /// The first exchange on a new database gives the revisions their identity.
    async fn begin_history(&self) -> Result<()> {
        sqlx::query(outbox::BEGIN_HISTORY).bind(Uuid::new_v4().to_string()).execute(&self.write).await?;
        Ok(())
    }

    /// Which database it is; for what differs beyond SQL, such as backups.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// For single statements that only read.
    pub fn read(&self) -> &AnyPool {
        &self.read
    }

    /// For single statements that write.
    pub fn write(&self) -> &AnyPool {
        &self.write
    }

    /// A transaction that will write. On SQLite it holds the only writing connection: keep it short.
    pub async fn begin(&self) -> Result<Tx> {
        Ok(self.write.begin_with(self.dialect.begin_write()).await?)
    }

    /// A transaction that sees one state of the database throughout.
    pub async fn begin_snapshot(&self) -> Result<Tx> {
        Ok(self.read.begin_with(self.dialect.begin_snapshot()).await?)
    }

    /// Does the database answer?
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.read).await?;
        Ok(())
    }

    /// Closes every connection, after what runs on it.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

async fn connect(dialect: Dialect, connections: u32, options: &AnyConnectOptions) -> Result<AnyPool> {
    let mut pool = AnyPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT);
    if dialect == Dialect::Sqlite {
        // A connection is a thread with caches of its own, and no server on the other side may want it back: made anew
        // each half hour, all of them at once, they cost 25 MiB each time.
        pool = pool.max_lifetime(None).idle_timeout(None);
    }
    let pool = pool
        .after_connect(move |connection: &mut AnyConnection, _| {
            Box::pin(async move {
                connection.execute(dialect.on_connect()).await?;
                Ok(())
            })
        })
        .connect_with(options.clone())
        .await?;
    Ok(pool)
}

/// Every query of the exchange, by name, for the test that prepares them on both databases.
pub fn all_queries() -> Vec<(&'static str, &'static str)> {
    [
        outbox::QUERIES,
        crate::agents::browse::QUERIES,
        crate::agents::history::QUERIES,
        crate::agents::store::QUERIES,
        &crate::agents::store::made_queries(),
        crate::auth::store::QUERIES,
        crate::discovery::store::QUERIES,
        crate::discovery::embeddings::store::QUERIES,
        crate::feed::store::QUERIES,
        crate::moderation::store::QUERIES,
        crate::presence::store::QUERIES,
        crate::pulse::store::QUERIES,
        crate::relay::counts::QUERIES,
        crate::relay::store::QUERIES,
        crate::report::store::QUERIES,
        crate::submissions::store::QUERIES,
        &crate::relay::counts::made_queries(),
        &crate::relay::store::made_queries(),
    ]
    .concat()
}

/// Names a module's queries: each becomes a constant, and together they are `QUERIES`.
macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $sql;)*
        /// The queries of this module, by name.
        pub(crate) const QUERIES: &[(&str, &str)] = &[$((concat!(module_path!(), "::", stringify!($name)), $name),)*];
    };
}
pub(crate) use queries;

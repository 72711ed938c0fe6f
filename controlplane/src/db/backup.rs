//! Copies of the database, and what a restored copy needs.

use std::path::Path;

use uuid::Uuid;

use super::{DbError, Dialect, Result, outbox};
use crate::state::Exchange;

const COPY: &str = "VACUUM INTO $1";

/// Writes a consistent copy of a live SQLite database to `dest`, a file that must not exist. Postgres has its own tools:
/// there it is refused with a message that names `pg_dump`.
pub async fn backup(exchange: &Exchange, dest: &Path) -> Result<()> {
    match exchange.db.dialect() {
        Dialect::Sqlite => {
            let dest = dest.to_str().ok_or_else(|| DbError::Unsupported("the path must be UTF-8".into()))?;
            sqlx::query(COPY).bind(dest.to_owned()).execute(exchange.db.read()).await?;
            Ok(())
        }
        Dialect::Postgres => Err(DbError::Unsupported(
            "this exchange keeps its data in Postgres: copy that with `pg_dump --format=custom` and restore it with \
             `pg_restore`; the secrets and certificates are copied from the data directory"
                .into(),
        )),
    }
}

/// Gives the revision counter a new identity. After a restore the counter counts again from an older place: switches
/// that were further must not take the new revisions for ones they have seen.
pub async fn new_epoch(exchange: &Exchange) -> Result<()> {
    sqlx::query(outbox::NEW_EPOCH).bind(Uuid::new_v4().to_string()).execute(exchange.db.write()).await?;
    exchange.ring();
    Ok(())
}

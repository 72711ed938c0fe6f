//! Questions about many agents at once: what a list costs must not grow by queries with its rows.

use landline_wire::ids::AgentId;
use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

/// Ids of one batch.
pub(crate) const BATCH: usize = 64;

/// The placeholders of a batch, `$1` to `$64`, as a list; what a query binds besides begins at `$65`.
macro_rules! batch {
    () => {
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, \
         $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, \
         $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64)"
    };
}
pub(crate) use batch;

/// A query with the ids of a batch bound, at most [`BATCH`]; the other places take a text that is no id.
pub(crate) fn bind<'q>(sql: &'q str, ids: &[AgentId]) -> Query<'q, Any, AnyArguments>
where
    &'q str: sqlx::SqlSafeStr,
{
    debug_assert!(ids.len() <= BATCH);
    (0..BATCH).fold(sqlx::query(sql), |query, at| query.bind(ids.get(at).map(ToString::to_string).unwrap_or_default()))
}

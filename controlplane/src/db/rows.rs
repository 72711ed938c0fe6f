//! Statements that write several rows: the way to the database and back costs as much as some rows do.

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection};

use super::Result;

/// Rows that one statement writes, from the most: few enough texts for every connection to keep them prepared, and any
/// number below 64 takes at most nine statements.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// An insertion, for each of some numbers of rows.
#[derive(Debug)]
pub(crate) struct Rows([String; SIZES.len()]);

impl Rows {
    /// The insertion of one row, `… VALUES ($1, …)` with so many columns, and what follows from `ON CONFLICT` on. That may
    /// speak of `excluded`, and of no placeholder.
    pub(crate) fn of(one: &str, columns: usize) -> Self {
        let (head, tail) = one.split_at(one.find(" ON CONFLICT").unwrap_or(one.len()));
        let row = |row: usize| {
            let places: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
            format!(", ({})", places.join(", "))
        };
        Self(SIZES.map(|rows| [head.to_owned(), (1..rows).map(row).collect(), tail.to_owned()].concat()))
    }

    /// Every text, under one name.
    pub(crate) fn named(&'static self, name: &'static str) -> Vec<(&'static str, &'static str)> {
        self.0.iter().map(|text| (name, text.as_str())).collect()
    }

    /// Writes rows, in their order. Where rows meet in `ON CONFLICT`, each key may be there once.
    pub(crate) async fn write<T>(
        &'static self,
        conn: &mut AnyConnection,
        rows: impl IntoIterator<IntoIter: ExactSizeIterator<Item = T>>,
        bind: impl Fn(Query<'static, Any, AnyArguments>, T) -> Query<'static, Any, AnyArguments>,
    ) -> Result<()> {
        let mut left = rows.into_iter();
        for (text, rows) in self.0.iter().zip(SIZES) {
            while left.len() >= rows {
                left.by_ref().take(rows).fold(sqlx::query(text.as_str()), &bind).execute(&mut *conn).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_places_of_its_own_and_the_rest_stands_behind_them() {
        let Rows(texts) = Rows::of("INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a) DO NOTHING", 2);
        assert_eq!(texts[3], "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a) DO NOTHING");
        let four = "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), ($5, $6), ($7, $8) ON CONFLICT (a) DO NOTHING";
        assert_eq!(texts[2], four);
        assert!(Rows::of("INSERT INTO t (a) VALUES ($1)", 1).0[0].ends_with(", ($64)"));
    }
}

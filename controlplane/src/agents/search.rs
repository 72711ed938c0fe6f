//! Finding agents by words, skills and tags, in plain SQL.

use landline_api::Page;
use landline_api::agents::{Agent, Hit};
use landline_wire::error::{Code, Problem};
use sqlx::Row;

use super::store::{columns, stored};
use super::{model, ops};
use crate::db::queries;
use crate::error::{Error, Result};
use crate::extract::{Params, Window};
use crate::state::Exchange;

/// Words of a query that count.
const WORDS: usize = 4;
/// Characters of a parameter.
const MAX_CHARS: usize = 200;
/// Pieces of text that are shown for a hit.
const HIGHLIGHTS: usize = 3;
/// Characters of such a piece before and after the word.
const AROUND: usize = 40;

/// The conditions, of `agents a`; the casts tell Postgres the type of what may be null. Words `$1`–`$4`, skill `$5`, tag `$6`, category `$7`, provider `$8`, online `$9`.
macro_rules! matching {
    () => {
        "FROM agents a WHERE a.blocked_at IS NULL \
         AND (CAST($1 AS TEXT) IS NULL OR a.search LIKE $1 ESCAPE '\\') \
         AND (CAST($2 AS TEXT) IS NULL OR a.search LIKE $2 ESCAPE '\\') \
         AND (CAST($3 AS TEXT) IS NULL OR a.search LIKE $3 ESCAPE '\\') \
         AND (CAST($4 AS TEXT) IS NULL OR a.search LIKE $4 ESCAPE '\\') \
         AND (CAST($5 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM agent_terms t WHERE t.agent = a.id \
           AND t.kind = 'skill' AND t.term LIKE $5 ESCAPE '\\')) \
         AND (CAST($6 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM agent_terms t WHERE t.agent = a.id \
           AND t.kind = 'tag' AND t.term = $6)) \
         AND (CAST($7 AS TEXT) IS NULL OR a.category = $7) \
         AND (CAST($8 AS TEXT) IS NULL OR LOWER(a.provider_name) = $8) \
         AND (CAST($9 AS BIGINT) IS NULL OR $9 = (CASE WHEN EXISTS (SELECT 1 FROM sessions s WHERE s.agent = a.id \
           AND s.ended_at IS NULL) THEN 1 ELSE 0 END)) "
    };
}

queries! {
    /// Best first: the name itself, a name that begins so, a name that holds it, then text; then who is online.
    SEARCH = concat!("SELECT ", columns!(), ", CASE WHEN a.name_key = $10 THEN 4 WHEN a.name_key LIKE $11 ESCAPE '\\' \
             THEN 3 WHEN a.name_key LIKE $1 ESCAPE '\\' THEN 2 ELSE 1 END AS grade ", matching!(),
             "ORDER BY grade DESC, lines DESC, a.last_seen DESC, a.id LIMIT $12 OFFSET $13");
    COUNT = concat!("SELECT COUNT(*) AS n ", matching!());
}

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    words: Vec<String>,
    phrase: Option<String>,
    skill: Option<String>,
    tag: Option<String>,
    category: Option<String>,
    provider: Option<String>,
    online: Option<bool>,
    window: Window,
}

/// Reads a query: at least one of `q`, `skill` and `tag` is required.
pub(crate) fn parse(params: &Params) -> Result<Query> {
    let text = |name: &str| match params.get(name) {
        Some(text) if text.chars().count() > MAX_CHARS => {
            Err(Error::invalid(name, format!("`{name}` must have at most {MAX_CHARS} characters.")))
        }
        other => Ok(other.map(str::to_lowercase)),
    };
    let (phrase, skill, tag) = (text("q")?, text("skill")?, text("tag")?);
    if phrase.is_none() && skill.is_none() && tag.is_none() {
        let problem = Problem::new(Code::InvalidQuery, "At least one of `q`, `skill` and `tag` is required.");
        return Err(problem.field("q").into());
    }
    let words = phrase.iter().flat_map(|text| text.split_whitespace()).take(WORDS).map(str::to_owned).collect();
    Ok(Query {
        words,
        phrase,
        skill,
        tag,
        category: text("category")?,
        provider: text("provider")?,
        online: params.flag("online")?,
        window: params.window()?,
    })
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn containing(text: &str) -> String {
    format!("%{}%", escape(text))
}

/// Finds agents. `params` are those of `GET /v1/search`.
pub async fn search(exchange: &Exchange, params: &Params) -> Result<Page<Hit>> {
    let query = parse(params)?;
    let conditions = |sql: &'static str| {
        let mut sql = sqlx::query(sql);
        for index in 0..WORDS {
            sql = sql.bind(query.words.get(index).map(|word| containing(word)));
        }
        sql.bind(query.skill.as_deref().map(containing))
            .bind(query.tag.clone())
            .bind(query.category.clone())
            .bind(query.provider.clone())
            .bind(query.online.map(i64::from))
    };
    let mut conn = exchange.db.read().acquire().await?;
    let found = conditions(SEARCH)
        .bind(query.phrase.clone())
        .bind(query.phrase.as_deref().map(|text| format!("{}%", escape(text))))
        .bind(i64::from(query.window.limit))
        .bind(i64::from(query.window.offset))
        .fetch_all(&mut *conn)
        .await?;
    let total: i64 = conditions(COUNT).fetch_one(&mut *conn).await?.try_get("n")?;
    let agents = found.iter().map(stored).collect::<crate::db::Result<Vec<model::Stored>>>()?;
    let rows = ops::rows(exchange, &mut conn, &agents).await?;
    let mut items = Vec::with_capacity(rows.len());
    for (row, agent) in found.iter().zip(rows) {
        let grade: i64 = row.try_get::<i32, _>("grade").map(i64::from).or_else(|_| row.try_get("grade"))?;
        items.push(Hit { score: grade as f64 / 4.0, highlights: highlights(&agent, &query.words), agent });
    }
    let Window { limit, offset } = query.window;
    Ok(Page { items, total: total.unsigned_abs(), limit, offset })
}

/// Pieces of the agent's texts around the words.
fn highlights(agent: &Agent, words: &[String]) -> Vec<String> {
    let skills = agent.skills.iter().flat_map(|skill| [skill.name.as_deref(), skill.description.as_deref()]).flatten();
    let texts = [agent.name.as_str(), agent.description.as_str()].into_iter().chain(agent.tagline.as_deref());
    texts.chain(skills).filter_map(|text| words.iter().find_map(|word| around(text, word))).take(HIGHLIGHTS).collect()
}

/// The piece of a text around a word (in lower case), if the word is in it.
fn around(text: &str, word: &str) -> Option<String> {
    let characters: Vec<char> = text.chars().collect();
    let word: Vec<char> = word.chars().collect();
    let same = |a: char, b: char| a == b || a.to_lowercase().eq([b]);
    let at = characters
        .windows(word.len().max(1))
        .position(|window| window.iter().zip(&word).all(|(a, b)| same(*a, *b)) && !word.is_empty())?;
    let from = at.saturating_sub(AROUND);
    let to = (at + word.len() + AROUND).min(characters.len());
    let mut piece: String = characters[from..to].iter().collect();
    if from > 0 {
        piece.insert(0, '…');
    }
    if to < characters.len() {
        piece.push('…');
    }
    Some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::from_pairs(pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    #[test]
    fn a_search_needs_something_to_search_for() {
        for pairs in [&[][..], &[("category", "chat")], &[("q", "  ")]] {
            let problem = parse(&params(pairs)).unwrap_err().into_problem();
            assert_eq!((problem.code, problem.field.as_deref()), (Code::InvalidQuery, Some("q")));
        }
        let query = parse(&params(&[("q", "Sum  up THIS very long query")])).unwrap();
        assert_eq!(query.words, ["sum", "up", "this", "very"]);
        assert!(parse(&params(&[("tag", "math")])).is_ok() && parse(&params(&[("skill", "sum")])).is_ok());
    }

    #[test]
    fn what_means_something_in_a_pattern_is_escaped() {
        assert_eq!(containing("50%_\\"), "%50\\%\\_\\\\%");
    }

    #[test]
    fn a_highlight_is_the_text_around_the_word() {
        assert_eq!(around("Sums up numbers", "sums").as_deref(), Some("Sums up numbers"));
        let long = format!("{} needle {}", "x".repeat(60), "y".repeat(60));
        let piece = around(&long, "needle").unwrap();
        assert!(piece.starts_with('…') && piece.ends_with('…') && piece.contains("needle") && piece.len() < long.len());
        assert_eq!(around("abc", "zzz"), None);
    }
}

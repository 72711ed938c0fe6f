//! Use cases of the registry and the catalogue.

use landline_api::ard::{
    Catalog, Entry, ExploreRequest, ExploreResponse, Federation, ListResponse, Query, SearchRequest, SearchResponse,
    SearchResult,
};
use landline_wire::ids::AgentId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalog::{self, Shown};
use super::entry::{add_state, entry};
use super::fields::{self, Facets};
use super::merge::{At, Progress, Rest, merge};
use super::names::Place;
use super::shelf::{MAX_LISTED, Shelf};
use super::{listing, token, upstream};
use crate::agents::browse::{self, After, By};
use crate::agents::{self};
use crate::discovery::{self, Counted, Narrowed};
use crate::error::{Error, Result};
use crate::extract::Params;
use crate::state::Exchange;

/// Characters of a query's text, as of a task.
const TEXT_CHARS: usize = 4_000;
/// Results of a page of a search, and of a list, unless the caller says otherwise; and at most.
const SEARCH_PAGE: u32 = 10;
const LIST_PAGE: u32 = 20;
const MAX_PAGE: u32 = 100;
/// Results of ours up to which a search can be read on: nobody looks for the thousandth best, and each page looks at all
/// before it.
const MAX_DEPTH: usize = 1_000;

/// Reads a request's body; what it does not know is an error.
fn read<T: DeserializeOwned>(body: &Value) -> Result<T> {
    T::deserialize(body)
        .map_err(|error| Error::invalid("body", format!("The body is not what the standard says: {error}.")))
}

/// The size of a page. More than there may be counts as the most.
fn page_size(given: Option<u32>, default: u32) -> Result<usize> {
    match given.unwrap_or(default) {
        0 => Err(Error::invalid("pageSize", "`pageSize` must be at least 1.")),
        size => Ok(size.min(MAX_PAGE) as usize),
    }
}

/// Reads a query. `None`: no entry of ours can match.
async fn narrowed(exchange: &Exchange, query: &Query, place: &Place) -> Result<Option<Narrowed>> {
    let text = query.text.as_deref().unwrap_or_default();
    if text.chars().count() > TEXT_CHARS {
        return Err(Error::invalid("query.text", format!("`query.text` must have at most {TEXT_CHARS} characters.")));
    }
    let mut asked = fields::read(&query.filter, place)?;
    asked.narrowed.words = discovery::ops::telling_words(text);
    if asked.narrowed.words.is_empty() && query.text.is_some() {
        return Err(Error::invalid("query.text", "`query.text` must hold words: letters or digits."));
    }
    if !asked.names.is_empty() {
        let mut conn = exchange.db.read().acquire().await?;
        for names in std::mem::take(&mut asked.names) {
            let mut ids = Vec::new();
            for name in names {
                ids.extend(agents::ops::named(&mut conn, &name).await?);
            }
            asked.among(ids);
        }
    }
    Ok((!asked.is_void).then_some(asked.narrowed))
}

/// Finds entries by words, here and, if it is asked for, at other registries. `body` is that of `POST /ard/search`.
pub(crate) async fn search(exchange: &Exchange, body: &Value) -> Result<SearchResponse> {
    let request: SearchRequest = read(body)?;
    let SearchRequest { query, federation, .. } = &request;
    if query.text.is_none() {
        return Err(Error::invalid("query.text", "`query.text` is required: say what is looked for."));
    }
    let place = Place::of(&exchange.config);
    let size = page_size(request.page_size, SEARCH_PAGE)?;
    let narrowed = narrowed(exchange, query, &place).await?;
    let others = if *federation == Federation::Auto { exchange.config.ard_upstreams.len() } else { 0 };
    let fingerprint = token::fingerprint(&(query, federation));
    let progress = match &request.page_token {
        Some(token) => token::open::<Progress>(&fingerprint, token)?,
        None => Progress::start(others),
    };
    // Registries that were added or taken away since then are not part of this reading.
    let at: Vec<Option<At>> = progress.others.iter().take(others).cloned().collect();
    let asked = upstream::ask(exchange, query, size, &at);
    let (own, answers) = tokio::join!(own(exchange, narrowed, progress.own, size, &place), asked);
    let (own, mut nexts) = (own?, Vec::new());
    let mut streams = vec![own.results];
    for answered in answers {
        nexts.push(Rest { given: answered.results.len(), next: answered.next });
        streams.push(answered.results);
    }
    let (results, taken) = merge(streams, size);
    let progress = Progress {
        own: own.places.get(taken[0]).copied().unwrap_or(own.after),
        others: at.into_iter().zip(&taken[1..]).zip(nexts).map(|((at, taken), next)| at?.after(*taken, next)).collect(),
    };
    Ok(SearchResponse {
        results,
        referrals: (*federation == Federation::Referrals).then(|| upstream::referrals(&exchange.config.ard_upstreams)),
        page_token: (!progress.is_done()).then(|| token::seal(&fingerprint, &progress)),
    })
}

/// A page of our own entries.
#[derive(Default)]
struct Own {
    results: Vec<SearchResult>,
    /// Where each of them stands among all that match.
    places: Vec<Option<usize>>,
    /// Where the next page begins; `None`: there is none.
    after: Option<usize>,
}

async fn own(
    exchange: &Exchange,
    narrowed: Option<Narrowed>,
    from: Option<usize>,
    size: usize,
    place: &Place,
) -> Result<Own> {
    let (Some(narrowed), Some(from)) = (narrowed, from.filter(|from| *from < MAX_DEPTH)) else {
        return Ok(Own::default());
    };
    let size = size.min(MAX_DEPTH - from);
    let page = discovery::ops::entries(exchange, narrowed, (size, from)).await?;
    let ids: Vec<AgentId> = page.found.iter().map(|(id, _)| *id).collect();
    let mut conn = exchange.db.read().acquire().await?;
    let rows = agents::ops::entries_of(exchange, &mut conn, &ids).await?;
    let next = from + ids.len();
    let has_more = !ids.is_empty() && (next as u64) < page.total && next < MAX_DEPTH;
    let mut own = Own { after: has_more.then_some(next), ..Own::default() };
    // Who was blocked or removed since the index was asked is passed over.
    let mut rows = rows.into_iter().peekable();
    for (at, (id, relevance)) in page.found.into_iter().enumerate() {
        let Some((listed, agent)) = rows.next_if(|(listed, _)| listed.id == id) else { continue };
        let mut entry = entry(&listed, place);
        add_state(&mut entry, &agent);
        let score = (relevance * 100.0).round().clamp(0.0, 100.0) as u8;
        own.results.push(SearchResult { entry, score, source: place.registry_url() });
        own.places.push(Some(from + at));
    }
    Ok(own)
}

/// Counts the entries that match by their fields. `body` is that of `POST /ard/explore`.
pub(crate) async fn explore(exchange: &Exchange, body: &Value) -> Result<ExploreResponse> {
    let ExploreRequest { query, result_type } = read(body)?;
    let place = Place::of(&exchange.config);
    let facets = Facets::read(&result_type.facets)?;
    let counted = match narrowed(exchange, &query, &place).await? {
        Some(narrowed) => discovery::ops::entries_by(exchange, narrowed, facets.labels()).await?,
        None => Counted::default(),
    };
    Ok(ExploreResponse { result_type: "facets".into(), facets: facets.answer(counted, &place) })
}

/// The place of a list: what it is sorted by, of the last entry, and its agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    Time(i64, AgentId),
    Name(String, AgentId),
}

/// All entries, in an order. `params` are those of `GET /ard/agents`.
pub(crate) async fn list(exchange: &Exchange, params: &Params) -> Result<ListResponse> {
    let place = Place::of(&exchange.config);
    let size = page_size(Some(params.number("pageSize", LIST_PAGE, u32::MAX, 1)?), LIST_PAGE)?;
    let sorted = listing::order(params.get("orderBy"))?;
    let asked = params.get("filter").map(|text| listing::filter(text, &place)).transpose()?.unwrap_or_default();
    let fingerprint = token::fingerprint(&(params.get("filter"), sorted));
    let key = params.get("pageToken").map(|given| token::open::<Key>(&fingerprint, given)).transpose()?;
    let after = match (key, sorted.by) {
        (None, _) => None,
        (Some(Key::Name(name, id)), By::Name) if !name.contains('\0') => Some(After::Name(name, id)),
        (Some(Key::Time(time, id)), By::Creation | By::Change) => Some(After::Time(time, id)),
        _ => {
            return Err(Error::invalid("pageToken", "`pageToken` must be that of an earlier answer, as it was given."));
        }
    };
    if asked.is_void {
        return Ok(ListResponse { items: Vec::new(), total: 0, page_token: None });
    }
    let mut conn = exchange.db.read().acquire().await?;
    let total = browse::count(&mut conn, &asked.which).await?;
    // One more than is shown says whether there is another page.
    let mut agents = browse::piece(&mut conn, &asked.which, sorted, after.as_ref(), size as u32 + 1).await?;
    let has_more = agents.len() > size;
    agents.truncate(size);
    let last = agents.last().filter(|_| has_more).map(|agent| match After::of(agent, sorted) {
        After::Name(name, id) => Key::Name(name, id),
        After::Time(time, id) => Key::Time(time, id),
    });
    let items: Vec<Entry> = agents.iter().map(|agent| entry(agent, &place)).collect();
    Ok(ListResponse { items, total, page_token: last.map(|key| token::seal(&fingerprint, &key)) })
}

/// The catalogue, or a part of it.
pub(crate) async fn catalog(exchange: &Exchange, shelf: Shelf) -> Result<Catalog> {
    let (first, last) = shelf.places();
    let places = (first.as_str(), last.as_str());
    let mut conn = exchange.db.read().acquire().await?;
    let parts = shelf.parts(browse::count_on_shelf(&mut conn, places).await?);
    let shown = match parts.is_empty() {
        true => Shown::Agents(browse::on_shelf(&mut conn, places, MAX_LISTED as u32).await?),
        false => Shown::Parts(parts),
    };
    Ok(catalog::document(shelf, shown, &Place::of(&exchange.config)))
}

/// The entries of these agents, in this order, for answers of ours in other forms.
pub(crate) async fn entries(exchange: &Exchange, ids: &[AgentId]) -> Result<Vec<Entry>> {
    let place = Place::of(&exchange.config);
    let mut conn = exchange.db.read().acquire().await?;
    let rows = agents::ops::entries_of(exchange, &mut conn, ids).await?;
    let shown = rows.into_iter().map(|(listed, agent)| {
        let mut entry = entry(&listed, &place);
        add_state(&mut entry, &agent);
        entry
    });
    Ok(shown.collect())
}

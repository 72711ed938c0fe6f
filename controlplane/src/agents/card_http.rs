//! The routes of Agent Cards: the current one, former ones, the one under the relay's address.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use landline_api::Page;
use landline_api::agents::{Access, CardReplaced, CardVersion};
use landline_wire::error::Code;
use landline_wire::ids::AgentId;

use super::history::{self, Given, Which};
use super::{etag, ops, relay_card, replace};
use crate::error::{Error, Result};
use crate::extract::{AgentPath, JsonBody, Params, Principal};
use crate::state::Exchange;

/// How long a card may be shown without asking again, and how long while we are away.
const CARD_CACHE: &str = "max-age=300, stale-if-error=86400";

/// `PUT /v1/agents/{agent_id}/card`
pub(crate) async fn replace_card(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
    principal: Principal,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Json<CardReplaced>> {
    principal.owner_of(id)?;
    Ok(Json(replace::replace(&exchange, id, &body, list(&headers, IF_MATCH).as_deref()).await?))
}

/// `GET /v1/agents/{agent_id}/card`
pub(crate) async fn card(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let which = params.time_ms("at")?.map_or(Which::Current, Which::At);
    shown(&exchange, id, which, &params, &headers).await
}

/// `GET /v1/agents/{agent_id}/card/history`
pub(crate) async fn history(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
    params: Params,
) -> Result<Json<Page<CardVersion>>> {
    Ok(Json(history::list(&exchange, id, params.window()?).await?))
}

/// `GET /v1/agents/{agent_id}/card/history/{n}`
pub(crate) async fn former(
    State(exchange): State<Exchange>,
    CardPath(id, n): CardPath,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    shown(&exchange, id, Which::Number(n), &params, &headers).await
}

/// An agent's id and the number of a card in the path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CardPath(AgentId, i64);

impl FromRequestParts<Exchange> for CardPath {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Exchange) -> Result<Self> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((id, n)) = path.map_err(|_| Error::plain(Code::NotFound))?;
        let id = id.parse().map_err(|bad| Error::invalid("agent_id", format!("{bad}.")))?;
        let n = n.parse::<i64>().ok().filter(|n| *n > 0);
        Ok(Self(id, n.ok_or_else(|| Error::invalid("n", "`n` must be a card's number: 1 or more."))?))
    }
}

async fn shown(
    exchange: &Exchange,
    id: AgentId,
    which: Which,
    params: &Params,
    headers: &HeaderMap,
) -> Result<Response> {
    let as_given = params.flag("original")? == Some(true);
    let Given { card, at } = history::find(exchange, id, which).await?;
    let body = if as_given { card } else { replace::card_v1(exchange, id, &card) };
    Ok(cacheable(body, at, headers))
}

/// `GET /relay/{agent_id}/.well-known/agent-card.json`
pub(crate) async fn relay_card(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
    headers: HeaderMap,
) -> Result<Response> {
    let agent = ops::card_of(&exchange, id).await?;
    let given = serde_json::from_str(&agent.card).unwrap_or_default();
    let is_open = agent.display.access == Access::Public;
    let body = relay_card::relayed(&given, &replace::relay_url(&exchange, id), is_open).to_string();
    Ok(cacheable(body, agent.updated_at.max(agent.card_at), &headers))
}

/// All values of a header that is a list, as one, if it is there. What cannot be read is no tag of ours.
fn list(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(&name).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    headers.contains_key(name).then(|| values.join(", "))
}

/// A card with what caches need, or 304 for one that the caller has.
fn cacheable(body: String, changed_at: i64, headers: &HeaderMap) -> Response {
    let tag = etag::of(&body);
    let is_known = list(headers, IF_NONE_MATCH).is_some_and(|known| etag::is_known(&known, &tag));
    let validators = [(ETAG, tag), (CACHE_CONTROL, CARD_CACHE.into()), (LAST_MODIFIED, http_date(changed_at))];
    if is_known {
        return (StatusCode::NOT_MODIFIED, validators).into_response();
    }
    (validators, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// A time as `Last-Modified` has it (RFC 9110 section 5.6.7).
fn http_date(unix_ms: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1_000))
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (weekday, month) = (time.weekday().to_string(), time.month().to_string());
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        &weekday[..3],
        time.day(),
        &month[..3],
        time.year(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_the_form_of_http() {
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}

//! The route of the event stream.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use landline_wire::error::{Code, Problem};

use super::{Refused, Topic};
use crate::error::{Error, Result};
use crate::extract::{Params, Peer};
use crate::state::Exchange;

/// Seconds after which a refused listener may try again.
const RETRY_S: u32 = 10;

/// `GET /v1/events`
pub(crate) async fn events(
    State(exchange): State<Exchange>,
    Peer(ip): Peer,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let topics = topics(params.given("topic"))?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).or(params.get("last_event_id"));
    let after = last.and_then(|text| text.trim().parse().ok());
    let listener = exchange.events.listen(topics, after, ip).map_err(refused)?;
    let stream = unfold(listener, |mut listener| async {
        listener.next().await.map(|bytes| (Ok::<_, Infallible>(bytes), listener))
    });
    // `x-accel-buffering` asks a buffering proxy in front to let events through at once.
    let headers = [
        (CONTENT_TYPE.as_str(), "text/event-stream"),
        (CACHE_CONTROL.as_str(), "no-store"),
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

/// The topics of a query, by comma; without one, all of them.
fn topics(text: Option<&str>) -> Result<Vec<Topic>> {
    let Some(text) = text else { return Ok(Topic::ALL.to_vec()) };
    let mut topics = Vec::new();
    for name in text.split(',').map(str::trim) {
        let topic = Topic::ALL.into_iter().find(|topic| topic.as_str() == name).ok_or_else(|| {
            let known = Topic::ALL.iter().map(|topic| topic.as_str().to_owned()).collect();
            let problem = Problem::new(Code::InvalidQuery, "There is no such topic.").field("topic");
            Error::from(problem.suggest(known))
        })?;
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    Ok(topics)
}

fn refused(refused: Refused) -> Error {
    match refused {
        Refused::PerIp => Problem::new(Code::RateLimited, "Your address listens as often as it may."),
        Refused::Total => Problem::new(Code::Overloaded, "There are as many listeners as there may be."),
    }
    .retry_after(RETRY_S)
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_named_by_comma_and_an_unknown_one_is_a_mistake() {
        assert_eq!(topics(Some("relay, agents,relay")).unwrap(), [Topic::Relay, Topic::Agents]);
        assert_eq!(topics(None).unwrap(), Topic::ALL);
        for bad in ["relay,nonsense", "relay,", ""] {
            let problem = topics(Some(bad)).unwrap_err().into_problem();
            assert_eq!((problem.code, problem.field.as_deref()), (Code::InvalidQuery, Some("topic")), "{bad}");
        }
    }
}

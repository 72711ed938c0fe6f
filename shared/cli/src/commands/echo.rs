//! `landline agent echo`: the smallest agent. It registers once, keeps its identity, holds a line and echoes.

use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use landline_client::{CallError, Ending, Line, LineSettings, LineState, Refusal, Reply, Request, Response, echo_card};
use landline_wire::limits::MAX_BODY_BYTES;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::ask::Place;
use super::{block_on, membership};
use crate::args::EchoArgs;
use crate::config::{Log, LogFormat};
use crate::files::Identity;
use crate::outcome::Outcome;
use crate::server::logging;
use crate::server::signals::Signals;

/// At the end, for answers that are still being made.
const FINISH: Duration = Duration::from_secs(5);

/// Runs until a signal, or until dialling again would be useless.
pub(super) fn run(args: EchoArgs) -> Outcome {
    let level = std::env::var("LANDLINE_LOG_LEVEL").ok().filter(|level| !level.is_empty());
    logging::start(&Log { format: LogFormat::Text, level: level.unwrap_or_else(|| "info".into()) });
    block_on(serve(args)).into()
}

async fn serve(args: EchoArgs) -> Result<()> {
    let mut signals = Signals::catch()?;
    let place = Place::find(&args.ask)?;
    let path = match &args.identity {
        Some(path) => path.clone(),
        None => Identity::default_path(&args.name)?,
    };
    let identity = match Identity::load(&path)? {
        Some(identity) => identity,
        None => {
            let token = membership::registration_token(&place, &args.ask, args.registration_token.as_deref());
            let card = |name: &str| membership::entry(echo_card(name));
            membership::enter(&place, token.as_deref(), (&args.name, false), &path, card).await?.0
        }
    };
    let shown: String = identity.api_key.chars().take(8).collect();
    tracing::info!(id = identity.id, key = format!("{shown}…"), identity = %path.display(), "agent");

    let mut settings = LineSettings::new(&place.url, &identity.api_key);
    settings.prefix.clone_from(&place.prefix);
    settings.trust = place.trust.clone();
    settings.client = concat!("landline-echo/", env!("CARGO_PKG_VERSION")).into();
    let mut line = Line::dial(settings, |request| async move { echo(request).await })?;
    tokio::spawn(tell(line.state(), format!("{}{}", place.url, place.prefix)));
    tokio::select! {
        ending = line.ended() => match ending {
            Ending::Left => Ok(()),
            Ending::Closed { code, reason } => bail!("{}", membership::advice(code, &reason, &path)),
        },
        name = signals.next() => {
            tracing::info!(signal = name, "leaving");
            signals.arm_second();
            line.leave(FINISH).await;
            Ok(())
        }
    }
}

async fn echo(request: Request) -> Reply {
    let Request { request_id, from, body, .. } = request;
    let from = from.map(|from| from.to_string());
    // One piece of JSON says it back, so it is put together first, and bounded.
    let said = body.collect(MAX_BODY_BYTES).await;
    match &said {
        Ok(said) => tracing::info!(request_id, from, bytes = said.len(), "call"),
        Err(error) => tracing::info!(request_id, from, %error, "call"),
    }
    answer(said)
}

fn answer(said: Result<Bytes, CallError>) -> Reply {
    match said {
        // Spaced as the Python reference agent spaces it: the two are told apart by nothing but their names.
        Ok(said) => {
            let said = Value::from(String::from_utf8_lossy(&said));
            Response::ok(format!("{{\"ack\": true, \"echo\": {said}}}")).into()
        }
        Err(CallError::TooLarge) => too_large().into(),
        Err(error) => Refusal::from(error).into(),
    }
}

/// What the relay says for an agent that takes bodies whole.
fn too_large() -> Response {
    let problem = json!({
        "type": "about:blank",
        "title": "Body too large",
        "status": 413,
        "detail": format!("This agent takes at most {MAX_BODY_BYTES} bytes."),
        "code": "body_too_large",
    });
    Response::new(413, "application/problem+json", problem.to_string())
}

/// Says what the line does as it does it.
pub(super) async fn tell(mut state: watch::Receiver<LineState>, api: String) {
    loop {
        match &*state.borrow_and_update() {
            LineState::Up(ready) => tracing::info!("ready: callers reach this agent at {api}/relay/{}", ready.agent_id),
            LineState::Waiting { for_ms, why } => tracing::warn!(why, "line lost; dialling again in {for_ms} ms"),
            LineState::Dialling | LineState::Ended(_) => {}
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use landline_client::Body;

    use super::*;

    #[tokio::test]
    async fn a_body_is_said_back_and_one_that_is_too_large_gets_a_413() {
        for (bytes, status) in [(0, 200), (MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)] {
            let body = Body::from(vec![b'x'; bytes]);
            let Reply::Whole(response) = answer(body.collect(MAX_BODY_BYTES).await) else { panic!("{bytes}") };
            assert_eq!(response.status, status, "{bytes}");
            let text = String::from_utf8_lossy(&response.body).into_owned();
            let expected = if status == 200 { "x".repeat(bytes) } else { "body_too_large".into() };
            assert!(text.contains(&expected), "{bytes}");
        }
        assert!(matches!(answer(Err(CallError::LineLost)), Reply::Refused(refusal) if refusal.code == "line_lost"));
    }
}

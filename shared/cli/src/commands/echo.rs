//! `landline agent echo`: the smallest agent. It registers once, keeps its identity, holds a line and echoes.

use std::time::Duration;

use anyhow::{Result, bail};
use landline_client::{Ending, Line, LineSettings, LineState, Request, Response, echo_card};
use serde_json::Value;
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
    let mut line = Line::dial(settings, |request| async move { echo(&request) })?;
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

fn echo(request: &Request) -> Response {
    tracing::info!(
        request_id = request.request_id,
        from = request.from.map(|from| from.to_string()),
        bytes = request.body.len(),
        "call"
    );
    // Spaced as the Python reference agent spaces it: the two are told apart by nothing but their names.
    let said = Value::from(String::from_utf8_lossy(&request.body));
    Response::ok(format!("{{\"ack\": true, \"echo\": {said}}}"))
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

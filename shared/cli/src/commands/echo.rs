//! `landline agent echo`: the smallest agent. It registers once, keeps its identity, holds a line and echoes.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use landline_client::{Ending, Line, LineSettings, LineState, Request, Response, echo_card};
use serde_json::Value;
use tokio::sync::watch;

use super::ask::{self, Place};
use super::block_on;
use crate::args::EchoArgs;
use crate::config::{Log, LogFormat};
use crate::files::Identity;
use crate::outcome::Outcome;
use crate::server::exchange::REGISTRATION_TOKEN_FILE;
use crate::server::logging;
use crate::server::signals::Signals;

/// At the end, for answers that are still being made.
const FINISH: Duration = Duration::from_secs(5);
/// Names that were taken by chance before we give up.
const NAME_TRIES: usize = 5;

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
            let identity = register(&place, &args).await?;
            identity.save(&path)?;
            identity
        }
    };
    let shown: String = identity.api_key.chars().take(8).collect();
    tracing::info!(id = identity.id, key = format!("{shown}…"), identity = %path.display(), "agent");

    let mut settings = LineSettings::new(&place.url, &identity.api_key);
    settings.prefix.clone_from(&place.prefix);
    settings.client = concat!("landline-echo/", env!("CARGO_PKG_VERSION")).into();
    let mut line = Line::dial(settings, |request| async move { echo(&request) })?;
    tokio::spawn(tell(line.state(), format!("{}{}", place.url, place.prefix)));
    tokio::select! {
        ending = line.ended() => match ending {
            Ending::Left => Ok(()),
            Ending::Closed { code, reason } => bail!("{}", advice(code, &reason, &path.display().to_string())),
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

async fn register(place: &Place, args: &EchoArgs) -> Result<Identity> {
    let client = place.client()?;
    let token = registration_token(place, args);
    for _ in 0..NAME_TRIES {
        let suffix = landline_controlplane::secrets::random::<3>().map_err(anyhow::Error::msg)?;
        let name = format!("{}-{:02x}{:02x}{:02x}", args.name, suffix[0], suffix[1], suffix[2]);
        match client.register(&echo_card(&name), token.as_deref()).await {
            Ok(made) => {
                tracing::info!(name, "registered");
                return Ok(Identity { id: made.id.to_string(), api_key: made.api_key });
            }
            Err(error) if error.problem().is_some_and(|problem| problem.code == "name_taken") => {}
            Err(error) => {
                return Err(ask::describe(error)).with_context(|| format!("cannot register at {}", place.url));
            }
        }
    }
    bail!("no free name was found after {NAME_TRIES} tries: choose another with --name")
}

/// The token that was given, else the one of the server on this machine's data directory, if it asks for one.
fn registration_token(place: &Place, args: &EchoArgs) -> Option<String> {
    let given = args.registration_token.clone().filter(|token| !token.is_empty());
    given.or_else(|| {
        place.run.as_ref()?;
        let text = std::fs::read_to_string(args.ask.data.join(REGISTRATION_TOKEN_FILE)).ok()?;
        Some(text.trim().to_owned())
    })
}

/// Says what the line does as it does it.
async fn tell(mut state: watch::Receiver<LineState>, api: String) {
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

fn advice(code: u16, reason: &str, path: &str) -> String {
    use landline_wire::close;
    let what = match code {
        close::REPLACED => "another process dialled in as this agent and took the line; stop one of the two".into(),
        close::INVALID_TOKEN => format!(
            "the relay refused the API key: the agent was deleted, its key rotated, or {path} is from another relay; \
             remove that file to register a new agent"
        ),
        close::BLOCKED => "this agent was blocked; ask the relay's operator".into(),
        _ => "dialling again would be useless".into(),
    };
    format!("the line was closed with {code} ({reason}): {what}")
}

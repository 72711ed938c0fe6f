//! `landline dial`: a local port behind which an agent answers.

mod guard;
mod port;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::serve::ListenerExt;
use landline_wire::ids::AgentId;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::ask::{self, Place};
use super::{block_on, membership};
use crate::args::DialArgs;
use crate::carry::base::Base;
use crate::carry::http;
use crate::config::{Log, LogFormat};
use crate::files::Identity;
use crate::outcome::Outcome;
use crate::server::logging;
use crate::server::signals::Signals;
use guard::Names;
use port::Port;

/// How agents that only call are named.
const NAME: &str = "dial";

/// Runs until a signal.
pub(super) fn run(args: DialArgs) -> Outcome {
    let level = std::env::var("LANDLINE_LOG_LEVEL").ok().filter(|level| !level.is_empty());
    logging::start(&Log { format: LogFormat::Text, level: level.unwrap_or_else(|| "info".into()) });
    block_on(serve(args)).into()
}

#[allow(clippy::print_stdout, reason = "scripts wait for this line")]
async fn serve(args: DialArgs) -> Result<()> {
    let mut signals = Signals::catch()?;
    if !args.listen.ip().is_loopback() {
        bail!("--listen takes a loopback address: whoever reaches the port calls with your credential");
    }
    let place = Place::find(&args.ask)?;
    let path = match &args.identity {
        Some(path) => path.clone(),
        None => default_path()?,
    };
    let identity = identity(&place, &args, &path).await?;
    let client = place.client()?.with_credential(&identity.api_key);
    let agent = ask::agent(&client, &args.agent).await?;
    let row = client.agent(agent).await.map_err(ask::describe)?;
    let relay = relay(&place, agent)?;

    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let addr = listener.local_addr().context("the listener has no address")?;
    // Small answers and events must not wait for one another.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let port = Port::new(http::client(&place.trust)?, relay, api(&place)?, agent, &identity.api_key, Names::of(addr))?;
    let app = Router::new().fallback(port::handle).with_state(Arc::new(port));
    println!("ready http://{addr}");
    tracing::info!(agent = row.name, id = %agent, attached = row.attached, "calls to this port go to the agent");
    let serving = axum::serve(listener, app);
    tokio::select! {
        ended = serving => ended.context("the listener failed"),
        name = signals.next() => {
            tracing::info!(signal = name, "leaving");
            Ok(())
        }
    }
}

fn default_path() -> Result<PathBuf> {
    Identity::default_path(NAME)
}

/// The API's base URL.
fn api(place: &Place) -> Result<Base> {
    let text = format!("{}{}", place.url, place.prefix);
    Base::parse(&text).with_context(|| text)
}

/// Where the agent is called.
fn relay(place: &Place, agent: AgentId) -> Result<Base> {
    let text = format!("{}{}/relay/{agent}", place.url, place.prefix);
    Base::parse(&text).with_context(|| text)
}

async fn identity(place: &Place, args: &DialArgs, path: &Path) -> Result<Identity> {
    if let Some(identity) = Identity::load(path)? {
        return Ok(identity);
    }
    let token = membership::registration_token(place, &args.ask, args.registration_token.as_deref());
    let entry = |name: &str| membership::entry(card(name));
    Ok(membership::enter(place, token.as_deref(), (NAME, false), path, entry).await?.0)
}

/// The card of an agent that calls and is not called.
fn card(name: &str) -> Value {
    json!({
        "name": name,
        "description": "Calls other agents from a local port; it answers no calls itself.",
        "version": env!("CARGO_PKG_VERSION"),
        "capabilities": { "streaming": false },
        "skills": [],
    })
}

//! `landline expose`: a server on this machine becomes an agent. It registers once, keeps its identity, holds a line and
//! carries every call to the server.

mod entry;
mod follow;
mod forward;
mod watch;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use landline_client::{Ending, Line, LineSettings, LineState};
use tokio::sync::watch::Receiver;

use super::ask::Place;
use super::{block_on, membership};
use crate::args::ExposeArgs;
use crate::carry::base::Base;
use crate::carry::http;
use crate::config::{Log, LogFormat};
use crate::files::Identity;
use crate::outcome::Outcome;
use crate::server::logging;
use crate::server::signals::Signals;
use forward::Forwarder;
use watch::Board;

/// At the end, for answers that are still coming.
const FINISH: Duration = Duration::from_secs(5);

/// Runs until a signal, or until dialling again would be useless.
pub(super) fn run(args: ExposeArgs) -> Outcome {
    let terminal = std::io::stderr().is_terminal();
    let level = std::env::var("LANDLINE_LOG_LEVEL").ok().filter(|level| !level.is_empty());
    // In a terminal the table says what the log would; a log between its lines would tear it.
    let usual = if terminal { "error" } else { "info" };
    logging::start(&Log { format: LogFormat::Text, level: level.unwrap_or_else(|| usual.into()) });
    block_on(serve(args, terminal)).into()
}

async fn serve(args: ExposeArgs, terminal: bool) -> Result<()> {
    let mut signals = Signals::catch()?;
    let base = Base::parse(&args.target).with_context(|| args.target.clone())?;
    let place = Place::find(&args.ask)?;
    let carrier = http::client(&place.trust)?;
    let path = identity_path(&args, &base)?;
    let (identity, entry, own) = entry::settle(&place, &args, &base, &carrier, &path).await?;

    let api = format!("{}{}", place.url, place.prefix);
    let relay_url = format!("{api}/relay/{}", identity.id);
    let board = Board::start(terminal, format!("{base} is {relay_url}"));
    let forwarder = Arc::new(Forwarder::new(base, carrier, board.clone()));
    let mut settings = LineSettings::new(&place.url, &identity.api_key);
    settings.prefix.clone_from(&place.prefix);
    settings.trust = place.trust.clone();
    settings.client = concat!("landline-expose/", env!("CARGO_PKG_VERSION")).into();
    let mut line = Line::dial(settings, move |request| {
        let forwarder = forwarder.clone();
        async move { forwarder.answer(request).await }
    })?;
    tokio::spawn(tell(line.state(), board.clone()));
    tokio::spawn(announce(line.state(), board, format!("exposed {} {relay_url}", identity.id)));
    tokio::select! {
        never = follow::follow(entry, own) => match never {},
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

/// The given file, else one for each name, else one for each target.
fn identity_path(args: &ExposeArgs, base: &Base) -> Result<PathBuf> {
    if let Some(path) = &args.identity {
        return Ok(path.clone());
    }
    let who = args.name.clone().unwrap_or_else(|| format!("{}{}", base.authority(), base.path()));
    // Two names must not share a file, so what cannot stand in one is spelled out.
    let slug: String = who
        .chars()
        .map(|c| match c {
            ':' | '/' => "-".to_owned(),
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') => c.to_string(),
            c => format!("_{:x}", u32::from(c)),
        })
        .collect();
    Identity::default_path(&format!("expose-{slug}"))
}

/// Says on stdout that calls arrive, once.
async fn announce(mut state: Receiver<LineState>, board: Board, text: String) {
    if state.wait_for(|state| matches!(state, LineState::Up(_))).await.is_ok() {
        board.announce(&text);
    }
}

/// Says what the line does as it does it.
async fn tell(mut state: Receiver<LineState>, board: Board) {
    loop {
        let now = state.borrow_and_update().clone();
        match now {
            LineState::Up(_) => board.line("up; calls arrive"),
            LineState::Dialling => board.line("dialling"),
            LineState::Waiting { for_ms, why } => board.line(&format!("lost ({why}); dialling again in {for_ms} ms")),
            LineState::Ended(_) => board.line("ended"),
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}

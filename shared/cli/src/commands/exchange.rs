//! `landline exchange`: the control plane alone.

use std::time::Duration;

use anyhow::Result;

use crate::config::table::EXCHANGE;
use crate::config::{Flags, Server};
use crate::server::address;
use crate::server::admin::{self, Planes};
use crate::server::data_dir::{DataDir, Run};
use crate::server::exchange::ControlPlane;
use crate::server::signals::Signals;
use crate::server::{self, ready};

/// Runs until a signal.
pub(super) fn run(flags: &Flags<EXCHANGE>) -> Result<()> {
    let settings = server::begin(flags)?;
    server::run(exchange(settings))
}

async fn exchange(settings: Server) -> Result<()> {
    let mut signals = Signals::catch()?;
    let admin_listener = address::listen("--admin", settings.admin)?;
    let own_listener = if settings.listen_given { Some(address::listen("--listen", settings.listen)?) } else { None };
    let data = DataDir::open(&settings.data)?;
    let admin = admin_listener.local_addr()?;
    let listen = own_listener.as_ref().map(|listener| listener.local_addr()).transpose()?;

    // Without a listener of its own the exchange cannot know where its switches are reached.
    let reached = address::reachable(listen.unwrap_or(settings.listen));
    let public_url = settings.public_url.clone().unwrap_or_else(|| format!("http://{reached}"));
    if settings.public_url.is_none() {
        tracing::warn!(public_url, "no --public-url: this one stands in every URL that is given out");
    }
    let control = ControlPlane::start(&settings, &public_url).await?;
    if let Some(listener) = own_listener {
        control.serve(listener)?;
    }
    let planes = Planes::new(Some(control.exchange.clone()), None);
    admin::serve(admin_listener, planes.clone())?;
    control.exchange.db.ping().await?;

    data.announce(&Run {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").into(),
        command: "exchange".into(),
        url: listen.map(|listen| address::url(address::reachable(listen), false)),
        ca: None,
        public_url,
        prefix: settings.prefix.clone(),
        listen,
        admin,
        link: Some(control.link()),
    })?;
    ready::announce(listen.map_or(admin, address::reachable), false);
    next_steps(&settings, control.link());

    let reason = signals.next().await;
    tracing::info!(reason, "leaving");
    signals.arm_second();
    planes.leave();
    control.stop(settings.drain_deadline.max(Duration::from_secs(1))).await;
    drop(data);
    tracing::info!("left");
    Ok(())
}

/// For a person at a terminal: what to do now.
fn next_steps(settings: &Server, link: std::net::SocketAddr) {
    let data = settings.data.display();
    eprintln!(
        "
The exchange is up; switches reach it at {link}

  Token     landline node token --data {data}
  Switch    landline switch --join TOKEN@HOST:{} --data ./switch-data
",
        link.port()
    );
    if settings.link.port() == 0 {
        eprintln!("  The link's port is a free one and changes at the next start: give a fixed one with --link.\n");
    }
}

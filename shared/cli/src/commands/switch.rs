//! `landline switch`: the data plane alone, joined to an exchange elsewhere.

use anyhow::{Context, Result};

use crate::config::table::SWITCH;
use crate::config::{Flags, Server};
use crate::server::address::{self, Reserved};
use crate::server::admin::{self, Planes};
use crate::server::data_dir::{DataDir, Run};
use crate::server::signals::Signals;
use crate::server::{self, ready, switch, tls};

/// Runs until a signal.
pub(super) fn run(flags: &Flags<SWITCH>) -> Result<()> {
    let settings = server::begin(flags)?;
    server::run(serve(settings))
}

async fn serve(settings: Server) -> Result<()> {
    let mut signals = Signals::catch()?;
    let front_door = Reserved::new("--listen", settings.listen)?;
    let admin_listener = address::listen("--admin", settings.admin)?;
    let data = DataDir::open(&settings.data)?;

    let listen = front_door.address();
    let public_url = switch::public_url(&settings, listen);
    let door = tls::open(&settings, listen, &public_url)?;
    let is_tls = door.tls.is_some();
    let (exchange, token) = match (&settings.exchange, &settings.join) {
        (Some(exchange), join) => (exchange.clone(), join.as_ref().map(|join| join.token.clone())),
        (None, Some(join)) => (join.exchange.clone(), Some(join.token.clone())),
        (None, None) => return Err(anyhow::anyhow!("no exchange")).context("--join or --exchange"),
    };
    tracing::info!(exchange, "joining");
    let switch = switch::start(&settings, front_door, exchange, token, door.tls).await?;
    let planes = Planes::new(None, Some(switch.watch()));
    let admin = admin_listener.local_addr()?;
    admin::serve(admin_listener, planes.clone())?;

    let reached = address::reachable(listen);
    data.announce(&Run {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").into(),
        command: "switch".into(),
        url: Some(switch::own_url(&settings, listen)),
        ca: door.ca.clone(),
        public_url,
        prefix: settings.prefix.clone(),
        listen: Some(listen),
        admin,
        link: None,
    })?;
    // An exchange that is away is waited for: it may be starting, or the network between us.
    tokio::select! {
        checked = switch::ready(&switch, is_tls) => {
            checked?;
            ready::announce(reached, is_tls);
            tracing::info!(listen = %listen, "calls can be served");
            if let Some(ca) = &door.ca {
                tracing::warn!(certificate = %ca.display(), "for development: clients have to be told to trust it");
            }
            let reason = switch::reason_to_leave(&switch, &mut signals).await;
            tracing::info!(reason, "leaving");
        }
        reason = signals.next() => tracing::info!(reason, "leaving before it was ready"),
    }
    signals.arm_second();
    planes.leave();
    switch::drain(switch, settings.drain_deadline).await;
    drop(data);
    tracing::info!("left");
    Ok(())
}

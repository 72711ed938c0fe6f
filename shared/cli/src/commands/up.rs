//! `landline up`: both planes in one process, joined by the same link that separate ones use.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use landline_controlplane::feed::nodes;
use landline_link::JoinToken;

use crate::config::table::UP;
use crate::config::{Flags, Server};
use crate::server::address::{self, Reserved};
use crate::server::admin::{self, Planes};
use crate::server::data_dir::{DataDir, Run};
use crate::server::exchange::ControlPlane;
use crate::server::signals::Signals;
use crate::server::{self, ready, switch, tls};

/// The process joins itself: its token lives as long as a slow start may take.
const OWN_TOKEN_TTL: Duration = Duration::from_secs(60);
/// From the start of the switch to the first answer through the front door.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// Runs until a signal.
pub(super) fn run(flags: &Flags<UP>) -> Result<()> {
    let settings = server::begin(flags)?;
    server::run(up(settings))
}

async fn up(settings: Server) -> Result<()> {
    let mut signals = Signals::catch()?;
    // Everything that another process may hold is taken first: nothing is changed if we cannot run.
    let front_door = Reserved::new("--listen", settings.listen)?;
    let admin_listener = address::listen("--admin", settings.admin)?;
    let data = DataDir::open(&settings.data)?;

    let listen = front_door.address();
    let public_url = switch::public_url(&settings, listen);
    let door = tls::open(&settings, listen, &public_url)?;
    let is_tls = door.tls.is_some();
    let control = ControlPlane::start(&settings, &public_url).await?;
    let token = nodes::create_join_token(&control.exchange, OWN_TOKEN_TTL).await?;
    let token: JoinToken = token.parse().context("our own join token")?;
    let link = control.link();
    let own_link = address::reachable(link).to_string();
    let switch = switch::start(&settings, front_door, own_link, Some(token), door.tls).await?;
    let planes = Planes::new(Some(control.exchange.clone()), Some(switch.watch()));
    let admin = admin_listener.local_addr()?;
    admin::serve(admin_listener, planes.clone())?;

    let reached = address::reachable(listen);
    data.announce(&Run {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").into(),
        command: "up".into(),
        url: Some(switch::own_url(&settings, listen)),
        ca: door.ca.clone(),
        public_url: public_url.clone(),
        prefix: settings.prefix.clone(),
        listen: Some(listen),
        admin,
        link: Some(link),
    })?;
    tokio::select! {
        checked = tokio::time::timeout(READY_DEADLINE, switch::ready(&switch, is_tls)) => match checked {
            Ok(checked) => {
                checked?;
                ready::announce(reached, is_tls);
                next_steps(&settings, &public_url, listen, door.ca.as_deref());
                let reason = switch::reason_to_leave(&switch, &mut signals).await;
                tracing::info!(reason, "leaving");
            }
            Err(_) => bail!("the switch did not reach the exchange within {READY_DEADLINE:?}; the log above says why"),
        },
        reason = signals.next() => tracing::info!(reason, "leaving before it was ready"),
    }
    signals.arm_second();
    planes.leave();
    switch::drain(switch, settings.drain_deadline).await;
    control.stop(Duration::from_secs(2)).await;
    drop(data);
    tracing::info!("left");
    Ok(())
}

/// For a person at a terminal: what to do now. On stderr, where the log is.
fn next_steps(settings: &Server, public_url: &str, listen: SocketAddr, ca: Option<&Path>) {
    let api = format!("{public_url}{}", settings.prefix);
    let open_to_all = listen.ip().is_unspecified() && settings.public_url.is_none();
    let hint = if open_to_all {
        "\n  Others reach this machine by another name: give it with --public-url, it stands in every URL that is given out.\n"
    } else {
        ""
    };
    let trust = ca.map_or_else(String::new, |ca| {
        let ca = ca.display();
        format!(
            "
  Its certificate is for development: clients have to be told to trust it.
  Trust     export LANDLINE_CA={ca}         landline's own clients
            export SSL_CERT_FILE={ca}       Python, Go, OpenSSL; CURL_CA_BUNDLE for curl
"
        )
    });
    let admin_token = settings.data.join("admin-token");
    eprintln!(
        "
Landline is up at {public_url}
{hint}{trust}
  Watch     {public_url}/network
  An agent  landline agent echo --url {public_url}
            or, in Python:
            pip install msgspec httpx httpx-ws
            curl -sO {public_url}/examples/minimal_agent.py && BOT_NAME=alice python minimal_agent.py
  Call it   curl -X POST {api}/relay/$AGENT_ID \\
              -H \"Authorization: Bearer $API_KEY\" -H 'Content-Type: application/json' -d '{{\"hello\": \"world\"}}'
  The row   curl {api}/v1/relay/recent
  Operator  the admin token is in {}
",
        admin_token.display()
    );
}

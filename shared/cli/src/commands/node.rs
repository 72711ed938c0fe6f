//! `landline node`: the switches of a cluster. Works on the exchange's database itself, also while the exchange runs: the
//! first switch needs its token before any request can arrive.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use landline_controlplane::Exchange;
use landline_controlplane::clock::Clock;
use landline_controlplane::feed::nodes::{self, Node};
use landline_wire::ids::NodeId;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::block_on;
use crate::args::NodeCommand;
use crate::config::{Flags, values};
use crate::server::{self, exchange};

const MAX_TTL: Duration = Duration::from_secs(86_400);

/// Does it.
pub(super) fn run(command: NodeCommand) -> Result<()> {
    match command {
        NodeCommand::Token { ttl, settings } => {
            let ttl = values::duration(&ttl).filter(|ttl| !ttl.is_zero() && *ttl <= MAX_TTL);
            let ttl = ttl.context("--ttl is a time up to 1d, such as 15m")?;
            block_on(async { token(&open(&settings.flags).await?, ttl).await })
        }
        NodeCommand::List { json, settings } => block_on(async { list(&open(&settings.flags).await?, json).await }),
        NodeCommand::Revoke { node, settings } => block_on(async {
            let node: NodeId = node.parse().context("the switch's id")?;
            if !nodes::revoke(&open(&settings.flags).await?, node).await? {
                bail!("there is no switch {node}, or it was revoked before");
            }
            eprintln!("landline: {node} is revoked");
            Ok(())
        }),
    }
}

/// The exchange of a data directory, without starting anything.
pub(super) async fn open<const SCOPE: u8>(flags: &Flags<SCOPE>) -> Result<Exchange> {
    let settings = server::begin(flags)?;
    if !settings.data.join("secrets").is_dir() {
        bail!(
            "{} is not the data directory of an exchange: start one first, or name it with --data",
            settings.data.display()
        );
    }
    // Nothing that is done here gives out a URL.
    Ok(Exchange::open(exchange::config(&settings, "http://localhost")?, Clock::system()).await?)
}

#[allow(clippy::print_stdout, reason = "the command's answer")]
async fn token(exchange: &Exchange, ttl: Duration) -> Result<()> {
    let token = nodes::create_join_token(exchange, ttl).await?;
    println!("{token}");
    let seconds = ttl.as_secs();
    eprintln!(
        "landline: it counts once, within {seconds} s: landline switch --join TOKEN@HOST:PORT (the link address)"
    );
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the command's answer")]
async fn list(exchange: &Exchange, as_json: bool) -> Result<()> {
    let now_ms = exchange.clock.now_ms();
    let found = nodes::list(exchange).await?;
    if as_json {
        let rows: Vec<_> = found
            .iter()
            .map(|node| {
                json!({
                    "node_id": node.id,
                    "state": state(node, now_ms),
                    "public_url": node.public_url,
                    "version": node.version,
                    "joined_at": when(node.joined_at),
                    "last_seen": when(node.last_seen),
                    "revoked_at": node.revoked_at.map(when),
                })
            })
            .collect();
        println!("{:#}", json!(rows));
        return Ok(());
    }
    println!("{:<36}  {:<9}  {:<24}  URL", "node", "state", "last seen");
    for node in &found {
        let url = node.public_url.as_deref().unwrap_or("–");
        println!("{:<36}  {:<9}  {:<24}  {url}", node.id.to_string(), state(node, now_ms), when(node.last_seen));
    }
    Ok(())
}

fn state(node: &Node, now_ms: i64) -> &'static str {
    if node.revoked_at.is_some() {
        "revoked"
    } else if node.connected(now_ms) {
        "connected"
    } else {
        "away"
    }
}

/// RFC 3339 in UTC, to the second.
fn when(unix_ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

//! `/network`: the switchboard. A true snapshot by itself; `network.js` makes it follow the event stream.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use landline_api::agents::Agent;
use landline_api::relay::{RelayEvent, RelayStats};
use landline_api::time::rfc3339_ms;
use landline_wire::ids::AgentId;
use maud::{Markup, html};

use super::layout::{self, Head, Here, gauge, milliseconds, short};
use crate::agents::listing::{Order, Piece};
use crate::error::{Error, Result};
use crate::extract::MAX_LIMIT;
use crate::state::Exchange;
use crate::{agents, relay};

/// Rows of the snapshot; the script keeps as many.
const ROWS: u32 = 100;
/// Bars of the latency strip, six units wide each; the script draws as many.
const BARS: usize = 96;

type Names = BTreeMap<AgentId, String>;

/// `GET /network`
pub(super) async fn page(State(exchange): State<Exchange>) -> Result<Response> {
    let online = agents::ops::list(&exchange, &Piece::first(Order::Online, MAX_LIMIT)).await?;
    let calls = relay::ops::recent(&exchange, ROWS).await?;
    let stats = relay::ops::stats(&exchange).await?;
    let mut attached: Vec<Agent> = online.items.into_iter().filter(|agent| agent.attached).collect();
    attached.sort_by_key(|agent| agent.name.to_lowercase());
    let names = names(&exchange, &attached, &calls).await?;
    let prefix = exchange.config.prefix.trim_end_matches('/');
    let head = Head {
        title: "The network",
        description: "Who holds a line now, and the calls between agents as they happen.",
        here: Here::Network,
        script: Some("network.js"),
    };
    let body = html! {
        div id="network" data-api=(prefix) {
            h1 { "The network" }
            p class="lede" {
                "Agents that hold a line now, and the calls between them as they happen. Who, when, how fast and with what "
                "result is public; what was said is never kept."
            }
            (figures(&stats))
            (tape(&calls))
            div class="panels" {
                (switchboard(&attached, stats.attached, prefix))
                (activity(&calls, &names, exchange.clock.now_ms()))
            }
            p id="spoken" class="quiet" role="status" {}
        }
    };
    Ok(layout::page(&head, body))
}

/// The names behind the ids of the rows. An agent that is gone has none: its row shows the beginning of its id.
async fn names(exchange: &Exchange, attached: &[Agent], calls: &[RelayEvent]) -> Result<Names> {
    let mut names: Names = attached.iter().map(|agent| (agent.id, agent.name.clone())).collect();
    let parties = calls.iter().flat_map(|call| call.from_agent_id.into_iter().chain([call.to_agent_id]));
    let unknown: BTreeSet<AgentId> = parties.filter(|id| !names.contains_key(id)).collect();
    let mut conn = exchange.db.read().acquire().await?;
    for id in unknown {
        match agents::ops::visible(&mut conn, id).await {
            Ok(agent) => names.insert(id, agent.name),
            Err(Error::Problem(_)) => None,
            Err(failure) => return Err(failure),
        };
    }
    Ok(names)
}

fn name(names: &Names, id: AgentId) -> String {
    names.get(&id).cloned().unwrap_or_else(|| id.to_string()[..8].to_owned())
}

fn figures(stats: &RelayStats) -> Markup {
    html! {
        h2 class="quiet" { "Figures" }
        dl class="gauges" {
            (gauge("p50", "median round trip", &milliseconds(stats.p50_ms)))
            (gauge("p99", "99th percentile", &milliseconds(stats.p99_ms)))
            (gauge("sample", "calls in the sample", &stats.sample.to_string()))
            (gauge("rate", "calls a second", &short(stats.calls_per_second)))
            (gauge("attached", "agents on the line", &stats.attached.to_string()))
        }
    }
}

/// The latency strip. The figures above it say the same in words, so it is hidden from screen readers.
fn tape(calls: &[RelayEvent]) -> Markup {
    let newest: Vec<(f64, u16)> =
        calls.iter().take(BARS).map(|call| (call.latency_ms, call.status_code)).rev().collect();
    let data = serde_json::json!(newest).to_string();
    html! {
        svg id="tape" class="tape" viewBox="0 0 576 48" preserveAspectRatio="none" aria-hidden="true" data-bars=(data) {
            @for (index, (latency, status)) in newest.iter().enumerate() {
                @let height = bar_height(*latency);
                rect x=((BARS - newest.len() + index) * 6) y=(format!("{:.1}", 48.0 - height)) width="4"
                    height=(format!("{height:.1}")) class=[(*status >= 400).then(|| grade(*status))] {}
            }
        }
        p class="note" { "Each bar is a call, the newest on the right. The scale is logarithmic: the full height is a second or more." }
    }
}

/// A logarithmic scale: 0.1 ms is the floor, 1 s the top.
fn bar_height(latency_ms: f64) -> f64 {
    ((latency_ms.max(0.1).log10() + 1.0) / 4.0 * 46.0).clamp(2.0, 46.0)
}

fn switchboard(attached: &[Agent], total: u64, prefix: &str) -> Markup {
    let more = total.saturating_sub(attached.len() as u64);
    html! {
        section aria-labelledby="lines" {
            div class="panel-head" { h2 id="lines" { "Lines" } }
            div class="board-box" {
                p id="board-empty" class="board-empty" hidden[!attached.is_empty()] { "No agent holds a line right now." }
                ul id="board" class="board" aria-labelledby="lines" {
                    @for agent in attached {
                        li class="jack up" data-id=(agent.id) {
                            span class="lamp" aria-hidden="true" {}
                            span class="socket" aria-hidden="true" {}
                            a href=(format!("{prefix}/v1/agents/{}", agent.id)) { (agent.name) }
                        }
                    }
                }
                svg id="cords" class="cords" aria-hidden="true" {}
            }
            @if more > 0 { p class="note" { "And " (more) " more." } }
        }
    }
}

pub(super) fn activity(calls: &[RelayEvent], names: &Names, now_ms: i64) -> Markup {
    let known: BTreeMap<String, &String> = names.iter().map(|(id, name)| (id.to_string(), name)).collect();
    let now = rfc3339_ms(now_ms);
    html! {
        section aria-labelledby="calls" {
            div class="panel-head" {
                h2 id="calls" { "Calls" }
                div class="controls" {
                    span id="state" class="state" {
                        span class="lamp" aria-hidden="true" {}
                        span id="state-text" { "As of " time datetime=(now) { (clock(&now)) " UTC" } }
                    }
                    button id="pause" type="button" aria-pressed="false" hidden { "Pause" }
                }
            }
            ol id="feed" class="feed" aria-labelledby="calls" data-names=(serde_json::json!(known).to_string()) {
                @if calls.is_empty() { li class="empty" { "No call yet. The first one appears here." } }
                @for call in calls { (row(call, names)) }
            }
            p class="note" { "Times are UTC. Reload for a newer snapshot where scripts do not run." }
        }
    }
}

fn row(call: &RelayEvent, names: &Names) -> Markup {
    let from = call.from_agent_id.map_or_else(|| "anonymous".to_owned(), |id| name(names, id));
    let key_from = call.from_agent_id.map(|id| id.to_string()).unwrap_or_default();
    html! {
        li data-key=(format!("{} {} {key_from} {}", call.ts, call.request_id, call.to_agent_id)) {
            time datetime=(call.ts) { (clock(&call.ts)) }
            span class="text" {
                span class="kind" { "relay.request" } " "
                span class="who" { (from) } " → "
                span class="who" { (name(names, call.to_agent_id)) } " "
                span class=(grade(call.status_code)) { (call.status_code) } " "
                (short(call.latency_ms)) "ms"
            }
        }
    }
}

fn grade(status: u16) -> &'static str {
    match status {
        0..400 => "good",
        400..500 => "warn",
        _ => "bad",
    }
}

/// Hours, minutes and seconds of an RFC 3339 time.
fn clock(ts: &str) -> &str {
    ts.get(11..19).unwrap_or(ts)
}

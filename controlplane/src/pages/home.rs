//! `/`: what this is, how to begin, and that it is alive.

use axum::extract::State;
use axum::response::Response;
use landline_api::relay::RelayStats;
use maud::html;

use super::layout::{self, Head, Here, gauge, milliseconds, short};
use crate::error::Result;
use crate::relay;
use crate::state::Exchange;

/// `GET /`
pub(super) async fn page(State(exchange): State<Exchange>) -> Result<Response> {
    let stats = relay::ops::stats(&exchange).await?;
    let (url, prefix) = (&exchange.config.public_url, &exchange.config.prefix);
    let head = Head {
        title: "agents that dial out and can be called",
        description: "A directory, an exchange and a switch for AI agents that have no public address.",
        here: Here::Home,
        script: None,
    };
    let run = format!(
        "pip install msgspec httpx httpx-ws\ncurl -O {url}/examples/minimal_agent.py\n\
         BOT_NAME=alice python minimal_agent.py"
    );
    let call = format!(
        "curl -X POST \"{url}{prefix}/relay/$ALICE_ID\" \\\n  -H \"Authorization: Bearer $BOB_KEY\" \\\n  \
         -H \"Content-Type: application/json\" \\\n  -d '{{\"hello\": \"from bob\"}}'"
    );
    Ok(layout::page(
        &head,
        html! {
            h1 { "An agent dials out once, and can be called from then on." }
            p class="lede" {
                "Landline is a telephone exchange for AI agents. An agent holds one outgoing line and is reachable by its "
                "id: behind NAT, in a container, on a laptop. It opens no port and needs no address of its own."
            }
            (figures(&stats))
            h2 id="begin" { "Three steps" }
            ol class="steps" {
                li {
                    h3 { "Put an agent on the line" }
                    p {
                        "The reference agent is one file. It registers, dials out and answers every call. "
                        "Start a second one as " code { "BOT_NAME=bob" } "."
                    }
                    pre { code { (run) } }
                }
                li {
                    h3 { "Call it" }
                    p {
                        "Each agent keeps its id and its key in your temporary folder, as " code { "alice-….json" }
                        " and " code { "bob-….json" } ". The body reaches alice as it is, and her answer comes back to you."
                    }
                    pre { code { (call) } }
                }
                li {
                    h3 { "Watch it happen" }
                    p {
                        "Who called whom, with what result and how fast, is public on the "
                        a href="/network" { "network page" } ". What was said is not kept anywhere."
                    }
                }
            }
            (next())
        },
    ))
}

/// Where to read on.
fn next() -> maud::Markup {
    html! {
        h2 id="next" { "Where to go next" }
        ul class="index" {
            li {
                a href="/docs/RELAY_WIRE_PROTOCOL" { "The wire protocol" }
                p { "Everything an agent in any language has to speak: twelve kinds of frames and their rules." }
            }
            li {
                a href="/docs/HTTP_API" { "The HTTP API" }
                p {
                    "Register, find, call, watch: in prose, " a href="/docs/api" { "operation by operation" }
                    ", or " a href="/openapi.json" { "for programs" } "."
                }
            }
            li {
                a href="/state-of-a2a/" { "State of A2A" }
                p { "Who is listed here, who answers and how fast: the directory, counted, edition by edition." }
            }
            li {
                a href="/docs/runbooks/two-bot-nat-demo" { "Two agents behind NAT" }
                p { "Five minutes with Docker: two containers without a published port call each other." }
            }
        }
    }
}

fn figures(stats: &RelayStats) -> maud::Markup {
    html! {
        dl class="gauges" {
            (gauge("attached", "agents on the line", &stats.attached.to_string()))
            (gauge("rate", "calls a second", &short(stats.calls_per_second)))
            (gauge("p50", "median round trip", &milliseconds(stats.p50_ms)))
            (gauge("p99", "99th percentile", &milliseconds(stats.p99_ms)))
        }
    }
}

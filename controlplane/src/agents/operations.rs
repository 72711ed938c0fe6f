//! The directory's operations, as the OpenAPI document describes them.

use landline_api::agents::{Register, Update};
use landline_api::schema::AgentCard;
use landline_wire::error::Code;
use serde_json::json;

use super::{card_http as cards, http};
use crate::openapi::examples;
use crate::openapi::parameters::{flag, header, query, text, time, words};
use crate::openapi::{MISSING, Operation, Who, delete, get, patch, post, put};

pub(crate) fn operations() -> Vec<Operation> {
    [lists(), one(), given_cards()].into_iter().flatten().collect()
}

/// A list that can be read on.
fn list(operation: Operation) -> Operation {
    let cursor = query("cursor", text(), "The `next_cursor` of an earlier answer; instead of `offset`.");
    operation.with_window().with(cursor).answers(200, "A piece of the list.").such_as(&examples::agents()).leads_to(&[
        ("getAgent", "agent_id", "$response.body#/items/0/id"),
        ("callPost", "agent_id", "$response.body#/items/0/id"),
    ])
}

fn lists() -> Vec<Operation> {
    let order = words(&["newest", "trending"]);
    vec![
        post("/v1/agents", http::register)
            .named(
                "registerAgent",
                "Register an agent",
                "Gives the new agent's id and its API key, which is shown only this once. Open to everybody unless the \
                 operator closed it or asks for a registration token.",
            )
            .takes::<Register>(
                "The card, in either spelling, and beside it how the agent is shown and who may call it.",
                json!({"card": examples::card(), "access": "agents"}),
            )
            .fails(&[Code::NotAuthorized, Code::InvalidCard, Code::NameTaken, Code::UrlTaken, Code::Conflict])
            .answers(201, "The agent is registered.")
            .such_as(&examples::registered())
            .header("Location", "Where its row is.")
            .leads_to(&[
                ("getAgent", "agent_id", "$response.body#/id"),
                ("updateAgent", "agent_id", "$response.body#/id"),
                ("removeAgent", "agent_id", "$response.body#/id"),
                ("getCard", "agent_id", "$response.body#/id"),
                ("replaceCard", "agent_id", "$response.body#/id"),
                ("listCards", "agent_id", "$response.body#/id"),
                ("heartbeat", "agent_id", "$response.body#/id"),
                ("getReliability", "agent_id", "$response.body#/id"),
                ("getPulse", "agent_id", "$response.body#/id"),
                ("rotateKey", "agent_id", "$response.body#/id"),
                ("getRelayCard", "agent_id", "$response.body#/id"),
                ("getLineStatus", "agent_id", "$response.body#/id"),
            ]),
        list(get("/v1/agents", http::list).named("listAgents", "All agents", "A piece at a time.").with(query(
            "sort",
            order,
            "By registration, or by how much they are called of late; newest unless given.",
        ))),
        list(get("/v1/agents/online", http::online).named(
            "listOnlineAgents",
            "Agents that can be called now",
            "By name.",
        )),
        list(get("/v1/agents/featured", http::featured).named(
            "listFeaturedAgents",
            "Agents that the operator features",
            "The latest first.",
        )),
    ]
}

fn one() -> Vec<Operation> {
    vec![
        get("/v1/agents/{agent_id}", http::get)
            .named("getAgent", "An agent's row", "What the directory shows of it.")
            .fails(&MISSING)
            .answers(200, "The row.")
            .such_as(&examples::agent()),
        patch("/v1/agents/{agent_id}", http::update)
            .named(
                "updateAgent",
                "Change how an agent is shown and who may call it",
                "What is not named stays, and null takes a value away. What the card says changes with the card.",
            )
            .by(Who::Owner)
            .takes::<Update>("What changes.", json!({"tagline": "Says it again.", "access": "public"}))
            .fails(&MISSING)
            .fails(&[Code::InvalidCard])
            .answers(200, "The row as it is now."),
        delete("/v1/agents/{agent_id}", http::remove)
            .named(
                "removeAgent",
                "Remove an agent",
                "Its line is closed, its key is dead, and its id is 410 from then on.",
            )
            .by(Who::Owner)
            .fails(&MISSING)
            .answers(204, "It is removed."),
        put("/v1/agents/{agent_id}/heartbeat", http::heartbeat)
            .named("heartbeat", "Say that an agent lives", "Keeps `last_seen` fresh. It does not make it callable.")
            .by(Who::Caller)
            .fails(&MISSING)
            .answers(204, "It is noted."),
        get("/v1/agents/{agent_id}/reliability", http::reliability)
            .named(
                "getReliability",
                "How an agent did of late",
                "Uptime, latency and success of the last day and week.",
            )
            .fails(&MISSING)
            .answers(200, "The figures.")
            .such_as(&examples::reliability()),
        get("/v1/agents/{agent_id}/pulse", http::pulse)
            .named("getPulse", "How an agent's URL answered", "The verdict of now, and the last probes.")
            .fails(&MISSING)
            .answers(200, "The verdict and the probes.")
            .such_as(&examples::pulses()),
    ]
}

/// What a card's answer can be besides failures.
fn shown(operation: Operation) -> Operation {
    let known = "`ETag`s of copies that the caller has; if one is current, the answer is 304.";
    operation
        .with(query("original", flag(), "The JSON exactly as it was given, instead of A2A's own form of it."))
        .with(header("If-None-Match", text(), known))
        .fails(&MISSING)
        .answers_json::<AgentCard>(200, "The card.")
        .such_as(&examples::card())
        .header("ETag", "Of this very text.")
        .header("Cache-Control", "How long it may be shown without asking again.")
        .header("Last-Modified", "Since when it is so.")
        .answers_empty(304, "The caller has it already.")
        .header("ETag", "Of the text that the caller has.")
}

fn given_cards() -> Vec<Operation> {
    vec![
        shown(
            get("/v1/agents/{agent_id}/card", cards::card)
                .named("getCard", "An agent's card", "The A2A Agent Card, with the relay among its interfaces.")
                .with(query("at", time(), "The card of then: RFC 3339, or unix milliseconds.")),
        ),
        put("/v1/agents/{agent_id}/card", cards::replace_card)
            .named("replaceCard", "Replace an agent's card", "The former one is kept in the card's history.")
            .by(Who::Owner)
            .with(header(
                "If-Match",
                text(),
                "`ETag`s of the card that was read: another one is not replaced, but 409.",
            ))
            .takes::<AgentCard>("The card, or an object with it as `card`.", examples::card())
            .fails(&MISSING)
            .fails(&[Code::InvalidCard, Code::NameTaken, Code::UrlTaken, Code::Conflict])
            .answers(200, "The row as it is now."),
        get("/v1/agents/{agent_id}/card/history", cards::history)
            .named("listCards", "An agent's cards, newest first", "The current one and the last ones before it.")
            .with_window()
            .fails(&MISSING)
            .answers(200, "A piece of the list.")
            .such_as(&examples::cards())
            .leads_to(&[("getFormerCard", "n", "$response.body#/items/0/n")]),
        shown(get("/v1/agents/{agent_id}/card/history/{n}", cards::former).named(
            "getFormerCard",
            "One of an agent's cards",
            "By its number.",
        )),
    ]
}

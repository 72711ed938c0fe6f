//! The operator's operations, as the OpenAPI document describes them.

use landline_api::admin::{Block, Drain, ProveOrigin};
use landline_wire::error::Code;
use serde_json::json;

use super::http;
use crate::openapi::examples;
use crate::openapi::parameters::{id, path};
use crate::openapi::{Operation, Parameter, Who, get, post};

pub(crate) fn operations() -> Vec<Operation> {
    [of_agents(), of_switches()].into_iter().flatten().map(|operation| operation.by(Who::Admin)).collect()
}

fn of_agents() -> Vec<Operation> {
    let judged = |operation: Operation| {
        operation
            .fails(&[Code::NotFound, Code::Gone])
            .answers(200, "What holds for the agent now.")
            .such_as(&examples::moderation())
    };
    vec![
        judged(
            post("/v1/admin/agents/{agent_id}/block", http::block)
                .named("blockAgent", "Block an agent", "Its line is closed; it can neither call nor be called.")
                .takes::<Block>("Why.", json!({"reason": "It sends what nobody asked for."})),
        ),
        judged(
            post("/v1/admin/agents/{agent_id}/unblock", http::unblock)
                .named("unblockAgent", "Unblock an agent", "It can call and be called again."),
        ),
        judged(
            post("/v1/admin/agents/{agent_id}/feature", http::feature)
                .named("featureAgent", "Feature an agent", "It gets a place in `/v1/agents/featured`."),
        ),
        judged(
            post("/v1/admin/agents/{agent_id}/unfeature", http::unfeature)
                .named("unfeatureAgent", "Feature an agent no more", "It loses its place."),
        ),
        judged(
            post("/v1/admin/agents/{agent_id}/prove-origin", http::prove_origin)
                .named(
                    "proveOrigin",
                    "Vouch for the origin of an agent's URL",
                    "The agent may be called there while it holds no line. A card that moves to another origin loses this.",
                )
                .takes::<ProveOrigin>("The origin; it must be that of the URL.", json!({"origin": "https://agent.example"}))
                .fails(&[Code::Conflict]),
        ),
        judged(
            post("/v1/admin/agents/{agent_id}/unprove-origin", http::unprove_origin).named(
                "unproveOrigin",
                "Vouch for it no more",
                "It is neither called there nor probed until its origin is proven again.",
            ),
        ),
    ]
}

fn node_id() -> Parameter {
    path("node_id", id(), "The switch.", "0198c0de-7a11-7000-8000-0000005017c4".into())
}

fn of_switches() -> Vec<Operation> {
    vec![
        get("/v1/admin/sessions", http::sessions)
            .named("listSessions", "The lines that are up", "A piece at a time.")
            .with_window()
            .answers(200, "A piece of the list.")
            .such_as(&examples::sessions())
            .leads_to(&[("blockAgent", "agent_id", "$response.body#/items/0/agent_id")]),
        get("/v1/admin/nodes", http::nodes)
            .named("listNodes", "The switches", "All of them, also those that were revoked.")
            .answers(200, "The switches.")
            .such_as(&examples::nodes())
            .leads_to(&[
                ("drainNode", "node_id", "$response.body#/items/0/node_id"),
                ("revokeNode", "node_id", "$response.body#/items/0/node_id"),
            ]),
        post("/v1/admin/nodes/{node_id}/drain", http::drain)
            .named("drainNode", "Send a switch's lines away", "It takes no new ones.")
            .with(node_id())
            .takes::<Drain>("Within which time.", json!({"deadline_ms": 30_000}))
            .fails(&[Code::NotFound, Code::Conflict, Code::InvalidQuery])
            .answers(202, "It was told."),
        post("/v1/admin/nodes/{node_id}/revoke", http::revoke_node)
            .named("revokeNode", "Revoke a switch", "Its certificate counts no more.")
            .with(node_id())
            .fails(&[Code::NotFound, Code::InvalidQuery])
            .answers(204, "It is revoked."),
    ]
}

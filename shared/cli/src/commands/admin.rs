//! `landline admin`: the operator's word, over the HTTP API.

use anyhow::{Context, Result};
use landline_client::Client;
use landline_wire::ids::{AgentId, NodeId};
use serde_json::{Value, json};

use super::ask::{self, Place};
use super::block_on;
use crate::args::{AdminCommand, Ask};
use crate::config::values;

/// Does it, and prints the server's answer.
pub(super) fn run(ask: &Ask, command: AdminCommand) -> Result<()> {
    block_on(async {
        let client = Place::find(ask)?.admin(ask)?;
        print(&carry_out(&client, command).await?);
        Ok(())
    })
}

async fn carry_out(client: &Client, command: AdminCommand) -> Result<Value> {
    match command {
        AdminCommand::Block { agent, reason } => {
            let agent = ask::agent(client, &agent).await?;
            post(client, &format!("agents/{agent}/block"), &json!({ "reason": reason })).await
        }
        AdminCommand::Unblock { agent } => on_agent(client, &agent, "unblock").await,
        AdminCommand::Feature { agent } => on_agent(client, &agent, "feature").await,
        AdminCommand::Unfeature { agent } => on_agent(client, &agent, "unfeature").await,
        AdminCommand::Sessions => client.get("/v1/admin/sessions").await.map_err(ask::describe),
        AdminCommand::Drain { node, deadline } => {
            let node: NodeId = node.parse().context("the switch's id")?;
            let deadline = values::deadline(&deadline).map_err(anyhow::Error::msg).context("--deadline")?;
            let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
            post(client, &format!("nodes/{node}/drain"), &json!({ "deadline_ms": deadline_ms })).await
        }
    }
}

async fn on_agent(client: &Client, agent: &str, verb: &str) -> Result<Value> {
    let agent: AgentId = ask::agent(client, agent).await?;
    post(client, &format!("agents/{agent}/{verb}"), &json!({})).await
}

async fn post(client: &Client, path: &str, body: &Value) -> Result<Value> {
    client.post(&format!("/v1/admin/{path}"), body).await.map_err(ask::describe)
}

/// Prints an answer, if there is one.
#[allow(clippy::print_stdout, reason = "the command's answer")]
fn print(answer: &Value) {
    if !answer.is_null() {
        println!("{answer:#}");
    }
}

//! The one thing that this agent does.

use landline_wire::error::Code;
use serde_json::Value;
use uuid::Uuid;

use super::message::{self, Asked, Ids};
use super::rpc::{self, Fault};
use crate::error::Error;
use crate::state::Exchange;
use crate::{ard, discovery};

/// Answers a call. `version` is the one that the caller says it speaks.
pub(crate) async fn call(exchange: &Exchange, version: Option<&str>, body: &Value) -> Value {
    let id = rpc::id(body);
    match perform(exchange, version, body).await {
        Ok(result) => rpc::success(&id, &result),
        Err(fault) => fault.answer(&id),
    }
}

async fn perform(exchange: &Exchange, version: Option<&str>, body: &Value) -> Result<Value, Fault> {
    rpc::check_version(version)?;
    let (params, era) = rpc::read(body)?;
    let Asked { discover, context } = message::read(params)?;
    let found = discovery::ops::discover(exchange, &discover).await.map_err(fault)?;
    let ids: Vec<_> = found.candidates.iter().map(|candidate| candidate.agent_id).collect();
    let entries = ard::ops::entries(exchange, &ids).await.map_err(fault)?;
    let context = context.unwrap_or_else(|| Uuid::now_v7().to_string());
    let ids = Ids { message: &Uuid::now_v7().to_string(), context: &context };
    Ok(message::answer(era, ids, &found, &entries))
}

/// A failure of ours in the words of JSON-RPC.
fn fault(error: Error) -> Fault {
    if let Error::Internal(cause) = &error {
        tracing::error!(%cause, "a message could not be answered");
    }
    let problem = error.into_problem();
    match problem.code {
        Code::InvalidQuery => Fault::Params(problem.detail),
        _ => Fault::Internal(problem.detail),
    }
}

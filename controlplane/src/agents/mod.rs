//! The directory: agents, their cards and how they are found.
//!
//! Owns `agents`, `card_history` and `removed_agents`. Invariants: names are unique without regard to case, URLs after
//! normalising; the card is kept exactly as it was given; a removed id is never given again and answers 410; a change of
//! who may call an agent, a block and a removal write the op for the switches in the same transaction.
//!
//! | route | |
//! |---|---|
//! | `POST /v1/agents` | register |
//! | `GET /v1/agents`, `/online`, `/featured` | lists |
//! | `GET`, `PATCH`, `DELETE /v1/agents/{agent_id}` | one agent |
//! | `GET`, `PUT /v1/agents/{agent_id}/card` | its Agent Card |
//! | `GET /v1/agents/{agent_id}/card/history`, `/{n}` | those that it had before |
//! | `PUT /v1/agents/{agent_id}/heartbeat` | it lives |
//! | `GET /v1/agents/{agent_id}/reliability` | how it did of late |

mod a2a;
pub(crate) mod browse;
mod card;
pub(crate) mod card_http;
pub(crate) mod census;
mod display;
mod etag;
mod federated;
pub(crate) mod history;
pub(crate) mod http;
mod listed;
pub mod listing;
mod lists;
mod many;
mod model;
mod nearest;
mod operations;
pub mod ops;
mod register;
mod relay_card;
mod reliability;
mod replace;
mod standing;
pub(crate) mod store;
pub mod trend;

pub(crate) use a2a::v1 as card_v1;
#[cfg(test)]
pub(crate) use card::fault_of as card_fault;
pub(crate) use card::{card_schema, normal_url};
pub(crate) use listed::Listed;
pub(crate) use model::{Stored, is_named};
pub(crate) use operations::operations;
pub(crate) use ops::FEDERATED;
pub(crate) use relay_card::add_v03;
pub(crate) use reliability::ReliabilityCache;
pub(crate) use standing::{Callers, TIERS};

/// An agent's card as it is called over a line whose address is `base`.
pub(crate) fn relayed(card: &serde_json::Value, base: &str) -> serde_json::Value {
    relay_card::relayed(card, base, true)
}

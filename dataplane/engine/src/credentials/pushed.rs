//! What the exchange pushed: what was revoked, blocked and removed, and who may call whom.

use landline_link::{Access, Op, Policy};
use landline_token::revocation::RevocationSet;
use landline_wire::error::Code;
use landline_wire::ids::AgentId;

use crate::map::{Map, Set};

/// What the exchange pushes: replaced as a whole by a snapshot.
#[derive(Debug, Default)]
pub(super) struct Pushed {
    pub(super) revoked: RevocationSet,
    pub(super) blocked: Set<AgentId>,
    pub(super) removed: Set<AgentId>,
    pub(super) policies: Map<AgentId, Policy>,
}

impl Pushed {
    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::Revoke { agent, token_gen, key_gen } => self.revoked.revoke(*agent, *token_gen, *key_gen),
            Op::RevokeToken { jti, exp } => self.revoked.revoke_token(*jti, *exp),
            Op::Block { agent, blocked: true } => {
                self.blocked.insert(*agent);
            }
            Op::Block { agent, blocked: false } => {
                self.blocked.remove(agent);
            }
            Op::Remove { agent } => {
                self.removed.insert(*agent);
                self.policies.remove(agent);
                self.revoked.revoke(*agent, u64::MAX, u64::MAX);
            }
            Op::Policy { agent, policy } if *policy == Policy::default() => {
                self.policies.remove(agent);
            }
            Op::Policy { agent, policy } => {
                self.policies.insert(*agent, policy.clone());
            }
            Op::Keys { .. } => {}
        }
    }
}

/// Does a policy admit a caller?
pub(crate) fn admits(policy: &Policy, caller: Option<AgentId>) -> Result<(), Code> {
    match (policy.access, caller) {
        (Access::Public, _) | (Access::Agents, Some(_)) => Ok(()),
        (Access::Listed, Some(caller)) if policy.allow.contains(&caller) => Ok(()),
        (Access::Listed, Some(_)) => Err(Code::NotAuthorized),
        (Access::Agents | Access::Listed, None) => Err(Code::TokenMissing),
    }
}

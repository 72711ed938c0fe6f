//! How a node gets its certificate, and the next one.

use landline_wire::ids::NodeId;
use serde::{Deserialize, Serialize};

use super::question::Secret;

/// A node asks for its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The single-use secret of the join token.
    pub secret: Secret,
    /// Certificate signing request, DER. Its subject is ignored: the exchange names the node.
    pub csr: Vec<u8>,
}

/// The answer to a join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinAnswer {
    /// Welcome to the cluster.
    Joined {
        /// The node's new id.
        node: NodeId,
        /// The node's certificate, DER, 30 days.
        certificate: Vec<u8>,
        /// The cluster's CA certificate, DER; its SHA-256 stood in the join token.
        ca: Vec<u8>,
    },
    /// Refused, with a reason for the operator.
    Refused {
        /// Why.
        reason: String,
    },
}

/// A node asks, over the link and so with its present certificate, for the next one. Answered with [`JoinAnswer`]; the
/// node keeps its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewRequest {
    /// Certificate signing request, DER, with a new key. Its subject is ignored.
    pub csr: Vec<u8>,
}

//! One question of a switch, one answer.

use std::sync::Arc;

use landline_link::limits::{HANDSHAKE_TIMEOUT, MAX_HEAD_BYTES, RESET_BROKEN};
use landline_link::{Lookup, LookupAnswer, codec};
use quinn::{RecvStream, SendStream, VarInt};

use super::server::Link;
use super::wire::Reader;
use crate::{agents, auth};

/// Answers, and ends with the stream.
pub(crate) async fn run(link: Arc<Link>, mut send: SendStream, recv: RecvStream) {
    let question = tokio::time::timeout(HANDSHAKE_TIMEOUT, Reader::new(recv).expect::<Lookup>(MAX_HEAD_BYTES)).await;
    let Ok(Ok(question)) = question else {
        let _ = send.reset(VarInt::from_u32(RESET_BROKEN));
        return;
    };
    let exchange = &link.shared.exchange;
    let answer = match &question {
        Lookup::Key(secret) => auth::lookup::lookup_key(exchange, &secret.0).await,
        Lookup::Agent(agent) => {
            agents::ops::lookup_agent_for(exchange, *agent, link.node).await.unwrap_or_else(|error| {
                tracing::error!("a look-up failed: {error}");
                LookupAnswer::Failed
            })
        }
    };
    let Ok(answer) = codec::encode(&answer) else { return };
    if send.write_chunk(answer).await.is_ok() {
        let _ = send.finish();
    }
}

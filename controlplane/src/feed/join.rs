//! Certificates over the wire: the join of a node that has none, the renewal of one that has.

use std::sync::Arc;

use landline_link::limits::{HANDSHAKE_TIMEOUT, MAX_JOIN_BYTES};
use landline_link::{JoinAnswer, JoinRequest, RenewRequest, codec};
use quinn::{Connection, RecvStream, SendStream};

use super::nodes;
use super::server::{Link, Shared};
use super::wire::Reader;

/// One request, one answer; then the client closes.
pub(crate) async fn join(shared: &Shared, connection: &Connection) -> Option<()> {
    let _one_of_few = shared.joins.acquire().await.ok()?;
    let (mut send, recv) = connection.accept_bi().await.ok()?;
    let request: JoinRequest = Reader::new(recv).expect(MAX_JOIN_BYTES).await.ok()?;
    let outcome = nodes::join(&shared.exchange, &shared.ca, &request.secret, &request.csr).await;
    let refused = "the join token is unknown, was used before, or has expired";
    let (answer, joined) = answer(shared, outcome, refused);
    send.write_all(&codec::encode(&answer).ok()?).await.ok()?;
    send.finish().ok()?;
    // The answer has arrived when the client closes; closing first could lose it.
    connection.closed().await;
    joined.then_some(())
}

fn answer(
    shared: &Shared,
    outcome: Result<Option<nodes::Joined>, nodes::NodeError>,
    refused: &str,
) -> (JoinAnswer, bool) {
    match outcome {
        Ok(Some(joined)) => {
            let ca = shared.ca.certificate().to_vec();
            (JoinAnswer::Joined { node: joined.node, certificate: joined.certificate, ca }, true)
        }
        Ok(None) => (JoinAnswer::Refused { reason: refused.into() }, false),
        Err(error) => {
            tracing::error!("a certificate could not be signed: {error}");
            (JoinAnswer::Refused { reason: "the exchange could not sign a certificate".into() }, false)
        }
    }
}

/// Gives a connected node its next certificate.
pub(crate) async fn renew(link: Arc<Link>, mut send: SendStream, recv: RecvStream) {
    let renewed = async {
        let request: RenewRequest = Reader::new(recv).expect(MAX_JOIN_BYTES).await.ok()?;
        let outcome = nodes::renew(&link.shared.exchange, &link.shared.ca, link.node, &request.csr).await;
        let (answer, _) = answer(&link.shared, outcome, "this node was revoked");
        send.write_all(&codec::encode(&answer).ok()?).await.ok()?;
        send.finish().ok()
    };
    let _ = tokio::time::timeout(HANDSHAKE_TIMEOUT, renewed).await;
}

//! Questions of the exchange to agents that hold a line here: each a stream that the exchange opens.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use landline_link::limits::{HANDSHAKE_TIMEOUT, MAX_ASK_BYTES, MAX_MESSAGE_BYTES, RESET_BROKEN};
use landline_link::{Ask, StreamKind, Told, codec};
use landline_wire::error::Code;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::sync::oneshot;

use crate::boundary::ToCore;
use crate::join::Fault;
use crate::run::Shared;
use crate::wire::Reader;

/// How much longer than the agent's own deadline its core is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// The questions that are open. Their number is bounded by the streams that the exchange may open.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    next: Cell<u64>,
    open: RefCell<HashMap<u64, oneshot::Sender<Told>>>,
}

impl Asks {
    fn open(&self) -> (u64, oneshot::Receiver<Told>) {
        let (number, (tell, told)) = (self.next.get(), oneshot::channel());
        self.next.set(number + 1);
        self.open.borrow_mut().insert(number, tell);
        (number, told)
    }

    /// A core says what came of a question.
    pub(crate) fn told(&self, number: u64, told: Told) {
        if let Some(tell) = self.open.borrow_mut().remove(&number) {
            // Whoever asked may have gone.
            let _ = tell.send(told);
        }
    }
}

/// Takes questions until the connection ends.
pub(crate) async fn answer(shared: &Rc<Shared>, connection: &Connection) -> Result<(), Fault> {
    loop {
        let (send, recv) = connection.accept_bi().await.map_err(Fault::failed)?;
        let shared = Rc::clone(shared);
        tokio::task::spawn_local(async move { one(&shared, send, recv).await });
    }
}

async fn one(shared: &Shared, mut send: SendStream, recv: RecvStream) {
    let Some(ask) = question(recv).await else {
        let _ = send.reset(VarInt::from_u32(RESET_BROKEN));
        return;
    };
    let wait = Duration::from_millis(ask.timeout_ms) + GRACE;
    let (number, told) = shared.asks.open();
    shared.to_home_of(ask.agent, ToCore::Ask(number, Arc::new(ask)));
    let told = tokio::time::timeout(wait, told).await.ok().and_then(Result::ok);
    shared.asks.told(number, Told::failed(Code::AgentTimeout));
    let Ok(bytes) = codec::encode(&told.unwrap_or_else(|| Told::failed(Code::AgentTimeout))) else { return };
    if send.write_chunk(bytes).await.is_ok() {
        let _ = send.finish();
    }
}

async fn question(mut recv: RecvStream) -> Option<Ask> {
    let read = async {
        let mut kind = [0];
        recv.read_exact(&mut kind).await.ok()?;
        if StreamKind::from_byte(kind[0]) != Some(StreamKind::Ask) {
            return None;
        }
        let ask: Ask = Reader::new(recv).message(MAX_MESSAGE_BYTES).await.ok()??;
        (ask.body.len() <= MAX_ASK_BYTES).then_some(ask)
    };
    tokio::time::timeout(HANDSHAKE_TIMEOUT, read).await.ok().flatten()
}

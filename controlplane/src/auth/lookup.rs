//! Whose API key is this? For the switches: one that begins anew asks for thousands at once.
//!
//! Questions that come while another is being answered wait for it and are then asked together, [`Sixteen::MOST`] at a
//! time. One that comes alone waits for nothing. What waits is bounded by the streams that a switch may open.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use landline_link::LookupAnswer;
use tokio::sync::oneshot;

use super::store::{self, Account, Sixteen};
use crate::db::Result;
use crate::secrets::looks_like_api_key;
use crate::state::Exchange;

/// Questions that wait, and whether somebody asks.
#[derive(Default)]
pub(crate) struct KeyLookups(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Question>,
    is_asking: bool,
}

struct Question {
    key_hmac: Vec<u8>,
    reply: oneshot::Sender<LookupAnswer>,
}

impl KeyLookups {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a question. Is nobody asking, so that the caller has to?
    fn add(&self, question: Question) -> bool {
        let mut state = self.state();
        state.waiting.push_back(question);
        !std::mem::replace(&mut state.is_asking, true)
    }

    /// The next questions; without any, asking ends.
    fn next(&self) -> Option<Vec<Question>> {
        let mut state = self.state();
        let count = state.waiting.len().min(Sixteen::MOST);
        state.is_asking = count > 0;
        (count > 0).then(|| state.waiting.drain(..count).collect())
    }
}

/// Whoever asks may be ended half-way: the next question begins it again.
struct Asking<'e>(&'e KeyLookups);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.state().is_asking = false;
    }
}

/// Whose API key is this?
pub async fn lookup_key(exchange: &Exchange, key: &str) -> LookupAnswer {
    if !looks_like_api_key(key) {
        return LookupAnswer::KeyUnknown;
    }
    let (reply, answer) = oneshot::channel();
    if exchange.key_lookups.add(Question { key_hmac: exchange.secrets.api_key_hmac(key), reply }) {
        // A task of its own: the one that asked first goes on when it has its answer.
        let exchange = exchange.clone();
        tokio::spawn(async move { ask(&exchange).await });
    }
    answer.await.unwrap_or(LookupAnswer::Failed)
}

/// Answers until nothing waits.
async fn ask(exchange: &Exchange) {
    let asking = Asking(&exchange.key_lookups);
    while let Some(questions) = exchange.key_lookups.next() {
        let (hmacs, replies): (Vec<_>, Vec<_>) = questions.into_iter().map(|one| (one.key_hmac, one.reply)).unzip();
        let answers = find(exchange, &hmacs).await.unwrap_or_else(|error| {
            tracing::error!("{} look-ups of keys failed: {error}", hmacs.len());
            vec![LookupAnswer::Failed; hmacs.len()]
        });
        for (reply, answer) in replies.into_iter().zip(answers) {
            // Who asked may be gone.
            let _ = reply.send(answer);
        }
    }
    // Ended already, and perhaps begun again by somebody else.
    std::mem::forget(asking);
}

async fn find(exchange: &Exchange, hmacs: &[Vec<u8>]) -> Result<Vec<LookupAnswer>> {
    let mut conn = exchange.db.read().acquire().await?;
    if let [hmac] = hmacs {
        return Ok(vec![answer(store::by_key(&mut conn, hmac.clone()).await?.as_ref())]);
    }
    let found = store::by_keys(&mut conn, hmacs).await?;
    Ok(hmacs.iter().map(|hmac| answer(found.get(hmac))).collect())
}

fn answer(account: Option<&Account>) -> LookupAnswer {
    match account {
        None => LookupAnswer::KeyUnknown,
        Some(account) => LookupAnswer::Key { agent: account.agent, key_gen: account.key_gen, blocked: account.blocked },
    }
}

//! An agent's line: dialled, held, dialled again. A tokio shell around the protocol machine of `landline_wire`.

mod answer;
mod answers;
mod body;
mod calls;
mod connection;
mod dial;
mod frames;
mod intake;
mod outgoing;
mod sending;
mod supervisor;
mod types;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use landline_wire::limits;
use landline_wire::session::client::Ready;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::trust::Trust;
pub use answer::{Refusal, Reply, Streamed};
pub use body::Body;
use dial::Target;
pub use outgoing::{CallParts, Caller, LineCall};
use supervisor::Supervisor;
use types::Commands;
pub use types::{CallError, Ending, LineState, Request, Response};

/// How to hold a line.
#[derive(Clone)]
pub struct LineSettings {
    /// Base URL of the server, such as `https://relay.example`.
    pub url: String,
    /// Whom to trust to be that server, for `https`.
    pub trust: Trust,
    /// API prefix.
    pub prefix: String,
    /// API key or token.
    pub token: String,
    /// Name and version of the program, as the relay sees it.
    pub client: String,
    /// Calls that are answered at the same time; one more is refused with the code `overloaded`.
    pub max_in_flight: usize,
    /// Calls of our own that may be open at the same time; one more waits.
    pub max_calls: usize,
}

impl LineSettings {
    /// The defaults for a server and a credential.
    pub fn new(url: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            trust: Trust::platform(),
            prefix: "/connect".into(),
            token: token.into(),
            client: crate::CLIENT_NAME.into(),
            max_in_flight: limits::MAX_IN_FLIGHT,
            max_calls: limits::MAX_IN_FLIGHT_PER_CALLER,
        }
    }
}

impl std::fmt::Debug for LineSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineSettings").field("url", &self.url).field("client", &self.client).finish_non_exhaustive()
    }
}

/// A line that is being held by a task of its own. Dropped, it is cut; see [`Line::leave`] for the polite way.
#[derive(Debug)]
pub struct Line {
    state: watch::Receiver<LineState>,
    caller: Caller,
    leave: Option<oneshot::Sender<Duration>>,
    task: JoinHandle<()>,
}

impl Line {
    /// Begins to hold a line: dials, answers calls with `handler`, and dials again with full jitter (0.5–30 s) after a
    /// loss, but not after a close code that says that a person has to act (4000, 4003, 4010, 4403).
    ///
    /// The handler runs once per call, at most `max_in_flight` at a time, as soon as the call begins: its [`Body`] may
    /// still be on its way. It gives a [`Response`], an answer in parts ([`Streamed`]), a [`Refusal`], a [`Reply`] that is
    /// one of them, or a `Result`. It, and the body that it gave, are dropped when the caller leaves. One that panics costs its own call only. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`Error::BadUrl`].
    pub fn dial<H, F>(settings: LineSettings, handler: H) -> Result<Self, Error>
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output: Into<Reply>> + Send + 'static,
    {
        let target = Target::parse(&settings.url, &settings.trust)?;
        let (state_sender, state) = watch::channel(LineState::Dialling);
        let commands = Arc::new(Commands::new(settings.max_calls));
        let caller = Caller { commands: commands.clone(), state: state.clone() };
        let (leave, left) = oneshot::channel();
        let handler = Arc::new(handler);
        // Called within the call's own task: one that panics before its first await costs its own call only, too.
        let handler = Arc::new(move |request| -> types::Answering {
            let handler = handler.clone();
            Box::pin(async move { handler(request).await.into() })
        });
        let supervisor = Supervisor { settings, target, handler, caller: caller.clone(), state: state_sender };
        let task = tokio::spawn(supervisor.run(left));
        Ok(Self { state, caller, leave: Some(leave), task })
    }

    /// Waits until the line is up.
    ///
    /// # Errors
    /// The line ended for good before it was ever up.
    pub async fn ready(&mut self) -> Result<Ready, Ending> {
        loop {
            match &*self.state.borrow_and_update() {
                LineState::Up(ready) => return Ok(ready.clone()),
                LineState::Ended(ending) => return Err(ending.clone()),
                LineState::Dialling | LineState::Waiting { .. } => {}
            }
            if self.state.changed().await.is_err() {
                return Err(Ending::Left);
            }
        }
    }

    /// Waits for the line's end: it comes when dialling again would be useless.
    pub async fn ended(&mut self) -> Ending {
        loop {
            if let LineState::Ended(ending) = &*self.state.borrow_and_update() {
                return ending.clone();
            }
            if self.state.changed().await.is_err() {
                return Ending::Left;
            }
        }
    }

    /// What the line is doing, now and from now on.
    pub fn state(&self) -> watch::Receiver<LineState> {
        self.state.clone()
    }

    /// A handle to call others over this line.
    pub fn caller(&self) -> Caller {
        self.caller.clone()
    }

    /// Leaves: no new calls are taken, those in flight may finish within the deadline, then the line closes (1000).
    pub async fn leave(mut self, deadline: Duration) {
        if let Some(leave) = self.leave.take() {
            let _ = leave.send(deadline);
        }
        let _ = self.ended().await;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;

//! Who takes part: agents of a relay, or on NATS those who subscribe to a subject of their own.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, ensure};

use super::source_address;
use crate::agents::{self, Agent};
use crate::args::Server;
use crate::http::Origin;
use crate::line::{self, Ended, Relay};
use crate::load::callee;
use crate::measure::Recorder;
use crate::nats::{self, connection::Client, subject};
use crate::random;

/// One of them, whether its line is up or not.
#[derive(Clone)]
pub(super) enum End {
    /// An agent of a relay.
    Agent(Arc<Relay>, Agent),
    /// A subscriber of this name on a NATS server.
    Subscriber(SocketAddr, String),
}

/// What an end's line is for. A relay makes no difference; on NATS it decides about the subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is held, and answers nothing; messages may come to it.
    Silent,
    /// It answers calls.
    Callee,
    /// It calls.
    Caller,
}

/// Gives `work` so many ends: agents that are registered for it, or subscribers.
///
/// # Errors
/// The agents could not be registered, or the work failed.
pub(super) fn with_ends<T>(
    server: &Server,
    count: usize,
    work: impl FnOnce(&[End]) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if let Some(addr) = server.nats {
        // No two runs use the same subjects.
        let run: String = random::secret::<4>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let ends: Vec<_> = (0..count).map(|number| End::Subscriber(addr, format!("{run}.{number}"))).collect();
        return work(&ends);
    }
    let origin = Origin::of(&server.relay)?;
    let relay = Arc::new(Relay { origin: origin.clone(), prefix: server.relay.prefix.clone() });
    agents::with_agents(&origin, &server.relay, count, |agents| {
        let ends: Vec<_> = agents.iter().map(|agent| End::Agent(relay.clone(), agent.clone())).collect();
        work(&ends)
    })
}

impl End {
    /// What it is called by: its id, or its subject.
    pub(super) fn called(&self) -> String {
        match self {
            Self::Agent(_, agent) => agent.id.to_string(),
            Self::Subscriber(_, name) => subject::of(name),
        }
    }

    /// The loopback address with this number, if the server is reached on one.
    pub(super) fn source(&self, number: usize) -> Option<IpAddr> {
        match self {
            Self::Agent(relay, _) => source_address(relay.origin.addr, number),
            Self::Subscriber(addr, _) => source_address(*addr, number),
        }
    }

    /// Brings its line up.
    ///
    /// # Errors
    /// Refused, or it took too long.
    pub(super) async fn dial(&self, role: Role, source: Option<IpAddr>) -> anyhow::Result<Line> {
        match self {
            Self::Agent(relay, agent) => {
                line::Line::dial(relay, agent, source).await.map(|line| Line::Agent(Box::new(line)))
            }
            Self::Subscriber(addr, name) => {
                let subjects = match role {
                    Role::Silent => vec![subject::of(name)],
                    Role::Callee => subject::of_callee(name).into(),
                    Role::Caller => vec![format!("{}.>", subject::inbox(name))],
                };
                let client = Client::dial(*addr, source, &subjects).await?;
                Ok(Line::Subscriber(Box::new(client), name.clone()))
            }
        }
    }

    /// The same for a line that carries calls; says who could not.
    pub(super) async fn open(&self, role: Role, who: &'static str, recorder: &Recorder) -> anyhow::Result<Halves> {
        ensure!(!recorder.window().is_over(), "ended before all lines were up");
        Ok(self.dial(role, None).await.context(who)?.split())
    }
}

/// A line that is up, whole.
pub(super) enum Line {
    /// An agent's.
    Agent(Box<line::Line>),
    /// A subscriber's connection, and its name.
    Subscriber(Box<Client>, String),
}

impl Line {
    /// Stays up until it ends. `answered` is called for each heartbeat that was answered.
    ///
    /// # Errors
    /// The connection was lost.
    pub(super) async fn stay(&mut self, answered: impl FnMut()) -> anyhow::Result<Ended> {
        match self {
            Self::Agent(line) => line.stay(answered).await,
            Self::Subscriber(client, _) => client.stay(answered).await.map(|never| match never {}),
        }
    }

    /// Ends it without a farewell, and waits until its descriptor is free again.
    pub(super) async fn cut(self) {
        match self {
            Self::Agent(line) => line.cut().await,
            Self::Subscriber(client, _) => client.cut().await,
        }
    }

    /// Its two halves, to carry calls.
    pub(super) fn split(self) -> Halves {
        match self {
            Self::Agent(line) => {
                let (reader, wire) = line.split();
                Halves::Agent(reader, wire)
            }
            Self::Subscriber(client, name) => {
                let (reader, wire) = client.split();
                Halves::Subscriber(reader, wire, name)
            }
        }
    }
}

/// A line that carries calls.
pub(super) enum Halves {
    /// An agent's.
    Agent(line::Reader, Rc<line::Wire>),
    /// A subscriber's, and its name.
    Subscriber(nats::connection::Reader, Rc<nats::connection::Wire>, String),
}

impl Halves {
    /// Answers calls until the line ends.
    ///
    /// # Errors
    /// The line ended.
    pub(super) async fn serve(self) -> anyhow::Result<()> {
        match self {
            Self::Agent(reader, wire) => callee::serve(reader, wire).await,
            Self::Subscriber(reader, wire, name) => nats::callee::serve(&subject::of(&name), reader, wire).await,
        }
    }

    /// What ends it while it serves.
    pub(super) fn hook(&self) -> Hook {
        match self {
            Self::Agent(_, wire) => Hook::Agent(wire.clone()),
            Self::Subscriber(_, wire, _) => Hook::Subscriber(wire.clone()),
        }
    }
}

/// Where a line that serves is hung up.
pub(super) enum Hook {
    /// An agent's.
    Agent(Rc<line::Wire>),
    /// A subscriber's.
    Subscriber(Rc<nats::connection::Wire>),
}

impl Hook {
    /// Ends the line in good order.
    pub(super) fn hang_up(&self) {
        match self {
            Self::Agent(wire) => wire.close(),
            Self::Subscriber(wire) => wire.close(),
        }
    }
}

//! Many silent lines: how they are opened and held, for `idle`, `storm` and `mixed`.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use crate::agents::Agent;
use crate::line::{Line, Relay};
use crate::measure::Recorder;
use crate::nats::connection::{self, Reader};

/// Lines that one thread opens at the same time: below what a server takes from one address.
const OPENERS: usize = 48;

/// Does `open` for every one of a thread's lines, some at a time, and waits until all are done.
pub(super) async fn for_each<T, F>(lines: Vec<T>, open: impl Fn(T) -> F + 'static)
where
    T: 'static,
    F: Future<Output = ()> + 'static,
{
    let (lines, open) = (Rc::new(RefCell::new(lines.into_iter())), Rc::new(open));
    let openers: Vec<_> = (0..OPENERS)
        .map(|_| {
            let (lines, open) = (lines.clone(), open.clone());
            monoio::spawn(async move {
                loop {
                    let Some(line) = lines.borrow_mut().next() else { return };
                    open(line).await;
                }
            })
        })
        .collect();
    for opener in openers {
        opener.await;
    }
}

/// The source of a line: each address has the same number of them.
pub(super) fn source(server: SocketAddr, line: usize, sources: usize) -> Option<IpAddr> {
    super::source_address(server, line % sources)
}

/// What a silent line is opened for.
#[derive(Clone)]
pub(super) enum End {
    /// An agent of a relay.
    Agent(Rc<Relay>, Agent),
    /// A subscription of its own on a NATS server.
    Subscription(SocketAddr),
}

/// A silent line of either kind.
enum Silent {
    Line(Box<Line>),
    Connection(Reader),
}

impl End {
    async fn dial(&self, line: usize, sources: usize) -> anyhow::Result<Silent> {
        match self {
            Self::Agent(relay, agent) => {
                let source = source(relay.origin.addr, line, sources);
                Line::dial(relay, agent, source).await.map(Box::new).map(Silent::Line)
            }
            Self::Subscription(addr) => {
                let subject = format!("loadgen.idle.{}.{line}", std::process::id());
                let (reader, _) = connection::dial(*addr, source(*addr, line, sources), Some(&subject)).await?;
                Ok(Silent::Connection(reader))
            }
        }
    }
}

/// Opens silent lines, each with its number, and keeps them. Gives how many are up, now and later.
pub(super) async fn hold(lines: Vec<(usize, End)>, sources: usize, recorder: &Recorder) -> Rc<Cell<usize>> {
    let up = Rc::new(Cell::new(0));
    let (counted, recorder) = (up.clone(), recorder.clone());
    for_each(lines, move |(number, end)| {
        let (up, recorder) = (counted.clone(), recorder.clone());
        async move {
            if recorder.window().is_over() {
                return;
            }
            match end.dial(number, sources).await {
                Ok(line) => drop(monoio::spawn(stay(line, up, recorder))),
                Err(error) => recorder.failed_with("a dial", &error),
            }
        }
    })
    .await;
    up
}

async fn stay(line: Silent, up: Rc<Cell<usize>>, recorder: Recorder) {
    up.set(up.get() + 1);
    recorder.lines(1);
    let answered = || recorder.count("heartbeats", 1);
    let ended = match line {
        Silent::Line(mut line) => match line.stay(answered).await {
            Ok(ended) => Err(anyhow::anyhow!("closed with {}", ended.code.unwrap_or(1005))),
            Err(error) => Err(error),
        },
        Silent::Connection(mut reader) => reader.stay(answered).await,
    };
    if let Err(error) = ended {
        recorder.failed_with("an idle line", &error);
    }
    recorder.lines(-1);
    up.set(up.get() - 1);
}

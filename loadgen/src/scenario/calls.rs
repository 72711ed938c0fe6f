//! Callers and callees. Each callee echoes what it is asked; each caller keeps so many calls in flight and checks every
//! answer.

use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, bail};
use bytes::BytesMut;
use landline_wire::frame::{Call, Frame, Response, decode};

use crate::agents::{self, Agent};
use crate::args::{CallsArgs, Via};
use crate::connection::Connection;
use crate::http::{Answer, Origin, post};
use crate::line::Line;
use crate::measure::{self, Recorder, Tally};
use crate::report::Calls;
use crate::{runtime, scenario};

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered or brought up.
pub fn run(args: &CallsArgs) -> anyhow::Result<Calls> {
    let shape = &args.shape;
    let origin = Origin::of(&args.target)?;
    let agents = agents::obtain(&origin, &args.target, 2 * shape.pairs)?;
    let outcome = measure::run(shape.threads, shape.warmup, shape.seconds, shape.server_pid, |number, recorder| {
        let pairs: Vec<_> = scenario::share(shape.pairs, number, shape.threads)
            .map(|pair| (agents[2 * pair].clone(), agents[2 * pair + 1].clone()))
            .collect();
        runtime::run(load(Rc::new(args.clone()), Rc::new(origin.clone()), pairs, recorder))?
    })?;
    let via = if args.via == Via::Ws { "ws" } else { "http" };
    Ok(Calls::new(via, shape.pairs, shape.in_flight, shape.size, outcome))
}

async fn load(
    args: Rc<CallsArgs>,
    origin: Rc<Origin>,
    pairs: Vec<(Agent, Agent)>,
    recorder: Recorder,
) -> anyhow::Result<Tally> {
    let prefix = &args.target.prefix;
    let body: Rc<[u8]> = (0..args.shape.size).map(|n| b'a' + (n % 26) as u8).collect();
    let mut callers = Vec::new();
    for (caller, callee) in pairs {
        let line = Line::dial(&origin, prefix, &callee, None).await.context("a callee's dial")?;
        watch(recorder.clone(), "a callee", echo(line));
        match args.via {
            Via::Ws => callers.push((Some(Line::dial(&origin, prefix, &caller, None).await?), caller, callee)),
            Via::Http => callers.push((None, caller, callee)),
        }
    }
    // Callers start when every line is up, so that none calls an agent that is not there yet.
    for (number, (line, caller, callee)) in callers.into_iter().enumerate() {
        // Many connections, but not all from one address: no bound per address is meant here.
        let source = scenario::source_address(&origin, number);
        let to = callee.id.to_string();
        if let Some(line) = line {
            let caller = WsCaller { to, body: body.clone(), started: vec![None; args.shape.in_flight], sent: 0 };
            watch(recorder.clone(), "a caller", caller.run(line, recorder.clone()));
            continue;
        }
        let path = format!("{prefix}/relay/{to}");
        let request: Rc<[u8]> =
            post(&origin.host, &path, Some(&caller.api_key), "application/octet-stream", &body).into();
        for _ in 0..args.shape.in_flight {
            let stream = Connection::open(&origin, source)?;
            let call = http_caller(stream, request.clone(), body.clone(), recorder.clone());
            watch(recorder.clone(), "a caller", call);
        }
    }
    Ok(recorder.until_over().await)
}

/// Runs a loop that should never end; its end is an error of the run.
fn watch(recorder: Recorder, who: &'static str, task: impl Future<Output = anyhow::Result<()>> + 'static) {
    monoio::spawn(async move {
        if let Err(error) = task.await {
            recorder.failed(format_args!("{who} ended: {error:#}"));
        }
    });
}

/// Answers every request with its own body.
async fn echo(mut line: Line) -> anyhow::Result<()> {
    loop {
        let message = line.recv().await?;
        match decode(&message).map_err(|why| anyhow::anyhow!("{why}"))? {
            Frame::Request(request) => {
                line.send(&Frame::Response(Response { id: request.id, body: request.body, ..Response::default() }));
            }
            Frame::Cancel { .. } | Frame::Drain { .. } => {}
            other => bail!("{other:?} to a callee"),
        }
    }
}

struct WsCaller {
    to: String,
    body: Rc<[u8]>,
    /// When the call of each slot began, and its id.
    started: Vec<Option<(u64, Instant)>>,
    sent: u64,
}

impl WsCaller {
    async fn run(mut self, mut line: Line, recorder: Recorder) -> anyhow::Result<()> {
        for slot in 0..self.started.len() {
            self.call(slot, &mut line);
        }
        loop {
            let message = line.recv().await?;
            match decode(&message).map_err(|why| anyhow::anyhow!("{why}"))? {
                Frame::Response(response) => {
                    let (slot, start) = self.finish(response.id)?;
                    if response.status.is_none_or(|status| status == 200) && response.body == &self.body[..] {
                        recorder.answered(start);
                    } else {
                        recorder.failed(format_args!("a wrong answer, status {:?}", response.status));
                    }
                    self.call(slot, &mut line);
                }
                Frame::Error(error) => {
                    recorder.failed(format_args!("{}: {}", error.code, error.detail.unwrap_or("no detail")));
                    let (slot, _) = self.finish(error.id.context("the session failed")?)?;
                    self.call(slot, &mut line);
                }
                Frame::Drain { .. } => {}
                other => bail!("{other:?} to a caller"),
            }
        }
    }

    fn call(&mut self, slot: usize, line: &mut Line) {
        // Ids are odd, never used twice, and name their slot.
        let id = 2 * (self.sent * self.started.len() as u64 + slot as u64) + 1;
        self.sent += 1;
        self.started[slot] = Some((id, Instant::now()));
        line.send(&Frame::Call(Call { id, to: &self.to, body: &self.body, ..Call::default() }));
    }

    fn finish(&mut self, id: u64) -> anyhow::Result<(usize, Instant)> {
        let slot = (id / 2) as usize % self.started.len();
        match self.started[slot].take() {
            Some((open, start)) if open == id => Ok((slot, start)),
            _ => bail!("an answer to call {id}, which is not open"),
        }
    }
}

async fn http_caller(
    mut stream: Connection,
    request: Rc<[u8]>,
    body: Rc<[u8]>,
    recorder: Recorder,
) -> anyhow::Result<()> {
    let (mut buf, mut out) = (BytesMut::new(), BytesMut::new());
    loop {
        let start = Instant::now();
        out.extend_from_slice(&request);
        let (result, back) = stream.write(out).await;
        result?;
        out = back;
        let mut answer = Answer::default();
        let (status, answer) = loop {
            if let Some(done) = answer.take(&mut buf)? {
                break done;
            }
            let (result, back) = stream.read(buf, 0).await;
            buf = back;
            result?;
        };
        if status == 200 && answer[..] == body[..] {
            recorder.answered(start);
        } else {
            recorder.failed(format_args!("status {status}: {}", String::from_utf8_lossy(&answer)));
        }
    }
}

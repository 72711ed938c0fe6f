//! Readers that stop reading: what the others notice. The same traffic is measured without them and with them.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use bytes::BytesMut;
use landline_wire::frame::{Call, Frame, decode};

use super::check_descriptors;
use super::traffic::{self, Traffic, dial, pairs_of};
use crate::agents::{self, Agent};
use crate::args::{SlowArgs, Via};
use crate::connection::Connection;
use crate::http::{Origin, request};
use crate::line::{Reader, Relay, Wire};
use crate::load::script::{Ask, Wanted};
use crate::load::{callee, watch};
use crate::measure::{self, Outcome, Recorder};
use crate::report::Report;
use crate::runtime;
use crate::stats::Tally;

/// An answer that nobody reads to its end.
const ENDLESS: Wanted = Wanted::Parts { count: 1 << 20, bytes: 16 << 10, gap_ms: 0 };
/// Bytes of a call that nobody reads.
const UNREAD_BYTES: usize = 16 << 10;
/// Time between calls to an agent that does not read.
const UNREAD_STEP: Duration = Duration::from_millis(5);

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered or brought up.
pub fn run(args: &SlowArgs) -> anyhow::Result<Report> {
    let shape = &args.shape;
    check_descriptors(2 * shape.pairs + 2 * args.slow)?;
    let origin = Origin::of(&args.server)?;
    let relay = Relay { origin: origin.clone(), prefix: args.server.prefix.clone() };
    let traffic = Traffic {
        relay,
        via: Via::Ws,
        asks: vec![Ask::new(shape.size, Wanted::Echo)],
        in_flight: shape.in_flight,
        open: Some(&args.open),
        run: &args.run,
    };
    let (without, with) = agents::with_agents(&origin, &args.server, 2 * (shape.pairs + args.slow), |agents| {
        let (pairs, slow) = agents.split_at(2 * shape.pairs);
        let measure = |slow: &[Agent]| {
            measure::run(&args.run, |number, recorder| {
                let threads = args.run.threads;
                let (pairs, slow) = (pairs_of(pairs, number, threads), pairs_of(slow, number, threads));
                runtime::run(load(&traffic, pairs, slow, number, recorder))?
            })
        };
        Ok((measure(&[])?, measure(slow)?))
    })?;
    Ok(report(args, &without, &with))
}

async fn load(
    traffic: &Traffic<'_>,
    pairs: Vec<(usize, Agent, Agent)>,
    slow: Vec<(usize, Agent, Agent)>,
    number: usize,
    recorder: Recorder,
) -> anyhow::Result<Tally> {
    let provoked = recorder.aside();
    for (reader, one, other) in slow {
        if reader % 2 == 0 {
            leave_a_stream_unread(&traffic.relay, one, other, &recorder, &provoked).await?;
        } else {
            leave_calls_unread(&traffic.relay, &one, &other, &recorder, &provoked).await?;
        }
    }
    let mut tally = traffic.load(pairs, number, recorder).await?;
    provoked.until_settled().await;
    let provoked = provoked.take();
    tally.calls.merge(provoked.calls);
    tally.provoked.merge(provoked.errors);
    for (name, number) in provoked.counts {
        *tally.counts.entry(name).or_default() += number;
    }
    Ok(tally)
}

/// An HTTP caller asks for an endless answer, reads its beginning and no more.
async fn leave_a_stream_unread(
    relay: &Relay,
    caller: Agent,
    feeder: Agent,
    recorder: &Recorder,
    provoked: &Recorder,
) -> anyhow::Result<()> {
    let (reader, wire) = dial(relay, &feeder, "a feeder's dial", recorder).await?;
    watch(provoked, "a feeder", callee::serve(reader, wire));
    let path = format!("{}/relay/{}{}", relay.prefix, feeder.id, ENDLESS.path().unwrap_or_default());
    let out = request("POST", &relay.origin.host, &path, Some(&caller.api_key), "application/octet-stream", &[]);
    let mut stream = Connection::open(&relay.origin, None).await.context("a slow caller")?;
    stream.write(BytesMut::from(&out[..])).await.0?;
    provoked.sent();
    let left = Left(provoked.clone());
    let (result, buf) = stream.read(BytesMut::new(), 0).await;
    result.context("a slow caller's answer")?;
    anyhow::ensure!(buf.starts_with(b"HTTP/1.1 200"), "a slow caller was refused: {}", String::from_utf8_lossy(&buf));
    hold((stream, left), recorder.clone());
    Ok(())
}

/// A call that its caller leaves: it has ended when this is dropped.
struct Left(Recorder);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.ended(Some("left by its caller"));
    }
}

/// An agent that is called again and again and reads nothing.
async fn leave_calls_unread(
    relay: &Relay,
    caller: &Agent,
    callee: &Agent,
    recorder: &Recorder,
    provoked: &Recorder,
) -> anyhow::Result<()> {
    hold(dial(relay, callee, "a slow agent's dial", recorder).await?, recorder.clone());
    let (reader, wire) = dial(relay, caller, "a slow agent's caller", recorder).await?;
    watch(provoked, "a slow agent's caller", take_refusals(reader, provoked.clone()));
    monoio::spawn(call_on(wire, callee.id.to_string(), provoked.clone()));
    Ok(())
}

async fn take_refusals(mut reader: Reader, provoked: Recorder) -> anyhow::Result<()> {
    loop {
        let message = reader.recv().await?;
        match decode(&message) {
            Ok(Frame::Error(error)) if error.id.is_some() => {
                provoked.ended(Some(error.code));
                provoked.failed(error.code, || error.detail.unwrap_or("no detail").to_owned());
            }
            Ok(Frame::Response(_)) => provoked.ended(None),
            _ => {}
        }
    }
}

async fn call_on(wire: Rc<Wire>, to: String, provoked: Recorder) {
    let body = vec![b'x'; UNREAD_BYTES];
    for id in (1..).step_by(2) {
        if provoked.window().is_over() {
            return;
        }
        wire.send(&Frame::Call(Call { id, to: &to, body: &body, ..Call::default() }));
        wire.flush();
        provoked.sent();
        provoked.count("unread_calls", 1);
        monoio::time::sleep(UNREAD_STEP).await;
    }
}

/// Keeps something open and untouched until the run is over.
fn hold<T: 'static>(what: T, recorder: Recorder) {
    recorder.lines(1);
    monoio::spawn(async move {
        let _what = what;
        while !recorder.window().is_over() {
            monoio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

fn report(args: &SlowArgs, without: &Outcome, with: &Outcome) -> Report {
    let shape = &args.shape;
    let per_s = |outcome: &Outcome| outcome.tally.latencies.count() as f64 / outcome.elapsed.as_secs_f64();
    let p50 = |outcome: &Outcome| outcome.tally.latencies.quantile(0.5) as f64;
    let p99 = |outcome: &Outcome| outcome.tally.latencies.quantile(0.99) as f64;
    let ratio = |value: &dyn Fn(&Outcome) -> f64| {
        let before = value(without);
        (before > 0.0).then(|| value(with) / before)
    };
    let mut report = Report::new("slow");
    report.put("via", "ws");
    report.put("pairs", shape.pairs);
    report.put("in_flight", shape.in_flight);
    report.put("size", shape.size);
    report.put("slow", args.slow);
    traffic::report_rate(&mut report, &args.open, &with.tally);
    report.put("without_calls_per_s", per_s(without));
    report.times("without", &without.tally.latencies);
    report.failures("without_", &without.tally.errors);
    report.calls("without_", &without.tally.calls);
    report.answers("calls", with);
    report.put("calls_per_s_ratio", ratio(&per_s));
    report.put("p50_ratio", ratio(&p50));
    report.put("p99_ratio", ratio(&p99));
    report.put("unread_calls", with.tally.number("unread_calls"));
    report.failures("provoked_", &with.tally.provoked);
    report.put("without_server_rss_bytes", without.server.map(|used| used.rss_end));
    report.server(with, 2 * with.tally.latencies.count());
    report.end(with, &args.run);
    report
}

//! Readers that stop reading: what the others notice. The same traffic is measured without them and with them.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::BytesMut;

use super::check_descriptors;
use super::ends::{End, Halves, Role, with_ends};
use super::traffic::{self, Callers, Traffic, pairs_of, via_name};
use crate::agents::Agent;
use crate::args::{SlowArgs, Via};
use crate::connection::Connection;
use crate::http::request;
use crate::line::Relay;
use crate::load::script::{Ask, Peer, Script, Wanted};
use crate::load::slots::Intake;
use crate::load::watch;
use crate::measure::{self, Outcome, Recorder};
use crate::nats::subject;
use crate::pace::Schedule;
use crate::random::Choices;
use crate::report::Report;
use crate::runtime;
use crate::stats::Tally;

/// An answer that nobody reads to its end.
const ENDLESS: Wanted = Wanted::Parts { count: 1 << 20, bytes: 16 << 10, gap_ms: 0 };
/// Bytes of a call that nobody reads.
const UNREAD_BYTES: usize = 16 << 10;
/// Calls a second to an agent that does not read.
const UNREAD_RATE: f64 = 200.0;
/// Such calls that may be on their way: more than are made until a server, or patience, ends the first.
const UNREAD_IN_FLIGHT: usize = 1024;

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered or brought up.
pub fn run(args: &SlowArgs) -> anyhow::Result<Report> {
    let shape = &args.shape;
    check_descriptors(2 * shape.pairs + 2 * args.slow)?;
    let traffic = Traffic {
        via: Via::Ws,
        asks: vec![Ask::new(shape.size, Wanted::Echo)],
        in_flight: shape.in_flight,
        open: Some(&args.open),
        run: &args.run,
    };
    let (without, with) = with_ends(&args.server, 2 * (shape.pairs + args.slow), |ends| {
        let (pairs, slow) = ends.split_at(2 * shape.pairs);
        let measure = |slow: &[End]| {
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
    pairs: Vec<(usize, End, End)>,
    slow: Vec<(usize, End, End)>,
    number: usize,
    recorder: Recorder,
) -> anyhow::Result<Tally> {
    let (streams, calls) = (recorder.aside(), recorder.aside());
    for (reader, one, other) in slow {
        if reader % 2 == 0 {
            leave_a_stream_unread(&one, &other, &recorder, &streams).await?;
        } else {
            leave_calls_unread(&one, &other, &recorder, &calls).await?;
        }
    }
    let mut tally = traffic.load(pairs, number, recorder).await?;
    for aside in [&streams, &calls] {
        aside.until_settled().await;
    }
    let calls = calls.take();
    tally.counts.insert("unread_calls", calls.calls.sent);
    for aside in [streams.take(), calls] {
        tally.calls.merge(aside.calls);
        tally.provoked.merge(aside.errors);
    }
    Ok(tally)
}

/// A caller asks for an endless answer, reads its beginning and no more.
async fn leave_a_stream_unread(
    caller: &End,
    feeder: &End,
    recorder: &Recorder,
    aside: &Recorder,
) -> anyhow::Result<()> {
    let line = feeder.open(Role::Callee, "a feeder's dial", recorder).await?;
    watch(aside, "a feeder", line.serve());
    let to = feeder.called();
    match caller {
        End::Agent(relay, agent) => {
            let begun = begin_over_http(relay, agent, &to).await.context("a slow caller")?;
            hold((begun, Left::sent(aside)), recorder.clone());
        }
        End::Subscriber(_, name) => {
            let line = caller.open(Role::Caller, "a slow caller's dial", recorder).await?;
            let Halves::Subscriber(mut reader, wire, _) = line else { anyhow::bail!("a subscriber without one") };
            let to = subject::of_call(&to, &ENDLESS.path().unwrap_or_default());
            wire.publish(&to, Some(&format!("{}.1", subject::inbox(name))), &[]);
            wire.flush();
            let first = reader.recv().await.context("a slow caller's answer")?;
            ensure!(first.status.is_none(), "a slow caller was refused: {:?}", first.status);
            hold((reader, wire, Left::sent(aside)), recorder.clone());
        }
    }
    Ok(())
}

/// Only HTTP callers can be slow with a relay's streams: a line's own are bound by their credit.
async fn begin_over_http(relay: &Relay, caller: &Agent, to: &str) -> anyhow::Result<Connection> {
    let path = format!("{}/relay/{to}{}", relay.prefix, ENDLESS.path().unwrap_or_default());
    let out = request("POST", &relay.origin.host, &path, Some(&caller.api_key), "application/octet-stream", &[]);
    let mut stream = Connection::open(&relay.origin, None).await?;
    stream.write(BytesMut::from(&out[..])).await.0?;
    let (result, buf) = stream.read(BytesMut::new(), 0).await;
    result?;
    ensure!(buf.starts_with(b"HTTP/1.1 200"), "refused: {}", String::from_utf8_lossy(&buf));
    Ok(stream)
}

/// A call that its caller leaves: it has ended when this is dropped.
struct Left(Recorder);

impl Left {
    fn sent(recorder: &Recorder) -> Self {
        recorder.sent();
        Self(recorder.clone())
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        self.0.ended(Some("left by its caller"));
    }
}

/// An agent that is called again and again and reads nothing. Those calls are counted aside.
async fn leave_calls_unread(caller: &End, callee: &End, recorder: &Recorder, aside: &Recorder) -> anyhow::Result<()> {
    hold(callee.open(Role::Callee, "a slow agent's dial", recorder).await?, recorder.clone());
    let line = caller.open(Role::Caller, "a slow agent's caller", recorder).await?;
    let asks: Rc<[Ask]> = [Ask::new(UNREAD_BYTES, Wanted::Echo)].into();
    let script = Script::new(vec![Peer::up(callee.called())], asks, Choices::new(0, 0));
    let mut callers = Callers::default();
    callers.begin(line, script, UNREAD_IN_FLIGHT, Intake::open(), aside);
    callers.keep_to(Schedule::even(UNREAD_RATE, 0.0), aside);
    Ok(())
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
    report.put("via", via_name(&args.server, Via::Ws));
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

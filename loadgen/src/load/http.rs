//! Calls over HTTP: one kept connection per call in flight.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::caller::{PAUSE, note_answer, note_failure, note_part};
use super::script::{Open, Script};
use super::slots::Intake;
use crate::agents::Agent;
use crate::connection::Connection;
use crate::http::{Answer, Piece, refusal, request};
use crate::line::Relay;
use crate::measure::Recorder;

/// One caller's connections share when calls begin.
pub struct HttpCaller {
    relay: Arc<Relay>,
    agent: Agent,
    source: Option<IpAddr>,
    intake: Rc<Intake>,
    recorder: Recorder,
}

/// A connection with its buffers.
struct Live {
    stream: Connection,
    buf: BytesMut,
    out: BytesMut,
    /// When it was last of use.
    used: Instant,
}

/// Rest after which a connection is not used again but made anew: servers close theirs when they rested for long, the
/// switch after 75 s, and a request that crosses with that is lost (RFC 9112 section 9.5).
const MOST_REST: Duration = Duration::from_secs(50);

impl HttpCaller {
    /// A caller that calls as this agent.
    pub fn new(
        relay: Arc<Relay>,
        agent: Agent,
        source: Option<IpAddr>,
        intake: Rc<Intake>,
        recorder: Recorder,
    ) -> Rc<Self> {
        Rc::new(Self { relay, agent, source, intake, recorder })
    }

    /// One connection: calls until the run is over, and connects again when it is cut.
    ///
    /// # Errors
    /// The first connection cannot be made.
    pub async fn run(self: Rc<Self>, mut script: Script) -> anyhow::Result<()> {
        let mut requests = HashMap::new();
        let mut connection = Some(self.connect().await?);
        loop {
            let start = self.intake.wait().await;
            if self.recorder.window().is_over() {
                return Ok(());
            }
            let mut open = script.next(start);
            let request = requests.entry((open.ask, open.peer)).or_insert_with(|| self.request(&script, &open));
            if connection.as_ref().is_some_and(|live| live.used.elapsed() > MOST_REST) {
                connection = self.connect().await.ok();
            }
            let Some(live) = &mut connection else {
                connection = self.connect().await.ok();
                note_failure(&open, &script, "connection lost", "it could not be made again", &self.recorder);
                monoio::time::sleep(PAUSE).await;
                continue;
            };
            self.recorder.sent();
            let result = self.call(live, request, &mut open, &script).await;
            live.used = Instant::now();
            match &result {
                Ok((200, _)) => self.recorder.ended(None),
                Ok((status, body)) => self.recorder.ended(Some(&refusal(*status, body))),
                Err(_) => self.recorder.ended(Some("connection lost")),
            }
            match result {
                Ok((200, body)) if script.is_right(&open, Some(&body)) => {
                    note_answer(&open, &script, &self.recorder);
                }
                Ok((200, body)) => {
                    self.recorder.failed("wrong answer", || String::from_utf8_lossy(&body).into_owned());
                }
                Ok((status, body)) => {
                    let detail = String::from_utf8_lossy(&body);
                    note_failure(&open, &script, &refusal(status, &body), &detail, &self.recorder);
                    monoio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    note_failure(&open, &script, "connection lost", &error.to_string(), &self.recorder);
                    connection = self.connect().await.ok();
                    monoio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn connect(&self) -> std::io::Result<Live> {
        let stream = Connection::open(&self.relay.origin, self.source).await?;
        Ok(Live { stream, buf: BytesMut::new(), out: BytesMut::new(), used: Instant::now() })
    }

    fn request(&self, script: &Script, open: &Open) -> Rc<[u8]> {
        let (ask, peer) = (&script.asks[open.ask], &script.peers[open.peer].id);
        let path = format!("{}/relay/{peer}{}", self.relay.prefix, ask.path.as_deref().unwrap_or_default());
        let (host, key) = (&self.relay.origin.host, Some(self.agent.api_key.as_str()));
        request("POST", host, &path, key, "application/octet-stream", &ask.body).into()
    }

    async fn call(
        &self,
        live: &mut Live,
        request: &[u8],
        open: &mut Open,
        script: &Script,
    ) -> anyhow::Result<(u16, Vec<u8>)> {
        let Live { stream, buf, out, .. } = live;
        out.extend_from_slice(request);
        let (result, back) = stream.write(std::mem::take(out)).await;
        *out = back;
        result?;
        let mut answer = Answer::default();
        loop {
            match answer.next(buf)? {
                Some(Piece::Data(bytes)) => note_part(open, &script.asks[open.ask], bytes, &self.recorder),
                Some(Piece::End(head, body)) => return Ok((head.status, body)),
                None => {
                    let (result, back) = stream.read(std::mem::take(buf), 0).await;
                    *buf = back;
                    result?;
                }
            }
        }
    }
}

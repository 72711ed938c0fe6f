//! One connection from its dial to its end, in one task: it reads, answers, calls and writes, and never waits for one
//! of them while another could go on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use landline_wire::session::client::{Client, ClientError, Dial, Event, Ready};
use landline_wire::{close, limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::answers::Answers;
use super::calls::Calls;
use super::dial::{Stream, Target, random};
use super::types::{Command, Handler};
use super::{Caller, LineSettings};

/// Unsent bytes at which no further answers and calls are taken up, until some have left.
const OUT_HIGH: usize = 1 << 20;
/// Unsent bytes at which the relay has stopped reading for good.
const OUT_MAX: usize = limits::MAX_LINE_QUEUE_BYTES;
/// From the dial to `ready`: connecting, the upgrade and what the relay grants `auth`.
const READY_DEADLINE: Duration = Duration::from_secs(20);
/// For the last bytes and the relay's own close.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// What a connection tells its supervisor before its end.
pub(super) enum Signal {
    Ready(Ready),
    Draining { redial_after: Duration },
}

/// How a connection ended.
pub(super) enum End {
    /// With a close frame of the relay.
    Closed(u16, String),
    /// Otherwise.
    Lost(String),
}

pub(super) struct Connection {
    pub(super) machine: Option<Client>,
    dial: Dial,
    target: Target,
    pub(super) caller: Caller,
    pub(super) max_body: usize,
    pub(super) out: BytesMut,
    pub(super) answers: Answers,
    pub(super) calls: Calls,
    pub(super) leaving: bool,
    /// Where programs send to, and bodies that programs take.
    sender: mpsc::UnboundedSender<Command>,
    commands: Option<mpsc::UnboundedReceiver<Command>>,
}

impl Connection {
    pub(super) fn new(settings: &LineSettings, target: &Target, handler: Arc<Handler>, caller: Caller) -> Self {
        let dial = Dial {
            host: target.authority.clone(),
            path: format!("{}/ws/agent", settings.prefix),
            token: settings.token.clone(),
            client: settings.client.clone(),
            parts: true,
            shared: false,
        };
        let (sender, commands) = mpsc::unbounded_channel();
        Self {
            machine: None,
            dial,
            target: target.clone(),
            caller,
            max_body: limits::MAX_BODY_BYTES,
            out: BytesMut::new(),
            answers: Answers::new(handler, settings.max_in_flight, sender.clone()),
            calls: Calls::new(sender.clone()),
            leaving: false,
            sender,
            commands: Some(commands),
        }
    }

    /// Dials and serves until the end. `stop` asks for a polite end within a deadline.
    pub(super) async fn run(mut self, signals: mpsc::Sender<Signal>, stop: oneshot::Receiver<Duration>) -> End {
        let end = match self.open().await {
            Ok(stream) => {
                let (reader, writer) = split(stream);
                self.serve(reader, writer, signals, stop).await
            }
            Err(error) => End::Lost(format!("cannot dial {}: {error}", self.dial.host)),
        };
        self.calls.fail_all();
        end
    }

    async fn open(&mut self) -> io::Result<Box<dyn Stream>> {
        let machine = Client::new(self.dial.clone(), random()?);
        let stream = self.target.connect().await?;
        machine.start(&mut self.out);
        self.machine = Some(machine);
        Ok(stream)
    }

    async fn serve(
        &mut self,
        mut reader: ReadHalf<Box<dyn Stream>>,
        mut writer: WriteHalf<Box<dyn Stream>>,
        signals: mpsc::Sender<Signal>,
        mut stop: oneshot::Receiver<Duration>,
    ) -> End {
        let Some(mut commands) = self.commands.take() else { return End::Lost("not dialled".into()) };
        let mut buf = BytesMut::with_capacity(16 << 10);
        let mut pulse = Pulse::until_ready();
        let mut leave_at: Option<Instant> = None;
        loop {
            if self.leaving && self.answers.is_empty() {
                return self.say_goodbye(&mut writer).await;
            }
            if self.out.len() > OUT_MAX {
                return End::Lost("the relay does not read".into());
            }
            let room = self.out.len() < OUT_HIGH;
            tokio::select! {
                read = reader.read_buf(&mut buf) => match read {
                    Ok(0) => return End::Lost("the relay closed the connection".into()),
                    Ok(_) => {
                        pulse.heard();
                        match self.take_all(&mut buf, &signals).await {
                            Taken::More => {}
                            Taken::Up(ready) => {
                                pulse.up(ready.heartbeat_s);
                                self.caller.commands.connect(self.sender.clone());
                                let _ = signals.send(Signal::Ready(ready)).await;
                                // What came with `ready` is not lost: it is looked at now.
                                if let Taken::End(end) = self.take_all(&mut buf, &signals).await {
                                    return self.flush_end(&mut writer, end).await;
                                }
                            }
                            Taken::End(end) => return self.flush_end(&mut writer, end).await,
                        }
                    }
                    Err(error) => return End::Lost(error.to_string()),
                },
                written = writer.write_buf(&mut self.out), if !self.out.is_empty() => match written {
                    Ok(_) => {}
                    Err(error) => return End::Lost(error.to_string()),
                },
                Some(command) = commands.recv(), if room => self.command(command),
                (id, answered) = self.answers.next(), if room => self.answered(id, answered),
                (id, sent) = self.calls.next(), if room => self.sent(id, sent),
                () = sleep_until(pulse.next) => {
                    if !pulse.beat() {
                        return End::Lost("the relay is silent".into());
                    }
                    if let Some(machine) = &mut self.machine {
                        machine.ping(&mut self.out);
                    }
                }
                Ok(deadline) = &mut stop, if leave_at.is_none() => {
                    self.leaving = true;
                    leave_at = Some(Instant::now() + deadline);
                }
                () = sleep_until(leave_at.unwrap_or(pulse.next)), if leave_at.is_some() => {
                    self.answers.stop_all();
                    return self.say_goodbye(&mut writer).await;
                }
            }
        }
    }

    /// Acts on every complete message in `buf`.
    async fn take_all(&mut self, buf: &mut BytesMut, signals: &mpsc::Sender<Signal>) -> Taken {
        loop {
            let Some(machine) = &mut self.machine else { return Taken::End(End::Lost("not dialled".into())) };
            match machine.next(buf, &mut self.out) {
                Ok(Event::Need(bytes)) => {
                    buf.reserve(bytes.saturating_sub(buf.len()));
                    return Taken::More;
                }
                Ok(Event::Ready(ready)) => {
                    self.max_body = usize::try_from(ready.max_body_bytes).unwrap_or(usize::MAX);
                    self.answers.bounds(self.max_body, ready.window_bytes);
                    self.calls.window(ready.window_bytes);
                    return Taken::Up(ready);
                }
                Ok(Event::Frame(message)) => {
                    if let Some(signal) = self.frame(&message) {
                        let _ = signals.send(signal).await;
                    }
                }
                Ok(Event::Closed { code, reason }) => return Taken::End(End::Closed(code.unwrap_or(1005), reason)),
                // 401 and its like at the upgrade mean what 4003 means after it; the relay says so by close codes.
                Err(error @ ClientError::Refused(_)) => return Taken::End(End::Lost(error.to_string())),
                Err(error) => return Taken::End(End::Lost(error.to_string())),
            }
        }
    }

    /// Sends what is left and closes with 1000.
    async fn say_goodbye(&mut self, writer: &mut WriteHalf<Box<dyn Stream>>) -> End {
        if let Some(machine) = &mut self.machine {
            machine.close(close::NORMAL, close::reason(close::NORMAL), &mut self.out);
        }
        self.flush_end(writer, End::Closed(close::NORMAL, "left".into())).await
    }

    async fn flush_end(&mut self, writer: &mut WriteHalf<Box<dyn Stream>>, end: End) -> End {
        let flushing = async {
            writer.write_all_buf(&mut self.out).await?;
            writer.shutdown().await
        };
        let _ = tokio::time::timeout(CLOSE_DEADLINE, flushing).await;
        end
    }
}

enum Taken {
    More,
    Up(Ready),
    End(End),
}

/// When to ping, and when to give the relay up.
struct Pulse {
    next: Instant,
    every: Option<Duration>,
    unanswered: u8,
}

impl Pulse {
    fn until_ready() -> Self {
        Self { next: Instant::now() + READY_DEADLINE, every: None, unanswered: 0 }
    }

    fn up(&mut self, heartbeat_s: u64) {
        // The relay pings after one heartbeat of silence; we wait a little longer, so that usually only one of us does.
        let every = Duration::from_secs(heartbeat_s.clamp(1, 3_600)) * 5 / 4;
        self.every = Some(every);
        self.next = Instant::now() + every;
    }

    fn heard(&mut self) {
        if let Some(every) = self.every {
            self.unanswered = 0;
            self.next = Instant::now() + every;
        }
    }

    /// The time has come: `true` to ping, `false` to give up.
    fn beat(&mut self) -> bool {
        let Some(every) = self.every else { return false };
        self.unanswered += 1;
        self.next = Instant::now() + every;
        self.unanswered <= limits::MISSED_HEARTBEATS
    }
}

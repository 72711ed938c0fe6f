//! A caller that keeps its slots full, whatever carries its calls.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::bail;
use landline_wire::limits::WINDOW_BYTES;

use super::script::{Ask, Open, Script, Wanted};
use super::slots::{Intake, Slots};
use crate::measure::Recorder;

/// How long a slot rests after a refusal: whoever is refused at once would otherwise only measure refusals.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// Bytes of parts after which more are granted.
const GRANT_STEP: usize = WINDOW_BYTES / 4;

/// What carries calls.
pub trait Carrier: 'static {
    /// Queues a call.
    fn call(&self, id: u64, peer: &str, ask: &Ask);
    /// Queues leave for so many more bytes of this peer's answer in parts.
    fn grant(&self, id: u64, peer: &str, bytes: usize);
    /// Sends what is queued.
    fn flush(&self);
}

/// One caller.
pub struct Caller<C> {
    carrier: C,
    script: RefCell<Script>,
    slots: RefCell<Slots>,
    intake: Intake,
    recorder: Recorder,
}

impl<C: Carrier> Caller<C> {
    /// A caller with so many slots. It begins with [`Caller::start`].
    pub fn new(carrier: C, script: Script, in_flight: usize, intake: Intake, recorder: Recorder) -> Rc<Self> {
        let (script, slots) = (RefCell::new(script), RefCell::new(Slots::new(in_flight)));
        Rc::new(Self { carrier, script, slots, intake, recorder })
    }

    /// Begins.
    pub fn start(&self) {
        self.pump();
        self.carrier.flush();
    }

    /// A call is due; it is sent now if there is a slot, else when there is one.
    pub fn offer(&self, at: Instant) {
        self.intake.offer(at);
        self.start();
    }

    /// Queues as many calls as are due and have a slot. When the run is over, no more begin.
    pub fn pump(&self) {
        if self.recorder.window().is_over() {
            return;
        }
        let mut slots = self.slots.borrow_mut();
        while slots.has_free() {
            let Some(start) = self.intake.take() else { return };
            let mut script = self.script.borrow_mut();
            let call = script.next(start);
            let (ask, peer) = (&script.asks[call.ask], &script.peers[call.peer].id);
            if let Some(id) = slots.open(call.clone()) {
                self.carrier.call(id, peer, ask);
                self.recorder.sent();
            }
        }
    }

    /// An answer, or a part of it, came.
    ///
    /// # Errors
    /// No such call is open.
    pub fn answer(self: &Rc<Self>, id: u64, status: u16, body: &[u8], more: bool) -> anyhow::Result<()> {
        let mut slots = self.slots.borrow_mut();
        let Some(open) = slots.get(id) else { bail!("an answer to a call that is not open") };
        let is_whole = open.last.is_none() && !more;
        let script = self.script.borrow();
        note_part(open, &script.asks[open.ask], body.len(), &self.recorder);
        if more {
            open.silent_sweeps = 0;
            open.ungranted += body.len();
            if open.ungranted >= GRANT_STEP {
                self.carrier.grant(id, &script.peers[open.peer].id, std::mem::take(&mut open.ungranted));
            }
            return Ok(());
        }
        let Some(open) = slots.take(id) else { return Ok(()) };
        self.recorder.ended(None);
        if status == 200 && script.is_right(&open, is_whole.then_some(body)) {
            note_answer(&open, &script, &self.recorder);
        } else {
            let why = || format!("status {status}, {} bytes: {}", open.bytes, String::from_utf8_lossy(body));
            self.recorder.failed("wrong answer", why);
        }
        slots.free(id);
        drop((slots, script));
        self.pump();
        Ok(())
    }

    /// A call failed.
    ///
    /// # Errors
    /// No such call is open.
    pub fn failed(self: &Rc<Self>, id: u64, code: &str, detail: &str) -> anyhow::Result<()> {
        let Some(open) = self.slots.borrow_mut().take(id) else {
            bail!("{code} for a call that is not open: {detail}")
        };
        self.recorder.ended(Some(code));
        note_failure(&open, &self.script.borrow(), code, detail, &self.recorder);
        let caller = self.clone();
        monoio::spawn(async move {
            monoio::time::sleep(PAUSE).await;
            caller.slots.borrow_mut().free(id);
            caller.start();
        });
        Ok(())
    }

    /// Is this call on its way?
    pub fn is_open(&self, id: u64) -> bool {
        self.slots.borrow_mut().get(id).is_some()
    }

    /// One sweep over the open calls: those of which nothing was heard in so many have failed.
    pub fn give_up(self: &Rc<Self>, sweeps: u8, code: &str, detail: &str) {
        let silent = self.slots.borrow_mut().sweep(sweeps);
        for id in silent {
            // It is open: the sweep found it.
            let _ = self.failed(id, code, detail);
        }
    }

    /// What carries the calls.
    pub fn carrier(&self) -> &C {
        &self.carrier
    }

    /// Calls that were due and are not answered.
    pub fn unanswered(&self) -> usize {
        self.intake.waiting() + self.slots.borrow().number_open()
    }
}

/// Counts a part of an answer: the time to the first one, and the gaps between the others.
pub(super) fn note_part(open: &mut Open, ask: &Ask, bytes: usize, recorder: &Recorder) {
    open.bytes += bytes;
    if matches!(ask.wanted, Wanted::Parts { .. }) && bytes > 0 {
        let now = Instant::now();
        match open.last {
            None => recorder.record("first_part", now - open.start),
            Some(last) => recorder.record("gap", now - last),
        }
        open.last = Some(now);
        recorder.count("parts", 1);
        recorder.count("bytes", bytes as u64);
    }
}

/// Counts an answer that is right.
pub(super) fn note_answer(open: &Open, script: &Script, recorder: &Recorder) {
    recorder.answered(open.start);
    if let Some(name) = script.asks[open.ask].name {
        recorder.record(name, open.start.elapsed());
    }
}

/// Counts a failure: an error, or what had to be expected since the callee was away.
pub(super) fn note_failure(open: &Open, script: &Script, code: &str, detail: &str, recorder: &Recorder) {
    if script.was_up(open) {
        recorder.failed(code, || format!("{code}: {detail}"));
        recorder.count("failed_while_up", 1);
    } else {
        recorder.count("failed_while_away", 1);
    }
}

//! A core's thread: accepts, reads its mail, looks at the clock, and leaves when told.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, TcpListener as StdListener};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use landline_engine::Engine;
use landline_uplink::UplinkSender;
use landline_wire::bounds::Bound;
use landline_wire::error::Origin;
use landline_wire::limits::{ACCEPT_REST_MS, ADMISSION_WAIT_MS};
use monoio::net::TcpListener;

use super::mailbox::{Letters, Mailbox};
use super::{Core, CoreMail, Post, Shared, Writers};
use crate::admission::{Full, Place};
use crate::{conn, line, runtime};

/// How often calls and connections are looked at for their deadlines.
const TICK: Duration = Duration::from_millis(50);
/// Letters taken before other tasks run again.
const LETTERS_AT_ONCE: usize = 256;
/// How long accepting rests when descriptors or memory are short.
const ACCEPT_REST: Duration = Duration::from_millis(ACCEPT_REST_MS);
/// How long a socket waits for a place.
const ADMISSION_WAIT: Duration = Duration::from_millis(ADMISSION_WAIT_MS);
/// How often it looks.
const ADMISSION_STEP: Duration = Duration::from_millis(1);

/// Everything that a core's thread needs.
pub(crate) struct CoreSeat {
    pub(crate) id: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) engine: Engine,
    pub(crate) listener: StdListener,
    pub(crate) mailbox: Mailbox,
    pub(crate) posts: Vec<Post>,
    pub(crate) uplink: UplinkSender,
    /// The processor to run on.
    pub(crate) pin_to: Option<usize>,
}

/// Runs a core until it is told to leave.
///
/// # Errors
/// The runtime or the listener could not be made.
pub(crate) fn run(seat: CoreSeat) -> io::Result<()> {
    if let Some(cpu) = seat.pin_to {
        pin(cpu);
    }
    runtime::run(seat.shared.driver, serve(seat))?
}

fn pin(cpu: usize) {
    // SAFETY: the set is a plain value, initialised by CPU_ZERO; a refusal only costs locality.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_ZERO(&mut set);
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &set);
    }
}

async fn serve(seat: CoreSeat) -> io::Result<()> {
    let letters = Letters::new(seat.mailbox)?;
    let listener_fd = seat.listener.as_raw_fd();
    let listener = TcpListener::from_std(seat.listener)?;
    let incomplete = seat.engine.unfinished();
    let core = Rc::new(Core {
        id: seat.id,
        shared: seat.shared,
        engine: RefCell::new(seat.engine),
        pool: Rc::default(),
        writers: Writers::default(),
        ears: Rc::default(),
        uplink: seat.uplink,
        posts: seat.posts,
        origin: RefCell::new(Rc::new(Origin { public_url: String::new(), prefix: "/connect".into() })),
        lines: RefCell::default(),
        conns: RefCell::default(),
        waiting: RefCell::default(),
        directs: RefCell::default(),
        asked: RefCell::default(),
        incomplete,
        next_number: Cell::new(1),
        ticked_ms: Cell::new(0),
        made_ids: RefCell::default(),
        public_callers: RefCell::default(),
        passes: Rc::default(),
        turns: Rc::default(),
        reached: RefCell::default(),
        stop: Rc::default(),
    });
    monoio::spawn(accept(Rc::clone(&core), listener));
    monoio::spawn(tick(Rc::clone(&core)));
    monoio::spawn(read_mail(Rc::clone(&core), letters, listener_fd));
    core.stop.wait().await;
    Ok(())
}

/// Accepts until the listener is shut down. Never cancelled: monoio would lose the accepted descriptor.
async fn accept(core: Rc<Core>, listener: TcpListener) {
    loop {
        if core.turns.is_long() {
            core.count(Bound::AttachQueue);
            core.turns.short().await;
        }
        match listener.accept().await {
            Ok((stream, peer)) => {
                let ip = peer.ip().to_canonical();
                match room_for(&core, ip).await {
                    Ok(place) => conn::start(&core, stream, ip, place),
                    // Closed without an answer: to read its request would be to admit it.
                    Err(full) => {
                        core.count(if full == Full::Total { Bound::Sockets } else { Bound::SocketsOfAddress });
                        core.shared.refused_sockets.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            Err(_) if core.shared.draining.load(Ordering::SeqCst) => return,
            // A peer that left before it was accepted is no reason to keep the others waiting.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                core.count(Bound::Descriptors);
                tracing::warn!(core = core.id, %error, "accepting rests");
                monoio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// A place for a socket from this address. While every place is taken, whoever comes next waits with it, in the kernel's
/// queue: when a switch was restarted, thousands of lines come at once, and to be refused they would cost as much as
/// to be served, and come again at once.
async fn room_for(core: &Core, ip: IpAddr) -> Result<Place, Full> {
    let until = Instant::now() + ADMISSION_WAIT;
    loop {
        match core.shared.admission.admit(ip) {
            Err(Full::Total) if Instant::now() < until && !core.shared.draining.load(Ordering::SeqCst) => {
                monoio::time::sleep(ADMISSION_STEP).await;
            }
            result => return result,
        }
    }
}

async fn tick(core: Rc<Core>) {
    let mut second = 0;
    loop {
        monoio::time::sleep(TICK).await;
        if core.id == 0 {
            core.shared.set_clock();
        }
        let now = core.now();
        core.ticked_ms.set(now.ms());
        {
            let mut engine = core.engine.borrow_mut();
            engine.set_spool_full(core.shared.spool_is_full());
            engine.sweep_calls(now);
            if now.ms() / 1000 != second {
                second = now.ms() / 1000;
                engine.sweep_lines(now);
                core.publish_largest_call(engine.largest_call());
                core.pool.shrink();
            }
        }
        core.writers.set_sweeping(true);
        core.carry_out();
        core.writers.set_sweeping(false);
        conn::sweep(&core, now);
        core.publish();
    }
}

async fn read_mail(core: Rc<Core>, letters: Letters, listener_fd: i32) {
    loop {
        let mut taken = 0;
        while let Some(letter) = letters.take() {
            core.open(letter, listener_fd);
            taken += 1;
            if taken == LETTERS_AT_ONCE {
                break;
            }
        }
        core.carry_out();
        if taken == LETTERS_AT_ONCE {
            // A fresh task goes to the end of the queue; waking ourselves would go to its front.
            monoio::spawn(async {}).await;
        } else {
            letters.wait().await;
        }
    }
}

impl Core {
    fn open(self: &Rc<Self>, letter: CoreMail, listener_fd: i32) {
        match letter {
            CoreMail::Engine(mail) => {
                let now = self.now();
                self.engine.borrow_mut().mail(mail, now);
            }
            CoreMail::Uplink(message) => self.from_uplink(message),
            CoreMail::Adopt(adopt) => line::adopt(self, adopt),
            CoreMail::Drain { deadline_ms } => {
                self.shared.draining.store(true, Ordering::SeqCst);
                // The accept that waits ends with an error, and the port refuses from now on.
                // SAFETY: the listener lives in the accept task, which ends only after this.
                unsafe { libc::shutdown(listener_fd, libc::SHUT_RDWR) };
                self.begin_drain(deadline_ms);
            }
            CoreMail::CloseLines => {
                let now = self.now();
                self.engine.borrow_mut().close_all(now);
            }
            CoreMail::Exit => self.stop.set(),
        }
    }

    pub(super) fn begin_drain(&self, deadline_ms: u64) {
        let mut engine = self.engine.borrow_mut();
        if !engine.is_draining() {
            engine.drain(deadline_ms);
        }
    }
}

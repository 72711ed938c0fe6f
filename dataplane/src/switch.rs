//! A running switch: its cores' threads and its uplink.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use landline_engine::{Config, Engine};
use landline_uplink::{Deliver, Left, Uplink};
use landline_wire::ids::CallId;

use crate::admission::Admission;
use crate::cards::Cards;
use crate::config::SwitchConfig;
use crate::core::{CoreMail, CoreSeat, Post, Shared, mailbox, run, started_unix_ms};
use crate::metrics::{self, CoreGauges};
use crate::{listen, runtime};

/// Why a switch cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The wanted address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// io_uring was demanded and is refused.
    #[error("{0}")]
    Driver(String),
    /// The link cannot start.
    #[error(transparent)]
    Uplink(#[from] landline_uplink::StartError),
    /// A thread or descriptor was refused.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// Why a switch cannot serve yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The exchange refuses this node, or was not reached.
    #[error(transparent)]
    Link(#[from] landline_uplink::NotReady),
    /// The exchange was reached, but its snapshot is not complete.
    #[error("the exchange's snapshot is not complete yet")]
    Snapshot,
}

/// A running switch. Dropping it without [`Switch::drain`] leaves its threads to the end of the process.
pub struct Switch {
    shared: Arc<Shared>,
    address: SocketAddr,
    posts: Vec<Post>,
    threads: Vec<JoinHandle<()>>,
    uplink: Uplink,
}

impl Switch {
    /// Binds, dials the exchange and starts the cores. Returns at once; see [`Switch::wait_ready`].
    ///
    /// # Errors
    /// [`StartError`]: what trying again would not mend by itself.
    pub fn start(config: SwitchConfig) -> Result<Self, StartError> {
        let driver = runtime::choose(config.driver).map_err(StartError::Driver)?;
        let processors = processors();
        let cores = if config.cores == 0 { processors.len() } else { config.cores }.clamp(1, CallId::MAX_CORES);
        let (address, listeners) =
            listen::bind(config.listen, cores).map_err(|error| StartError::Listen { address: config.listen, error })?;
        let boxes = (0..cores).map(|_| mailbox()).collect::<io::Result<Vec<_>>>()?;
        let posts: Vec<Post> = boxes.iter().map(|(post, _)| post.clone()).collect();
        let doors = posts.clone();
        let deliver: Deliver = Arc::new(move |core: usize, message| doors[core].send(CoreMail::Uplink(message)));
        let uplink = Uplink::start(config.uplink.clone(), deliver, cores)?;
        let shared = Arc::new(shared(config, cores, driver)?);
        let _ = shared.uplink_metrics.set(uplink.metrics());
        let mut threads = Vec::with_capacity(cores);
        for (id, (listener, (_, mailbox))) in listeners.into_iter().zip(boxes).enumerate() {
            let seat = CoreSeat {
                id,
                engine: Engine::new(id, cores, engine_config(&shared), random()?),
                shared: Arc::clone(&shared),
                listener,
                mailbox,
                posts: posts.clone(),
                uplink: uplink.sender(),
                pin_to: (shared.config.pin && cores <= processors.len()).then(|| processors[id]),
            };
            threads.push(spawn_core(seat)?);
        }
        tracing::info!(%address, cores, driver = %driver, "the switch listens");
        Ok(Self { shared, address, posts, threads, uplink })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// How its cores wait: io_uring or epoll.
    pub fn driver(&self) -> crate::Driver {
        self.shared.driver
    }

    /// Blocks until every core has what it needs to serve.
    ///
    /// # Errors
    /// [`NotReady`] when the time is over; trying goes on.
    pub fn wait_ready(&self, timeout: Duration) -> Result<(), NotReady> {
        let until = Instant::now() + timeout;
        self.uplink.wait_ready(timeout)?;
        while !self.is_ready() {
            if Instant::now() >= until {
                return Err(NotReady::Snapshot);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Has every core what it needs to serve? Stays true while the exchange is away.
    pub fn is_ready(&self) -> bool {
        self.shared.ready_cores.load(Ordering::SeqCst) == self.shared.cores && !self.is_draining()
    }

    /// Is it leaving?
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::SeqCst)
    }

    /// The metrics in the OpenMetrics text format.
    pub fn metrics_text(&self) -> String {
        metrics::text(&self.shared)
    }

    /// A way to read the metrics and readiness from another thread.
    pub fn watch(&self) -> SwitchWatch {
        SwitchWatch { shared: Arc::clone(&self.shared) }
    }

    /// Leaves: stops accepting, tells every line, lets calls in flight end within `deadline`, delivers what is left to
    /// report, and ends the threads. Blocks. Gives the records of calls that could not be delivered.
    pub fn drain(self, deadline: Duration) -> Left {
        let until = Instant::now() + deadline;
        let deadline_ms = deadline.as_millis() as u64;
        for post in &self.posts {
            post.send(CoreMail::Drain { deadline_ms });
        }
        // Two ticks first: the gauges are only as fresh as the last.
        std::thread::sleep(Duration::from_millis(120).min(deadline));
        while self.in_flight() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        for post in &self.posts {
            post.send(CoreMail::CloseLines);
        }
        let closing = Instant::now() + CLOSE_TIME;
        while self.lines() > 0 && Instant::now() < closing {
            std::thread::sleep(Duration::from_millis(20));
        }
        let left = self.uplink.stop(until.saturating_duration_since(Instant::now()).max(REPORT_TIME));
        for post in &self.posts {
            post.send(CoreMail::Exit);
        }
        for thread in self.threads {
            let _ = thread.join();
        }
        left
    }

    fn in_flight(&self) -> u64 {
        self.shared.gauges.iter().map(|core| core.calls_open.load(Ordering::Relaxed)).sum()
    }

    fn lines(&self) -> u64 {
        self.shared.gauges.iter().map(|core| core.lines.load(Ordering::Relaxed)).sum()
    }
}

/// Reads a switch's state from any thread.
#[derive(Clone)]
pub struct SwitchWatch {
    shared: Arc<Shared>,
}

impl SwitchWatch {
    /// See [`Switch::is_ready`].
    pub fn is_ready(&self) -> bool {
        self.shared.ready_cores.load(Ordering::SeqCst) == self.shared.cores
            && !self.shared.draining.load(Ordering::SeqCst)
    }

    /// See [`Switch::metrics_text`].
    pub fn metrics_text(&self) -> String {
        metrics::text(&self.shared)
    }
}

/// How long lines have to take their close frame.
const CLOSE_TIME: Duration = Duration::from_secs(2);
/// How long reports have at least to be delivered.
const REPORT_TIME: Duration = Duration::from_secs(2);

fn shared(config: SwitchConfig, cores: usize, driver: crate::Driver) -> io::Result<Shared> {
    let boot: [u8; 4] = random()?;
    let started = Instant::now();
    Ok(Shared {
        admission: Arc::new(Admission::new(config.max_unauthenticated, config.max_unauthenticated_per_ip)),
        lines: line_bounds(&config),
        config,
        cores,
        driver,
        started,
        started_unix_ms: AtomicI64::new(started_unix_ms(started)),
        boot: u32::from_le_bytes(boot),
        cards: Cards::default(),
        gauges: (0..cores).map(|_| CoreGauges::default()).collect(),
        uplink_metrics: OnceLock::new(),
        ready_cores: AtomicUsize::new(0),
        draining: AtomicBool::new(false),
        refused_sockets: AtomicU64::new(0),
    })
}

/// The bounds of lines that the operator set; 0 is none.
fn line_bounds(config: &SwitchConfig) -> Option<Arc<Admission>> {
    let bound = |most: usize| if most == 0 { usize::MAX } else { most };
    let is_bounded = config.max_lines > 0 || config.max_lines_per_ip > 0;
    is_bounded.then(|| Arc::new(Admission::new(bound(config.max_lines), bound(config.max_lines_per_ip))))
}

fn engine_config(shared: &Shared) -> Config {
    Config {
        max_body_bytes: shared.config.max_body_bytes,
        max_in_flight: shared.config.max_in_flight,
        max_in_flight_per_caller: (shared.config.max_in_flight / 4).max(1),
        heartbeat_s: shared.config.heartbeat_s,
        body_budget: shared.config.body_budget_bytes,
        audit: shared.config.audit,
        ..Config::default()
    }
}

fn spawn_core(seat: CoreSeat) -> io::Result<JoinHandle<()>> {
    let id = seat.id;
    std::thread::Builder::new().name(format!("core-{id}")).spawn(move || {
        if let Err(error) = run(seat) {
            tracing::error!(core = id, %error, "a core ended");
        }
    })
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// The processors that this process may run on.
fn processors() -> Vec<usize> {
    // SAFETY: the set is a plain value that the call fills.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return vec![0];
        }
        set
    };
    // SAFETY: reads a bit of a plain value, within its size.
    let allowed = (0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) });
    let all: Vec<usize> = allowed.collect();
    if all.is_empty() { vec![0] } else { all }
}

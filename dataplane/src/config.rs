//! What an operator may set of a switch.

use std::net::SocketAddr;
use std::str::FromStr;

use landline_uplink::UplinkConfig;
use landline_wire::limits;

use crate::tls::Tls;

/// How a core waits for its sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    /// io_uring where the system grants it, otherwise epoll.
    #[default]
    Auto,
    /// io_uring or nothing.
    IoUring,
    /// epoll.
    Epoll,
}

impl FromStr for Driver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "io_uring" | "io-uring" | "uring" => Ok(Self::IoUring),
            "epoll" => Ok(Self::Epoll),
            _ => Err("expected `auto`, `io_uring` or `epoll`".into()),
        }
    }
}

impl std::fmt::Display for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
        })
    }
}

/// Settings of a switch.
#[derive(Debug, Clone)]
pub struct SwitchConfig {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Cores to use; 0 is all that the process may run on.
    pub cores: usize,
    /// Certificate and key; without them the port is plain.
    pub tls: Option<Tls>,
    /// Pin each core's thread.
    pub pin: bool,
    /// How cores wait for their sockets.
    pub driver: Driver,
    /// The link to the exchange.
    pub uplink: UplinkConfig,
    /// Bytes of a whole body.
    pub max_body_bytes: usize,
    /// Body bytes that one core may hold.
    pub body_budget_bytes: usize,
    /// Calls in flight towards one line.
    pub max_in_flight: usize,
    /// Seconds of silence before a line is pinged.
    pub heartbeat_s: u64,
    /// Lines of this node; 0 is no bound.
    pub max_lines: usize,
    /// Lines from one address; 0 is no bound.
    pub max_lines_per_ip: usize,
    /// Origins of pages that may use the relay and the WebSocket.
    pub allowed_origins: Vec<String>,
    /// Sockets that have not authenticated, in all.
    pub max_unauthenticated: usize,
    /// Of those, from one address.
    pub max_unauthenticated_per_ip: usize,
    /// Does each call leave a record?
    pub audit: bool,
    /// Anonymous relay calls to public agents per minute and address; 0 is no bound.
    pub public_calls_per_minute: u32,
    /// Software version, told to the exchange.
    pub version: String,
}

impl SwitchConfig {
    /// The defaults, for an address and an uplink.
    pub fn new(listen: SocketAddr, uplink: UplinkConfig) -> Self {
        Self {
            listen,
            tls: None,
            cores: 0,
            pin: true,
            driver: Driver::Auto,
            uplink,
            max_body_bytes: limits::MAX_BODY_BYTES,
            body_budget_bytes: limits::BODY_BUDGET_BYTES,
            max_in_flight: limits::MAX_IN_FLIGHT,
            heartbeat_s: limits::HEARTBEAT_S,
            max_lines: 0,
            max_lines_per_ip: 0,
            allowed_origins: Vec::new(),
            max_unauthenticated: limits::MAX_UNAUTHENTICATED,
            max_unauthenticated_per_ip: limits::MAX_UNAUTHENTICATED_PER_IP,
            audit: true,
            public_calls_per_minute: limits::PUBLIC_CALLS_PER_MINUTE,
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

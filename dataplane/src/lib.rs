//! The switch: the data plane. One pinned thread per core, each with a monoio runtime (io_uring, or epoll where that is
//! refused) and one [`Engine`](landline_engine::Engine) with a single owner. The switch is the front door: it serves
//! the agents' WebSocket and the relay itself and carries every other request to the exchange over the link.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`](SwitchConfig) | what an operator may set |
//! | [`switch`](Switch) | starts and stops cores and uplink, readiness, metrics |
//! | `runtime`, `listen` | which driver, which sockets |
//! | `core` | one core's thread: mailbox, effects, sweeps |
//! | `conn` | one TCP connection: HTTP heads, relay calls, passing on, the upgrade |
//! | `line` | one line's socket: reading, writing |
//! | `direct` | calls of lines that the exchange makes |
//! | [`tls`](Tls) | certificate and key; the machine of a TLS connection, without a socket |
//! | `socket`, `pool`, `admission`, `cards`, `metrics` | what they share |

mod admission;
mod asked;
mod cards;
mod config;
mod conn;
mod core;
mod direct;
mod line;
mod listen;
mod metrics;
mod pool;
mod runtime;
mod socket;
mod switch;
mod tls;

pub use config::{Driver, SwitchConfig};
pub use switch::{NotReady, StartError, Switch, SwitchWatch};
pub use tls::{BadPair, Tls};

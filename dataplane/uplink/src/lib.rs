//! The switch's end of the link: one thread with a tokio runtime and a quinn connection, between the cores and the
//! exchange; and one that keeps records of calls on disk until they are delivered. Cores never wait for it: they hand it [`ToExchange`] and get [`ToCore`] back in their mailbox.
//!
//! | module | what it does |
//! |---|---|
//! | [`boundary`](ToExchange) | what crosses between the cores' threads and this one |
//! | `config` | settings, and what can be wrong with them |
//! | `handle` | [`Uplink`]: start, readiness, stop |
//! | `sender` | how cores hand things over without waiting, and how their reports are gathered |
//! | `sessions` | pure: reports of sessions in numbered batches until they are acknowledged, and what they add up to |
//! | `spool` | records of calls on disk until they are acknowledged |
//! | `identity`, `tls`, `join` | the node's certificate: stored, shown, asked for, renewed |
//! | `run` | the thread's life: serves the cores, stops in order |
//! | `dial` | dials for ever |
//! | `session`, `records` | one connection: control stream, reports of sessions; records of calls |
//! | `flights` | pure: the same question, asked twice at a time, is asked once |
//! | `lookup`, `pass` | one stream per question, and per passed-on request |

mod asks;
mod boundary;
mod config;
mod dial;
mod flights;
mod handle;
mod identity;
mod join;
mod lookup;
mod metrics;
mod pass;
mod records;
mod run;
mod sender;
mod session;
mod sessions;
mod spool;
mod tls;
mod wire;

pub use boundary::*;
pub use config::{StartError, UplinkConfig};
pub use handle::{Left, NotReady, Uplink};
pub use metrics::{UplinkFigures, UplinkMetrics};
pub use sender::UplinkSender;

//! Records of calls, from the cores to the exchange, by way of the disk.
//!
//! A core writes each record, encoded, into a lane of its own. A thread gathers the lanes every few milliseconds, appends
//! what it finds to a log on disk, and hands batches of the same bytes to the link, oldest first. What does not fit a
//! small tail in memory is read back when its turn comes; what the exchange has acknowledged is deleted. So memory does
//! not grow while the exchange is away, a killed process loses no more than what was being gathered, and a slow disk
//! delays nothing but records.
//!
//! Each start of the switch writes a log of its own, and delivers the logs that earlier ones left. If the disk refuses,
//! records wait in memory up to a bound, and the disk is tried again.
//!
//! | module | what it does |
//! |---|---|
//! | `lane` | where cores put records |
//! | `format`, `checksum` | pure: the bytes of a segment, and where a torn one ends |
//! | `segment`, `segments`, `folder` | one file, all of them, and where they are; the file system's word on space |
//! | `sync` | makes files durable beside the writer |
//! | `log` | the order of records over disk and memory, reading back, reopening |
//! | `writer` | the thread |
//! | `flight` | pure: batches on their way, until they are acknowledged |

mod checksum;
mod flight;
mod folder;
mod format;
mod lane;
mod log;
mod segment;
mod segments;
mod sync;
mod writer;

pub(crate) use flight::{Batch, Flight};
pub(crate) use lane::{Lane, Lanes};
pub(crate) use writer::{Command, Spool, start};

//! How much, how long, and what is logged.

use super::{LOGS, POLICY, SERVERS, SIZE, setting};
use crate::config::key::Key;
use crate::config::setting::{SWITCH, Setting, TOOL, UP};
use crate::config::values;

/// The rows.
pub(super) static ROWS: &[Setting] = &[
    setting!(
        Cores,
        "cores",
        UP | SWITCH,
        "N",
        "0",
        SIZE,
        values::cores,
        "Switch threads, one pinned to each core; 0 takes every core"
    ),
    setting!(
        Driver,
        "driver",
        UP | SWITCH,
        "NAME",
        "auto",
        SIZE,
        values::driver,
        "How the switch talks to the kernel: io_uring, epoll, or auto (io_uring where it is allowed)"
    ),
    setting!(
        MaxBody,
        "max_body",
        UP | SWITCH,
        "BYTES",
        "1MiB",
        SIZE,
        values::body_bytes,
        "The largest body in one piece; longer ones go in parts to lines that take parts, and get 413 elsewhere"
    ),
    setting!(
        MaxInFlight,
        "max_in_flight",
        UP | SWITCH,
        "N",
        "256",
        SIZE,
        values::in_flight,
        "Calls in flight towards one line; one more is answered with 429"
    ),
    setting!(
        MaxLines,
        "max_lines",
        UP | SWITCH,
        "N",
        "0",
        SIZE,
        values::count,
        "Lines of this switch; 0 sets no bound. One more is closed with 4029 `lines_per_node`"
    ),
    setting!(
        MaxLinesPerIp,
        "max_lines_per_ip",
        UP | SWITCH,
        "N",
        "0",
        SIZE,
        values::count,
        "Lines from one address; 0 sets no bound. One more is closed with 4029 `lines_per_ip`"
    ),
    setting!(
        MaxPending,
        "max_pending",
        UP | SWITCH,
        "N",
        "2000",
        SIZE,
        values::some,
        "Sockets that have not spoken or authenticated, in all; one more waits 250 ms, then it is closed"
    ),
    setting!(
        MaxPendingPerIp,
        "max_pending_per_ip",
        UP | SWITCH,
        "N",
        "64",
        SIZE,
        values::some,
        "The same, from one address"
    ),
    setting!(
        BodyBudget,
        "body_budget",
        UP | SWITCH,
        "BYTES",
        "256MiB",
        SIZE,
        values::budget_bytes,
        "Bytes of bodies that one core holds at once; beyond them calls get 503"
    ),
    setting!(
        Audit,
        "audit",
        UP | SWITCH,
        "on|off",
        "on",
        POLICY,
        values::on_off,
        "off: calls over lines leave no record; /network, the relay log and figures of reliability know nothing of them"
    ),
    setting!(
        SpoolBytes,
        "spool_bytes",
        UP | SWITCH,
        "BYTES",
        "4GiB",
        SIZE,
        values::spool_bytes,
        "Bytes of call records that wait on disk (DATA/spool) while the exchange is away or behind; beyond them calls get 503"
    ),
    setting!(
        Heartbeat,
        "heartbeat",
        UP | SWITCH,
        "TIME",
        "30s",
        SIZE,
        values::heartbeat,
        "A line that was silent for so long is pinged; two missed answers end it"
    ),
    setting!(
        DrainDeadline,
        "drain_deadline",
        SERVERS,
        "TIME",
        "25s",
        SIZE,
        values::deadline,
        "After SIGTERM: how long calls in flight may take to finish"
    ),
    setting!(
        LogFormat,
        "log_format",
        SERVERS,
        "FORMAT",
        "text",
        LOGS,
        values::log_format,
        "text for people, json for machines; on stderr"
    ),
    setting!(
        LogLevel,
        "log_level",
        SERVERS | TOOL,
        "LEVEL",
        "info",
        LOGS,
        values::log_level,
        "error, warn, info, debug or trace; or directives such as info,landline_controlplane=debug"
    ),
];

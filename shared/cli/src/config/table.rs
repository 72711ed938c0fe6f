//! Every setting of the servers, once: its name, who takes it, its default, its form and what it does. The flags, the
//! environment variables, the keys of the file, `--help` and the reference in the operator's guide come from here.

pub use super::key::Key;
pub use super::setting::{ENV_PREFIX, EXCHANGE, ON_OFF, OTHER_VARIABLES, SWITCH, Setting, TEST_PREFIX, TOOL, UP};
use super::values;

const SERVERS: u8 = UP | EXCHANGE | SWITCH;
const PLACE: &str = "Where";
const POLICY: &str = "Who may do what";
const CLUSTER: &str = "Separate planes";
const SIZE: &str = "Size and time";
const LOGS: &str = "Logs";

/// A row of the table: everything but whether it is secret, which one row is not like the others in.
macro_rules! setting {
    ($key:ident, $name:literal, $scope:expr, $value:expr, $default:literal, $heading:expr, $check:expr, $help:literal) => {
        Setting {
            key: Key::$key,
            name: $name,
            scope: $scope,
            value: $value,
            default: $default,
            secret: matches!(Key::$key, Key::Database | Key::Join),
            heading: $heading,
            help: $help,
            check: |text| $check(text).map(drop),
        }
    };
}

/// The settings, in the order of `--help`. A key's number is its place here.
pub static SETTINGS: &[Setting] = &[
    setting!(
        Listen,
        "listen",
        SERVERS,
        "ADDR",
        "127.0.0.1:7300",
        PLACE,
        values::address,
        "Where agents and callers arrive; port 0 takes a free one. On `exchange`: an HTTP listener of its own, none unless set"
    ),
    setting!(
        Data,
        "data",
        SERVERS | TOOL,
        "DIR",
        "./landline-data",
        PLACE,
        values::path,
        "Directory of the database, secrets, certificates and run.json; made if missing, used by one process at a time"
    ),
    setting!(
        Admin,
        "admin",
        SERVERS,
        "ADDR",
        "127.0.0.1:0",
        PLACE,
        values::address,
        "Where /healthz, /readyz and /metrics are served; keep it private. Port 0 takes a free one, written to run.json"
    ),
    setting!(
        Link,
        "link",
        UP | EXCHANGE,
        "ADDR",
        "127.0.0.1:0",
        PLACE,
        values::address,
        "Where switches reach the exchange (QUIC over UDP, mutual TLS). Give a fixed port when switches run elsewhere"
    ),
    setting!(
        PublicUrl,
        "public_url",
        SERVERS,
        "URL",
        "",
        PLACE,
        values::public_url,
        "Base of every URL that is given out, such as https://relay.example; by default http:// or https:// and the listen address"
    ),
    setting!(
        TlsCert,
        "tls_cert",
        UP | SWITCH,
        "FILE",
        "",
        PLACE,
        values::path,
        "Certificate chain (PEM), the own one first: --listen speaks https and wss. Read again when it changes; needs --tls-key"
    ),
    setting!(
        TlsKey,
        "tls_key",
        UP | SWITCH,
        "FILE",
        "",
        PLACE,
        values::path,
        "The certificate's private key (PEM). Read again when it changes"
    ),
    setting!(
        TlsSelfSigned,
        "tls_self_signed",
        UP | SWITCH,
        ON_OFF,
        "false",
        PLACE,
        values::on_off,
        "For development: https and wss with a certificate of its own, made in DATA/tls, which clients must be told to trust"
    ),
    setting!(
        Prefix,
        "prefix",
        UP | EXCHANGE | TOOL,
        "PATH",
        "/connect",
        PLACE,
        values::prefix,
        "Where the API begins below the public URL"
    ),
    setting!(
        Database,
        "database",
        UP | EXCHANGE | TOOL,
        "URL",
        "",
        PLACE,
        values::database,
        "sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME; by default SQLite in the data directory"
    ),
    setting!(
        Registration,
        "registration",
        UP | EXCHANGE,
        "MODE",
        "open",
        POLICY,
        values::registration,
        "Who may register agents: open (anyone), token (who has DATA/registration-token), closed (the operator only)"
    ),
    setting!(
        RateLimits,
        "rate_limits",
        UP | EXCHANGE,
        "LIMITS",
        "",
        POLICY,
        values::rate_limits,
        "`off`, or class=n/unit by comma, such as registration=10/min,discovery=off; what is not named keeps its default"
    ),
    setting!(
        RankWeights,
        "rank_weights",
        UP | EXCHANGE,
        "WEIGHTS",
        "",
        POLICY,
        values::rank_weights,
        "What counts in discovery, as name=number by comma, such as uptime=0.4,offline=0.2; what is not named keeps its default"
    ),
    setting!(
        AllowedOrigins,
        "allowed_origins",
        SERVERS,
        "ORIGINS",
        "",
        POLICY,
        values::origins,
        "Origins by comma whose pages may use the API and open lines (CORS and WebSocket); none by default"
    ),
    setting!(
        AllowPrivateEgress,
        "allow_private_egress",
        UP | EXCHANGE,
        "CIDRS",
        "",
        POLICY,
        values::networks,
        "Networks by comma, such as 10.1.0.0/16, that are not public but may be called for agents with a URL; none by default"
    ),
    setting!(
        Probes,
        "probes",
        UP | EXCHANGE,
        ON_OFF,
        "true",
        POLICY,
        values::on_off,
        "Whether agents with a URL are asked there from time to time; without it only those that hold a line are online"
    ),
    setting!(
        ProbeInterval,
        "probe_interval",
        UP | EXCHANGE,
        "TIME",
        "5m",
        POLICY,
        values::probe_interval,
        "Time between two probes of an agent that answers; it counts as online for twice as long"
    ),
    setting!(
        DormantAfter,
        "dormant_after",
        UP | EXCHANGE,
        "TIME",
        "24h",
        POLICY,
        values::dormant_after,
        "An agent without a line whose probes have failed for so long is listed as dormant"
    ),
    setting!(
        AuditDays,
        "audit_days",
        UP | EXCHANGE,
        "DAYS",
        "30",
        POLICY,
        values::days,
        "Days that call records are kept"
    ),
    setting!(
        Join,
        "join",
        SWITCH,
        "TOKEN@HOST:PORT",
        "",
        CLUSTER,
        values::join,
        "Join token from `landline node token` and the exchange's link address. The token counts once; later starts use the certificate it gave"
    ),
    setting!(
        Exchange,
        "exchange",
        SWITCH,
        "HOST:PORT",
        "",
        CLUSTER,
        values::host_port,
        "The exchange's link address, for a switch that has joined already"
    ),
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

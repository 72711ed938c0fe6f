//! Where the servers are, and where they keep things.

use super::{PLACE, SERVERS, setting};
use crate::config::key::Key;
use crate::config::setting::{EXCHANGE, ON_OFF, SWITCH, Setting, TOOL, UP};
use crate::config::values;

/// The rows.
pub(super) static ROWS: &[Setting] = &[
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
];

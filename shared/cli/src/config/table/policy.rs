//! Who may do what, what counts, and how the planes find each other.

use super::{CLUSTER, POLICY, SERVERS, setting};
use crate::config::key::Key;
use crate::config::setting::{EXCHANGE, ON_OFF, SWITCH, Setting, UP};
use crate::config::values;

/// The rows.
pub(super) static ROWS: &[Setting] = &[
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
        EmbeddingsUrl,
        "embeddings_url",
        UP | EXCHANGE,
        "URL",
        "",
        POLICY,
        values::embeddings_url,
        "Rank by meaning too: base of an API with /embeddings as OpenAI's has it, such as http://127.0.0.1:11434/v1; needs --embeddings-model"
    ),
    setting!(
        EmbeddingsModel,
        "embeddings_model",
        UP | EXCHANGE,
        "NAME",
        "",
        POLICY,
        values::embeddings_model,
        "The model that it makes vectors with; with another one all agents are embedded anew"
    ),
    setting!(
        EmbeddingsKeyFile,
        "embeddings_key_file",
        UP | EXCHANGE,
        "FILE",
        "",
        POLICY,
        values::path,
        "File with the key that it is asked with, as Authorization: Bearer"
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
        ArdUpstreams,
        "ard_upstreams",
        UP | EXCHANGE,
        "URLS",
        "",
        POLICY,
        values::registries,
        "Base URLs by comma of other ARD registries, at most 8, that searches of the registry are passed on to; none by default"
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
];

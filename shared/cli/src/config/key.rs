//! The settings by name.

/// A setting's place in [`super::table::SETTINGS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the table's help column documents each")]
pub enum Key {
    Listen,
    Data,
    Admin,
    Link,
    PublicUrl,
    TlsCert,
    TlsKey,
    TlsSelfSigned,
    Prefix,
    Database,
    Registration,
    RateLimits,
    RankWeights,
    AllowedOrigins,
    AllowPrivateEgress,
    AuditDays,
    Join,
    Exchange,
    Cores,
    Driver,
    MaxBody,
    MaxInFlight,
    MaxLines,
    MaxLinesPerIp,
    MaxPending,
    MaxPendingPerIp,
    BodyBudget,
    SpoolBytes,
    Heartbeat,
    DrainDeadline,
    LogFormat,
    LogLevel,
}

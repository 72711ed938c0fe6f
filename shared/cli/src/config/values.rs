//! The forms that settings accept. Each function reads one text; its error names the accepted form, not the text, so
//! that a secret in it stays out of messages.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use landline_controlplane::config::{MAX_ARD_UPSTREAMS, RateLimits};
use landline_controlplane::discovery::Weights;
use landline_controlplane::egress::Cidr;
use landline_dataplane::Driver;
use landline_link::JoinToken;
use tracing_subscriber::filter::EnvFilter;

use super::server::{Join, LogFormat, RegistrationMode};

type Read<T> = Result<T, String>;

fn expected<T>(form: &str) -> Read<T> {
    Err(format!("expected {form}"))
}

/// `HOST:PORT` with an IP address or `localhost`.
pub fn address(text: &str) -> Read<SocketAddr> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numeric.parse().or_else(|_| {
        expected("IP:PORT with a port from 0 to 65535, such as 127.0.0.1:7300, 0.0.0.0:7300 or [::1]:7300")
    })
}

/// `HOST:PORT` with a name or an address, unresolved.
pub fn host_port(text: &str) -> Read<String> {
    let well_formed = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', '@', ' ']) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if well_formed { Ok(text.to_owned()) } else { expected("HOST:PORT, such as exchange.internal:7301") }
}

/// A path that is not empty.
pub fn path(text: &str) -> Read<PathBuf> {
    if text.is_empty() { expected("a path") } else { Ok(text.into()) }
}

/// On or off.
pub fn on_off(text: &str) -> Read<bool> {
    match text {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => expected("true or false"),
    }
}

/// An origin: scheme and authority, nothing else. A slash at the end is dropped.
fn origin(text: &str) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let host_ok = !host.is_empty()
        && (host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            || (host.starts_with('[') && host.ends_with(']')));
    (host_ok && port.is_none_or(|port| port.parse::<u16>().is_ok())).then(|| text.to_owned())
}

/// Scheme and authority, such as `https://relay.example`.
pub fn public_url(text: &str) -> Read<String> {
    origin(text)
        .map_or_else(|| expected("http:// or https:// and a host, without a path, such as https://relay.example"), Ok)
}

/// Origins by comma.
pub fn origins(text: &str) -> Read<Vec<String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| origin(part).map_or_else(|| expected("origins by comma, such as https://app.example"), Ok))
        .collect()
}

/// A path prefix: a slash, then segments without a slash at the end.
pub fn prefix(text: &str) -> Read<String> {
    let well_formed = text.strip_prefix('/').is_some_and(|rest| {
        rest.split('/').all(|segment| {
            !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'~'))
        })
    });
    if well_formed { Ok(text.to_owned()) } else { expected("a path such as /connect, without a slash at its end") }
}

/// A database URL.
pub fn database(text: &str) -> Read<String> {
    let known = ["sqlite://", "postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    if known { Ok(text.to_owned()) } else { expected("sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME") }
}

/// Who may register.
pub fn registration(text: &str) -> Read<RegistrationMode> {
    match text {
        "open" => Ok(RegistrationMode::Open),
        "token" => Ok(RegistrationMode::Token),
        "closed" => Ok(RegistrationMode::Closed),
        _ => expected("open, token or closed"),
    }
}

/// Rate limits; the form is the exchange's.
pub fn rate_limits(text: &str) -> Read<RateLimits> {
    text.parse::<RateLimits>().map_err(|error| error.to_string())
}

/// Weights of discovery; the form is the exchange's.
pub fn rank_weights(text: &str) -> Read<Weights> {
    text.parse::<Weights>().map_err(|error| error.to_string())
}

/// An API's base: an http or https URL without credentials, query and fragment.
pub fn embeddings_url(text: &str) -> Read<String> {
    base_url(text)
        .map_or_else(|| expected("an http or https URL without a query, such as http://127.0.0.1:11434/v1"), Ok)
}

/// Base URLs of ARD registries. The URL of a search, as a referral has it, is taken for its registry.
pub fn registries(text: &str) -> Read<Vec<String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let base = |part: &str| {
        let base = part.trim_end_matches('/');
        base_url(base.strip_suffix("/search").unwrap_or(base))
    };
    let bases: Option<Vec<String>> = parts.map(base).collect();
    bases.filter(|bases| bases.len() <= MAX_ARD_UPSTREAMS).map_or_else(
        || {
            expected(&format!(
                "at most {MAX_ARD_UPSTREAMS} http or https URLs by comma, such as https://relay.example/connect/ard"
            ))
        },
        Ok,
    )
}

/// An http or https URL without a query, a fragment and credentials; without the slash at its end.
fn base_url(text: &str) -> Option<String> {
    let base = text.trim_end_matches('/');
    let (scheme, rest) = base.split_once("://").unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte));
    origin(&format!("{scheme}://{authority}")).filter(|_| is_plain && !authority.contains('@'))?;
    Some(base.to_owned())
}

/// A model's name.
pub fn embeddings_model(text: &str) -> Read<String> {
    let fits = (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { expected("a name of at most 200 characters without spaces") }
}

/// Networks.
pub fn networks(text: &str) -> Read<Vec<Cidr>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse::<Cidr>().map_err(|error| error.to_string())).collect()
}

/// Days.
pub fn days(text: &str) -> Read<u32> {
    number(text, 1, 3_650).map_or_else(|| expected("days from 1 to 3650"), |days| Ok(days as u32))
}

/// Threads; 0 stands for every core. A call's id names at most 256.
pub fn cores(text: &str) -> Read<usize> {
    number(text, 0, 256).map_or_else(|| expected("a number from 0 (every core) to 256"), |cores| Ok(cores as usize))
}

/// The kernel interface.
pub fn driver(text: &str) -> Read<Driver> {
    text.parse()
}

/// Bytes, as a number or with KiB or MiB. Bounded so that one message always fits a line's queue.
pub fn body_bytes(text: &str) -> Read<usize> {
    bytes(text, 1 << 10, 7 << 20).map_or_else(|| expected("bytes from 1KiB to 7MiB, such as 1048576 or 1MiB"), Ok)
}

/// Bytes within bounds: a number, alone or with a unit.
fn bytes(text: &str, least: u64, most: u64) -> Option<usize> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let unit = units.iter().find_map(|(name, unit)| text.strip_suffix(name).map(|digits| (digits, *unit)));
    let (digits, unit) = unit.unwrap_or((text, 1u64));
    let count = digits.trim().parse::<u64>().ok()?.checked_mul(unit)?;
    (least..=most).contains(&count).then_some(count as usize)
}

/// Calls in flight.
pub fn in_flight(text: &str) -> Read<usize> {
    number(text, 1, 65_536).map_or_else(|| expected("a number from 1 to 65536"), |calls| Ok(calls as usize))
}

/// A bound; 0 stands for none.
pub fn count(text: &str) -> Read<usize> {
    number(text, 0, 10_000_000).map_or_else(|| expected("a number, 0 for no bound"), |count| Ok(count as usize))
}

/// A bound that there must be.
pub fn some(text: &str) -> Read<usize> {
    number(text, 1, 1_000_000).map_or_else(|| expected("a number from 1 to 1000000"), |count| Ok(count as usize))
}

/// Bytes of a core's budget: room for a few whole bodies at least.
pub fn budget_bytes(text: &str) -> Read<usize> {
    bytes(text, 16 << 20, 64 << 30).map_or_else(|| expected("bytes from 16MiB to 64GiB, such as 256MiB"), Ok)
}

/// Bytes of the spool: some segments at least.
pub fn spool_bytes(text: &str) -> Read<u64> {
    let form = "bytes from 16MiB to 1024GiB, such as 4GiB";
    bytes(text, 16 << 20, 1 << 40).map_or_else(|| expected(form), |bytes| Ok(bytes as u64))
}

/// Whole seconds between signs of life.
pub fn heartbeat(text: &str) -> Read<u64> {
    duration(text)
        .filter(|time| (1..=600).contains(&time.as_secs()) && time.subsec_nanos() == 0)
        .map_or_else(|| expected("whole seconds from 1s to 10m, such as 30s"), |time| Ok(time.as_secs()))
}

/// A deadline.
pub fn deadline(text: &str) -> Read<Duration> {
    duration(text)
        .filter(|time| *time <= Duration::from_secs(3_600))
        .map_or_else(|| expected("a time up to 1h, such as 25s, 500ms or 2m"), Ok)
}

/// Time between two probes of one agent.
pub fn probe_interval(text: &str) -> Read<Duration> {
    let bounds = Duration::from_secs(1)..=Duration::from_secs(86_400);
    duration(text)
        .filter(|time| bounds.contains(time))
        .map_or_else(|| expected("a time from 1s to 24h, such as 5m"), Ok)
}

/// Time of failing probes.
pub fn dormant_after(text: &str) -> Read<Duration> {
    let bounds = Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);
    duration(text)
        .filter(|time| bounds.contains(time))
        .map_or_else(|| expected("a time from 1s to 8760h, such as 24h"), Ok)
}

/// `TOKEN@HOST:PORT`.
pub fn join(text: &str) -> Read<Join> {
    const FORM: &str = "TOKEN@HOST:PORT with a token from `landline node token`";
    let Some((token, place)) = text.rsplit_once('@') else { return expected(FORM) };
    match (token.parse::<JoinToken>(), host_port(place)) {
        (Ok(token), Ok(exchange)) => Ok(Join { token, exchange }),
        _ => expected(FORM),
    }
}

/// Text or JSON.
pub fn log_format(text: &str) -> Read<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => expected("text or json"),
    }
}

/// A level or filter directives.
pub fn log_level(text: &str) -> Read<String> {
    // A bare word that is no level would be taken for the name of a module, and silence everything else.
    let levels = ["error", "warn", "info", "debug", "trace", "off"];
    let all_known = text.split(',').map(str::trim).all(|part| match part.rsplit_once('=') {
        Some((_, level)) => levels.contains(&level),
        None => levels.contains(&part),
    });
    if all_known && EnvFilter::try_new(text).is_ok() {
        Ok(text.to_owned())
    } else {
        expected("error, warn, info, debug or trace, or directives such as info,landline_controlplane=debug")
    }
}

fn number(text: &str, least: u64, most: u64) -> Option<u64> {
    text.parse().ok().filter(|number| (least..=most).contains(number))
}

/// `500ms`, `25s`, `2m`, `1h`; a bare number is seconds.
pub fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let count: u64 = digits.parse().ok()?;
    let factor = match unit {
        "ms" => return Some(Duration::from_millis(count)),
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    count.checked_mul(factor).map(Duration::from_secs)
}

//! Layers merged, checked and built into typed settings.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landline_controlplane::config::RateLimits;
use landline_controlplane::discovery::Weights;
use landline_controlplane::egress::Cidr;
use landline_dataplane::Driver;
use landline_link::JoinToken;

use super::find;
use super::flags::Flags;
use super::layer::{self, Layer};
use super::mistake::{Mistake, Mistakes, Source};
use super::table::{self, Key, SETTINGS};
use super::values;

/// Who may register, before the token is read or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Anyone.
    Open,
    /// Who has the token in the data directory.
    Token,
    /// The operator.
    Closed,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// How to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Form.
    pub format: LogFormat,
    /// A level, or filter directives.
    pub level: String,
}

/// Where the front door's certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSource {
    /// Files of the operator's.
    Files {
        /// The chain.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Made here.
    SelfSigned,
}

/// How a switch joins its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The join token.
    pub token: JoinToken,
    /// The exchange's link address, `HOST:PORT`.
    pub exchange: String,
}

/// The settings of a server, checked. What a command does not take has its default.
#[derive(Debug, Clone)]
pub struct Server {
    /// Data directory.
    pub data: PathBuf,
    /// Where the front door listens; the port may be 0.
    pub listen: SocketAddr,
    /// Was `listen` set by anyone?
    pub listen_given: bool,
    /// Where health and metrics are served.
    pub admin: SocketAddr,
    /// Where switches arrive.
    pub link: SocketAddr,
    /// Base of the URLs that are given out, if set.
    pub public_url: Option<String>,
    /// The front door's TLS; `None`: it is plain.
    pub tls: Option<TlsSource>,
    /// API prefix.
    pub prefix: String,
    /// Database URL; empty: SQLite in the data directory.
    pub database: String,
    /// Who may register.
    pub registration: RegistrationMode,
    /// Requests per time.
    pub rate_limits: RateLimits,
    /// What counts in discovery.
    pub rank_weights: Weights,
    /// What makes vectors of texts: URL, model, and the file with the key.
    pub embeddings: Option<(String, String, Option<PathBuf>)>,
    /// Origins of pages that may use the API.
    pub allowed_origins: Vec<String>,
    /// Networks that are not public and may be called all the same.
    pub private_egress: Vec<Cidr>,
    /// Other ARD registries.
    pub ard_upstreams: Vec<String>,
    /// Are agents with a URL probed?
    pub probes: bool,
    /// Time between two probes of an agent that answers.
    pub probe_interval: Duration,
    /// Time of failing probes after which an agent is dormant.
    pub dormant_after: Duration,
    /// Days that call records are kept.
    pub audit_days: u32,
    /// Join token and place of the exchange.
    pub join: Option<Join>,
    /// Place of the exchange, for a switch that has joined.
    pub exchange: Option<String>,
    /// Switch threads; 0: every core.
    pub cores: usize,
    /// Kernel interface of the switch.
    pub driver: Driver,
    /// Bytes of the largest body.
    pub max_body_bytes: usize,
    /// Calls in flight towards one line.
    pub max_in_flight: usize,
    /// Lines of this switch; 0: no bound.
    pub max_lines: usize,
    /// Lines from one address; 0: no bound.
    pub max_lines_per_ip: usize,
    /// Sockets that have not spoken or authenticated.
    pub max_pending: usize,
    /// Of those, from one address.
    pub max_pending_per_ip: usize,
    /// Body bytes that one core holds.
    pub body_budget: usize,
    /// Does each call leave a record?
    pub audit: bool,
    /// Bytes of records that wait on disk for the exchange.
    pub spool_bytes: u64,
    /// Seconds of silence after which a line is pinged.
    pub heartbeat_s: u64,
    /// Time to finish after SIGTERM.
    pub drain_deadline: Duration,
    /// How to log.
    pub log: Log,
    /// The settings file that was read, if any.
    pub config_file: Option<PathBuf>,
    /// Oddities to log once logging works.
    pub remarks: Vec<String>,
}

/// Reads all layers and builds the settings. `read` gives a file's text, `None` if there is no such file.
///
/// # Errors
/// Every [`Mistake`] of every layer, including values that a higher layer overrides: they would surprise later.
pub fn load<const SCOPE: u8>(
    flags: &Flags<SCOPE>,
    variables: &BTreeMap<String, String>,
    read: &dyn Fn(&Path) -> io::Result<Option<String>>,
) -> Result<Server, Mistakes> {
    let mut mistakes = Vec::new();
    let environment = layer::from_environment(variables);
    mistakes.extend(environment.mistakes);
    let given = layer::from_flags(&flags.given);

    let (config_file, file) =
        find_file(flags.config.as_deref(), variables, &[&given, &environment.layer], read, &mut mistakes);
    let mut remarks = environment.remarks;
    let file = file.map(|(path, text)| layer::from_file(&path, &text)).unwrap_or_default();
    mistakes.extend(file.mistakes);
    remarks.extend(file.remarks);

    let layers = [given, environment.layer, file.layer];
    for (key, (text, source)) in layers.iter().flatten() {
        let setting = find::setting(*key);
        if let Err(why) = (setting.check)(text) {
            let value = (!setting.secret).then(|| text.clone());
            mistakes.push(Mistake { source: source.clone(), value, why });
        }
    }
    let merged = Merged(layers);
    mistakes.extend(merged.disagreements(SCOPE));
    if !mistakes.is_empty() {
        return Err(Mistakes::sorted(mistakes));
    }
    Ok(merged.build(config_file, remarks))
}

type FileText = Option<(String, String)>;

/// The settings file: the one that was named, else `DATA/landline.toml`, else `./landline.toml`.
fn find_file(
    named: Option<&Path>,
    variables: &BTreeMap<String, String>,
    layers: &[&Layer],
    read: &dyn Fn(&Path) -> io::Result<Option<String>>,
    mistakes: &mut Vec<Mistake>,
) -> (Option<PathBuf>, FileText) {
    let variable = variables.get("LANDLINE_CONFIG").filter(|value| !value.is_empty());
    let (candidates, source) = match (named, variable) {
        (Some(path), _) => (vec![path.to_owned()], Some(Source::Flag("--config".into()))),
        (None, Some(path)) => (vec![path.into()], Some(Source::Variable("LANDLINE_CONFIG".into()))),
        (None, None) => {
            let data = layers.iter().find_map(|layer| layer.get(&Key::Data)).map(|(text, _)| text.as_str());
            let data = Path::new(data.unwrap_or(find::setting(Key::Data).default));
            (vec![data.join("landline.toml"), "./landline.toml".into()], None)
        }
    };
    for path in candidates {
        let shown = path.display().to_string();
        match (read(&path), &source) {
            (Ok(Some(text)), _) => return (Some(path), Some((shown, text))),
            (Ok(None), None) => {}
            (Ok(None), Some(source)) => {
                mistakes.push(Mistake {
                    source: source.clone(),
                    value: Some(shown),
                    why: "there is no such file".into(),
                });
            }
            (Err(error), _) => {
                let source = Source::File { path: shown, line: 1, key: String::new() };
                mistakes.push(Mistake { source, value: None, why: format!("cannot be read: {error}") });
            }
        }
    }
    (None, None)
}

/// Flags, environment and file, in this precedence.
struct Merged([Layer; 3]);

impl Merged {
    fn set(&self, key: Key) -> Option<&str> {
        self.0.iter().find_map(|layer| layer.get(&key)).map(|(text, _)| text.as_str())
    }

    /// The value of a setting that is set or has a default. All texts were checked, and the defaults are by a test.
    fn get<T>(&self, key: Key, read: fn(&str) -> Result<T, String>) -> T {
        let text = self.set(key).unwrap_or(SETTINGS[key as usize].default);
        read(text).expect("every layer was checked, and so are the defaults")
    }

    fn optional<T>(&self, key: Key, read: fn(&str) -> Result<T, String>) -> Option<T> {
        self.set(key).map(|text| read(text).expect("every layer was checked"))
    }

    /// What is wrong with settings together, each being right by itself.
    fn disagreements(&self, scope: u8) -> Vec<Mistake> {
        let mut found = Vec::new();
        let mut object = |key: Key, why: &str| {
            let source = Source::Flag(format!("--{}", find::setting(key).flag()));
            found.push(Mistake { source, value: None, why: why.into() });
        };
        if scope == table::SWITCH && self.set(Key::Join).is_none() && self.set(Key::Exchange).is_none() {
            object(
                Key::Join,
                "a switch needs its exchange: --join TOKEN@HOST:PORT (make a token with `landline node token` where \
                 the exchange runs), or --exchange HOST:PORT once it has joined",
            );
        }
        let self_signed = self.set(Key::TlsSelfSigned).is_some_and(|text| values::on_off(text) == Ok(true));
        match (self.set(Key::TlsCert).is_some(), self.set(Key::TlsKey).is_some()) {
            (true, false) => object(Key::TlsCert, "a certificate needs its key: give --tls-key too"),
            (false, true) => object(Key::TlsKey, "a key needs its certificate: give --tls-cert too"),
            (true, true) if self_signed => object(Key::TlsSelfSigned, "there is a certificate already: --tls-cert"),
            _ => {}
        }
        match (self.set(Key::EmbeddingsUrl).is_some(), self.set(Key::EmbeddingsModel).is_some()) {
            (true, false) => object(Key::EmbeddingsUrl, "an endpoint needs its model: give --embeddings-model too"),
            (false, true) => object(Key::EmbeddingsModel, "a model needs its endpoint: give --embeddings-url too"),
            (false, false) if self.set(Key::EmbeddingsKeyFile).is_some() => {
                object(Key::EmbeddingsKeyFile, "a key needs its endpoint: give --embeddings-url too");
            }
            _ => {}
        }
        found
    }

    fn embeddings(&self) -> Option<(String, String, Option<PathBuf>)> {
        let url = self.optional(Key::EmbeddingsUrl, values::embeddings_url)?;
        let model = self.optional(Key::EmbeddingsModel, values::embeddings_model)?;
        Some((url, model, self.optional(Key::EmbeddingsKeyFile, values::path)))
    }

    fn tls(&self) -> Option<TlsSource> {
        let files = self.optional(Key::TlsCert, values::path).zip(self.optional(Key::TlsKey, values::path));
        let own = self.get(Key::TlsSelfSigned, values::on_off).then_some(TlsSource::SelfSigned);
        files.map(|(cert, key)| TlsSource::Files { cert, key }).or(own)
    }

    fn build(&self, config_file: Option<PathBuf>, remarks: Vec<String>) -> Server {
        Server {
            data: self.get(Key::Data, values::path),
            listen: self.get(Key::Listen, values::address),
            listen_given: self.set(Key::Listen).is_some(),
            admin: self.get(Key::Admin, values::address),
            link: self.get(Key::Link, values::address),
            public_url: self.optional(Key::PublicUrl, values::public_url),
            tls: self.tls(),
            prefix: self.get(Key::Prefix, values::prefix),
            database: self.optional(Key::Database, values::database).unwrap_or_default(),
            registration: self.get(Key::Registration, values::registration),
            rate_limits: self.get(Key::RateLimits, values::rate_limits),
            rank_weights: self.get(Key::RankWeights, values::rank_weights),
            embeddings: self.embeddings(),
            allowed_origins: self.get(Key::AllowedOrigins, values::origins),
            private_egress: self.get(Key::AllowPrivateEgress, values::networks),
            ard_upstreams: self.get(Key::ArdUpstreams, values::registries),
            probes: self.get(Key::Probes, values::on_off),
            probe_interval: self.get(Key::ProbeInterval, values::probe_interval),
            dormant_after: self.get(Key::DormantAfter, values::dormant_after),
            audit_days: self.get(Key::AuditDays, values::days),
            join: self.optional(Key::Join, values::join),
            exchange: self.optional(Key::Exchange, values::host_port),
            cores: self.get(Key::Cores, values::cores),
            driver: self.get(Key::Driver, values::driver),
            max_body_bytes: self.get(Key::MaxBody, values::body_bytes),
            max_in_flight: self.get(Key::MaxInFlight, values::in_flight),
            max_lines: self.get(Key::MaxLines, values::count),
            max_lines_per_ip: self.get(Key::MaxLinesPerIp, values::count),
            max_pending: self.get(Key::MaxPending, values::some),
            max_pending_per_ip: self.get(Key::MaxPendingPerIp, values::some),
            body_budget: self.get(Key::BodyBudget, values::budget_bytes),
            audit: self.get(Key::Audit, values::on_off),
            spool_bytes: self.get(Key::SpoolBytes, values::spool_bytes),
            heartbeat_s: self.get(Key::Heartbeat, values::heartbeat),
            drain_deadline: self.get(Key::DrainDeadline, values::deadline),
            log: Log {
                format: self.get(Key::LogFormat, values::log_format),
                level: self.get(Key::LogLevel, values::log_level),
            },
            config_file,
            remarks,
        }
    }
}

//! Layers, precedence and mistakes, without a file system or an environment.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landline_controlplane::config::{Class, Rate};

use super::table::{EXCHANGE, Key, SETTINGS, SWITCH, UP};
use super::*;

/// Files by path; what is not here does not exist.
#[derive(Default)]
struct World {
    flags: Flags<UP>,
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
}

impl World {
    fn flag(mut self, key: Key, text: &str) -> Self {
        self.flags.given.insert(key, text.into());
        self
    }

    fn variable(mut self, name: &str, text: &str) -> Self {
        self.variables.insert(name.into(), text.into());
        self
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }

    fn load(&self) -> Result<Server, Mistakes> {
        load(&self.flags, &self.variables, &|path: &Path| Ok(self.files.get(path).cloned()))
    }

    fn mistakes(&self) -> Vec<String> {
        self.load().unwrap_err().0.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn every_row_stands_at_its_keys_number_and_its_default_passes_its_own_check() {
    for (index, setting) in SETTINGS.iter().enumerate() {
        assert_eq!(setting.key as usize, index, "{}", setting.name);
        if !setting.default.is_empty() {
            assert_eq!((setting.check)(setting.default), Ok(()), "{}", setting.name);
        }
        assert!(setting.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", setting.name);
        assert!(!setting.help.is_empty() && setting.help.is_ascii(), "{}", setting.name);
    }
    let secret: Vec<_> = SETTINGS.iter().filter(|setting| setting.secret).map(|setting| setting.name).collect();
    assert_eq!(secret, ["database", "join"]);
}

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let server = World::default().load().unwrap();
    assert_eq!(server.listen, "127.0.0.1:7300".parse().unwrap());
    assert_eq!(server.data, Path::new("./landline-data"));
    assert_eq!((server.admin.port(), server.link.port()), (0, 0));
    assert!(server.admin.ip().is_loopback() && server.link.ip().is_loopback());
    assert_eq!((server.registration, server.drain_deadline), (RegistrationMode::Open, Duration::from_secs(25)));
    assert_eq!((server.max_body_bytes, server.heartbeat_s, server.cores), (1 << 20, 30, 0));
    assert_eq!((server.public_url, server.config_file, server.listen_given), (None, None, false));
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let world = World::default()
        .file("./landline.toml", "cores = 1\nheartbeat = \"11s\"\nmax_in_flight = 7")
        .variable("LANDLINE_CORES", "2")
        .variable("LANDLINE_HEARTBEAT", "12s")
        .flag(Key::Cores, "3");
    let server = world.load().unwrap();
    assert_eq!((server.cores, server.heartbeat_s, server.max_in_flight), (3, 12, 7));
    assert_eq!(server.config_file.as_deref(), Some(Path::new("./landline.toml")));
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let world = World::default().variable("LANDLINE_RATE_LIMITS", "").variable("LANDLINE_LISTEN", " ");
    assert_eq!(world.load().unwrap().rate_limits, World::default().load().unwrap().rate_limits);
}

#[test]
fn lists_and_numbers_of_the_file_read_as_their_flags_do() {
    let text = "allowed_origins = [\"https://a.example\", \"https://b.example/\"]\nmax_body = 2048\naudit_days = 7\n\
                rate_limits = [\"registration=off\", \"claims=1/h\"]";
    let server = World::default().file("./landline.toml", text).load().unwrap();
    assert_eq!(server.allowed_origins, ["https://a.example", "https://b.example"]);
    assert_eq!((server.max_body_bytes, server.audit_days), (2_048, 7));
    assert_eq!(server.rate_limits.rate(Class::Registration), None);
    assert_eq!(server.rate_limits.rate(Class::Claims), Some(Rate { requests: 1, per_ms: 3_600_000 }));
}

#[test]
fn the_file_is_the_named_one_or_in_the_data_directory_or_here() {
    let world = World::default().file("./landline.toml", "cores = 1").file("d/landline.toml", "cores = 2");
    assert_eq!(world.load().unwrap().cores, 1);
    let world = world.variable("LANDLINE_DATA", "d");
    assert_eq!(world.load().unwrap().cores, 2);
    let world = world.file("named.toml", "cores = 3").variable("LANDLINE_CONFIG", "named.toml");
    assert_eq!(world.load().unwrap().cores, 3);
    let mut world = world.file("flag.toml", "cores = 4");
    world.flags.config = Some("flag.toml".into());
    assert_eq!(world.load().unwrap().cores, 4);
    world.flags.config = Some("missing.toml".into());
    assert_eq!(world.mistakes(), ["--config = \"missing.toml\": there is no such file"]);
}

#[test]
fn all_mistakes_of_all_layers_are_reported_at_once() {
    let world = World::default()
        .flag(Key::Listen, "here:70000")
        .variable("LANDLINE_CORES", "many")
        .variable("LANDLINE_LISTN", "127.0.0.1:1")
        .file(
            "./landline.toml",
            "registraton = \"open\"\n\ncores = \"few\"\nadmin = { port = 1 }\ndrain-deadline = 5\nnonsense = 1",
        );
    let mistakes = world.mistakes();
    for expected in [
        "--listen = \"here:70000\": expected IP:PORT",
        "LANDLINE_CORES = \"many\": expected a number from 0",
        "LANDLINE_LISTN: no such setting; did you mean LANDLINE_LISTEN?",
        "./landline.toml:1: registraton: no such setting; did you mean registration?",
        "./landline.toml:3: cores = \"few\": expected a number",
        "./landline.toml:4: admin: expected a text, a number, or a list of texts",
        "./landline.toml:5: drain-deadline: no such setting; did you mean drain_deadline?",
        "./landline.toml:6: nonsense: no such setting",
    ] {
        assert_eq!(
            mistakes.iter().filter(|mistake| mistake.starts_with(expected)).count(),
            1,
            "{expected}: {mistakes:#?}"
        );
    }
    assert_eq!(mistakes.len(), 8, "{mistakes:#?}");
    assert!(world.load().unwrap_err().to_string().starts_with("8 mistakes in the settings:\n"));
}

#[test]
fn every_broken_line_of_a_file_is_named() {
    let text = "cores = \nlisten = \"x\nheartbeat = 5\nmax_body = 1\naudit_days = [";
    let mistakes = World::default().file("./landline.toml", text).mistakes();
    let starts: Vec<_> =
        mistakes.iter().map(|mistake| mistake.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect();
    assert_eq!(
        starts,
        [
            "./landline.toml:1: not valid TOML",
            "./landline.toml:2: not valid TOML",
            "./landline.toml:4: max_body = \"1\"",
            "./landline.toml:5: not valid TOML",
        ],
        "{mistakes:#?}"
    );
}

#[test]
fn secrets_do_not_stand_in_mistakes() {
    let world = World::default().variable("LANDLINE_DATABASE", "mysql://user:hunter2@db/x");
    let mistakes = world.mistakes();
    assert_eq!(mistakes, ["LANDLINE_DATABASE: expected sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME"]);
    let mut flags = Flags::<SWITCH>::default();
    flags.given.insert(Key::Join, "lljoin_hunter2@nowhere:1".into());
    let text = load(&flags, &BTreeMap::new(), &|_| Ok(None)).unwrap_err().to_string();
    assert!(text.contains("--join") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_variable_that_is_nobodys_slip_is_only_remarked() {
    let world = World::default()
        .variable("LANDLINE_SERVICE_HOST", "10.0.0.1")
        .variable("LANDLINE_URL", "http://x")
        .variable("LANDLINE_TEST_POSTGRES", "postgres://x");
    let remarks = world.load().unwrap().remarks;
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    assert!(remarks[0].contains("LANDLINE_SERVICE_HOST"), "{remarks:?}");
}

#[test]
fn a_switch_needs_its_exchange() {
    let none = load(&Flags::<SWITCH>::default(), &BTreeMap::new(), &|_| Ok(None));
    assert!(none.unwrap_err().to_string().contains("landline node token"));
    let mut flags = Flags::<SWITCH>::default();
    flags.given.insert(Key::Exchange, "exchange.internal:7301".into());
    let server = load(&flags, &BTreeMap::new(), &|_| Ok(None)).unwrap();
    assert_eq!(server.exchange.as_deref(), Some("exchange.internal:7301"));
    assert!(load(&Flags::<EXCHANGE>::default(), &BTreeMap::new(), &|_| Ok(None)).is_ok());
}

#[test]
fn a_certificate_comes_with_its_key_or_is_made_here() {
    let tls = |world: World| world.load().unwrap().tls;
    assert_eq!(tls(World::default()), None);
    let files = || World::default().flag(Key::TlsCert, "a.pem").variable("LANDLINE_TLS_KEY", "b.pem");
    assert_eq!(tls(files()), Some(TlsSource::Files { cert: "a.pem".into(), key: "b.pem".into() }));
    assert_eq!(tls(files().flag(Key::TlsSelfSigned, "false")), tls(files()));
    assert_eq!(tls(World::default().flag(Key::TlsSelfSigned, "true")), Some(TlsSource::SelfSigned));
    for (world, said) in [
        (World::default().flag(Key::TlsCert, "a.pem"), "--tls-cert: a certificate needs its key"),
        (World::default().flag(Key::TlsKey, "b.pem"), "--tls-key: a key needs its certificate"),
        (files().flag(Key::TlsSelfSigned, "true"), "--tls-self-signed: there is a certificate already"),
        (World::default().flag(Key::TlsSelfSigned, "maybe"), "expected true or false"),
    ] {
        let mistakes = world.mistakes();
        assert!(mistakes.len() == 1 && mistakes[0].contains(said), "{mistakes:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake() {
    let read = |_: &Path| Err(io::Error::from(io::ErrorKind::PermissionDenied));
    let text = load(&Flags::<UP>::default(), &BTreeMap::new(), &read).unwrap_err().to_string();
    assert!(text.contains("./landline-data/landline.toml:1: cannot be read"), "{text}");
}

#[test]
fn forms_accept_what_they_say_and_nothing_else() {
    use values::*;
    assert_eq!(address("localhost:80").unwrap().to_string(), "127.0.0.1:80");
    assert!(address("127.0.0.1").is_err() && address("relay.example:80").is_err() && address(":80").is_err());
    for (good, bad) in [
        ("https://relay.example", "https://relay.example/x"),
        ("http://[::1]:7300/", "relay.example"),
        ("http://a:1", "http://a:b"),
    ] {
        assert!(public_url(good).is_ok(), "{good}");
        assert!(public_url(bad).is_err(), "{bad}");
    }
    assert_eq!(prefix("/a/b").unwrap(), "/a/b");
    assert!(["", "/", "a", "/a/", "//a", "/a b"].into_iter().all(|text| prefix(text).is_err()));
    assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
    assert_eq!((duration("2m"), duration("90")), (Some(Duration::from_secs(120)), Some(Duration::from_secs(90))));
    assert!(["", "s", "-1s", "1w", "1.5s", "99999999999999999999s"].into_iter().all(|text| duration(text).is_none()));
    assert_eq!(body_bytes("64KiB"), Ok(65_536));
    assert!(body_bytes("8MiB").is_err() && body_bytes("1").is_err() && body_bytes("1MB").is_err());
    assert!(heartbeat("1500ms").is_err() && heartbeat("0s").is_err() && heartbeat("10s") == Ok(10));
    assert!(log_level("info,landline_controlplane=debug").is_ok());
    assert!(log_level("loud").is_err() && log_level("a=loud").is_err() && log_level("").is_err());
    assert!(
        host_port("h:1").is_ok() && host_port("h").is_err() && host_port("h:0").is_err() && host_port("a@h:1").is_err()
    );
}

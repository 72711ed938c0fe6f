//! Health, readiness and metrics of both planes, on the admin address and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use landline_tests::api;
use landline_tests::http::{Request, once};
use landline_tests::line::EchoAgent;
use landline_tests::server::{Data, Planes, Server};
use landline_tests::wait::{SOON, eventually};

/// Reads an OpenMetrics text strictly: families declared once, samples below their family, one end mark at the end.
fn read(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "the end mark is missing");
    assert_eq!(text.matches("# EOF").count(), 1);
    let (mut families, mut current, mut samples) = (BTreeSet::new(), String::new(), BTreeMap::new());
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.split_whitespace();
            let (what, name) = (words.next().expect("a word"), words.next().expect("a name"));
            assert!(matches!(what, "HELP" | "TYPE" | "UNIT"), "{line}");
            if name != current {
                assert!(families.insert(name.to_owned()), "{name} is declared in two places");
                current = name.to_owned();
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
        let bare = name.split('{').next().expect("a name");
        assert!(!current.is_empty() && bare.starts_with(&current), "{line} does not belong to {current}");
        assert!(bare.starts_with("landline_"), "{line}");
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(samples.insert(name.to_owned(), value).is_none(), "{name} twice");
    }
    samples
}

fn metrics(admin: SocketAddr) -> BTreeMap<String, f64> {
    let answer = once(admin, &Request::get("/metrics")).expect(200);
    let kind = answer.header("content-type").expect("a content type");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    read(&answer.text())
}

#[test]
fn the_metrics_count_what_happened() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let (addr, admin) = (server.addr, server.address("admin"));
    assert_eq!(once(admin, &Request::get("/healthz")).status, 200);
    assert_eq!(once(admin, &Request::get("/readyz")).status, 200);
    for path in ["/healthz", "/readyz", "/metrics"] {
        once(addr, &Request::get(path)).expect_problem(404, "not_found");
    }

    let (callee, caller) = (api::register(addr, "callee"), api::register(addr, "caller"));
    let echo = EchoAgent::start(addr, &callee.key);
    let before = metrics(admin);
    for _ in 0..25 {
        api::call(addr, &callee.id, &caller.key, "{}").expect(200);
    }
    for name in ["landline_calls_total", "landline_calls_ended_total"] {
        eventually(SOON, name, || (metrics(admin)[name] - before[name] == 25.0).then_some(()));
    }
    assert_eq!(metrics(admin)["landline_lines"], 1.0);
    eventually(SOON, "the exchange's own count", || (metrics(admin)["landline_exchange_lines"] == 1.0).then_some(()));
    let text = once(admin, &Request::get("/metrics")).text();
    for private in [&callee.id, &caller.id, &callee.key, &caller.key] {
        assert!(!text.contains(private.as_str()), "metrics name nobody");
    }
    echo.stop();
    server.stop();
}

#[test]
fn a_switch_without_its_exchange_stays_ready_and_says_so_in_its_metrics() {
    let mut planes = Planes::start();
    let switch = planes.switch.as_ref().expect("it runs").address("admin");
    let exchange = planes.exchange.as_ref().expect("it runs").address("admin");
    for admin in [switch, exchange] {
        assert_eq!(once(admin, &Request::get("/readyz")).status, 200);
        assert!(!metrics(admin).is_empty());
    }
    assert_eq!(metrics(switch)["landline_link_up"], 1.0);
    planes.exchange.take().expect("it runs").kill();
    eventually(Duration::from_secs(15), "the switch to notice", || {
        (metrics(switch)["landline_link_up"] == 0.0).then_some(())
    });
    // Lines stay up and calls go on: a balancer must not take it out.
    assert_eq!(once(switch, &Request::get("/readyz")).status, 200);
    assert_eq!(once(switch, &Request::get("/healthz")).status, 200);
    planes.start_exchange();
    eventually(Duration::from_secs(30), "the link to be up again", || {
        (metrics(switch)["landline_link_up"] == 1.0).then_some(())
    });
}

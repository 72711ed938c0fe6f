//! The exchange calls nobody's neighbour: hostile URLs, one by one, with listeners on loopback that must hear nothing and
//! one in a network that was opened, which must.

use serde_json::json;
use tokio::net::TcpStream;

use crate::agent_host::{AGENT_IP, Host, Reply, agent_at, answer, call, card, lab, prove};
use crate::world::{Bot, World, on_both};

/// Listeners on one port: one that may be reached, and those that must not be.
struct Neighbours {
    port: u16,
    open: Host,
    closed: Vec<Host>,
}

impl Neighbours {
    async fn start(reply: Reply) -> Self {
        for _ in 0..20 {
            let four = Host::start("127.0.0.1", answer("200 OK", "", "secret")).await;
            let port = four.port;
            let six = Host::start_on("::1", port, answer("200 OK", "", "secret")).await;
            let open = Host::start_on(AGENT_IP, port, reply.clone()).await;
            if let (Some(open), Some(six)) = (open, six) {
                return Self { port, open, closed: vec![four, six] };
            }
        }
        panic!("no port is free on all addresses");
    }

    fn heard(&self) -> (usize, Vec<usize>) {
        (self.open.connections(), self.closed.iter().map(Host::connections).collect())
    }
}

/// URLs that lead, or might lead somebody's parser, to a place that is not public. `{p}` stands for the listeners' port.
const HOSTILE: &[&str] = &[
    // Loopback in every spelling of an IPv4 address.
    "http://127.0.0.1:{p}",
    "http://127.0.0.1:{p}/x?y",
    "HTTP://127.0.0.1:{p}",
    "http://127.0.0.1.:{p}",
    "http://127.1:{p}",
    "http://127.0.1:{p}",
    "http://2130706433:{p}",
    "http://0x7f000001:{p}",
    "http://0x7f.0.0.1:{p}",
    "http://0X7F.1:{p}",
    "http://017700000001:{p}",
    "http://0177.0.0.1:{p}",
    "http://0177.1:{p}",
    "http://127.0.0.01:{p}",
    "http://127.000.000.001:{p}",
    "http://4423816193:{p}",
    "http://%31%32%37.0.0.1:{p}",
    "http://127%2e0%2e0%2e1:{p}",
    "http://127.0.0.1%00.agent.test:{p}",
    "http://\u{ff11}\u{ff12}\u{ff17}.0.0.1:{p}",
    "http://127\u{3002}0\u{3002}0\u{3002}1:{p}",
    "http://\u{2460}\u{2461}\u{2466}.0.0.1:{p}",
    "http://127.255.255.254:{p}",
    "http://0.0.0.0:{p}",
    "http://0:{p}",
    "http://0x0:{p}",
    // Loopback and its like in IPv6.
    "http://[::1]:{p}",
    "http://[0:0:0:0:0:0:0:1]:{p}",
    "http://[0000::0001]:{p}",
    "http://[::]:{p}",
    "http://[::ffff:127.0.0.1]:{p}",
    "http://[::ffff:7f00:1]:{p}",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{p}",
    "http://[::127.0.0.1]:{p}",
    "http://[::ffff:0:127.0.0.1]:{p}",
    "http://[::1%25lo]:{p}",
    "http://[::1%lo]:{p}",
    "http://[64:ff9b::127.0.0.1]:{p}",
    "http://[64:ff9b:1::7f00:1]:{p}",
    "http://[2002:7f00:1::]:{p}",
    "http://[2001:0:7f00:1::]:{p}",
    "http://[fe80::1]:{p}",
    "http://[fd00::1]:{p}",
    "http://[ff02::1]:{p}",
    // Networks behind the exchange.
    "http://10.0.0.1:{p}",
    "http://172.16.0.1:{p}",
    "http://192.168.0.1:{p}",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1:{p}",
    "http://192.0.2.1:{p}",
    "http://198.18.0.1:{p}",
    "http://224.0.0.1:{p}",
    "http://255.255.255.255:{p}",
    "http://[2001:db8::1]:{p}",
    // Names with such addresses, alone or among good ones.
    "http://localhost:{p}",
    "http://LocalHost:{p}",
    "http://localhost.:{p}",
    "http://loopback.test:{p}",
    "http://loopback6.test:{p}",
    "http://mapped.test:{p}",
    "http://compatible.test:{p}",
    "http://nat64.test:{p}",
    "http://sixtofour.test:{p}",
    "http://zero.test:{p}",
    "http://zero6.test:{p}",
    "http://metadata.test:{p}",
    "http://lan.test:{p}",
    "http://mixed.test:{p}",
    "http://mixed6.test:{p}",
    "http://\u{24db}\u{24de}\u{24d2}\u{24d0}\u{24db}host:{p}",
    // What parsers read differently.
    "http://agent.test@127.0.0.1:{p}",
    "http://agent.test:{p}@127.0.0.1:{p}",
    "http://127.0.0.1:{p}@agent.test:{p}",
    "http://127.0.0.1:{p}\\@agent.test:{p}",
    "http://agent.test:{p}\\@127.0.0.1:{p}",
    "http://127.0.0.1:{p}#@agent.test:{p}",
    "http://127.0.0.1:{p}?@agent.test:{p}",
    "http://agent.test:{p}:{p}@127.0.0.1",
    "http:////127.0.0.1:{p}",
    "http:/127.0.0.1:{p}",
    "http:127.0.0.1:{p}",
    "http:\\\\127.0.0.1:{p}",
    "//127.0.0.1:{p}",
    "127.0.0.1:{p}",
    " http://127.0.0.1:{p}",
    "http://127.0.0.1:{p} ",
    "http://127.0.0.1:{p}\u{0}",
    "http://127.0.0.1\t:{p}",
    "http://agent.test:{p}\r\nHost: 127.0.0.1:{p}",
    "http://[::1",
    "http://::1:{p}",
    // Other schemes, other ports, and the exchange itself.
    "ftp://127.0.0.1:{p}",
    "gopher://127.0.0.1:{p}/_GET",
    "file:///etc/passwd",
    "unix:/run/x.sock",
    "javascript:0",
    "ws://agent.test:{p}",
    "http://agent.test:22",
    "http://agent.test:25",
    "http://agent.test:0",
    "http://agent.test:99999",
    "http://agent.test:-1",
    "https://relay.example/connect/relay/0190a1f2-0000-7000-8000-000000000000",
];

/// Puts a URL and a card into the directory, past the checks of registration, as proven.
async fn plant(world: &World, bot: &Bot, url: &str, interface: &str) {
    // What Postgres cannot store is not stored.
    let (url, interface) = (url.replace('\0', ""), interface.replace('\0', ""));
    let given = card("planted", &interface, &[("JSONRPC", "1.0", "")]).to_string();
    let sql = "UPDATE agents SET url = $1, card = $2, origin_proven_at = 1 WHERE id = $3";
    let query = sqlx::query(sql).bind(url).bind(given).bind(bot.id.to_string());
    assert_eq!(query.execute(world.exchange.db.write()).await.unwrap().rows_affected(), 1);
}

on_both! {
    async fn no_hostile_url_reaches_loopback_and_an_opened_network_is_reached(world, lab) {
        let neighbours = Neighbours::start(answer("200 OK", "", "hello")).await;
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let good = format!("http://agent.test:{}", neighbours.port);
        assert!(HOSTILE.len() >= 100);
        for url in HOSTILE {
            let url = url.replace("{p}", &neighbours.port.to_string());
            for (proven, interface) in [(url.as_str(), url.as_str()), (good.as_str(), url.as_str()), (url.as_str(), good.as_str())] {
                plant(&world, &bob, proven, interface).await;
                let got = call(&world, &alice, &bob).await;
                assert_eq!((got.status.as_u16(), &got.json()["code"]), (404, &json!("agent_not_connected")), "{url:?}: {got:?}");
                world.clock.advance(1_000);
            }
        }
        assert_eq!(neighbours.heard(), (0, vec![0, 0]));

        // The controls: the same port is reached where it may be, and the listeners do listen.
        for origin in [good, format!("http://{AGENT_IP}:{}", neighbours.port)] {
            plant(&world, &bob, &origin, &origin).await;
            assert_eq!(call(&world, &alice, &bob).await.text, "hello");
        }
        for ip in ["127.0.0.1", "::1"] {
            TcpStream::connect((ip, neighbours.port)).await.unwrap();
        }
        for _ in 0..100 {
            if neighbours.heard() == (2, vec![1, 1]) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{:?}", neighbours.heard());
    }

    async fn only_the_guard_keeps_those_urls_from_loopback(world, |config| {
        lab(config);
        config.private_egress = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
    }) {
        let neighbours = Neighbours::start(answer("200 OK", "", "hello")).await;
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let reach = ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "loopback.test", "loopback6.test", "mapped.test"];
        for host in reach {
            let url = format!("http://{host}:{{p}}");
            assert!(HOSTILE.contains(&url.as_str()), "{url} is in the table");
            let url = url.replace("{p}", &neighbours.port.to_string());
            plant(&world, &bob, &url, &url).await;
            assert_eq!(call(&world, &alice, &bob).await.text, "secret", "{host}");
            world.clock.advance(1_000);
        }
        assert_eq!(neighbours.heard(), (0, vec![5, 2]));
    }

    async fn a_name_that_changes_between_two_calls_is_judged_at_each(world, lab) {
        let neighbours = Neighbours::start(answer("200 OK", "", "hello")).await;
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let url = format!("http://flip.test:{}", neighbours.port);
        plant(&world, &bob, &url, &url).await;
        for round in 1..=4 {
            assert_eq!(call(&world, &alice, &bob).await.text, "hello");
            call(&world, &alice, &bob).await.problem("agent_not_connected");
            assert_eq!(neighbours.heard(), (round, vec![0, 0]), "one look-up a call, and what it says holds");
        }
    }

    async fn a_redirect_is_passed_on_and_not_followed(world, lab) {
        for (n, status) in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"].into_iter().enumerate() {
            let closed = Host::start("127.0.0.1", answer("200 OK", "", "secret")).await;
            let location = format!("location: http://127.0.0.1:{}/secret\r\n", closed.port);
            let host = Host::start(AGENT_IP, answer(status, &location, "")).await;
            let alice = world.register(&format!("alice-{n}")).await;
            let bob = agent_at(&world, &format!("bob-{n}"), host.port).await;
            let got = call(&world, &alice, &bob).await;
            assert_eq!(got.status.as_str(), &status[..3]);
            assert_eq!((host.connections(), closed.connections()), (1, 0));
        }
    }

    async fn without_an_opened_network_nothing_private_is_called(world, |config| {
        lab(config);
        config.private_egress.clear();
    }) {
        let host = Host::start(AGENT_IP, answer("200 OK", "", "hello")).await;
        let (alice, bob) = (world.register("alice").await, agent_at(&world, "bob", host.port).await);
        call(&world, &alice, &bob).await.problem("agent_not_connected");
        let literal = format!("http://{AGENT_IP}:{}", host.port);
        plant(&world, &bob, &literal, &literal).await;
        call(&world, &alice, &bob).await.problem("agent_not_connected");
        assert_eq!(host.connections(), 0);
    }

    async fn the_ports_of_the_settings_are_the_ones_that_are_called(world, |config| {
        lab(config);
        config.egress_ports = vec![443];
    }) {
        let host = Host::start(AGENT_IP, answer("200 OK", "", "hello")).await;
        let (alice, bob) = (world.register("alice").await, agent_at(&world, "bob", host.port).await);
        call(&world, &alice, &bob).await.problem("agent_not_connected");
        assert_eq!(host.connections(), 0);
        prove(&world, &bob, "https://agent.test").await.problem("conflict");
    }
}

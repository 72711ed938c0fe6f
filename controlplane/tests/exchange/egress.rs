//! The exchange calls nobody's neighbour: hostile URLs, one by one, with listeners on loopback that must hear nothing and
//! one in a network that was opened, which must.

use serde_json::json;

use crate::agent_host::{AGENT_IP, Host, Reply, agent_at, answer, call, card, lab};
use crate::world::{Bot, World, on_both};

/// Listeners on one port: what may be reached, and what must not be.
struct Neighbours {
    port: u16,
    open: Host,
    closed: Vec<Host>,
}

impl Neighbours {
    async fn start(reply: fn(u16) -> Reply) -> Self {
        for _ in 0..20 {
            let port = Host::start("127.0.0.1", Reply::Silence).await.port;
            let open = Host::start_on(AGENT_IP, port, reply(port)).await;
            let four = Host::start_on("127.0.0.3", port, answer("200 OK", "", "secret")).await;
            let six = Host::start_on("::1", port, answer("200 OK", "", "secret")).await;
            if let (Some(open), Some(four), Some(six)) = (open, four, six) {
                return Self { port, open, closed: vec![four, six] };
            }
        }
        panic!("no port is free on all addresses");
    }
}

/// Puts a URL into the directory past the checks of registration, proven.
async fn plant(world: &World, bot: &Bot, url: &str) {
    let given = card("planted", url, &[("JSONRPC", "1.0", "")]).to_string();
    let sql = "UPDATE agents SET url = $1, card = $2, origin_proven_at = 1 WHERE id = $3";
    let query = sqlx::query(sql).bind(url.to_owned()).bind(given).bind(bot.id.to_string());
    assert_eq!(query.execute(world.exchange.db.write()).await.unwrap().rows_affected(), 1);
}

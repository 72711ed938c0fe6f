//! An exchange that dies without a word.

use std::time::{Duration, Instant};

use landline_controlplane::Exchange;
use landline_controlplane::clock::Clock;
use landline_controlplane::config::Config;
use landline_controlplane::feed::{Feed, nodes};
use landline_link::limits::{IDLE_TIMEOUT, KEEP_ALIVE};
use tokio::runtime::{Builder, Runtime};

use crate::world::{Switch, eventually};

/// An exchange with a runtime of its own, so that everything of it can stop in the middle of anything.
fn exchange(dir: &std::path::Path, listen: std::net::SocketAddr) -> (Runtime, Exchange, std::net::SocketAddr) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = Config::new(dir, "http://127.0.0.1:7300");
    let (exchange, address) = runtime.block_on(async {
        let exchange = Exchange::open(config, Clock::system()).await.unwrap();
        let mut address = None;
        eventually("the address is free", async || {
            address = Feed::start(exchange.clone(), listen).await.ok().map(|feed| feed.local_addr());
            address.is_some()
        })
        .await;
        (exchange, address.unwrap())
    });
    (runtime, exchange, address)
}

#[test]
fn a_killed_exchange_is_found_again_sooner_than_its_silence_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (first, running, address) = exchange(dir.path(), "127.0.0.1:0".parse().unwrap());
    let token = first.block_on(nodes::create_join_token(&running, nodes::JOIN_TOKEN_TTL)).unwrap();
    let waiting = Builder::new_current_thread().enable_all().build().unwrap();
    let mut switch = Switch::start(&address.to_string(), tempfile::tempdir().unwrap(), Some(&token));
    waiting.block_on(switch.synced(true));

    first.shutdown_background();
    drop(running);
    let killed = Instant::now();
    // Long enough that packets of the old connection are on their way to the new exchange when it comes.
    std::thread::sleep(Duration::from_millis(500));
    let (second, _, _) = exchange(dir.path(), address);
    waiting.block_on(async {
        switch.synced(false).await;
        switch.synced(true).await;
    });
    let away = killed.elapsed();
    assert!(away < IDLE_TIMEOUT, "a stateless reset tells the switch before silence would: {away:?}");
    second.shutdown_background();
}

#[test]
fn an_exchange_that_stays_away_is_noticed_by_its_silence() {
    let dir = tempfile::tempdir().unwrap();
    let (first, running, address) = exchange(dir.path(), "127.0.0.1:0".parse().unwrap());
    let token = first.block_on(nodes::create_join_token(&running, nodes::JOIN_TOKEN_TTL)).unwrap();
    let waiting = Builder::new_current_thread().enable_all().build().unwrap();
    let mut switch = Switch::start(&address.to_string(), tempfile::tempdir().unwrap(), Some(&token));
    waiting.block_on(switch.synced(true));
    first.shutdown_background();
    let killed = Instant::now();
    waiting.block_on(switch.synced(false));
    let noticed = killed.elapsed();
    assert!(noticed < IDLE_TIMEOUT + 2 * KEEP_ALIVE, "{noticed:?}");
    assert!(!switch.uplink.figures().connected);
}

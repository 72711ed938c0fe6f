//! The search index as a thing on disk: it follows by itself, several follow one database, and whatever is wrong with it
//! is mended from there.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use landline_controlplane::Exchange;
use landline_controlplane::clock::Clock;
use landline_controlplane::config::{Config, RateLimits};
use landline_controlplane::discovery::ops::catch_up;
use landline_controlplane::discovery::ops::search;
use landline_controlplane::extract::Params;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::world::{World, on_both};

/// The names that a search on this exchange finds.
async fn found(exchange: &Exchange, word: &str) -> Vec<String> {
    let params = Params::from_pairs(vec![("q".into(), word.into())]);
    let page = search(exchange, &params).await.unwrap();
    page.items.into_iter().map(|hit| hit.agent.name).collect()
}

/// Another exchange on the database of the world's, with the machine's clock set to the test's.
async fn another(world: &World, data: &Path) -> Exchange {
    let mut config = Config::new(data, "https://relay.example");
    config.database_url = match world.exchange.config.database_url.as_str() {
        "" => format!("sqlite://{}", world.dir.path().join("exchange.db").display()),
        url => url.to_owned(),
    };
    config.rate_limits = RateLimits::off();
    let (clock, _) = Clock::manual(world.exchange.clock.now_ms());
    Exchange::open(config, clock).await.unwrap()
}

/// The files of the index with something in their names.
fn files(data: &Path, part: &str) -> Vec<PathBuf> {
    let folder = data.join("search");
    let versions = std::fs::read_dir(folder).unwrap().map(|item| item.unwrap().path());
    let files = versions.flat_map(|version| std::fs::read_dir(version).unwrap().map(|item| item.unwrap().path()));
    files.filter(|path| path.to_string_lossy().contains(part)).collect()
}

on_both! {
    async fn it_follows_by_itself_within_a_second_also_what_another_exchange_changes(world) {
        let data = tempfile::tempdir().unwrap();
        let other = another(&world, data.path()).await;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        other.spawn_background(&tasks, stop.clone());
        let wait = async |word: &str, count: usize| {
            let began = Instant::now();
            // Its index is being opened at first.
            let params = || Params::from_pairs(vec![("q".into(), word.into())]);
            while search(&other, &params()).await.map_or(usize::MAX, |page| page.items.len()) != count {
                assert!(began.elapsed() < Duration::from_secs(20), "{word}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            began.elapsed()
        };
        let bot = world.register("Nightingale").await;
        wait("nightingal", 1).await;
        let path = format!("/connect/v1/agents/{}", bot.id);
        let change = json!({"name": "Woodpecker", "description": "Sings in the night."});
        world.send(http::Method::PUT, &format!("{path}/card"), Some(&bot.key), Some(change)).await.ok(200);
        let took = wait("woodpeck", 1).await;
        // The promise is a second on an idle machine; this one may be busy with other tests.
        assert!(took < Duration::from_secs(5), "{took:?}");
        world.send(http::Method::DELETE, &path, Some(&bot.key), None).await.ok(204);
        wait("woodpeck", 0).await;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }

    async fn two_exchanges_with_clocks_apart_are_reconciled(world) {
        let data = tempfile::tempdir().unwrap();
        let other = another(&world, data.path()).await;
        world.register("Early").await;
        assert_eq!(catch_up(&other).await.unwrap(), 1);
        // Stamped by a clock that is an hour ahead of the other exchange's: seen, and what is stamped now is seen too.
        world.clock.advance(3_600_000);
        world.register("Ahead").await;
        assert_eq!(catch_up(&other).await.unwrap(), 1);
        let late = another(&world, &data.path().join("third")).await;
        assert_eq!(catch_up(&late).await.unwrap(), 2, "a new one starts from the database");
        assert_eq!(found(&late, "ahead").await, ["Ahead"]);
    }

    async fn an_index_that_is_there_is_taken_on_and_mended(world) {
        let bot = world.register("Stayer").await;
        let gone = world.register("Leaver").await;
        let data = tempfile::tempdir().unwrap();
        assert_eq!(catch_up(&another(&world, data.path()).await).await.unwrap(), 2);
        world.send(http::Method::DELETE, &format!("/connect/v1/agents/{}", gone.id), Some(&gone.key), None).await.ok(204);
        let change = Some(json!({"tagline": "still here"}));
        world.send(http::Method::PATCH, &format!("/connect/v1/agents/{}", bot.id), Some(&bot.key), change).await.ok(200);
        world.clock.advance(3_600_000);
        world.register("Comer").await;
        let again = another(&world, data.path()).await;
        assert!(catch_up(&again).await.unwrap() >= 3, "one changed, one left, one came");
        assert_eq!(found(&again, "still").await, ["Stayer"]);
        assert_eq!((found(&again, "leaver").await, found(&again, "comer").await), (vec![], vec!["Comer".to_owned()]));
        assert_eq!(catch_up(&again).await.unwrap(), 0);
    }

    async fn an_index_that_is_damaged_or_of_another_version_is_built_anew(world) {
        world.register("Survivor").await;
        let data = tempfile::tempdir().unwrap();
        assert_eq!(catch_up(&another(&world, data.path()).await).await.unwrap(), 1);
        // A byte in the middle of a file of terms.
        let terms = &files(data.path(), ".term")[0];
        let mut bytes = std::fs::read(terms).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xFF;
        let mut permissions = std::fs::metadata(terms).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
        std::fs::set_permissions(terms, permissions).unwrap();
        std::fs::write(terms, bytes).unwrap();
        let again = another(&world, data.path()).await;
        assert_eq!(catch_up(&again).await.unwrap(), 1, "built anew");
        assert_eq!(found(&again, "survivor").await, ["Survivor"]);
        drop(again);

        for meta in files(data.path(), "meta.json") {
            std::fs::write(meta, "{").unwrap();
        }
        std::fs::create_dir_all(data.path().join("search/v0")).unwrap();
        std::fs::write(data.path().join("search/v0/meta.json"), "{}").unwrap();
        let again = another(&world, data.path()).await;
        assert_eq!(catch_up(&again).await.unwrap(), 1);
        assert_eq!(found(&again, "survivor").await, ["Survivor"]);
        assert!(!data.path().join("search/v0").exists(), "an older version is removed");
    }
}

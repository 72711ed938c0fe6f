//! The database itself: queries, migrations, sweeps, backups.

use std::time::Duration;

use landline_controlplane::Exchange;
use landline_controlplane::clock::Clock;
use landline_controlplane::config::Config;
use landline_controlplane::db::{DbError, Dialect, all_queries, backup};
use landline_controlplane::presence::ops::sweep_silent;
use landline_controlplane::relay::ops::forget_old;
use sqlx::Executor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::world::{START_MS, call, on_both, up};

on_both! {
    async fn every_query_can_be_prepared(world) {
        let queries = all_queries();
        assert!(queries.len() > 60, "{}", queries.len());
        for (name, sql) in queries {
            let mut conn = world.exchange.db.write().acquire().await.unwrap();
            if let Err(error) = conn.prepare(sqlx::SqlStr::from_static(sql)).await {
                panic!("{name}: {error}\n{sql}");
            }
        }
    }

    async fn a_second_exchange_on_the_same_database_and_secrets_knows_everything(world) {
        let bot = world.register("Echo").await;
        let (clock, _) = Clock::manual(START_MS);
        let second = Exchange::open(world.exchange.config.clone(), clock).await.unwrap();
        let known = landline_controlplane::auth::lookup::lookup_key(&second, &bot.key).await;
        assert!(matches!(known, landline_link::LookupAnswer::Key { agent, .. } if agent == bot.id));
        assert_eq!(second.jwks(), world.exchange.jwks());
    }

    async fn a_copy_has_what_the_database_has_or_names_the_right_tool(world) {
        let bot = world.register("Echo").await;
        let dest = world.dir.path().join("copy.db");
        match world.exchange.db.dialect() {
            Dialect::Sqlite => {
                backup(&world.exchange, &dest).await.unwrap();
                let mut config = Config::new(world.dir.path(), "https://relay.example");
                config.database_url = format!("sqlite://{}", dest.display());
                let (clock, _) = Clock::manual(START_MS);
                let copy = Exchange::open(config, clock).await.unwrap();
                assert_eq!(landline_controlplane::agents::ops::get(&copy, bot.id).await.unwrap().name, "Echo");
                assert!(backup(&world.exchange, &dest).await.is_err(), "a copy is never overwritten");
            }
            Dialect::Postgres => {
                let error = backup(&world.exchange, &dest).await.unwrap_err();
                assert!(matches!(&error, DbError::Unsupported(text) if text.contains("pg_dump")), "{error}");
            }
        }
    }

    async fn what_is_older_than_its_time_is_swept_and_silent_switches_lose_their_lines(world) {
        let bot = world.register("Echo").await;
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bot, 1)]).await;
        world.record(&mut switch, vec![call(None, &bot, "old", 200, 1)]).await;
        world.clock.advance(60_000);
        assert_eq!(sweep_silent(&world.exchange, START_MS - 1).await.unwrap(), 0);
        assert!(world.attached(&bot).await);
        world.clock.advance(31 * 86_400_000);
        let mut new = call(None, &bot, "new", 200, 1);
        new.ts = world.exchange.clock.now_ms();
        world.record(&mut switch, vec![new]).await;
        assert_eq!(sweep_silent(&world.exchange, START_MS + 1).await.unwrap(), 0, "{} reported", switch.node);
        forget_old(&world.exchange).await.unwrap();
        let recent = world.get("/v1/relay/recent").await.ok(200);
        assert_eq!(recent["events"].as_array().unwrap().len(), 1);
        assert_eq!(recent["events"][0]["request_id"], "new");
        world.clock.advance(1);
        assert_eq!(sweep_silent(&world.exchange, world.exchange.clock.now_ms()).await.unwrap(), 1);
        assert!(!world.attached(&bot).await);
    }

    async fn only_the_owner_reads_what_is_in_the_data_directory(world) {
        use std::os::unix::fs::PermissionsExt;
        let mut files = 0;
        for dir in [world.dir.path().to_owned(), world.dir.path().join("secrets")] {
            for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
                let (mode, is_dir) = (entry.metadata().unwrap().permissions().mode() & 0o777, entry.path().is_dir());
                assert_eq!(mode, if is_dir { 0o700 } else { 0o600 }, "{:?}", entry.path());
                files += 1;
            }
        }
        assert!(files >= 4, "{files}");
    }

    async fn the_background_stops_when_it_is_told_and_ends_the_streams(world) {
        use http_body_util::BodyExt;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        world.exchange.spawn_background(&tasks, stop.clone());
        let request = http::Request::get("/connect/v1/events").body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(world.router.clone(), request).await.unwrap();
        stop.cancel();
        tasks.close();
        tokio::time::timeout(Duration::from_secs(5), tasks.wait()).await.expect("the sweeps stop");
        let rest = tokio::time::timeout(Duration::from_secs(5), response.into_body().collect()).await;
        assert!(rest.expect("the stream ends").is_ok());
    }
}

//! The link on Postgres, with two exchanges on one database: what the other tests show on SQLite, in one walk.

use std::path::Path;

use axum::Router;
use landline_controlplane::db::outbox;
use landline_controlplane::feed::nodes;
use landline_controlplane::{presence, relay};
use landline_link::{CallRecord, Credential, Lookup, LookupAnswer, Op, Report, Route, Secret, SessionUp};
use landline_uplink::{NotReady, ToCore, ToExchange};
use landline_wire::ids::{AgentId, SessionId};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::world::{PATIENCE, Switch, World, eventually};

/// The environment variable that names the Postgres server.
const POSTGRES: &str = "LANDLINE_TEST_POSTGRES";

/// Copies what exchanges on one database share beside it.
fn share(from: &Path, to: &Path) {
    for folder in ["ca", "secrets"] {
        std::fs::create_dir_all(to.join(folder)).unwrap();
        for entry in std::fs::read_dir(from.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, to.join(folder).join(path.file_name().unwrap())).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_exchanges_on_one_postgres_serve_the_same_cluster() {
    let Ok(server) = std::env::var(POSTGRES) else {
        eprintln!("{POSTGRES} is not set: not run on Postgres");
        return;
    };
    sqlx::any::install_default_drivers();
    let (host, _) = server.trim_end_matches('/').rsplit_once('/').unwrap();
    let name = format!("landline_test_{}", Uuid::new_v4().simple());
    let admin = sqlx::AnyPool::connect(&format!("{host}/postgres")).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
    // A task of its own, so that the database is dropped even if the walk fails.
    let local = tokio::task::LocalSet::new();
    let walked = local.spawn_local(walk(format!("{host}/{name}")));
    let outcome = local.run_until(walked).await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&admin).await.unwrap();
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}

async fn walk(url: String) {
    let mut one = World::in_dir(tempfile::tempdir().unwrap(), Router::new(), &url).await;
    let other_dir = tempfile::tempdir().unwrap();
    share(one.dir(), other_dir.path());
    let other = World::in_dir(other_dir, Router::new(), &url).await;

    // A token of one is spent at the other, once.
    let token = one.token().await;
    let mut switch = Switch::start(&other.address.to_string(), tempfile::tempdir().unwrap(), Some(&token));
    switch.synced(true).await;
    let again = Switch::start(&one.address.to_string(), tempfile::tempdir().unwrap(), Some(&token));
    let refused = tokio::task::spawn_blocking(move || again.uplink.wait_ready(PATIENCE).map(|_| ())).await.unwrap();
    assert!(matches!(refused, Err(NotReady::Refused(_))), "{refused:?}");
    let node = switch.uplink.wait_ready(PATIENCE).unwrap().node;

    let (agent, key) = switch.register("On Postgres").await;
    let answer = switch.ask(Lookup::Key(Secret(key))).await;
    assert!(matches!(answer, Some(LookupAnswer::Key { agent: of, .. }) if of == agent), "{answer:?}");

    // A change by one reaches the switch of the other: by the poll, since no bell rings there.
    let op = Op::Block { agent: AgentId(Uuid::from_u128(7)), blocked: true };
    let mut tx = one.exchange.db.begin().await.unwrap();
    outbox::append(&mut tx, &op, one.exchange.clock.now_ms()).await.unwrap();
    tx.commit().await.unwrap();
    switch.next("op", |message| matches!(message, ToCore::Apply(ops) if ops.contains(&op)).then_some(())).await;

    let (session, credential) = (SessionId(Uuid::from_u128(1)), Credential::Key { key_gen: 1 });
    let up = SessionUp { agent, session, at: 1_700_000_000_000, credential, shared: false };
    switch.sender.send(ToExchange::Report(Report::SessionUp(up)));
    switch.sender.record(&CallRecord {
        ts: 1_700_000_000_500,
        from_agent_id: None,
        to_agent_id: agent,
        a2a_method: None,
        request_id: "once".into(),
        status_code: 200,
        latency_us: 1_000,
        route: Route::Relay,
    });
    let recorded = async || relay::ops::recent(&one.exchange, 10).await.unwrap().len() == 1;
    eventually("the call is recorded", recorded).await;
    // Reports of lines have a stream of their own.
    let is_attached = async || presence::ops::attached(&one.exchange).await.unwrap() == 1;
    eventually("the line is known", is_attached).await;

    // Revoked at one: the other closes the connection when it looks.
    one.stop_feed().await;
    assert!(nodes::revoke(&one.exchange, node).await.unwrap());
    switch.synced(false).await;
    assert_eq!(presence::ops::attached(&one.exchange).await.unwrap(), 0);
}

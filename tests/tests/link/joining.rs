//! How a switch becomes one of the cluster's, and how it ceases to be.

use std::time::Duration;

use landline_controlplane::feed::nodes;
use landline_link::JoinToken;
use landline_uplink::{NotReady, StartError, Uplink, UplinkConfig};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};

use crate::world::{PATIENCE, Switch, World, eventually};

/// Waits for readiness off the runtime's threads.
async fn wait_ready(switch: Switch, timeout: Duration) -> (Switch, Result<(), NotReady>) {
    tokio::task::spawn_blocking(move || {
        let ready = switch.uplink.wait_ready(timeout).map(|_| ());
        (switch, ready)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_joins_once_and_comes_again_without_a_token() {
    let world = World::new().await;
    let switch = world.switch().await;
    let node = switch.uplink.wait_ready(PATIENCE).unwrap().node;
    let listed = nodes::list(&world.exchange).await.unwrap();
    assert_eq!((listed.len(), listed[0].id), (1, node));
    assert_eq!(listed[0].public_url.as_deref(), Some("http://127.0.0.1:7301"));
    assert!(switch.uplink.figures().certificate_expires_s > 0);

    let (dir, _) = switch.stop().await;
    let mut again = Switch::start(&world.address.to_string(), dir, None);
    again.synced(true).await;
    assert_eq!(again.uplink.wait_ready(PATIENCE).unwrap().node, node);
    assert_eq!(nodes::list(&world.exchange).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_token_is_good_for_one_node() {
    let world = World::new().await;
    let token = world.token().await;
    let address = world.address.to_string();
    let mut first = Switch::start(&address, tempfile::tempdir().unwrap(), Some(&token));
    first.synced(true).await;
    let second = Switch::start(&address, tempfile::tempdir().unwrap(), Some(&token));
    let (second, ready) = wait_ready(second, PATIENCE).await;
    assert!(matches!(ready, Err(NotReady::Refused(_))), "{ready:?}");
    assert!(!second.dir.path().join("node/identity.pem").exists());
    assert_eq!(nodes::list(&world.exchange).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expired_or_was_never_given_out_is_refused() {
    let world = World::new().await;
    let expired = nodes::create_join_token(&world.exchange, Duration::ZERO).await.unwrap();
    let good: JoinToken = world.token().await.parse().unwrap();
    let invented = JoinToken::new([7; 32], *good.ca_sha256()).reveal();
    for token in [expired, invented] {
        let switch = Switch::start(&world.address.to_string(), tempfile::tempdir().unwrap(), Some(&token));
        let (_, ready) = wait_ready(switch, PATIENCE).await;
        assert!(matches!(ready, Err(NotReady::Refused(_))), "{ready:?}");
    }
    assert_eq!(nodes::list(&world.exchange).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_told_to_nobody_but_the_pinned_ca() {
    let (world, impostor) = (World::new().await, World::new().await);
    let token = world.token().await;
    // The impostor's exchange knows the secret's hash, so that only the pin can save it.
    let secret: JoinToken = token.parse().unwrap();
    let switch = Switch::start(&impostor.address.to_string(), tempfile::tempdir().unwrap(), Some(&token));
    let (_, ready) = wait_ready(switch, Duration::from_secs(2)).await;
    assert!(matches!(&ready, Err(NotReady::Unreached(why)) if !why.contains(&secret.secret().0)), "{ready:?}");
    assert_eq!(nodes::list(&impostor.exchange).await.unwrap(), []);

    let mut rightful = Switch::start(&world.address.to_string(), tempfile::tempdir().unwrap(), Some(&token));
    rightful.synced(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_node_is_dropped_at_once_and_refused_from_then_on() {
    let world = World::new().await;
    let mut switch = world.switch().await;
    let mut other = world.switch().await;
    let node = switch.uplink.wait_ready(PATIENCE).unwrap().node;
    assert!(nodes::revoke(&world.exchange, node).await.unwrap());
    assert!(!nodes::revoke(&world.exchange, node).await.unwrap(), "it was revoked before");
    switch.synced(false).await;
    let (switch, refused) = {
        let mut switch = switch;
        loop {
            let (back, ready) = wait_ready(switch, PATIENCE).await;
            switch = back;
            if ready.is_err() {
                break (switch, ready);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert_eq!(refused, Err(NotReady::Refused("this node was revoked".into())));
    let (dir, _) = switch.stop().await;
    let again = Switch::start(&world.address.to_string(), dir, None);
    let (_, ready) = wait_ready(again, PATIENCE).await;
    assert_eq!(ready, Err(NotReady::Refused("this node was revoked".into())));
    assert!(other.ask(landline_link::Lookup::Key(landline_link::Secret("ll_none".into()))).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_certificate_and_token_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let config = UplinkConfig::new("127.0.0.1:1", dir.path(), "http://127.0.0.1:7301");
    let refused = Uplink::start(config, std::sync::Arc::new(|_, _| {}), 1).unwrap_err();
    assert!(matches!(refused, StartError::NoJoinToken), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_near_its_end_is_renewed_over_the_link() {
    let world = World::new().await;
    let switch = world.switch().await;
    let node = switch.uplink.wait_ready(PATIENCE).unwrap().node;
    let (dir, _) = switch.stop().await;
    let path = dir.path().join("node/identity.pem");

    // The CA's key signs what the exchange would have signed 29 days ago.
    let ca = std::fs::read_to_string(world.dir().join("ca/ca.pem")).unwrap();
    let ca_certificate = &ca[ca.find("-----BEGIN CERTIFICATE").unwrap()..];
    let issuer = Issuer::from_ca_cert_pem(ca_certificate, KeyPair::from_pem(&ca).unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([format!("{node}.node.landline.internal")]).unwrap();
    params.distinguished_name.push(DnType::CommonName, node.to_string());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let now = std::time::SystemTime::now();
    let day = Duration::from_secs(86_400);
    (params.not_before, params.not_after) = ((now - 29 * day).into(), (now + day).into());
    let old = params.signed_by(&key, &issuer).unwrap();
    let aged = format!("{}{}{ca_certificate}", key.serialize_pem(), old.pem());
    std::fs::write(&path, &aged).unwrap();

    let mut again = Switch::start(&world.address.to_string(), dir, None);
    again.synced(true).await;
    let in_20_days = now.duration_since(std::time::UNIX_EPOCH).unwrap() + 20 * day;
    let renewed = async || again.uplink.figures().certificate_expires_s > in_20_days.as_secs().cast_signed();
    eventually("the certificate is renewed", renewed).await;
    assert_ne!(std::fs::read_to_string(&path).unwrap(), aged);
    let (dir, _) = again.stop().await;
    let mut last = Switch::start(&world.address.to_string(), dir, None);
    last.synced(true).await;
    assert_eq!(last.uplink.wait_ready(PATIENCE).unwrap().node, node);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_its_exchange_forgot_joins_again_if_it_has_a_token() {
    let world = World::new().await;
    let switch = world.switch().await;
    let (dir, _) = switch.stop().await;
    let world = world.without_database().await;
    let address = world.address.to_string();
    let (forgotten, ready) = wait_ready(Switch::start(&address, dir, None), PATIENCE).await;
    assert!(matches!(ready, Err(NotReady::Refused(_))), "{ready:?}");
    let (dir, _) = forgotten.stop().await;
    let mut again = Switch::start(&address, dir, Some(&world.token().await));
    again.synced(true).await;
    assert_eq!(nodes::list(&world.exchange).await.unwrap().len(), 1);
}

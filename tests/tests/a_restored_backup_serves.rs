//! A backup of a live server, restored elsewhere, serves: keys, tokens, records and switches as before.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use landline_tests::api;
use landline_tests::http::{Request, once};
use landline_tests::line::{EchoAgent, Line};
use landline_tests::server::{Data, Server, run};
use landline_tests::steady::Steady;
use landline_tests::wait::{SOON, eventually};

fn text(path: &std::path::Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_backup_taken_under_load_serves_after_its_restoration() {
    let data = Data::new();
    let server = Server::up(&data, &["--public-url", "http://relay.test"]);
    let addr = server.addr;
    let (callee, caller) = (api::register(addr, "callee"), api::register(addr, "caller"));
    let (gone, rotated) = (api::register(addr, "gone"), api::register(addr, "rotated"));
    let token = api::token(addr, &caller.key);
    let fresh = api::rotate(addr, &rotated);
    api::delete(addr, &gone).expect(204);
    let echo = EchoAgent::start(addr, &callee.key);
    let marked = api::call_request(&callee.id, &caller.key, "{}").header("x-request-id", "before-the-backup");
    once(addr, &marked).expect(200);
    eventually(SOON, "the audit row", || {
        api::recent(addr, 50).iter().any(|row| row["request_id"] == "before-the-backup").then_some(())
    });

    let steady = Steady::start(addr, &callee.id, &[&caller.key], Duration::from_millis(5));
    let place = data.beside("backup");
    let made = run(&["backup", &text(&place), "--data", &data.text()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let seen = steady.stop();
    assert!(seen.bad.is_empty() && !seen.good.is_empty(), "calls during the backup: {:?}", seen.bad);
    assert_eq!(fs::metadata(&place).expect("the backup").permissions().mode() & 0o077, 0, "it holds secrets");
    let again = run(&["backup", &text(&place), "--data", &data.text()]);
    assert!(!again.status.success(), "a backup never writes into a directory that holds something");
    echo.stop();
    drop(server);

    let restored = Data::new();
    let done = run(&["restore", &text(&place), "--data", &restored.text()]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let over = run(&["restore", &text(&place), "--data", &restored.text()]);
    assert!(!over.status.success(), "a restoration never overwrites");
    let server = Server::up(&restored, &["--public-url", "http://relay.test"]);
    let addr = server.addr;
    let echo = EchoAgent::start(addr, &callee.key);
    for credential in [&caller.key, &token, &fresh] {
        api::call(addr, &callee.id, credential, "{}").expect(200);
    }
    Line::dial(addr, &rotated.key).expect_err("a key that was dead stays dead");
    once(addr, &Request::get(format!("/connect/v1/agents/{}", gone.id))).expect_problem(410, "gone");
    let kept = api::relay_log(addr, &caller).iter().any(|row| row["request_id"] == "before-the-backup");
    assert!(kept, "the audit row from before");
    echo.stop();
    server.assert_no_panic();
    server.stop();
}

#[test]
fn a_backup_that_was_changed_is_refused() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let place = data.beside("backup");
    assert!(run(&["backup", &text(&place), "--data", &data.text()]).status.success());
    server.stop();
    let mut file = fs::read_dir(&place).expect("the backup").map(|entry| entry.expect("an entry").path());
    let database =
        file.find(|path| path.extension().is_some_and(|kind| kind == "db")).expect("a database in the backup");
    let mut bytes = fs::read(&database).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&database, bytes).expect("writable");
    let refused = Data::new();
    let done = run(&["restore", &text(&place), "--data", &refused.text()]);
    assert_eq!(done.status.code(), Some(1));
    let name = database.file_name().expect("a name").to_string_lossy().into_owned();
    let why = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(why.contains(&name), "it says which file: {why}");
    assert!(!refused.path().join(&name).exists(), "nothing is restored from a broken backup");
}

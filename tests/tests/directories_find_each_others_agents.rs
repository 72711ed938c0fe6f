//! Two directories, each a program of its own: one passes searches on to the other, and one lists what the other's catalogue
//! names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::frame;
use landline_tests::http::{Request, once};
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use serde_json::{Value, json};

/// The network in which the other directory is; 8080 is one of the few ports that are called at all.
const NETWORK: &str = "127.79.0.0/16";

fn other_at(n: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 79, 0, n), 8080))
}

/// A directory that others reach. It speaks plainly: nobody's certificate is trusted by the other one.
fn other(data: &Data, addr: SocketAddr) -> Server {
    Server::start(data, &["up", "--listen", &addr.to_string(), "--rate-limits", "off", "--probes=off"])
}

fn register(addr: SocketAddr, name: &str, access: &str) -> api::Agent {
    let mut card = api::card(name);
    card["description"] = json!("Translates contracts between German and Spanish.");
    api::register_with(addr, &json!({"card": card, "access": access}))
}

fn search(addr: SocketAddr, body: &Value) -> Value {
    once(addr, &Request::post_json("/connect/ard/search", body)).expect(200).json()
}

/// The names that a search finds, with their sources.
fn found(addr: SocketAddr, federation: &str) -> BTreeMap<String, String> {
    let answer = search(addr, &json!({"query": {"text": "translate a contract"}, "federation": federation}));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let results = answer["results"].as_array().expect("results").iter();
    results.map(|result| (text(&result["displayName"]), text(&result["source"]))).collect()
}

#[test]
fn a_registry_asks_another_one_and_goes_on_without_it() {
    let (there, here) = (Data::new(), Data::new());
    let mut there = other(&there, other_at(1));
    let upstream = format!("http://{}/connect/ard", there.addr);
    let here = Server::up(&here, &["--ard-upstreams", &upstream, "--allow-private-egress", NETWORK]);
    register(there.addr, "far translator", "agents");
    register(here.addr, "near translator", "agents");
    let both = eventually(SOON, "both to be found", || {
        let both = found(here.addr, "auto");
        (both.len() == 2).then_some(both)
    });
    assert_eq!(both["far translator"], upstream);
    assert_eq!(both["near translator"], format!("{}/connect/ard", here.url));
    assert_eq!(found(here.addr, "none").into_keys().collect::<Vec<_>>(), ["near translator"]);

    // What was found there leads there: the entry to the agent's card, the referral to a search.
    let query = json!({"query": {"text": "translate a contract"}, "federation": "referrals"});
    let referral = search(here.addr, &query)["referrals"][0].clone();
    assert_eq!(referral["url"], format!("{upstream}/search"));
    assert_eq!(found(there.addr, "auto").into_keys().collect::<Vec<_>>(), ["far translator"]);
    let manifest = api::get(there.addr, "/.well-known/ai-catalog.json");
    assert_eq!(manifest["entries"][0]["identifier"], referral["identifier"], "a registry has one name");
    let far = search(here.addr, &json!({"query": {"text": "translate", "filter": {"displayName": "far translator"}}}));
    let url = far["results"][0]["url"].as_str().expect("a URL").to_owned();
    let path = url.strip_prefix(&format!("http://{}", there.addr)).expect("it is there");
    assert_eq!(api::get(there.addr, path)["name"], "far translator");

    there.kill();
    let began = Instant::now();
    assert_eq!(found(here.addr, "auto").into_keys().collect::<Vec<_>>(), ["near translator"]);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    here.assert_no_panic();
}

/// An agent behind a line that speaks as much A2A as a probe and a test ask for.
struct Agent {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    fn start(addr: SocketAddr, key: &str) -> Self {
        let mut line = Line::dial(addr, key).expect("a line");
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let Ok(frame) = line.next(Duration::from_millis(200)) else { continue };
                if frame.kind() == "request" {
                    let json = [("content-type", "application/json")];
                    line.send(&frame::response_with(frame.id(), 200, &json, false, answer(frame.body()).as_bytes()));
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn answer(body: &[u8]) -> String {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut answer = json!({"jsonrpc": "2.0", "id": asked["id"]});
    if asked["method"] == "GetTask" {
        answer["error"] = json!({"code": -32_001, "message": "There is no such task."});
    } else {
        answer["result"] = json!({"message": {"messageId": "1", "role": "ROLE_AGENT", "parts": [{"text": "done"}]}});
    }
    answer.to_string()
}

#[test]
fn a_directory_lists_what_the_catalogue_of_another_names_and_calls_it() {
    let (there, here) = (Data::new(), Data::new());
    let there = other(&there, other_at(2));
    let here = Server::up(&here, &["--allow-private-egress", NETWORK, "--probe-interval", "2s"]);
    let bots = [register(there.addr, "open one", "public"), register(there.addr, "open two", "public")];
    let _agents: Vec<Agent> = bots.iter().map(|bot| Agent::start(there.addr, &bot.key)).collect();
    let url = format!("http://{}/.well-known/ai-catalog.json", there.addr);
    let submitted =
        once(here.addr, &Request::post_json("/connect/v1/submissions", &json!({ "url": url }))).expect(202).json();
    let path = format!("/connect/v1/submissions/{}", submitted["id"].as_str().expect("an id"));
    let limit = 4 * SOON;
    eventually(limit, "the catalogue to be read", || (api::get(here.addr, &path)["status"] == "catalog").then_some(()));
    // The agents, and the exchange itself, which is an agent too.
    let listed = eventually(limit, "the agents to be listed", || {
        let agents = api::get(here.addr, "/connect/v1/agents")["items"].as_array().expect("a list").clone();
        (agents.len() == 3).then_some(agents)
    });
    let names: BTreeSet<&str> = listed.iter().map(|agent| agent["name"].as_str().expect("a name")).collect();
    assert_eq!(names, BTreeSet::from(["Directory enquiries at agent.localhost", "open one", "open two"]));
    assert!(listed.iter().all(|agent| agent["source"] == "federated"), "{listed:?}");
    eventually(limit, "all of them to answer their probes", || {
        let online = api::get(here.addr, "/connect/v1/agents/online");
        (online["total"] == 3).then_some(())
    });

    // A caller here reaches an agent behind a line there, and the directory there by its own card.
    let caller = api::register(here.addr, "caller");
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage",
        "params": {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "translate a contract"}]}}});
    let ask = |name: &str| {
        let agent = listed.iter().find(|agent| agent["name"] == name).expect("listed");
        let id = agent["id"].as_str().expect("an id");
        let answer = api::call(here.addr, id, &caller.key, &message.to_string()).expect(200);
        assert_eq!(answer.header("x-connect-route"), Some("http_direct"));
        answer.json()["result"]["message"]["parts"].clone()
    };
    assert_eq!(ask("open one")[0]["text"], "done");
    let candidates = ask("Directory enquiries at agent.localhost")[1]["data"]["candidates"].clone();
    let names: BTreeSet<&str> =
        candidates.as_array().expect("a list").iter().map(|one| one["name"].as_str().expect("a name")).collect();
    assert_eq!(names, BTreeSet::from(["open one", "open two"]));
    here.assert_no_panic();
    there.assert_no_panic();
}

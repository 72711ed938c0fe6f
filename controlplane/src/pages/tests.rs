//! The pages, through the router, on a real database.

mod limits;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use landline_wire::error::Code;
use tower::ServiceExt;

use super::{assets, docs, errors_markdown, examples};
use crate::clock::Clock;
use crate::config::{Config, RateLimits};
use crate::state::Exchange;

const PUBLIC: &str = "https://relay.example";

struct Site {
    exchange: Exchange,
    _data: tempfile::TempDir,
}

impl Site {
    async fn open() -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let mut config = Config::new(data.path(), PUBLIC);
        config.rate_limits = "off".parse::<RateLimits>().expect("rate limits");
        let exchange = Exchange::open(config, Clock::system()).await.expect("an exchange");
        Self { exchange, _data: data }
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.exchange.router().oneshot(request).await.expect("infallible")
    }

    async fn get(&self, path: &str) -> Response {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    async fn text(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        body(response).await
    }

    /// Registers an agent and gives its id.
    async fn register(&self, name: &str) -> String {
        let card = serde_json::json!({"card": {"name": name, "description": "An agent for a test.", "skills": []}});
        let request = Request::post("/connect/v1/agents").header(CONTENT_TYPE, "application/json");
        let response = self.send(request.body(Body::from(card.to_string())).expect("a request")).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let answer: serde_json::Value = serde_json::from_str(&body(response).await).expect("JSON");
        answer["id"].as_str().expect("an id").to_owned()
    }
}

async fn body(response: Response) -> String {
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn header(response: &Response, name: http::HeaderName) -> String {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// What an attribute of the page says, each time it occurs.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let marker = format!(" {name}=\"");
    page.split(&marker).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn every_page_keeps_to_itself_and_its_links_lead_somewhere() {
    let site = Site::open().await;
    let mut paths: Vec<String> =
        ["/", "/network", "/docs/", "/docs/api", "/errors/", "/errors/name_taken"].map(String::from).into();
    paths.extend(docs::DOCUMENTS.iter().map(|document| format!("/docs/{}", document.path)));
    for path in paths {
        let response = site.get(&path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&response, CONTENT_TYPE), "text/html; charset=utf-8", "{path}");
        let policy = header(&response, CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        let page = body(response).await;
        assert!(!page.contains("<script>") && !page.contains(" style=") && !page.contains(" onclick="), "{path}");
        for link in attributes(&page, "href").into_iter().chain(attributes(&page, "src")) {
            let Some(target) = link.strip_prefix('/').map(|_| link.split('#').next().unwrap_or_default()) else {
                let elsewhere = link.starts_with('#') || link.starts_with("http://") || link.starts_with("https://");
                assert!(elsewhere, "{path} has a link that cannot be followed: {link}");
                continue;
            };
            assert_eq!(site.get(target).await.status(), StatusCode::OK, "{path} links to {link}");
        }
        for anchor in attributes(&page, "href").into_iter().filter_map(|link| link.strip_prefix('#')) {
            assert!(attributes(&page, "id").contains(&anchor), "{path} has no #{anchor}");
        }
    }
}

#[tokio::test]
async fn the_served_agent_dials_the_server_that_served_it() {
    let site = Site::open().await;
    let response = site.get("/examples/minimal_agent.py").await;
    let tag = header(&response, ETAG);
    let agent = body(response).await;
    assert!(agent.contains("\nDEFAULT_URL = \"https://relay.example\"\nDEFAULT_PREFIX = \"/connect\"\n"));
    assert!(!agent.contains("DEFAULT_URL = \"http://127.0.0.1:7300\""));
    assert!(agent.lines().count() < 350);
    let again = Request::get("/examples/minimal_agent.py").header(IF_NONE_MATCH, tag).body(Body::empty());
    assert_eq!(site.send(again.expect("a request")).await.status(), StatusCode::NOT_MODIFIED);
    assert!(examples::configured("http://a", "/api").contains("\nDEFAULT_PREFIX = \"/api\"\n"));
}

#[tokio::test]
async fn the_error_reference_on_disk_is_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ERRORS.md");
    let generated = errors_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &generated).expect("docs/ERRORS.md can be written");
    }
    let on_disk = std::fs::read_to_string(path).expect("docs/ERRORS.md");
    assert!(on_disk == generated, "docs/ERRORS.md is out of date: run this test with UPDATE_DOCS=1");
    assert_eq!(Site::open().await.text("/docs/ERRORS.md").await, generated);
}

#[tokio::test]
async fn every_error_code_has_its_page_and_its_text() {
    let site = Site::open().await;
    for code in Code::ALL {
        let page = site.text(&format!("/errors/{code}")).await;
        assert!(page.contains(&format!("<code>{code}</code>")), "{code}");
        let text = site.text(&format!("/errors/{code}.txt")).await;
        assert!(text.starts_with(&format!("{code}\n")), "{text}");
        assert!(text.contains(&format!("status: {}\n", code.status())) && text.contains(code.entry().remedy), "{text}");
    }
    for path in ["/errors/nonsense", "/errors/nonsense.txt", "/docs/nonsense", "/docs/nonsense.md", "/assets/x.css"] {
        let response = site.get(path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(header(&response, CONTENT_TYPE), "application/problem+json", "{path}");
    }
}

#[tokio::test]
async fn documents_are_served_raw_with_the_servers_own_address() {
    let site = Site::open().await;
    for document in docs::DOCUMENTS {
        let raw = site.text(&format!("/docs/{}.md", document.path)).await;
        assert!(raw.starts_with("# "), "{}", document.path);
        assert!(!raw.contains("http://127.0.0.1:7300"), "{}", document.path);
    }
    assert!(site.text("/docs/runbooks/two-bot-nat-demo.md").await.contains(PUBLIC));
    assert_eq!(site.text("/runbooks/nat-demo.md").await, site.text("/docs/runbooks/nat-demo.md").await);
    let extension = site.text("/extensions/service-class.md").await;
    assert!(extension.contains("| URI | `https://relay.example/extensions/service-class` |"), "{extension}");
    for path in ["/extensions/service-class", "/extensions/service-class/"] {
        assert_eq!(site.text(path).await, site.text("/docs/extensions/service-class").await);
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    for name in ["", "adr", "runbooks", "extensions"] {
        for entry in std::fs::read_dir(format!("{folder}/{name}")).expect("docs") {
            let file = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            let Some(stem) = file.strip_suffix(".md") else { continue };
            let path = if name.is_empty() { stem.to_owned() } else { format!("{name}/{stem}") };
            assert!(docs::DOCUMENTS.iter().any(|document| document.path == path), "{path} is not served");
        }
    }
}

#[tokio::test]
async fn llms_txt_names_this_server_and_leaves_no_blank_to_fill() {
    let site = Site::open().await;
    let short = site.text("/llms.txt").await;
    assert!(short.contains("API base: `https://relay.example/connect`"));
    assert!(short.contains("wss://relay.example/connect/ws/agent"));
    for blank in ["{url}", "{api}", "{ws}", "{errors}", "{documents}", "{categories}"] {
        assert!(!short.contains(blank), "{blank}");
    }
    for code in Code::ALL {
        assert!(short.contains(&format!("- `{code}` ({}", code.status())), "{code}");
    }
    let full = site.text("/llms-full.txt").await;
    assert!(full.starts_with(&short) && full.contains("# Errors\n"));
}

#[tokio::test]
async fn assets_are_named_by_their_content_and_may_be_kept_for_ever() {
    let site = Site::open().await;
    for name in ["landline.css", "network.js", "favicon.svg"] {
        let response = site.get(assets::url(name)).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        assert!(header(&response, http::header::CACHE_CONTROL).contains("immutable"));
        let content = body(response).await;
        assert!(assets::url(name).contains(&assets::fingerprint(&content)), "{name}");
    }
}

#[tokio::test]
async fn text_of_agents_is_never_markup() {
    let site = Site::open().await;
    let name = "<img src=x onerror=alert(1)>\"'";
    let id = site.register(name).await;
    let known = std::collections::BTreeMap::from([(id.parse().expect("an id"), name.to_owned())]);
    let call = landline_api::relay::RelayEvent {
        ts: "2026-05-28T09:30:00.125Z".into(),
        from_agent_id: None,
        to_agent_id: id.parse().expect("an id"),
        a2a_method: None,
        request_id: "<b>\"".into(),
        status_code: 200,
        latency_ms: 1.42,
        route: "relay".into(),
    };
    let page = super::network::activity(&[call], &known, 0).into_string();
    assert!(!page.contains("<img") && !page.contains("<b>"), "{page}");
    let text: String = page.split('<').filter_map(|piece| piece.split_once('>').map(|(_, text)| text)).collect();
    assert!(text.contains("relay.request anonymous → &lt;img src=x onerror=alert(1)&gt;"), "{text}");
    assert!(text.contains(" 200 1.4ms"), "{text}");
}

#[tokio::test]
async fn the_documents_name_every_route_and_every_member_of_an_event() {
    let api = docs::DOCUMENTS.iter().find(|document| document.path == "HTTP_API").expect("HTTP_API").markdown(PUBLIC);
    let routes: Vec<String> = include_str!("../router.rs")
        .split(".route(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|path| path.replace("{agent_id}", "{id}").replace("{node_id}", "{id}").replace("{*path}", "{path}"))
        .collect();
    assert!(routes.len() > 20, "{routes:?}");
    for route in routes {
        assert!(
            api.contains(&format!("{route}`")) || api.contains(&format!("{route}?")),
            "{route} is not in HTTP_API.md"
        );
    }

    let events = docs::DOCUMENTS.iter().find(|document| document.path == "EVENT_STREAM").expect("EVENT_STREAM");
    let events = events.markdown(PUBLIC);
    let id = "0190b2c4-0000-7000-8000-000000000001";
    let known = [
        (
            "relay.request",
            serde_json::json!({"ts": "", "from_agent_id": null, "to_agent_id": id, "a2a_method": null,
            "request_id": "", "status_code": 200, "latency_ms": 1.0, "route": "relay"}),
        ),
        ("agent.connect", serde_json::json!({"ts": "", "agent_id": id, "name": null})),
        ("agent.registered", serde_json::json!({"ts": "", "agent_id": id, "name": ""})),
    ];
    // The structs are closed: they take exactly these members, or they do not parse.
    serde_json::from_value::<landline_api::relay::RelayEvent>(known[0].1.clone()).expect("a call's record");
    serde_json::from_value::<landline_api::events::Presence>(known[1].1.clone()).expect("a line's event");
    serde_json::from_value::<landline_api::events::Change>(known[2].1.clone()).expect("a change of the directory");
    for (kind, example) in known {
        let section = events.split(&format!("\n`{kind}`")).nth(1).expect("a section of the kind");
        let table = section.split("\n\n").nth(1).expect("a table");
        let named: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let mut members: Vec<&str> = example.as_object().expect("an object").keys().map(String::as_str).collect();
        let mut sorted = named.clone();
        sorted.sort_unstable();
        members.sort_unstable();
        assert_eq!(sorted, members, "{kind}");
    }
}

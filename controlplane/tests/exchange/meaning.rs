//! Discovery by meaning: how the vectors follow the directory, and what happens when their endpoint is in trouble. The
//! endpoint of these tests knows a handful of words and what they are about; how well a real model ranks is measured in
//! `tests/tests/discovery`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use landline_controlplane::clock::Clock;
use landline_controlplane::config::Embeddings;
use landline_controlplane::{Exchange, discovery};
use landline_link::Secret;
use serde_json::{Value, json};

use crate::agent_host::{Host, Reply, answer};
use crate::world::{World, on_both};

/// What words are about, by their place in a vector; what no word is about is the last.
const ABOUT: [&[&str]; 4] =
    [&["letter", "mail", "post"], &["plane", "flight", "airport"], &["soup", "cook", "kitchen"], &[]];

/// An endpoint, with what it was asked and what it does.
#[derive(Clone, Default)]
struct Model {
    texts: Arc<Mutex<Vec<String>>>,
    extra_numbers: Arc<AtomicUsize>,
    status: Arc<AtomicUsize>,
}

impl Model {
    fn vector(&self, text: &str) -> Vec<f64> {
        let count = |words: &&[&str]| words.iter().filter(|word| text.to_lowercase().contains(**word)).count() as f64;
        let mut vector: Vec<f64> = ABOUT.iter().map(count).collect();
        *vector.last_mut().unwrap() += 0.2;
        vector.extend(vec![0.0; self.extra_numbers.load(Ordering::SeqCst)]);
        vector
    }

    fn reply(&self, request: &str) -> Reply {
        let asked: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert!(request.starts_with("POST /v1/embeddings HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer model-key\r\n"), "{request}");
        assert_eq!((&asked["model"], &asked["encoding_format"]), (&json!("small"), &json!("float")));
        let texts: Vec<String> = serde_json::from_value(asked["input"].clone()).unwrap();
        match self.status.load(Ordering::SeqCst) {
            0 if texts.iter().any(|text| text.contains("refuse me")) => answer("400 Bad Request", "", "{}"),
            0 => {
                self.texts.lock().unwrap().extend(texts.iter().cloned());
                let item = |(index, text): (usize, &String)| json!({"index": index, "embedding": self.vector(text)});
                answer(
                    "200 OK",
                    "",
                    &json!({"data": texts.iter().enumerate().map(item).collect::<Vec<_>>()}).to_string(),
                )
            }
            status => answer(&format!("{status} Trouble"), "", "{}"),
        }
    }

    async fn start(&self) -> Host {
        let model = self.clone();
        Host::start("127.0.0.1", Reply::Made(Arc::new(move |request| model.reply(request)))).await
    }

    /// The texts of agents that it was asked for since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.texts.lock().unwrap())
    }
}

/// Another exchange on the same database, with this endpoint.
async fn beside(world: &World, host: &Host) -> World {
    let dir = tempfile::tempdir().unwrap();
    let mut config = world.exchange.config.clone();
    if config.database_url.is_empty() {
        config.database_url = format!("sqlite://{}", world.dir.path().join("exchange.db").display());
    }
    config.data_dir = dir.path().to_owned();
    let (url, key) = (format!("http://127.0.0.1:{}/v1", host.port), Some(Secret("model-key".into())));
    config.embeddings = Some(Embeddings { url, model: "small".into(), key });
    let (clock, hand) = Clock::manual(world.exchange.clock.now_ms());
    let exchange = Exchange::open(config, clock).await.unwrap();
    World { router: exchange.router(), exchange, clock: hand, dir }
}

async fn follow(world: &World) -> usize {
    world.indexed().await;
    discovery::embeddings::catch_up(&world.exchange).await.unwrap()
}

async fn names(world: &World, task: &str) -> Vec<String> {
    let found = world.post("/v1/discover", None, json!({"task": task, "why": true})).await.ok(200);
    let candidates = found["candidates"].as_array().unwrap().iter();
    candidates.map(|candidate| candidate["name"].as_str().unwrap().to_owned()).collect()
}

async fn register(world: &World, name: &str, description: &str) -> crate::world::Bot {
    world.register_with(json!({"card": {"name": name, "description": description}})).await
}

on_both! {
    async fn an_agent_is_found_by_what_it_means_without_a_word_in_common(world) {
        let model = Model::default();
        let world = beside(&world, &model.start().await).await;
        register(&world, "Courier", "Brings every letter to its door.").await;
        register(&world, "Aviator", "Knows each airport by heart.").await;
        register(&world, "Chef", "Makes a kitchen sing.").await;
        assert_eq!(follow(&world).await, 3);
        assert_eq!(names(&world, "book me a flight").await, ["Aviator"]);
        assert_eq!(names(&world, "soup").await, ["Chef"]);
        let found = world.post("/v1/discover", None, json!({"task": "flight", "why": true})).await.ok(200);
        let why = &found["candidates"][0]["why"];
        assert!(why["meaning"].as_f64().unwrap() > 0.5, "{why}");
        assert_eq!(why["matched"], json!([]));
        let online_only = json!({"task": "flight", "live_only": true});
        assert_eq!(world.post("/v1/discover", None, online_only).await.ok(200)["candidates"], json!([]));
    }

    async fn each_wording_is_sent_once_and_kept_over_a_restart(world) {
        let model = Model::default();
        let host = model.start().await;
        let one = beside(&world, &host).await;
        let courier = register(&one, "Courier", "Brings every letter to its door.").await;
        follow(&one).await;
        assert_eq!(model.asked(), ["Courier. Brings every letter to its door"]);
        assert_eq!(follow(&one).await, 0);
        let path = format!("/connect/v1/agents/{}", courier.id);
        let changed = json!({"category": "chat", "accent_color": "#102030"});
        one.send(Method::PATCH, &path, Some(&courier.key), Some(changed)).await.ok(200);
        assert_eq!(follow(&one).await, 1, "the row changed");
        assert_eq!(model.asked(), Vec::<String>::new(), "its text did not");

        let other = beside(&world, &host).await;
        assert_eq!(follow(&other).await, 0, "the vectors are in the database");
        assert_eq!(names(&other, "mail").await, ["Courier"]);
        assert_eq!(model.asked(), ["mail"], "only the task");
        assert_eq!(names(&other, "mail").await, ["Courier"]);
        assert_eq!(model.asked(), Vec::<String>::new(), "which is remembered");

        register(&one, "Aviator", "Knows each airport by heart.").await;
        follow(&one).await;
        model.asked();
        other.clock.advance(1_000);
        follow(&other).await;
        assert_eq!(names(&other, "flight").await, ["Aviator"], "what one exchange embedded, the other has");
        assert_eq!(model.asked(), ["flight"]);
    }

    async fn a_removed_agent_leaves_and_a_new_card_replaces_the_old(world) {
        let model = Model::default();
        let world = beside(&world, &model.start().await).await;
        let courier = register(&world, "Courier", "Brings every letter to its door.").await;
        follow(&world).await;
        let card = json!({"card": {"name": "Courier", "description": "Waits at the airport."}});
        let path = format!("/connect/v1/agents/{}", courier.id);
        world.send(Method::PUT, &format!("{path}/card"), Some(&courier.key), Some(card)).await.ok(200);
        assert_eq!(follow(&world).await, 1);
        assert_eq!(names(&world, "flight").await, ["Courier"]);
        assert_eq!(names(&world, "mail").await, Vec::<String>::new());
        assert_eq!(world.send(Method::DELETE, &path, Some(&courier.key), None).await.status, StatusCode::NO_CONTENT);
        assert_eq!(names(&world, "flight").await, Vec::<String>::new(), "at once, whatever the vectors say");
    }

    async fn without_its_endpoint_discovery_goes_by_words(world) {
        let model = Model::default();
        let host = model.start().await;
        let world = beside(&world, &host).await;
        register(&world, "Courier", "Brings every letter to its door.").await;
        follow(&world).await;
        model.status.store(503, Ordering::SeqCst);
        register(&world, "Aviator", "Knows each airport by heart.").await;
        world.indexed().await;
        let error = discovery::embeddings::catch_up(&world.exchange).await.unwrap_err().to_string();
        assert!(error.contains("503") && !error.contains("model-key"), "{error}");
        assert_eq!(names(&world, "airport").await, ["Aviator"]);
        assert_eq!(names(&world, "flight").await, Vec::<String>::new());
        assert!(world.exchange.metrics_text().await.contains("landline_exchange_embedding_failures_total 1"));
        let connections = host.connections();
        assert_eq!(names(&world, "plane").await, Vec::<String>::new());
        assert_eq!(host.connections(), connections, "an endpoint in trouble is left alone");

        model.status.store(0, Ordering::SeqCst);
        world.clock.advance(6_000);
        assert_eq!(follow(&world).await, 1);
        assert_eq!(names(&world, "flight").await, ["Aviator"]);
        assert!(world.exchange.metrics_text().await.contains("landline_exchange_embedded_agents 2"));
    }

    async fn a_text_that_the_model_refuses_keeps_no_other_from_its_vector(world) {
        let model = Model::default();
        let world = beside(&world, &model.start().await).await;
        register(&world, "Courier", "Brings every letter to its door.").await;
        register(&world, "Odd", "Please refuse me, I am a flight of fancy.").await;
        register(&world, "Aviator", "Knows each airport by heart.").await;
        assert_eq!(follow(&world).await, 3);
        assert_eq!(names(&world, "plane").await, ["Aviator"]);
        assert_eq!(names(&world, "fancy").await[0], "Odd", "it is still found by its words");
        model.asked();
        assert_eq!(follow(&world).await, 0, "nobody asks again");
    }

    async fn vectors_of_another_length_are_made_anew(world) {
        let model = Model::default();
        let world = beside(&world, &model.start().await).await;
        register(&world, "Courier", "Brings every letter to its door.").await;
        register(&world, "Aviator", "Knows each airport by heart.").await;
        follow(&world).await;
        model.extra_numbers.store(3, Ordering::SeqCst);
        register(&world, "Chef", "Makes a kitchen sing.").await;
        follow(&world).await;
        follow(&world).await;
        for (task, name) in [("mail", "Courier"), ("flight", "Aviator"), ("soup", "Chef")] {
            assert_eq!(names(&world, task).await, [name]);
        }
    }
}

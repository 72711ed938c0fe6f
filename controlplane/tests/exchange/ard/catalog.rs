//! The catalogue: what it names, in which parts, and how it is found.

use super::*;

/// Gets a document of the catalogue, which must be one.
async fn document(world: &World, path: &str) -> Value {
    let answer = world.send(Method::GET, path, None, None).await;
    assert_eq!(answer.headers["content-type"], "application/ai-catalog+json");
    assert_eq!(answer.headers["cache-control"], "public, max-age=300");
    let document = answer.ok(200);
    let schema: Value = serde_json::from_str(CATALOG).unwrap();
    assert_valid(&jsonschema::options().should_validate_formats(true).build(&schema).unwrap(), &document);
    document
}

on_both! {
    async fn the_catalogue_names_the_registry_the_exchange_and_every_agent(world) {
        let bots = weather(&world).await;
        let catalog = document(&world, "/.well-known/ai-catalog.json").await;
        assert_eq!(catalog["specVersion"], "1.0");
        assert_eq!(catalog["host"]["identifier"], "relay.example");
        let kinds: Vec<&str> = catalog["entries"].as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap()).collect();
        assert_eq!(kinds[..2], ["application/ai-registry+json", "application/a2a-agent-card+json"]);
        assert_eq!(catalog["entries"][0]["url"], "https://relay.example/connect/ard");
        assert_eq!(catalog["entries"][0]["identifier"], "urn:air:relay.example:registry:connect-ard");
        assert_eq!(catalog["entries"].as_array().unwrap().len(), 2 + bots.len());
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bots[0], 1)]).await;
        let first = world.send(Method::GET, "/.well-known/ai-catalog.json", None, None).await;
        assert_eq!(first.json(), catalog, "a line that comes up changes nothing that is kept");
        let again = Request::get("/.well-known/ai-catalog.json").header("if-none-match", &first.headers["etag"]);
        assert_eq!(world.raw(again.body(Body::empty()).unwrap()).await.status.as_u16(), 304);
        for path in ["nonsense.json", "1-0", "0-0.json", "1-2.json", "01-0.json"] {
            let path = format!("/.well-known/ai-catalog/{path}");
            world.send(Method::GET, &path, None, None).await.problem("not_found");
        }
    }

    async fn a_large_directory_is_in_parts_of_bounded_size_and_an_agent_stays_in_its_part(world) {
        let mut ids = BTreeSet::new();
        for n in 0..150 {
            ids.insert(world.register(&format!("agent-{n}")).await.id.to_string());
        }
        let root = document(&world, "/.well-known/ai-catalog.json").await;
        let parts: Vec<Value> = root["entries"].as_array().unwrap()[2..].to_vec();
        assert_eq!(parts.len(), 4);
        let mut found = std::collections::BTreeMap::new();
        for part in &parts {
            assert_eq!(part["type"], "application/ai-catalog+json");
            let path = part["url"].as_str().unwrap().strip_prefix("https://relay.example").unwrap().to_owned();
            let entries = document(&world, &path).await["entries"].clone();
            assert!(entries.as_array().unwrap().len() <= 100);
            for entry in entries.as_array().unwrap() {
                let id = entry["metadata"]["landline.agentId"].as_str().unwrap().to_owned();
                assert_eq!(found.insert(id, path.clone()), None, "in one part alone");
            }
        }
        assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), ids);
        // More agents come, and the catalogue is divided anew: the old address still has who was there.
        for n in 150..210 {
            world.register(&format!("agent-{n}")).await;
        }
        assert_eq!(document(&world, "/.well-known/ai-catalog.json").await["entries"].as_array().unwrap().len(), 2 + 8);
        let (id, path) = found.first_key_value().unwrap();
        let now = document(&world, path).await;
        assert!(now.to_string().contains(id.as_str()));
    }

    async fn the_catalogue_is_found_from_every_page_and_from_robots_txt(world) {
        let robots = world.send(Method::GET, "/robots.txt", None, None).await;
        assert!(robots.text.contains("\nAgentmap: https://relay.example/.well-known/ai-catalog.json\n"), "{}", robots.text);
        for path in ["/", "/network", "/docs/", "/docs/ARD"] {
            let page = world.send(Method::GET, path, None, None).await;
            let link = page.headers["link"].to_str().unwrap();
            assert_eq!(link, "</.well-known/ai-catalog.json>; rel=\"ai-catalog\"; type=\"application/ai-catalog+json\"");
            assert!(page.text.contains("<link rel=\"ai-catalog\" type=\"application/ai-catalog+json\" href=\"/.well-known/ai-catalog.json\">"));
        }
    }
}

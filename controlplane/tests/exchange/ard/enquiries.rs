//! The exchange as an A2A agent.

use super::*;

const CARD: &str = "/.well-known/agent-card.json";

fn message(method: &str, parts: Value) -> Value {
    let message = json!({"messageId": "m1", "contextId": "c1", "role": "ROLE_USER", "parts": parts});
    json!({"jsonrpc": "2.0", "id": "r1", "method": method, "params": {"message": message}})
}

async fn ask(world: &World, body: Value) -> Value {
    let answer = world.post("/a2a", None, body).await.ok(200);
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!("r1")));
    answer["result"].clone()
}

on_both! {
    async fn the_card_leads_to_an_address_that_answers_in_both_versions(world) {
        weather(&world).await;
        let card = world.send(Method::GET, CARD, None, None).await;
        assert!(card.headers.contains_key("etag") && card.headers["cache-control"].to_str().unwrap().contains("max-age="));
        let card = card.ok(200);
        let urls: BTreeSet<&str> =
            card["supportedInterfaces"].as_array().unwrap().iter().map(|one| one["url"].as_str().unwrap()).collect();
        assert_eq!(urls, BTreeSet::from(["https://relay.example/connect/a2a"]));
        let expected = world.post("/v1/discover", None, json!({"task": "weather in town", "max_results": 2})).await.ok(200);

        let v1 = ask(&world, message("SendMessage", json!([{"text": "weather in town"}, {"data": {"max_results": 2.0}}]))).await;
        let parts = &v1["message"]["parts"];
        assert_eq!((&v1["message"]["role"], &v1["message"]["contextId"]), (&json!("ROLE_AGENT"), &json!("c1")));
        assert!(parts[0]["text"].as_str().unwrap().starts_with("2 agents say that they can do this, the best first:\n1. "));
        assert_eq!(parts[1]["data"]["candidates"], expected["candidates"]);
        let entries = parts[1]["data"]["entries"].as_array().unwrap();
        let ids: Vec<&Value> = entries.iter().map(|entry| &entry["metadata"]["landline.agentId"]).collect();
        let same: Vec<&Value> = expected["candidates"].as_array().unwrap().iter().map(|one| &one["agent_id"]).collect();
        assert_eq!(ids, same, "the same agents in the same order");

        let parts = json!([{"kind": "text", "text": "weather in town"}, {"kind": "data", "data": {"max_results": 2}}]);
        let v03 = ask(&world, message("message/send", parts)).await;
        assert_eq!((&v03["kind"], &v03["role"]), (&json!("message"), &json!("agent")));
        assert_eq!(v03["parts"][1]["kind"], "data");
        assert_eq!(v03["parts"][1]["data"]["candidates"], expected["candidates"]);
        let live = ask(&world, message("SendMessage", json!([{"data": {"task": "weather", "live_only": true}}]))).await;
        assert_eq!(live["message"]["parts"][1]["data"]["candidates"], json!([]));
    }

    async fn what_is_not_answered_has_a2as_own_error(world) {
        let call = |method: &str, params: Value| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let error = |answer: &Answer| {
            let body = answer.ok(200);
            assert!(body.get("result").is_none(), "{body}");
            body["error"]["code"].as_i64().unwrap()
        };
        for (body, code) in [
            (call("Nonsense", json!({})), -32_601), (call("GetTask", json!({"id": "x"})), -32_001),
            (call("SendStreamingMessage", json!({})), -32_004), (call("SendMessage", json!({})), -32_602),
            (message("SendMessage", json!([{"text": " ... "}])), -32_602), (json!([]), -32_600),
            (message("SendMessage", json!([{"text": "a"}, {"data": {"max_results": 99}}])), -32_602),
            (message("SendMessage", json!([{"url": "https://a.example/x.png"}])), -32_005),
        ] {
            assert_eq!(error(&world.post("/a2a", None, body.clone()).await), code, "{body}");
        }
        let raw = async |path: &str, content_type: &str, version: &str, body: &str| {
            let request = Request::post(path).header("content-type", content_type).header("a2a-version", version);
            world.raw(request.body(Body::from(body.to_owned())).unwrap()).await
        };
        let good = message("SendMessage", json!([{"text": "weather"}])).to_string();
        assert_eq!(error(&raw("/connect/a2a", "application/json", "1.0", "{").await), -32_700);
        assert_eq!(error(&raw("/connect/a2a", "text/plain", "1.0", &good).await), -32_005);
        assert_eq!(error(&raw("/connect/a2a/", "application/json", "99.0", &good).await), -32_009);
        assert!(raw("/connect/a2a/", "application/json", "1.0", &good).await.ok(200)["result"].is_object());
        raw("/connect/a2a", "application/json", "", &" ".repeat(300_000)).await.problem("body_too_large");
        world.get("/a2a").await.problem("method_not_allowed");
    }
}

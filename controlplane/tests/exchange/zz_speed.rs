//! temporary
use crate::world::{call, on_both};
on_both! {
    async fn speed(world) {
        let bot = world.register("Echo").await;
        let mut switch = world.switch(1).await;
        let began = std::time::Instant::now();
        for b in 0..20 {
            world.report(&mut switch, (0..1000).map(|n| call(Some(&bot), &bot, &format!("r{b}-{n}-0123456789abcdef0123456789abcdef"), 200, 1)).collect()).await;
        }
        eprintln!("INGEST 20k calls: {:?}", began.elapsed());
        let began = std::time::Instant::now();
        for _ in 0..100 { world.get("/v1/relay/stats").await; }
        eprintln!("STATS: {:?}", began.elapsed() / 100);
        let began = std::time::Instant::now();
        for _ in 0..100 { world.get(&format!("/v1/agents/{}", bot.id)).await; }
        eprintln!("GET: {:?}", began.elapsed() / 100);
        let began = std::time::Instant::now();
        let mut key = bot.key.clone();
        for _ in 0..50 { key = world.post(&format!("/v1/agents/{}/rotate-key", bot.id), Some(&key), serde_json::json!({})).await.ok(200)["api_key"].as_str().unwrap().to_owned(); }
        eprintln!("ROTATE: {:?}", began.elapsed() / 50);
    }
}

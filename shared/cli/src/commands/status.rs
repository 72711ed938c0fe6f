//! `landline status`: how a running server is.

use std::time::Duration;

use anyhow::Result;
use landline_api::relay::RelayStats;
use serde_json::json;

use super::ask::{self, Place};
use super::block_on;
use crate::args::StatusArgs;
use crate::outcome::Outcome;

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks and prints; `Failed` if the server runs but is not ready.
pub(super) fn run(args: &StatusArgs) -> Outcome {
    match block_on(status(args)) {
        Ok(true) => Outcome::Done,
        Ok(false) => Outcome::Failed,
        Err(error) => Outcome::Error(error),
    }
}

/// What is not ready, as the server says; empty if it is.
async fn lacks(place: &Place) -> Vec<String> {
    let Some(run) = &place.run else { return Vec::new() };
    let client = match reqwest::Client::builder().timeout(PATIENCE).no_proxy().build() {
        Ok(client) => client,
        Err(error) => return vec![error.to_string()],
    };
    match client.get(format!("http://{}/readyz", run.admin)).send().await {
        Ok(answer) if answer.status().is_success() => Vec::new(),
        Ok(answer) => answer.text().await.unwrap_or_default().lines().map(str::to_owned).collect(),
        Err(error) => vec![format!("its admin address does not answer: {error}")],
    }
}

#[allow(clippy::print_stdout, reason = "the command's answer")]
async fn status(args: &StatusArgs) -> Result<bool> {
    let place = Place::find(&args.ask)?;
    let stats = place.client()?.stats().await;
    let lacks = lacks(&place).await;
    let stats = match stats {
        Ok(stats) => Some(stats),
        Err(error) if error.is_unreachable() || place.run.is_none() => return Err(ask::describe(error)),
        Err(_) => None,
    };
    let ready = lacks.is_empty() && stats.is_some();
    let version = place.run.as_ref().map(|run| run.version.as_str());
    if args.json {
        let document = json!({
            "url": place.url,
            "ready": ready,
            "lacks": lacks,
            "version": version,
            "run": place.run,
            "stats": stats,
        });
        println!("{document:#}");
    } else {
        println!("{}", table(&place, ready, &lacks, version, stats.as_ref()));
    }
    Ok(ready)
}

fn table(place: &Place, ready: bool, lacks: &[String], version: Option<&str>, stats: Option<&RelayStats>) -> String {
    let mut rows = vec![("server", place.url.clone())];
    if let Some(run) = &place.run {
        rows.push(("process", format!("{} (landline {})", run.pid, run.command)));
    }
    if let Some(version) = version {
        rows.push(("version", version.to_owned()));
    }
    rows.push(("ready", if ready { "yes".into() } else { format!("no {}", lacks.join("; ")) }));
    if let Some(stats) = stats {
        let ms = |figure: Option<f64>| figure.map_or("–".into(), |ms| format!("{ms:.3} ms"));
        rows.push(("lines", stats.attached.to_string()));
        rows.push(("calls/s", format!("{:.1}", stats.calls_per_second)));
        rows.push(("p50", ms(stats.p50_ms)));
        rows.push(("p99", format!("{} of the last {} calls", ms(stats.p99_ms), stats.sample)));
    }
    rows.iter().map(|(name, value)| format!("{name:<8} {value}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use landline_client::Trust;

    use super::*;

    #[test]
    fn the_table_says_what_is_known_and_nothing_else() {
        let place = Place { url: "http://x".into(), prefix: "/connect".into(), trust: Trust::platform(), run: None };
        let stats = RelayStats { p50_ms: Some(0.25), p99_ms: None, sample: 3, calls_per_second: 1.0, attached: 2 };
        let text = table(&place, true, &[], None, Some(&stats));
        assert_eq!(
            text,
            "server   http://x\nready    yes\nlines    2\ncalls/s  1.0\np50      0.250 ms\np99      – of the last 3 calls"
        );
    }
}

//! Scoring and what is shown, on rows made by hand.

use landline_api::agents::Skill;
use serde_json::json;

use super::*;

fn by_words(words: f64) -> Relevance {
    Relevance { words, meaning: None }
}

/// An agent that is online, of which nothing else is known.
fn agent() -> Agent {
    let row = json!({
        "id": "0190a1f2-0000-7000-8000-000000000001", "name": "Lingua", "description": "Renders letters.",
        "tagline": null, "category": null, "accent_color": null, "banner_url": null, "url": null, "version": null,
        "provider": null, "skills": [], "capabilities": {}, "service_class": null, "access": "agents",
        "source": "self_registered", "online": true, "attached": true,
        "pulse": {"verdict": "unknown", "score": null, "checked_at": null},
        "quality": {"passed": false, "missing": []}, "tier": "new",
        "claimed": false, "verified": false, "provider_verified": false, "rekor": null,
        "reliability": {"uptime_24h": null, "uptime_7d": null, "latency_p50_ms": null, "latency_p99_ms": null,
            "calls_24h": 0, "success_rate_24h": null, "last_seen": "", "sample_count": 0},
        "created_at": "", "updated_at": "", "last_seen": "",
    });
    serde_json::from_value(row).expect("a row")
}

fn skill(name: &str, description: &str, tags: &[&str]) -> Skill {
    Skill {
        id: Some(name.into()),
        name: Some(name.into()),
        description: Some(description.into()),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

#[test]
fn each_signal_moves_the_score_its_own_way_and_what_is_unknown_is_in_between() {
    let total = |change: fn(&mut Agent)| {
        let mut agent = agent();
        change(&mut agent);
        score(&agent, by_words(0.8), &Weights::default()).total
    };
    let unknown = total(|_| {});
    for (good, bad) in [
        (
            total(|agent| agent.reliability.uptime_7d = Some(1.0)),
            total(|agent| agent.reliability.uptime_7d = Some(0.0)),
        ),
        (
            total(|agent| agent.reliability.latency_p50_ms = Some(50.0)),
            total(|agent| agent.reliability.latency_p50_ms = Some(9_000.0)),
        ),
        (
            total(|agent| (agent.reliability.calls_24h, agent.reliability.success_rate_24h) = (90, Some(1.0))),
            total(|agent| (agent.reliability.calls_24h, agent.reliability.success_rate_24h) = (90, Some(0.1))),
        ),
        (total(|agent| agent.pulse.score = Some(1.0)), total(|agent| agent.pulse.score = Some(0.1))),
    ] {
        assert!(bad < unknown && unknown < good, "{bad} {unknown} {good}");
    }
    assert!(total(|agent| agent.provider_verified = true) > unknown);
    assert!(total(|agent| agent.source = "federated".into()) < unknown);
    assert_eq!(
        total(|agent| (agent.source, agent.claimed) = ("federated".into(), true)),
        unknown,
        "claimed by its owner"
    );
    assert!((total(|agent| agent.online = false) - 0.4 * unknown).abs() < 1e-9);
}

#[test]
fn one_good_call_is_no_record() {
    let success = |calls, rate| {
        let mut agent = agent();
        (agent.reliability.calls_24h, agent.reliability.success_rate_24h) = (calls, Some(rate));
        signal(&agent, Signal::Success).expect("known")
    };
    assert!(success(1, 1.0) < 0.6 && success(100, 1.0) > 0.95);
    assert!(success(1, 0.0) > 0.4 && success(100, 0.0) < 0.05);
}

#[test]
fn the_weights_decide_how_much_reliability_takes_away() {
    let mut bad = agent();
    (bad.reliability.uptime_7d, bad.online) = (Some(0.0), false);
    let weights: Weights = "reliability=0,offline=1".parse().expect("weights");
    assert_eq!(score(&bad, by_words(0.8), &weights).total, 0.8, "only the texts count");
    let weights: Weights =
        "reliability=1,latency=0,success=0,pulse=0,claim=0,provider=0,disputes=0".parse().expect("weights");
    assert_eq!(score(&bad, by_words(0.8), &weights).total, 0.0, "only the uptime counts, and there is none");
}

#[test]
fn the_line_is_of_the_skill_that_fits_best() {
    let mut agent = agent();
    agent.skills = vec![
        skill("chat", "Talks about the weather.", &[]),
        skill("translate", "Translates contracts.", &["german"]),
        skill("count", "Counts words.", &[]),
    ];
    let line =
        |agent: &Agent, task: &str| one_line(agent, &telling_words(task).into_iter().map(|(_, stem)| stem).collect());
    assert_eq!(line(&agent, "a translation of a German contract"), "translate: Translates contracts.");
    assert_eq!(line(&agent, "counting"), "count: Counts words.");
    assert_eq!(line(&agent, "bake a cake"), "Renders letters.", "none fits: what it says of itself");
    agent.tagline = Some("Letters, \n rendered".into());
    assert_eq!(line(&agent, "bake a cake"), "Letters, rendered", "in one line");
    agent.tagline = Some("word ".repeat(60));
    let long = line(&agent, "bake a cake");
    assert!(long.ends_with("word…") && long.chars().count() <= LINE_CHARS, "{long}");
}

#[test]
fn of_a_task_the_telling_words_are_left_each_once() {
    let words = |task: &str| telling_words(task).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
    assert_eq!(words("Please find me an agent that can translate, or help with translations!"), ["find", "translate"]);
    assert_eq!(words("do it for me"), ["do", "it", "for", "me"], "nothing else is there");
}

#[test]
fn a_candidate_says_why_only_if_asked() {
    let mut row = agent();
    row.skills = vec![skill("translate", "Translates contracts.", &[])];
    let (words, weights) = (telling_words("translate a poem"), Weights::default());
    let scored = score(&row, by_words(0.5), &weights);
    let shown = candidate(row.clone(), scored, &words, "https://relay.example/x".into(), Some(&weights));
    let why = shown.why.expect("asked for");
    assert_eq!((why.matched, why.relevance), (vec!["translate".to_owned()], 0.5));
    let product = why.relevance * why.reliability;
    assert!((product - shown.match_score).abs() < 0.001, "{product} {}", shown.match_score);
    assert!(why.signals.iter().any(|signal| signal.name == "disputes" && signal.value.is_none()));
    assert!(candidate(row, scored, &words, String::new(), None).why.is_none());
}

#[test]
fn meaning_has_its_share_where_it_is_known() {
    let agent = agent();
    let weights: Weights = "reliability=0,offline=1,meaning=0.25".parse().unwrap();
    let both = score(&agent, Relevance { words: 0.4, meaning: Some(0.8) }, &weights);
    assert!((both.relevance - 0.5).abs() < 1e-9, "{both:?}");
    assert_eq!((both.meaning, both.total), (Some(0.8), both.relevance));
    let words = score(&agent, by_words(0.4), &weights);
    assert_eq!((words.meaning, words.relevance), (None, 0.4), "an agent without a vector is not punished");
    let of_words_only: Weights = "meaning=0".parse().unwrap();
    assert_eq!(score(&agent, Relevance { words: 0.4, meaning: Some(0.8) }, &of_words_only).relevance, 0.4);
}

//! Editions from rows that are written down here: what is counted, and every file of an edition as it is kept.

use std::collections::BTreeSet;
use std::path::Path;

use landline_api::report::{Calls, Edition, Figures, Probes, Share, Submissions};
use proptest::prelude::*;

use super::Month;
use super::census::{Census, NOT_PROBED};
use super::edition::{edition, headlines};
use super::entry::{Entry, Origin};
use super::files::{Format, files};
use super::measure::{Distribution, Tally, share};

/// 2026-11-21T22:30:00Z.
const AS_OF: i64 = 1_795_300_200_000;

fn texts(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// An agent that registered itself, holds a line and has a good entry.
fn attached() -> Entry {
    Entry {
        is_federated: false,
        has_url: false,
        has_joined_of_late: true,
        verdict: "unknown".into(),
        was_probed: false,
        is_discoverable: false,
        is_responsive: false,
        is_attached: true,
        is_online: true,
        is_signed: false,
        class: ("principal".into(), Origin::Declared),
        versions: texts(&[]),
        bindings: texts(&[]),
        streams: false,
        pushes: false,
        passed: true,
        missing: vec!["signature".into()],
        tier: "listed".into(),
        category: Some("chat".into()),
        skills: 1,
        tags: texts(&["echo"]),
    }
}

/// An agent that was found at its host and answers there.
fn callable() -> Entry {
    Entry {
        is_federated: true,
        has_url: true,
        has_joined_of_late: false,
        verdict: "callable".into(),
        was_probed: true,
        is_discoverable: true,
        is_responsive: true,
        is_attached: false,
        is_signed: true,
        class: ("utility".into(), Origin::Inferred),
        versions: texts(&["1.0", "0.3"]),
        bindings: texts(&["JSONRPC"]),
        streams: true,
        tier: "proven".into(),
        category: None,
        skills: 7,
        tags: texts(&[
            "always-on",
            "<b>a | b</b>",
            "translation of quite a lot of languages into quite a lot of others",
        ]),
        ..attached()
    }
}

/// An agent whose URL leads nowhere.
fn unreachable() -> Entry {
    Entry {
        has_url: true,
        verdict: "unreachable".into(),
        was_probed: true,
        is_attached: false,
        is_online: false,
        class: ("unknown".into(), Origin::None),
        versions: texts(&["0.3"]),
        bindings: texts(&["JSONRPC", "HTTP+JSON"]),
        pushes: true,
        passed: false,
        missing: vec!["reachable".into(), "version".into(), "signature".into()],
        tier: "dormant".into(),
        skills: 0,
        tags: texts(&[]),
        ..attached()
    }
}

fn census(entries: &[Entry]) -> Census {
    let mut all = Census::default();
    entries.iter().for_each(|entry| all.add(entry));
    all
}

fn figures(census: &Census, calls: u64) -> Figures {
    let tally = |rows: &[(&str, u64)]| {
        let mut tally = Tally::default();
        rows.iter().for_each(|(text, times)| tally.add(text, *times));
        tally
    };
    let times = |values: &[(u64, u64)]| -> Distribution { values.iter().copied().filter(|_| calls > 0).collect() };
    Figures {
        directory: census.directory(),
        reach: census.reach(),
        probes: Probes {
            verdicts: census.verdicts(),
            card_fetches: times(&[(120_000, 8), (233_000, 60), (1_978_000, 1)]).latency(NOT_PROBED),
            calls: times(&[(9_870, 5), (41_000, 50)]).latency("no agent answered a probe in the 24 hours before"),
        },
        signatures: census.signatures(),
        service_classes: census.service_classes(),
        protocol: census.protocol(),
        quality: census.quality(),
        contents: census.contents(),
        calls: Calls {
            from: "2026-10-22T23:00:00.000Z".into(),
            until: "2026-11-21T22:30:00.000Z".into(),
            total: calls,
            callees: 3,
            answered: share(calls - calls / 50, calls),
            statuses: tally(&[("2xx", calls - calls / 50), ("5xx", calls / 50)]).rows(calls, 9),
            routes: tally(&[("relay", calls)]).rows(calls, 9),
            latency: times(&[(410, calls), (12_000, calls / 20)]).latency("no call was recorded in the window"),
        },
        submissions: Submissions { total: 5, statuses: tally(&[("indexed", 3), ("failed", 2)]).rows(5, 9) },
    }
}

/// An edition of a directory in which each kind of agent occurs, after one in which there was less.
fn sample() -> (Month, Edition) {
    let month: Month = "2026-11".parse().unwrap();
    let first = census(&[attached(), unreachable()]);
    let first = edition((month.before(), 2), AS_OF - 30 * 86_400_000, None, figures(&first, 0), None);
    let mut entries = vec![attached(), attached(), callable(), unreachable()];
    entries.extend(std::iter::repeat_n(callable(), 5));
    let server = Some("https://relay.example".to_owned());
    (month, edition((month, 1), AS_OF, server, figures(&census(&entries), 11_084), Some(&first)))
}

#[test]
fn the_files_of_an_edition_are_as_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edition");
    let (month, edition) = sample();
    let made = files(month, &edition);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        made.iter().for_each(|file| std::fs::write(folder.join(&file.name), &file.content).unwrap());
    }
    let kept = |name: &String| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let stale: Vec<&String> =
        made.iter().filter(|file| kept(&file.name) != file.content).map(|file| &file.name).collect();
    assert!(stale.is_empty(), "changed: {stale:?}; after a change on purpose run with UPDATE_SNAPSHOTS=1");
}

#[test]
fn the_documentation_has_every_definition_as_it_is() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = words(include_str!("../../../docs/STATE_REPORT.md"));
    for definition in super::words::definitions() {
        let line = words(&format!("- **{}**: {}", definition.term, definition.text));
        assert!(page.contains(&line), "docs/STATE_REPORT.md lacks: {line}");
    }
}

#[test]
fn an_edition_is_read_back_from_its_json() {
    let (month, edition) = sample();
    let made = files(month, &edition);
    assert_eq!(super::ops::read(&made[0].content).as_ref(), Some(&edition));
    let newer = made[0].content.replacen("\"schema\": 1", "\"schema\": 2", 1);
    assert_eq!(super::ops::read(&newer), None, "another form is not misread");
}

#[test]
fn a_report_links_to_its_own_files_and_text_of_cards_is_no_markup() {
    let (month, edition) = sample();
    let made = files(month, &edition);
    let report = &made.iter().find(|file| file.format == Format::Markdown).unwrap().content;
    let mut links = report.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    assert!(links.clone().count() >= 6 && links.all(|link| made.iter().any(|file| file.name == link)), "{report}");
    for file in &made {
        let is_text = file.format != Format::Json;
        assert!(!is_text || !file.content.contains("<b>"), "{}", file.name);
    }
    assert!(report.contains("\\<b\\>a \\| b\\</b\\>"), "{report}");
    for plot in ["reach", "verdicts", "latency", "classes", "tiers", "tags"] {
        assert!(report.contains(&format!("({month}-{plot}.svg)")), "{plot} is not shown");
    }
}

#[test]
fn an_empty_directory_has_an_edition_and_nothing_in_it_is_made_up() {
    let month: Month = "2026-11".parse().unwrap();
    let edition = edition((month, 1), AS_OF, None, figures(&Census::default(), 0), None);
    assert_eq!(
        edition.summary,
        "0 agents are listed, 0 of them self-registered; none has a URL of its own; 0 were online."
    );
    let reach = &edition.figures.reach;
    for share in [&reach.probed, &reach.discoverable, &reach.responsive, &reach.online] {
        assert!(share.share.is_none() && share.reason.is_some(), "{share:?}");
    }
    assert!(edition.figures.probes.card_fetches.p50_ms.is_none() && edition.figures.contents.skills.p50.is_none());
    for file in files(month, &edition) {
        assert!(!file.content.contains("NaN") && !file.content.contains("inf "), "{}", file.content);
    }
}

#[test]
fn what_nobody_asked_is_not_known() {
    let silent = Entry { was_probed: false, ..unreachable() };
    let reach = census(&[silent, attached()]).reach();
    assert_eq!((reach.probed.count, reach.probed.of), (Some(0), 1));
    for share in [&reach.discoverable, &reach.responsive, &reach.responsive_of_listed] {
        assert_eq!((share.count, share.reason.as_deref()), (None, Some(NOT_PROBED)));
    }
    assert_eq!(reach.online.count, Some(1), "who holds a line is online whatever probes say");
}

#[test]
fn changes_are_between_the_same_figures() {
    let (_, edition) = sample();
    let previous = edition.previous.unwrap();
    assert_eq!((previous.edition.as_str(), previous.revision), ("2026-10", 2));
    let now = headlines(&edition.figures);
    assert_eq!(previous.changes.len(), now.len());
    for (change, headline) in previous.changes.iter().zip(&now) {
        assert_eq!((change.figure.as_str(), change.now), (headline.figure, headline.value));
    }
    let of = |figure: &str| previous.changes.iter().find(|change| change.figure == figure).unwrap();
    assert_eq!((of("directory.listed").before, of("directory.listed").now), (Some(2.0), Some(9.0)));
    assert_eq!(of("probes.calls").before, None, "what was not known before has no change");
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let kind = prop_oneof![Just(attached()), Just(callable()), Just(unreachable())];
    prop::collection::vec(kind, 0..60)
}

proptest! {
    #[test]
    fn parts_add_up_and_no_part_is_larger_than_its_whole(entries in entries()) {
        let census = census(&entries);
        let (all, figures) = (entries.len() as u64, figures(&census, 100));
        let sum = |shares: &[&Share]| shares.iter().map(|share| share.count.unwrap()).sum::<u64>();
        let directory = &figures.directory;
        prop_assert_eq!(sum(&[&directory.self_registered, &directory.federated]), all);
        let classes = &figures.service_classes;
        prop_assert_eq!(sum(&[&classes.declared, &classes.inferred, &classes.unknown]), all);
        prop_assert_eq!(sum(&classes.classes.iter().map(|class| &class.agents).collect::<Vec<_>>()), all);
        let responsive: u64 = classes.classes.iter().filter_map(|class| class.responsive.count).sum();
        prop_assert_eq!(Some(responsive), figures.reach.responsive.count.or(Some(0)));
        prop_assert_eq!(figures.quality.tiers.iter().filter_map(|row| row.share.count).sum::<u64>(), all);
        let with_url = directory.with_url.count.unwrap();
        prop_assert_eq!(figures.probes.verdicts.iter().filter_map(|row| row.share.count).sum::<u64>(), with_url);
        let json = serde_json::to_value(&figures).unwrap();
        prop_assert!(shares_hold(&json), "{json:#}");
    }
}

/// Does every share in a value hold what it promises?
fn shares_hold(value: &serde_json::Value) -> bool {
    let inside = || match value {
        serde_json::Value::Object(members) => members.values().all(shares_hold),
        serde_json::Value::Array(items) => items.iter().all(shares_hold),
        _ => true,
    };
    let Some(of) = value.get("of").and_then(serde_json::Value::as_u64) else { return inside() };
    let share = value["share"].as_f64();
    match value["count"].as_u64() {
        None => share.is_none() && value["reason"].is_string(),
        Some(count) if of > 0 => count <= of && share.is_some_and(|share| (0.0..=1.0).contains(&share)),
        Some(count) => count == 0 && share.is_none() && value["reason"].is_string(),
    }
}

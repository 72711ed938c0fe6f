//! Filters and facets, without an index.

use serde_json::json;

use super::*;
use crate::config::Config;

fn place() -> Place {
    Place::of(&Config::new("/nowhere", "https://relay.example"))
}

fn asked(filter: Value) -> Result<Asked> {
    read(filter.as_object().unwrap(), &place())
}

fn facets(request: Value) -> Result<Facets> {
    Facets::read(&serde_json::from_value::<Vec<FacetRequest>>(request).unwrap())
}

#[test]
fn one_value_and_a_list_of_one_say_the_same() {
    let id = AgentId::from_parts(1, [1; 10]);
    let one = json!({"tags": "Legal", "version": "1.0", "identifier": place().agent_urn(id), "displayName": "A"});
    let list =
        json!({"tags": ["LEGAL"], "version": ["1.0"], "identifier": [place().agent_urn(id)], "displayName": ["A"]});
    let read = asked(one).unwrap();
    assert_eq!(read, asked(list).unwrap());
    assert_eq!(read.narrowed.labels, [(Label::Tag, vec!["legal".into()]), (Label::Version, vec!["1.0".into()])]);
    assert_eq!((read.narrowed.among, read.names, read.is_void), (vec![vec![id]], vec![vec!["A".into()]], false));
}

#[test]
fn what_no_entry_of_ours_has_matches_none() {
    for filter in [
        json!({"type": "application/mcp-server-card+json"}),
        json!({"mediaType": []}),
        json!({"publisher": "other.example"}),
        json!({"identifier": ["urn:air:other.example:agent:x"]}),
        json!({"metadata.landline.agentId": "x"}),
        json!({"displayName": []}),
        json!({"tags": []}),
        json!({"tags": "x".repeat(201)}),
        json!({"metadata.landline.online": "maybe"}),
    ] {
        assert!(asked(filter.clone()).unwrap().is_void, "{filter}");
    }
    let filter =
        json!({"type": ["x", CARD_TYPE], "publisher": "RELAY.example", "metadata.landline.online": [true, false]});
    assert_eq!(asked(filter).unwrap(), Asked::default(), "what all entries have is no condition");
    assert_eq!(asked(json!({"metadata.landline.online": false})).unwrap().narrowed.online, Some(false));
}

#[test]
fn what_is_not_understood_is_named() {
    let many: Map<String, Value> = (0..=MAX_PATHS).map(|n| (n.to_string(), json!("x"))).collect();
    for (filter, names) in [
        (json!({"trustManifest.identity": "x"}), "trustManifest.identity"),
        (json!({"metadata.other": "x"}), "metadata.landline.category"),
        (json!({"tags": {"in": ["x"]}}), "`tags` must be"),
        (json!({"tags": null}), "`tags` must be"),
        (json!({"tags": [["x"]]}), "`tags` must be"),
        (json!({"tags": vec!["x"; MAX_VALUES + 1]}), "at most 64"),
        (json!(many), "at most 16"),
    ] {
        let problem = asked(filter).unwrap_err().into_problem();
        assert!(problem.detail.contains(names), "{}", problem.detail);
    }
    for (request, names) in [
        (json!([]), "1 to 10"),
        (json!([{"field": "displayName"}]), "displayName"),
        (json!([{"field": "x"}]), "metadata.landline.online"),
        (json!([{"field": "tags", "limit": 0}]), "at least 1"),
        (json!([{"field": "tags"}, {"field": "tags"}]), "twice"),
    ] {
        let problem = facets(request).unwrap_err().into_problem();
        assert!(problem.detail.contains(names), "{}", problem.detail);
    }
}

#[test]
fn the_most_frequent_values_are_named_and_the_others_counted() {
    let counts = HashMap::from([("a", 5), ("b", 7), ("c", 5), ("d", 2), ("e", 1)]);
    let counted = Counted {
        total: 9,
        online: 4,
        labels: vec![counts.into_iter().map(|(value, count)| (value.to_owned(), count)).collect()],
    };
    let request = json!([{"field": "metadata.landline.online"}, {"field": "tags", "limit": 2, "minCount": 2},
        {"field": "publisher"}, {"field": "type", "minCount": 10}]);
    let facets = facets(request).unwrap();
    assert_eq!(facets.labels(), [Label::Tag]);
    let answer = serde_json::to_value(facets.answer(counted, &place())).unwrap();
    let bucket = |value: &str, count: u64| json!({"value": value, "count": count});
    assert_eq!(answer["tags"], json!({"buckets": [bucket("b", 7), bucket("a", 5)], "otherCount": 7}));
    assert_eq!(answer["metadata.landline.online"], json!({"buckets": [bucket("false", 5), bucket("true", 4)]}));
    assert_eq!(answer["publisher"], json!({"buckets": [bucket("relay.example", 9)]}));
    assert_eq!(answer["type"], json!({"buckets": []}));
}

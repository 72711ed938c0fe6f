//! The documents of the catalogue. Pure: what they hold changes only when an agent changes, so they can be kept.

use landline_api::ard::{CARD_TYPE, CATALOG_TYPE, Catalog, Entry, Host, REGISTRY_TYPE};

use super::entry::{entry, other};
use super::names::{Place, registry_urn};
use super::shelf::Shelf;
use crate::agents::Listed;

/// Where the catalogue is, at the root of the origin.
pub(crate) const WELL_KNOWN: &str = "/.well-known/ai-catalog.json";

/// What of the directory a document shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    /// Agents.
    Agents(Vec<Listed>),
    /// The shelves that have them.
    Parts(Vec<Shelf>),
}

/// The document of a shelf. That of all of them names the registry and the exchange itself first.
pub(crate) fn document(shelf: Shelf, shown: Shown, place: &Place) -> Catalog {
    let mut entries = if shelf == Shelf::ALL { ours(place) } else { Vec::new() };
    match shown {
        Shown::Agents(agents) => entries.extend(agents.iter().map(|agent| entry(agent, place))),
        Shown::Parts(parts) => {
            let all = parts.len();
            entries.extend(parts.into_iter().enumerate().map(|(n, part)| nested(part, (n + 1, all), place)));
        }
    }
    let host = Host {
        display_name: format!("Landline at {}", place.domain),
        identifier: place.domain.clone(),
        documentation_url: format!("{}/docs/ARD", place.public_url),
    };
    Catalog { spec_version: "1.0".into(), host: Some(host), entries }
}

/// What the exchange itself offers.
fn ours(place: &Place) -> Vec<Entry> {
    let base = place.registry_url();
    let registry = other(
        registry_urn(&base).unwrap_or_else(|| place.urn("registry", "public")),
        format!("Registry of agents at {}", place.domain),
        REGISTRY_TYPE,
        base,
        "Every agent of this directory: search by words and filters, counts, and a list.",
    );
    let mut directory = other(
        place.urn("exchange", "directory"),
        format!("Directory enquiries at {}", place.domain),
        CARD_TYPE,
        format!("{}/.well-known/agent-card.json", place.public_url),
        "An A2A agent that finds other agents: say what is to be done.",
    );
    directory.tags = vec!["discovery".into(), "directory".into()];
    directory.capabilities = vec!["find-agents".into()];
    directory.representative_queries = crate::a2a::EXAMPLES.map(str::to_owned).into();
    vec![registry, directory]
}

fn nested(part: Shelf, (n, all): (usize, usize), place: &Place) -> Entry {
    other(
        place.urn("catalog", &part.to_string()),
        format!("Agents, part {n} of {all}"),
        CATALOG_TYPE,
        format!("{}/.well-known/ai-catalog/{part}.json", place.public_url),
        "A part of the directory. An agent stays in its part.",
    )
}

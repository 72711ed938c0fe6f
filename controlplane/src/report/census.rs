//! The directory's figures, from its agents one by one. Pure; memory does not grow with the agents, but for the words in
//! which they differ.

use std::collections::{BTreeMap, BTreeSet};

use landline_api::agents::CATEGORIES;
use landline_api::report::{self as api, Row};

use super::entry::{Entry, Origin, UNKNOWN};
use super::measure::{Distribution, Tally, share, unknown};
use crate::agents::TIERS;
use crate::pulse::Verdict;

/// Tags, versions and bindings that are shown.
const SHOWN: usize = 20;

/// Why nothing is known of agents at their URLs.
pub(super) const NOT_PROBED: &str = "no agent with a URL was probed in the 24 hours before";

/// Agents of one class.
#[derive(Debug, Clone, Default)]
struct ClassCount {
    agents: u64,
    probed: u64,
    responsive: u64,
}

/// What was counted so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Census {
    listed: u64,
    federated: u64,
    with_url: u64,
    joined: u64,
    probed: u64,
    discoverable: u64,
    responsive: u64,
    attached: u64,
    online: u64,
    signed: u64,
    with_interface: u64,
    streaming: u64,
    pushing: u64,
    passed: u64,
    verdicts: Tally,
    versions: Tally,
    bindings: Tally,
    missing: Tally,
    tiers: Tally,
    categories: Tally,
    tags: Tally,
    skills: Distribution,
    classes: BTreeMap<(Origin, String), ClassCount>,
}

impl Census {
    /// Counts an agent.
    pub(super) fn add(&mut self, entry: &Entry) {
        let count = |counter: &mut u64, is_so: bool| *counter += u64::from(is_so);
        self.listed += 1;
        count(&mut self.federated, entry.is_federated);
        count(&mut self.with_url, entry.has_url);
        count(&mut self.joined, entry.has_joined_of_late);
        count(&mut self.probed, entry.was_probed);
        count(&mut self.discoverable, entry.is_discoverable);
        count(&mut self.responsive, entry.is_responsive);
        count(&mut self.attached, entry.is_attached);
        count(&mut self.online, entry.is_online);
        count(&mut self.signed, entry.is_signed);
        count(&mut self.with_interface, !entry.bindings.is_empty());
        count(&mut self.streaming, entry.streams);
        count(&mut self.pushing, entry.pushes);
        count(&mut self.passed, entry.passed);
        if entry.has_url {
            self.verdicts.add(&entry.verdict, 1);
        }
        let each = |tally: &mut Tally, texts: &BTreeSet<String>| texts.iter().for_each(|text| tally.add(text, 1));
        each(&mut self.versions, &entry.versions);
        each(&mut self.bindings, &entry.bindings);
        each(&mut self.tags, &entry.tags);
        entry.missing.iter().for_each(|word| self.missing.add(word, 1));
        self.tiers.add(&entry.tier, 1);
        entry.category.iter().for_each(|category| self.categories.add(category, 1));
        self.skills.add(entry.skills, 1);
        let (class, origin) = &entry.class;
        let class = self.classes.entry((*origin, class.clone())).or_default();
        class.agents += 1;
        count(&mut class.probed, entry.was_probed);
        count(&mut class.responsive, entry.is_responsive);
    }

    /// Agents that were counted.
    pub(super) fn listed(&self) -> u64 {
        self.listed
    }

    pub(super) fn directory(&self) -> api::Directory {
        api::Directory {
            listed: self.listed,
            self_registered: share(self.listed - self.federated, self.listed),
            federated: share(self.federated, self.listed),
            with_url: share(self.with_url, self.listed),
            joined_30d: share(self.joined, self.listed),
        }
    }

    /// What was found out by asking is known only if somebody asked.
    fn asked(&self, count: u64, of: u64) -> api::Share {
        if self.with_url > 0 && self.probed == 0 { unknown(of, NOT_PROBED) } else { share(count, of) }
    }

    pub(super) fn reach(&self) -> api::Reach {
        api::Reach {
            probed: share(self.probed, self.with_url),
            discoverable: self.asked(self.discoverable, self.with_url),
            discoverable_of_listed: self.asked(self.discoverable, self.listed),
            responsive: self.asked(self.responsive, self.probed),
            responsive_of_listed: self.asked(self.responsive, self.listed),
            attached: share(self.attached, self.listed),
            online: share(self.online, self.listed),
        }
    }

    pub(super) fn verdicts(&self) -> Vec<Row> {
        self.verdicts.rows_of(&Verdict::ALL.map(Verdict::as_str), self.with_url)
    }

    pub(super) fn signatures(&self) -> api::Signatures {
        api::Signatures {
            carried: share(self.signed, self.listed),
            verified: unknown(self.signed, "signatures are not verified by this directory"),
        }
    }

    pub(super) fn service_classes(&self) -> api::ServiceClasses {
        let of = |origin: Origin| {
            let agents = self.classes.iter().filter(|((from, _), _)| *from == origin).map(|(_, class)| class.agents);
            share(agents.sum(), self.listed)
        };
        let class = |((origin, class), count): (&(Origin, String), &ClassCount)| api::Class {
            class: class.clone(),
            origin: origin.as_str().into(),
            agents: share(count.agents, self.listed),
            responsive: self.asked(count.responsive, count.probed),
        };
        debug_assert!(self.classes.keys().all(|(origin, class)| (*origin == Origin::None) == (class == UNKNOWN)));
        api::ServiceClasses {
            declared: of(Origin::Declared),
            inferred: of(Origin::Inferred),
            unknown: of(Origin::None),
            classes: self.classes.iter().map(class).collect(),
        }
    }

    pub(super) fn protocol(&self) -> api::Protocol {
        api::Protocol {
            with_interface: share(self.with_interface, self.listed),
            versions: self.versions.rows(self.with_interface, SHOWN),
            bindings: self.bindings.rows(self.with_interface, SHOWN),
            streaming: share(self.streaming, self.listed),
            push_notifications: share(self.pushing, self.listed),
        }
    }

    pub(super) fn quality(&self) -> api::Quality {
        api::Quality {
            passed: share(self.passed, self.listed),
            missing: self.missing.rows(self.listed, SHOWN),
            tiers: self.tiers.rows_of(&TIERS, self.listed),
        }
    }

    pub(super) fn contents(&self) -> api::Contents {
        let sample = self.skills.count();
        api::Contents {
            skills: api::Skills {
                sample,
                p50: self.skills.percentile(50.0),
                p90: self.skills.percentile(90.0),
                most: self.skills.most(),
                reason: (sample == 0).then(|| "nobody is listed".to_owned()),
            },
            categories: self.categories.rows(self.listed, CATEGORIES.len()),
            tags: self.tags.rows(self.listed, SHOWN),
            distinct_tags: self.tags.distinct(),
        }
    }
}
